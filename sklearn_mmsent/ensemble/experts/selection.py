"""Greedy selection of members, with replacement, from their out-of-fold outputs."""

import numpy as np

from sklearn_mmsent.ensemble.experts.combination import has_output


def select_members(outputs, prior, score, *, among, n_rounds, n_initial):
    """Add members to an ensemble one by one, each time the one with which it scores best.

    It starts with the best single members: as many of the first `n_initial` as score best as an
    ensemble. The result is the ensemble of the best round.

    Parameters
    ----------
    outputs : ndarray of shape (n_samples, n_members, n_outputs)
        Out-of-fold outputs, NaN for rows that a member cannot read.
    prior : ndarray of shape (n_outputs,)
        Prediction for rows that no chosen member can read.
    score : callable
        Score of outputs of shape (n_samples, n_outputs); greater is better, NaN is worst.
    among : ndarray of int
        Members to choose from.
    n_rounds : int
        Maximum number of members, counted with repetitions.
    n_initial : int
        Maximum number of members at the start.

    Returns
    -------
    counts : ndarray of int of shape (n_members,)
        How often each member was chosen.
    path : list of (int, float) tuples
        Members in the order in which they were added, with the score of the ensemble.
    """
    present = has_output(outputs)
    filled = np.nan_to_num(outputs)
    total = np.zeros((len(outputs), outputs.shape[2]))
    n_known = np.zeros(len(outputs), dtype=int)

    def joined_with(k):
        n = n_known + present[:, k]
        mean = (total + filled[:, k]) / np.maximum(n, 1)[:, None]
        return np.where(n[:, None] > 0, mean, prior)

    def score_with(k):
        reached = score(joined_with(k))
        return -np.inf if np.isnan(reached) else reached

    path = []

    def add(k, reached):
        nonlocal total, n_known
        total, n_known = total + filled[:, k], n_known + present[:, k]
        path.append((int(k), float(reached)))

    single = np.array([score_with(k) for k in among])
    order = among[np.argsort(-single, kind="stable")]
    for k in order[:n_initial]:
        add(k, score_with(k))
    start = 1 + int(np.argmax([reached for _, reached in path]))
    kept, path = path[:start], []
    total, n_known = np.zeros_like(total), np.zeros_like(n_known)
    for k, reached in kept:
        add(k, reached)
    while len(path) < n_rounds:
        reached = [score_with(k) for k in order]
        best = int(np.argmax(reached))
        add(order[best], reached[best])
    n_best = 1 + int(np.argmax([reached for _, reached in path]))
    chosen = [k for k, _ in path[:n_best]]
    return np.bincount(chosen, minlength=outputs.shape[1]), path


def draw_bags(n_members, n_bags, fraction, rng):
    """Return the sorted members that each bag chooses from; a single bag has all members."""
    if n_bags == 1:
        return [np.arange(n_members)]
    size = max(1, round(fraction * n_members))
    return [np.sort(rng.choice(n_members, size, replace=False)) for _ in range(n_bags)]
