"""Dropout that does not depend on padding."""

import torch
from torch import nn
from torch.nn import functional as F


class StepDropout(nn.Module):
    """Dropout of hidden units, the same ones in all steps or places of a row.

    Gal, Ghahramani (2016), A theoretically grounded application of dropout in recurrent neural
    networks, NeurIPS; Tompson et al. (2015), Efficient object localization using convolutional
    networks, CVPR (over places). As a result, the mask does not depend on the number of padded
    steps, and neither does training.

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
