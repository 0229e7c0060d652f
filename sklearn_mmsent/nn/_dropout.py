"""Dropout that padding does not change."""

import torch
from torch import nn
from torch.nn import functional as F


class StepDropout(nn.Module):
    """Dropout of hidden units, the same ones in all steps or places of a row.

    Gal, Ghahramani (2016), A theoretically grounded application of dropout in recurrent neural
    networks, NeurIPS; Tompson et al. (2015), Efficient object localization using convolutional
    networks, CVPR (over places). Here also because what is drawn does not depend on how many
    steps of padding there are, so neither does what is learned.

    Parameters
    ----------
    p : float
        Probability with which a unit is zeroed in training.
    """

    def __init__(self, p):
        super().__init__()
        self.p = p

    def forward(self, values):
        """Drop units of values of shape (B, ..., D)."""
        kept = torch.ones_like(values[(slice(None), *[slice(1)] * (values.ndim - 2))])
        return values * F.dropout(kept, self.p, self.training)
