"""Where a curve jumps: change points in the mean.

Killick, Fearnhead, Eckley (2012), Optimal detection of changepoints with a linear computational
cost, JASA 107 (PELT), with squared distances from the segments' means, in units of the noise.
The penalty of a change is log n for each mean that it brings and 2 log n for its place: Zhang,
Siegmund (2007), A modified Bayes information criterion, Biometrics 63, without its small last
term. Values of windows that overlap are not independent: n counts windows side by side, and each
counts as many times as windows begin within it.
"""

import numpy as np

_LEAST = 0.2  # noise, as a share of a curve's standard deviation


def change_points(curves, overlap=1):
    """Find where the means of some curves change, all at once.

    Parameters
    ----------
    curves : ndarray of shape (n, n_curves)
        Values of windows in order of time.
    overlap : int, default=1
        Windows that a moment is in. So many are between two stretches, have a part of both and
        count for neither; a stretch has as many at least.

    Returns
    -------
    list of int
        First of the windows between two stretches, ascending.
    """
    curves = np.asarray(curves, dtype=float)
    n = len(curves)
    if n < 3 * overlap:
        return []
    noise = _noise(curves, overlap)
    curves = curves[:, noise > 0] / noise[noise > 0]
    if not curves.shape[1]:
        return []
    penalty = overlap * (curves.shape[1] + 2) * np.log(n / overlap)
    return _pelt(curves, penalty, overlap)


def _noise(curves, lag):
    """Return the standard deviation of what does not last: by differences of distant values."""
    steps = np.abs(curves[lag:] - curves[:-lag])
    noise = np.median(steps, axis=0) / (0.6745 * np.sqrt(2))
    # probabilities near 0 and 1 hardly change: next to that any ripple would be a turn
    return np.maximum(noise, _LEAST * curves.std(axis=0))


def _pelt(curves, penalty, overlap):
    n = len(curves)
    curves = curves - curves.mean(axis=0)
    sums = np.vstack([np.zeros(curves.shape[1]), np.cumsum(curves, axis=0)])
    squares = np.concatenate([[0.0], np.cumsum((curves**2).sum(axis=1))])
    best = np.full(n + 1, np.inf)  # cost of the values before an index
    best[0] = -penalty
    last = np.zeros(n + 1, dtype=int)
    candidates, until = np.array([0]), np.array([n])  # and the last index that each is for
    for stop in range(overlap, n + 1):
        candidates, until = candidates[until >= stop], until[until >= stop]
        new = stop - 2 * overlap
        if new >= overlap:
            candidates, until = np.append(candidates, new), np.append(until, n)
        first = np.where(candidates > 0, candidates + overlap, 0)  # behind what is between
        within = ((sums[stop] - sums[first]) ** 2).sum(axis=1) / (stop - first)
        cost = best[candidates] + squares[stop] - squares[first] - within
        chosen = cost.argmin()
        best[stop], last[stop] = cost[chosen] + penalty, candidates[chosen]
        # what is worse even without another penalty will not be best once `stop` can be chosen
        until = np.where(cost > best[stop], np.minimum(until, stop + 2 * overlap - 1), until)
    found, stop = [], n
    while last[stop] > 0:
        stop = last[stop]
        found.append(int(stop))
    return found[::-1]
