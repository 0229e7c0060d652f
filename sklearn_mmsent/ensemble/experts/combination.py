"""Means over the experts that can read a row, and the weights in them."""

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax

TINY = 1e-12


def known(outputs):
    """Tell which experts have said something, as bool of shape (n_samples, n_experts)."""
    return ~np.isnan(outputs[:, :, 0])


def shares(weights, there):
    """Share weights out among the experts that can read a row.

    Parameters
    ----------
    weights : ndarray of shape (n_experts,)
        Not negative.
    there : ndarray of bool of shape (n_samples, n_experts)
        Who can read what.

    Returns
    -------
    ndarray of shape (n_samples, n_experts)
        Rows sum to one; to zero where nobody can. Where only experts without weight can, they
        share alike.
    """
    part = there * np.asarray(weights, dtype=np.float64)
    part = np.where(part.any(axis=1, keepdims=True), part, there)
    total = part.sum(axis=1, keepdims=True)
    return np.divide(part, total, out=np.zeros(part.shape), where=total > 0)


def pool(outputs, weights, *, geometric=False):
    """Average over the experts that can read a row.

    Parameters
    ----------
    outputs : ndarray of shape (n_samples, n_experts, n_outputs)
        NaN where an expert says nothing.
    weights : ndarray of shape (n_experts,)
        Not negative.
    geometric : bool, default=False
        Whether to multiply probabilities instead, and to scale them to one.

    Returns
    -------
    ndarray of shape (n_samples, n_outputs)
        Of rows that nobody can read, without meaning.
    """
    share = shares(weights, known(outputs))
    filled = np.nan_to_num(outputs)
    if not geometric:
        return np.einsum("nk,nko->no", share, filled)
    return softmax(np.einsum("nk,nko->no", share, _log(filled)), axis=1)


def learn_weights(outputs, target, *, classifier, geometric=False, sample_weight=None):
    """Find the weights with which the pooled out-of-fold outputs err least.

    Log loss for classes, squared error (in units of the target's variance) for intensities, over
    the simplex. A penalty of a row's weight holds them near equal where rows are few.

    Parameters
    ----------
    outputs : ndarray of shape (n_samples, n_experts, n_outputs)
        NaN where an expert says nothing.
    target : ndarray of shape (n_samples,)
        Class numbers, or intensities.
    classifier : bool
        Which of both.
    geometric : bool, default=False
        As for :func:`pool`.
    sample_weight : ndarray of shape (n_samples,) or None, default=None
        Weight of each row in the loss.

    Returns
    -------
    ndarray of shape (n_experts,)
        Positive, and one in sum.
    """
    there = known(outputs)
    used = there.sum(axis=1) > 1  # elsewhere there is nothing to weigh
    n_experts = outputs.shape[1]
    if not used.any():
        return np.full(n_experts, 1 / n_experts)
    there, target = there[used], target[used]
    values = np.nan_to_num(outputs[used])
    values = _log(values) if geometric else values
    row_weights = np.ones(len(values)) if sample_weight is None else sample_weight[used]
    row_weights = row_weights / max(row_weights.sum(), TINY)
    if not classifier:
        row_weights = row_weights / max(target.var(), TINY)
    rows = np.arange(len(values))

    def loss_of(pooled):
        """Return the loss of each row and its gradient by what was pooled."""
        gradient = np.zeros_like(pooled)
        if not classifier:
            gradient[:, 0] = 2 * (pooled[:, 0] - target)
            return (pooled[:, 0] - target) ** 2, gradient
        if geometric:
            gradient = softmax(pooled, axis=1)
            gradient[rows, target] -= 1
            return -log_softmax(pooled, axis=1)[rows, target], gradient
        told = np.maximum(pooled[rows, target], TINY)
        gradient[rows, target] = -1 / told
        return -np.log(told), gradient

    def objective(logits):
        share = softmax(np.where(there, logits, -np.inf), axis=1)
        pooled = np.einsum("nk,nko->no", share, values)
        loss, gradient = loss_of(pooled)
        moved = np.einsum("no,nko->nk", gradient, values - pooled[:, None])
        by_logits = row_weights @ (share * moved)
        penalty = logits @ logits / len(values)
        return row_weights @ loss + penalty, by_logits + 2 * logits / len(values)

    found = minimize(objective, np.zeros(n_experts), jac=True, method="L-BFGS-B")
    return softmax(found.x)


def _log(probabilities):
    return np.log(np.maximum(probabilities, TINY))
