"""Learned weights: a convex combination of the block vectors.

Kiela, Grave, Joulin, Mikolov (2018), Efficient large-scale multi-modal
classification, AAAI (weighted fusion in the same space).
"""

import torch
from torch import nn

from sklearn_mmsent.nn.fusion.base import Fusion


class WeightedFusion(Fusion):
    """Mean of the blocks by learned weights, renormalised over the present blocks.

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
        self.logits = nn.Parameter(torch.zeros(n_blocks))
        self.dropout = nn.Dropout(dropout)

    def weights(self, present):
        """Return the weights of shape (B, M): zero for absent blocks, summing to one."""
        return self.logits.masked_fill(~present, -torch.inf).softmax(dim=1)

    def block_weights(self, vectors, present):
        """Return the weights; see the base class."""
        return self.weights(present)

    def forward(self, vectors, present):
        """Fuse vectors of shape (B, M, D) to (B, D)."""
        return self.dropout((self.weights(present).unsqueeze(-1) * vectors).sum(1))
