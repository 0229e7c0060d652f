"""Weighted means over the experts that can read a row."""

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax

TINY = 1e-12


def has_output(outputs):
    """Return which experts have an output for each row, as bool of shape (n_samples, n_experts)."""
    return ~np.isnan(outputs[:, :, 0])


def normalized_weights(weights, present):
    """Return the weights of the experts that can read each row, (n_samples, n_experts).

    Each row sums to one, or to zero if no expert can read it. If only experts of weight zero can,
    their weights are equal.
    """
    part = present * np.asarray(weights, dtype=np.float64)
    part = np.where(part.any(axis=1, keepdims=True), part, present)
    total = part.sum(axis=1, keepdims=True)
    return np.divide(part, total, out=np.zeros(part.shape), where=total > 0)


def pool(outputs, weights, *, geometric=False):
    """Average over the experts that can read a row.

    Parameters
    ----------
    outputs : ndarray of shape (n_samples, n_experts, n_outputs)
        NaN for rows that an expert cannot read.
    weights : ndarray of shape (n_experts,)
        Not negative.
    geometric : bool, default=False
        Whether to compute the normalised geometric mean of probabilities.

    Returns
    -------
    ndarray of shape (n_samples, n_outputs)
        Undefined for rows that no expert can read.
    """
    share = normalized_weights(weights, has_output(outputs))
    filled = np.nan_to_num(outputs)
    if not geometric:
        return np.einsum("nk,nko->no", share, filled)
    return softmax(np.einsum("nk,nko->no", share, _log(filled)), axis=1)


def learn_weights(outputs, target, *, classifier, geometric=False, sample_weight=None):
    """Return the weights with which the pooled out-of-fold outputs have the least loss.

    The loss is log loss for classes and squared error divided by the variance of the target for
    intensities. An L2 penalty with the weight of one row keeps weights near equal with few rows.

    Parameters
    ----------
    outputs : ndarray of shape (n_samples, n_experts, n_outputs)
        NaN for rows that an expert cannot read.
    target : ndarray of shape (n_samples,)
        Class indices, or intensities.
    classifier : bool
        Whether targets are classes.
    geometric : bool, default=False
        As for :func:`pool`.
    sample_weight : ndarray of shape (n_samples,) or None, default=None
        Weight of each row in the loss.

    Returns
    -------
    ndarray of shape (n_experts,)
        Positive; they sum to one.
    """
    present = has_output(outputs)
    used = present.sum(axis=1) > 1  # rows with a choice between experts
    n_experts = outputs.shape[1]
    if not used.any():
        return np.full(n_experts, 1 / n_experts)
    present, target = present[used], target[used]
    values = np.nan_to_num(outputs[used])
    values = _log(values) if geometric else values
    row_weights = np.ones(len(values)) if sample_weight is None else sample_weight[used]
    row_weights = row_weights / max(row_weights.sum(), TINY)
    if not classifier:
        row_weights = row_weights / max(target.var(), TINY)
    rows = np.arange(len(values))

    def loss_of(pooled):
        """Return the loss of each row and its gradient with respect to the pooled output."""
        gradient = np.zeros_like(pooled)
        if not classifier:
            gradient[:, 0] = 2 * (pooled[:, 0] - target)
            return (pooled[:, 0] - target) ** 2, gradient
        if geometric:
            gradient = softmax(pooled, axis=1)
            gradient[rows, target] -= 1
            return -log_softmax(pooled, axis=1)[rows, target], gradient
        likelihood = np.maximum(pooled[rows, target], TINY)
        gradient[rows, target] = -1 / likelihood
        return -np.log(likelihood), gradient

    def objective(logits):
        share = softmax(np.where(present, logits, -np.inf), axis=1)
        pooled = np.einsum("nk,nko->no", share, values)
        loss, gradient = loss_of(pooled)
        effect = np.einsum("no,nko->nk", gradient, values - pooled[:, None])
        by_logits = row_weights @ (share * effect)
        penalty = logits @ logits / len(values)
        return row_weights @ loss + penalty, by_logits + 2 * logits / len(values)

    found = minimize(objective, np.zeros(n_experts), jac=True, method="L-BFGS-B")
    return softmax(found.x)


def _log(probabilities):
    return np.log(np.maximum(probabilities, TINY))
