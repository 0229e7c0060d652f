"""Losses per row; the loss of a batch is their weighted mean.

Focal loss is from Lin, Goyal, Girshick, He, Dollar (2017), Focal loss for dense
object detection, ICCV; label smoothing from Szegedy, Vanhoucke, Ioffe, Shlens,
Wojna (2016), Rethinking the inception architecture for computer vision, CVPR; the
Huber loss from Huber (1964), Robust estimation of a location parameter, Annals of
Mathematical Statistics 35(1).
"""

import torch
from torch.nn import functional as F


def weighted_mean(losses, weights):
    """Average losses of shape (B,) by the rows' weights of shape (B,)."""
    # a batch without weight has a zero gradient instead of NaN
    return (losses * weights).sum() / weights.sum().clamp(min=1e-12)


def cross_entropy(outputs, targets, *, label_smoothing=0.0):
    """Cross-entropy of logits (B, C) and class numbers (B,), row by row: (B,).

    With label smoothing e, the target probability of the true class is 1 - e + e / C, that of
    each other class e / C.
    """
    if not 0 <= label_smoothing < 1:
        raise ValueError(
            f"cross_entropy: label_smoothing must be from 0 to below 1. Got {label_smoothing!r}."
        )
    return F.cross_entropy(outputs, targets, reduction="none", label_smoothing=label_smoothing)


def binary_cross_entropy(outputs, targets, *, pos_weight=1.0):
    """Cross-entropy of the logits (B, 2) of two classes and class numbers (B,), row by row: (B,).

    Rows of class 1 weigh ``pos_weight``.
    """
    if outputs.shape[1] != 2:
        raise ValueError(
            f"binary_cross_entropy is for two classes; y has {outputs.shape[1]}. Use "
            "'cross_entropy'."
        )
    if not pos_weight > 0:
        raise ValueError(f"binary_cross_entropy: pos_weight must be above 0. Got {pos_weight!r}.")
    return F.binary_cross_entropy_with_logits(
        outputs[:, 1] - outputs[:, 0],
        targets.to(outputs.dtype),
        reduction="none",
        pos_weight=outputs.new_tensor(pos_weight),
    )


def focal(outputs, targets, *, gamma=2.0):
    """Focal loss of logits (B, C) and class numbers (B,): -(1 - p)^gamma log p, row by row: (B,).

    p is the probability of the true class: rows that are classified well count less.
    """
    if not gamma >= 0:
        raise ValueError(f"focal: gamma must be 0 or more. Got {gamma!r}.")
    log_p = -F.cross_entropy(outputs, targets, reduction="none")
    # 1 - p without rounding error; a power below one has no gradient at zero
    missing = (-torch.expm1(log_p)).clamp(min=torch.finfo(log_p.dtype).tiny ** 0.5)
    return -(missing**gamma) * log_p


def squared_error(outputs, targets):
    """Squared error of outputs and targets (B, C), averaged over the outputs: (B,)."""
    return ((outputs - targets) ** 2).mean(1)


def absolute_error(outputs, targets):
    """Absolute error of outputs and targets (B, C), averaged over the outputs: (B,)."""
    return (outputs - targets).abs().mean(1)


def huber(outputs, targets, *, delta=1.0):
    """Huber loss of outputs and targets (B, C), averaged over the outputs: (B,).

    Half the squared error up to ``delta``, linear with slope ``delta`` beyond.
    """
    if not delta > 0:
        raise ValueError(f"huber: delta must be above 0. Got {delta!r}.")
    return F.huber_loss(outputs, targets, reduction="none", delta=delta).mean(1)


#: Names of the built-in losses by task, as `loss=` of the estimators takes them.
LOSSES = {
    "classification": {
        "cross_entropy": cross_entropy,
        "binary_cross_entropy": binary_cross_entropy,
        "focal": focal,
    },
    "regression": {
        "squared_error": squared_error,
        "absolute_error": absolute_error,
        "huber": huber,
    },
}
