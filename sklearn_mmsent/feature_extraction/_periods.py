"""Jitter and shimmer: how much neighbouring periods of the voice differ in length and height.

Shapes: T frames of a clip, R pieces of voiced sound, W samples of a window, L lags.

Periods are found one after another: each is the shift at which the wave best matches itself
[1]_. Voiced stretches are cut into pieces, so that the pieces advance side by side.

.. [1] Y. Medan, E. Yair, D. Chazan, "Super resolution pitch determination of speech signals",
   IEEE Transactions on Signal Processing 39(1), 1991.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

_PIECE_FRAMES = 8
_SEARCH = 0.2  # shifts tried around the period of the pitch, as a share of it
_MIN_MATCH = 0.3  # correlation below which two stretches are no neighbouring periods
_TINY = 1e-12


def jitter_and_shimmer(samples, f0, *, sample_rate, n_samples, hop_length):
    """Local jitter and local shimmer of the voiced frames.

    Parameters
    ----------
    samples : ndarray of shape (n,)
        One clip.
    f0 : ndarray of shape (T,)
        Pitch in Hz, 0 where unvoiced.
    sample_rate : int
        In Hz.
    n_samples, hop_length : int
        Window of a frame, and samples from one frame to the next.

    Returns
    -------
    jitter : ndarray of shape (T,)
        Mean difference of neighbouring periods' lengths over the mean length.
    shimmer : ndarray of shape (T,)
        Mean ratio of neighbouring periods' heights, in dB. Both are 0 where a frame is
        unvoiced or has no two neighbouring periods.
    """
    jitter, shimmer = np.zeros(len(f0)), np.zeros(len(f0))
    voiced = np.flatnonzero(f0)
    if not len(voiced):
        return jitter, shimmer
    place, length, height = _follow(samples, f0, sample_rate, n_samples, hop_length)
    before, after = slice(None, -1), slice(1, None)
    paired = np.isfinite(length[before]) & np.isfinite(length[after])
    change = np.abs(length[after] - length[before])[paired]
    mean = 0.5 * (length[after] + length[before])[paired]
    with np.errstate(divide="ignore", invalid="ignore"):
        decibels = 20 * np.abs(np.log10(height[after] / height[before]))[paired]
    ratio_known = np.isfinite(decibels)
    bins = np.minimum(place[before][paired] // hop_length, len(f0) + n_samples // hop_length)

    def per_frame(values):
        """Sum over the hops that a frame spans."""
        n_hops = n_samples // hop_length
        sums = np.bincount(bins, values, minlength=len(f0) + n_hops)
        return sliding_window_view(sums, n_hops).sum(axis=1)[: len(f0)]

    lengths = per_frame(mean)
    known = voiced[lengths[voiced] > 0]
    jitter[known] = per_frame(change)[known] / lengths[known]
    counts = per_frame(ratio_known.astype(float))
    known = voiced[counts[voiced] > 0]
    shimmer[known] = per_frame(np.where(ratio_known, decibels, 0))[known] / counts[known]
    return jitter, shimmer


def _follow(samples, f0, sample_rate, n_samples, hop_length):
    """Walk through all pieces at once; give (steps, R) places, lengths and heights of periods.

    NaN stands for a step that found no period.
    """
    longest = int(sample_rate / f0[f0 > 0].min() * (1 + _SEARCH)) + 2
    margin = 3 * longest + n_samples
    padded = np.concatenate([np.zeros(margin), samples, np.zeros(margin)])
    first, last = _pieces(f0)
    centre = n_samples // 2 - hop_length // 2
    place = _start(padded, margin + first * hop_length + centre, sample_rate / f0[first])
    stop = margin + (last + 1) * hop_length + centre
    active = np.arange(len(first))
    places, lengths, heights = [], [], []
    while len(active):
        here = place[active]
        frame = np.clip((here - margin - centre) // hop_length, first[active], last[active])
        period = sample_rate / f0[frame]
        shift, length, height = _match(padded, here, period)
        for rows, values in ((places, here - margin), (lengths, length), (heights, height)):
            row = np.full(len(first), np.nan if values.dtype.kind == "f" else 0)
            row[active] = values
            rows.append(row)
        place[active] = here + shift
        active = active[place[active] < stop[active]]
    return np.array(places).clip(0), np.array(lengths), np.array(heights)


def _pieces(f0):
    """First and last frames of the pieces into which voiced stretches are cut."""
    edges = np.diff(np.concatenate([[0], (f0 > 0).astype(int), [0]]))
    first, last = [], []
    for start, end in zip(np.flatnonzero(edges == 1), np.flatnonzero(edges == -1), strict=True):
        cuts = np.arange(start, end, _PIECE_FRAMES)
        first.append(cuts)
        last.append(np.minimum(cuts + _PIECE_FRAMES, end) - 1)
    return np.concatenate(first), np.concatenate(last)


def _start(padded, place, period):
    """Move each place to the highest sample of the period that it begins."""
    width = int(np.ceil(period.max()))
    steps = np.arange(width)
    window = np.where(steps < period[:, None], padded[place[:, None] + steps], -np.inf)
    return place + window.argmax(axis=1)


def _match(padded, place, period):
    """Find the shift at which the period around each place repeats.

    Gives the whole shift, its length between samples (NaN: no match) and the period's height.
    """
    half = np.ceil(period / 2).astype(int)
    widest, reach = half.max(), int(np.ceil((period * _SEARCH).max())) + 1
    steps = np.arange(-widest, widest + 1)
    inside = np.abs(steps) <= half[:, None]  # (R, W)
    window = padded[place[:, None] + steps] * inside
    nominal = np.rint(period).astype(int)
    lags = np.arange(-reach, reach + 1)
    ahead = padded[(place + nominal)[:, None] + np.arange(-widest - reach, widest + reach + 1)]
    shifted = sliding_window_view(ahead, len(steps), axis=1)  # (R, L, W)
    products = np.einsum("rw,rlw->rl", window, shifted)
    squares = np.einsum("rw,rlw->rl", inside.astype(float), shifted**2)
    match = products / np.sqrt(np.maximum(squares * (window**2).sum(1, keepdims=True), _TINY))
    allowed = np.abs(lags) <= np.maximum(1, (period * _SEARCH)[:, None])
    best = np.where(allowed, match, -np.inf)[:, 1:-1].argmax(axis=1) + 1
    rows = np.arange(len(place))
    left, middle, right = (match[rows, best + step] for step in (-1, 0, 1))
    curvature = np.minimum(left - 2 * middle + right, -_TINY)
    offset = np.clip(0.5 * (left - right) / curvature, -0.5, 0.5)
    shift = np.maximum(nominal + lags[best], 1)
    length = np.where(middle >= _MIN_MATCH, shift + offset, np.nan)
    height = window.max(axis=1) - window.min(axis=1)
    return shift, length, height
