"""Losses as weighted means over the rows of a batch."""

from torch.nn import functional as F


def weighted_mean(losses, weights):
    """Average losses of shape (B,) by the rows' weights of shape (B,)."""
    # a batch in which nothing counts has no gradient, rather than NaN
    return (losses * weights).sum() / weights.sum().clamp(min=1e-12)


def cross_entropy(outputs, targets, weights):
    """Weighted cross-entropy.

    Parameters
    ----------
    outputs : Tensor of shape (B, C)
        Logits.
    targets : LongTensor of shape (B,)
        Class numbers.
    weights : Tensor of shape (B,)
        Weight of each row.

    Returns
    -------
    Tensor of shape ()
        The loss.
    """
    return weighted_mean(F.cross_entropy(outputs, targets, reduction="none"), weights)


def squared_error(outputs, targets, weights):
    """Weighted mean squared error.

    Parameters
    ----------
    outputs : Tensor of shape (B, C)
        Predicted values.
    targets : Tensor of shape (B, C)
        True values.
    weights : Tensor of shape (B,)
        Weight of each row.

    Returns
    -------
    Tensor of shape ()
        The loss.
    """
    return weighted_mean(((outputs - targets) ** 2).mean(1), weights)
