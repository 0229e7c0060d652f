"""Simple pooling: the mean, or the sum, of the present blocks' vectors.

Baltrusaitis, Ahuja, Morency (2019), Multimodal machine learning: a survey and
taxonomy, IEEE TPAMI 41(2), section 3.1 (joint representations); with all
weights equal, the weighted fusion of Kiela et al. (2018).
"""

from torch import nn

from sklearn_mmsent.nn.fusion.base import Fusion


class SumFusion(Fusion):
    """Sum of the vectors of the present blocks.

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
        self.dropout = nn.Dropout(dropout)

    def forward(self, vectors, present):
        """Fuse vectors of shape (B, M, D) to (B, D)."""
        return self.dropout((vectors * present.unsqueeze(-1)).sum(1))


class MeanFusion(SumFusion):
    """Mean of the vectors of the present blocks, whose scale does not depend on their number.

    Parameters
    ----------
    n_blocks : int
        Number of blocks M.
    width : int
        Hidden width D.
    dropout : float
        Probability with which a fused unit is zeroed in training.
    """

    def forward(self, vectors, present):
        """Fuse vectors of shape (B, M, D) to (B, D)."""
        return super().forward(vectors, present) / present.sum(1, keepdim=True)
