"""The multimodal adaptation gate (MAG).

Rahman, Hasan, Lee, Zadeh, Mao, Morency, Hoque (2020), Integrating multimodal
information in large pretrained transformers, ACL. With Z the main block and
A_i the others: g_i = relu(W_gi [A_i; Z] + b_gi), H = sum_i g_i * (W_i A_i + b_i),
alpha = min(beta |Z| / |H|, 1), and the shifted vector is LayerNorm(Z + alpha H).

The paper shifts each word of a text inside a language model; here it is the
main block's vector. Its b_H is here one bias per other block, as in the
authors' code, so that H is zero where no other block is present.
"""

import torch
from torch import nn

from sklearn_mmsent.nn.fusion.base import Fusion


class AdaptationGateFusion(Fusion):
    """One main block, shifted by the others by a limited length.

    If the main block is absent, its absence token is shifted.

    Parameters
    ----------
    n_blocks : int
        Number of blocks M.
    width : int
        Hidden width D.
    dropout : float
        Probability with which a fused unit is zeroed in training.
    main : int, default=0
        Number of the main block, in the order of the table.
    beta : float, default=1.0
        Maximum length of the shift, as a multiple of the main vector's length.
    """

    weights_are = "gates"

    def __init__(self, n_blocks, width, dropout, main=0, beta=1.0):
        super().__init__()
        if main not in range(n_blocks):
            raise ValueError(
                f"AdaptationGateFusion: main must be the number of a block, from 0 to "
                f"{n_blocks - 1}. Got {main!r} instead."
            )
        self.main = main
        self.beta = beta
        self.others = [i for i in range(n_blocks) if i != main]
        self.gate = nn.ModuleList(nn.Linear(2 * width, width) for _ in self.others)
        self.values = nn.ModuleList(nn.Linear(width, width) for _ in self.others)
        self.norm = nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)

    def gates(self, vectors, present):
        """Return the gates g of shape (B, M, D): zero for absent blocks and the main block."""
        gates = list(torch.zeros_like(vectors).unbind(1))
        for layer, i in zip(self.gate, self.others, strict=True):
            both = torch.cat([vectors[:, i], vectors[:, self.main]], dim=1)
            gates[i] = layer(both).relu() * present[:, i, None]
        return torch.stack(gates, dim=1)

    def shift(self, vectors, present):
        """Return the shift of the main block's vector, alpha H, of shape (B, D)."""
        main = vectors[:, self.main]
        gates = self.gates(vectors, present)
        shift = torch.zeros_like(main)
        for layer, i in zip(self.values, self.others, strict=True):
            shift = shift + gates[:, i] * layer(vectors[:, i])
        length = torch.linalg.vector_norm(shift, dim=1, keepdim=True)
        longest = self.beta * torch.linalg.vector_norm(main, dim=1, keepdim=True)
        return shift * (longest / (length + 1e-6)).clamp(max=1)

    def block_weights(self, vectors, present):
        """Return the gates, mean over units, and one for the main block; see the base class."""
        weights = self.gates(vectors, present).mean(2)
        main = torch.arange(weights.shape[1], device=weights.device) == self.main
        return torch.where(main, present.to(weights.dtype), weights)

    def forward(self, vectors, present):
        """Fuse vectors of shape (B, M, D) to (B, D)."""
        return self.dropout(self.norm(vectors[:, self.main] + self.shift(vectors, present)))
