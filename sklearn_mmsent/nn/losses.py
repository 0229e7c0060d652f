"""Losses of each row; a batch's loss is their weighted mean."""

from torch.nn import functional as F


def weighted_mean(losses, weights):
    """Average losses of shape (B,) by the rows' weights of shape (B,)."""
    # a batch in which nothing counts has no gradient, rather than NaN
    return (losses * weights).sum() / weights.sum().clamp(min=1e-12)


def cross_entropy(outputs, targets):
    """Cross-entropy of logits (B, C) and class numbers (B,), row by row: (B,)."""
    return F.cross_entropy(outputs, targets, reduction="none")


def squared_error(outputs, targets):
    """Squared error of outputs and targets (B, C), averaged over the outputs: (B,)."""
    return ((outputs - targets) ** 2).mean(1)
