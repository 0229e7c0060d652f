"""Change points in the mean of curves.

Killick, Fearnhead, Eckley (2012), Optimal detection of changepoints with a linear computational
cost, JASA 107 (PELT), with squared distances from the segments' means, in units of the noise.
The penalty of a change is log n for each new mean and 2 log n for its position: Zhang, Siegmund
(2007), A modified Bayes information criterion, Biometrics 63, without its small last term. Values
of overlapping windows are not independent: n is the number of windows that do not overlap, each
weighted by the number of windows that start within it.
"""

import numpy as np

_MIN_NOISE = 0.2  # as a share of the standard deviation of a curve


def change_points(curves, overlap=1):
    """Find change points in the mean of windows, jointly for curves of shape (n, n_curves).

    `overlap` is the number of windows that contain a given moment. As many lie between two
    segments, overlap both and belong to neither; a segment has at least as many.

    Returns the first of the windows between two segments, ascending.
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
    """Estimate the standard deviation of the noise from differences of distant values."""
    steps = np.abs(curves[lag:] - curves[:-lag])
    noise = np.median(steps, axis=0) / (0.6745 * np.sqrt(2))
    # probabilities near 0 and 1 are almost constant, so that any ripple would be a change
    return np.maximum(noise, _MIN_NOISE * curves.std(axis=0))


def _pelt(curves, penalty, overlap):
    n = len(curves)
    curves = curves - curves.mean(axis=0)
    sums = np.vstack([np.zeros(curves.shape[1]), np.cumsum(curves, axis=0)])
    squares = np.concatenate([[0.0], np.cumsum((curves**2).sum(axis=1))])
    best = np.full(n + 1, np.inf)  # cost of the values before an index
    best[0] = -penalty
    last = np.zeros(n + 1, dtype=int)
    candidates, until = np.array([0]), np.array([n])  # the last stop that each is for
    for stop in range(overlap, n + 1):
        candidates, until = candidates[until >= stop], until[until >= stop]
        new = stop - 2 * overlap
        if new >= overlap:
            candidates, until = np.append(candidates, new), np.append(until, n)
        first = np.where(candidates > 0, candidates + overlap, 0)  # after the windows in between
        within = ((sums[stop] - sums[first]) ** 2).sum(axis=1) / (stop - first)
        cost = best[candidates] + squares[stop] - squares[first] - within
        chosen = cost.argmin()
        best[stop], last[stop] = cost[chosen] + penalty, candidates[chosen]
        # a candidate that is worse even without a penalty is never best once `stop` is one
        until = np.where(cost > best[stop], np.minimum(until, stop + 2 * overlap - 1), until)
    found, stop = [], n
    while last[stop] > 0:
        stop = last[stop]
        found.append(int(stop))
    return found[::-1]
