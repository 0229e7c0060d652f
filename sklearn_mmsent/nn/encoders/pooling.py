"""Pooling over the real steps of sequences."""

import torch
from torch import nn
from torch.nn import functional as F


def masked_mean(values, real):
    """Average values (B, S, D) over real steps (B, S): (B, D), zeros without real steps."""
    count = real.sum(1, keepdim=True).clamp(min=1)  # (B, 1)
    return values.masked_fill(~real.unsqueeze(-1), 0.0).sum(1) / count


def masked_softmax(scores, real):
    """Softmax of scores (B, S) over real steps: weights (B, S), zeros without real steps."""
    lowest = torch.finfo(scores.dtype).min  # minus infinity gives NaN without real steps
    return scores.masked_fill(~real, lowest).softmax(dim=1) * real


def shrink_mask(real, factor):
    """Pool a mask of steps (B, S) by ``factor``: (B, S'), real where any step is."""
    return F.max_pool1d(real.float().unsqueeze(1), factor, ceil_mode=True).squeeze(1) > 0


class AttentionPooling(nn.Module):
    """Attention over steps: a = softmax(v . tanh(W h + b)).

    Parameters
    ----------
    n_inputs : int
        Width of the steps.
    width : int
        Hidden width of the scores.
    """

    def __init__(self, n_inputs, width):
        super().__init__()
        # a constant added to all scores would not change the weights: no bias
        self.score = nn.Sequential(
            nn.Linear(n_inputs, width), nn.Tanh(), nn.Linear(width, 1, bias=False)
        )

    def weights(self, values, real):
        """Return the weights of shape (B, S): zero for padding, summing to one."""
        return masked_softmax(self.score(values).squeeze(-1), real)

    def forward(self, values, real):
        """Pool values of shape (B, S, D) to (B, D); zeros for a row without real steps."""
        return (self.weights(values, real).unsqueeze(-1) * values).sum(1)
