"""The gated multimodal unit (GMU).

Arevalo, Solorio, Montes-y-Gomez, Gonzalez (2017), Gated multimodal units for
information fusion, arXiv:1702.01992: h_i = tanh(W_i x_i),
z_i = sigmoid(V_i [x_1, ..., x_M]), h = sum_i z_i * h_i (their figure 2a, the
form for any number of modalities).
"""

from torch import nn

from sklearn_mmsent.nn.fusion.base import Fusion, each


class GatedFusion(Fusion):
    """Sum of the blocks, each through gates that depend on all blocks.

    Parameters
    ----------
    n_blocks : int
        Number of blocks M.
    width : int
        Hidden width D.
    dropout : float
        Probability with which a fused unit is zeroed in training.
    """

    weights_are = "gates"

    def __init__(self, n_blocks, width, dropout):
        super().__init__()
        self.values = nn.ModuleList(nn.Linear(width, width) for _ in range(n_blocks))
        self.gate = nn.Linear(n_blocks * width, n_blocks * width)
        self.dropout = nn.Dropout(dropout)

    def gates(self, vectors, present):
        """Return the gates z of shape (B, M, D), zero for absent blocks."""
        gates = self.gate(vectors.flatten(1)).sigmoid().view_as(vectors)
        return gates * present.unsqueeze(-1)

    def block_weights(self, vectors, present):
        """Return the gates, mean over units; see the base class."""
        return self.gates(vectors, present).mean(2)

    def forward(self, vectors, present):
        """Fuse vectors of shape (B, M, D) to (B, D)."""
        values = each(self.values, vectors).tanh()
        return self.dropout((self.gates(vectors, present) * values).sum(1))
