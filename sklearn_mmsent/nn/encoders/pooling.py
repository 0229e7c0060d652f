"""What encoders of sequences share: pooling of what is real, and dropout alike in all steps."""

import torch
from torch import nn
from torch.nn import functional as F


def masked_mean(values, real):
    """Average values of shape (B, S, D) over what is real (B, S): (B, D), zeros for nothing."""
    count = real.sum(1, keepdim=True).clamp(min=1)  # (B, 1)
    return values.masked_fill(~real.unsqueeze(-1), 0.0).sum(1) / count


def masked_softmax(scores, real):
    """Softmax of scores of shape (B, S) over what is real: weights (B, S), zeros for nothing."""
    lowest = torch.finfo(scores.dtype).min  # minus infinity has no softmax where nothing is real
    return scores.masked_fill(~real, lowest).softmax(dim=1) * real


def shrink_mask(real, factor):
    """Take steps (B, S) together by ``factor``: (B, S'), real where any of them is."""
    return F.max_pool1d(real.float().unsqueeze(1), factor, ceil_mode=True).squeeze(1) > 0


class AttentionPooling(nn.Module):
    """Weights of each step from the step itself: a = softmax(v . tanh(W h + b)).

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
