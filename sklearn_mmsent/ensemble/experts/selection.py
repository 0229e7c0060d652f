"""Greedy selection of members, with replacement, from what they predict of unseen rows."""

import numpy as np

from sklearn_mmsent.ensemble.experts.combination import known


def select_members(outputs, prior, score, *, among, n_rounds, n_initial):
    """Add to an ensemble, round by round, the member with which it scores best.

    It starts with the best members on their own: as many of the first `n_initial` as score best
    together. The ensemble of the best round counts, not the last.

    Parameters
    ----------
    outputs : ndarray of shape (n_samples, n_members, n_outputs)
        Out-of-fold outputs, NaN where a member says nothing.
    prior : ndarray of shape (n_outputs,)
        What stands where no chosen member says anything.
    score : callable
        Of outputs of shape (n_samples, n_outputs); greater is better, NaN is worst.
    among : ndarray of int
        The members to choose from.
    n_rounds : int
        How many are added, at most.
    n_initial : int
        How many may start.

    Returns
    -------
    counts : ndarray of int of shape (n_members,)
        How often each was chosen.
    path : list of (int, float) tuples
        Each member that was added, and the score with it.
    """
    there = known(outputs)
    filled = np.nan_to_num(outputs)
    total = np.zeros((len(outputs), outputs.shape[2]))
    heard = np.zeros(len(outputs), dtype=int)

    def joined_with(k):
        n = heard + there[:, k]
        mean = (total + filled[:, k]) / np.maximum(n, 1)[:, None]
        return np.where(n[:, None] > 0, mean, prior)

    def score_with(k):
        reached = score(joined_with(k))
        return -np.inf if np.isnan(reached) else reached

    path = []

    def add(k, reached):
        nonlocal total, heard
        total, heard = total + filled[:, k], heard + there[:, k]
        path.append((int(k), float(reached)))

    alone = np.array([score_with(k) for k in among])
    order = among[np.argsort(-alone, kind="stable")]
    for k in order[:n_initial]:
        add(k, score_with(k))
    start = 1 + int(np.argmax([reached for _, reached in path]))
    kept, path = path[:start], []
    total, heard = np.zeros_like(total), np.zeros_like(heard)
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
    """Draw which members each bag may choose from.

    Parameters
    ----------
    n_members : int
        Size of the library.
    n_bags : int
        How many; a single one has all members.
    fraction : float
        Of the library in a bag.
    rng : Generator
        Draws.

    Returns
    -------
    list of ndarray of int
        Members of each bag, in their order.
    """
    if n_bags == 1:
        return [np.arange(n_members)]
    size = max(1, round(fraction * n_members))
    return [np.sort(rng.choice(n_members, size, replace=False)) for _ in range(n_bags)]
