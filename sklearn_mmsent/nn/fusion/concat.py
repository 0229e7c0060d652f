"""Concatenation, the baseline of feature-level fusion.

Baltrusaitis, Ahuja, Morency (2019), Multimodal machine learning: a survey and
taxonomy, IEEE TPAMI 41(2), section 6.1.
"""

from torch import nn

from sklearn_mmsent.nn.fusion.base import Fusion


class ConcatFusion(Fusion):
    """Concatenation of the block vectors, then one dense layer.

    Parameters
    ----------
    n_blocks : int
        Number of blocks M.
    width : int
        Hidden width D.
    dropout : float
        Probability with which a fused unit is zeroed in training.
    """

    def __init__(self, n_blocks, width, dropout):
        super().__init__()
        self.project = nn.Sequential(
            nn.Linear(n_blocks * width, width), nn.ReLU(), nn.Dropout(dropout)
        )

    def forward(self, vectors, present):
        """Fuse vectors of shape (B, M, D) to (B, D); absent blocks are absence tokens."""
        return self.project(vectors.flatten(1))
