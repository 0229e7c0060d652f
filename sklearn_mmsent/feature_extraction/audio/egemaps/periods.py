"""Jitter and shimmer: how much neighbouring periods of the voice differ in length and height.

Shapes: T frames of a clip, R pieces of voiced sound, W samples of a window, L lags.

Periods are found one after another: each is the shift at which the wave best matches itself
[1]_. Voiced stretches of all clips are cut into pieces that advance side by side, those of
similar pitch together. A piece's company does not change its numbers.

.. [1] Y. Medan, E. Yair, D. Chazan, "Super resolution pitch determination of speech signals",
   IEEE Transactions on Signal Processing 39(1), 1991.
"""

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

_PIECE_FRAMES = 8
_SEARCH = 0.15  # shifts tried around the period of the pitch, as a share of it
_MIN_MATCH = 0.3  # correlation below which two stretches are no neighbouring periods
_TINY = 1e-12


def jitter_and_shimmer(clips, pitches, *, sample_rate, n_samples, hop_length):
    """Local jitter and local shimmer of the voiced frames of many clips.

    Parameters
    ----------
    clips : list of ndarray of shape (n,)
        Samples of each.
    pitches : list of ndarray of shape (T,)
        Pitch of each in Hz, 0 where unvoiced.
    sample_rate : int
        In Hz.
    n_samples, hop_length : int
        Window of a frame, and samples from one frame to the next.

    Returns
    -------
    list of ndarray of shape (T, 2)
        Of each clip: mean difference of neighbouring periods' lengths over the mean length, and
        mean ratio of their heights in dB. Both are 0 where a frame is unvoiced or has no two
        neighbouring periods.
    """
    n_hops = n_samples // hop_length
    line = _Line.of(clips, pitches, n_hops, n_samples, hop_length)
    sums = np.zeros((4, len(line.f0) + n_hops))
    for place, length, height in _follow_all(line, sample_rate):
        sums += _pairs(place // hop_length, length, height, sums.shape[1])
    lengths, changes, counts, decibels = sliding_window_view(sums, n_hops, axis=1).sum(axis=2)
    voiced = line.f0 > 0
    jitter = np.where(
        voiced & (lengths[:-1] > 0), changes[:-1] / np.maximum(lengths[:-1], _TINY), 0
    )
    shimmer = np.where(voiced & (counts[:-1] > 0), decibels[:-1] / np.maximum(counts[:-1], 1), 0)
    both = np.column_stack([jitter, shimmer])
    return [
        both[first : first + len(f0)] for first, f0 in zip(line.first_frames, pitches, strict=True)
    ]


@dataclass(frozen=True)
class _Line:
    """All clips one after another, between silences that no window spans."""

    samples: np.ndarray  # float32, the loudest of each clip is 1
    f0: np.ndarray  # of all frames; a frame begins at its number times the hop
    first_frames: list
    hop_length: int
    centre: int  # from the begin of a frame to the middle of its hop

    @classmethod
    def of(cls, clips, pitches, n_hops, n_samples, hop_length):
        gap = 2 * n_hops  # frames
        samples, f0, first_frames = [], [], []
        n_frames = 0
        for clip, pitch in zip(clips, pitches, strict=True):
            n_clip = max(len(pitch), -(-len(clip) // hop_length))
            first_frames.append(n_frames + gap)
            n_frames += 2 * gap + n_clip
            f0.append(np.pad(pitch, (gap, gap + n_clip - len(pitch))))
            scaled = clip / max(np.abs(clip).max(), _TINY)
            after = (gap + n_clip) * hop_length - len(clip)
            samples.append(np.pad(scaled, (gap * hop_length, after)))
        samples = np.concatenate(samples).astype(np.float32)
        centre = (n_samples - hop_length) // 2
        return cls(samples, np.concatenate(f0), first_frames, hop_length, centre)


def _pairs(frame, length, height, n_frames):
    """Sum lengths, their changes, the count and the decibels of neighbouring periods by frame."""
    before, after = slice(None, -1), slice(1, None)
    with np.errstate(divide="ignore", invalid="ignore"):
        decibels = 20 * np.abs(np.log10(height[after] / height[before]))
    paired = np.isfinite(length[before] + length[after] + decibels)
    mean = 0.5 * (length[after] + length[before])[paired]
    change = np.abs(length[after] - length[before])[paired]
    values = (mean, change, np.ones(len(mean)), decibels[paired])
    return [np.bincount(frame[before][paired], v, minlength=n_frames)[:n_frames] for v in values]


def _follow_all(line, sample_rate):
    """Walk through all pieces; yield (steps, R) places, lengths and heights of periods."""
    first, last = _pieces(line.f0)
    if not len(first):
        return
    lowest = np.minimum.reduceat(line.f0, np.column_stack([first, last + 1]).ravel())[::2]
    size = np.ceil(2 * np.log2(sample_rate / lowest)).astype(int)  # of periods, half octaves
    for each in np.unique(size):
        rows = size == each
        yield _follow(line, first[rows], last[rows], sample_rate, int(np.ceil(2 ** (each / 2))))


def _follow(line, first, last, sample_rate, longest):
    """Walk through pieces whose periods have at most `longest` samples, side by side.

    NaN stands for a step that found no period.
    """
    place = first * line.hop_length + line.centre
    place = _start(line.samples, place, sample_rate / line.f0[first], longest)
    stop = (last + 1) * line.hop_length + line.centre
    active = np.arange(len(first))
    steps = []
    while len(active):
        here = place[active]
        frame = (here - line.centre) // line.hop_length
        frame = np.clip(frame, first[active], last[active])
        shift, length, height = _match(line.samples, here, sample_rate / line.f0[frame], longest)
        step = np.zeros((3, len(first)))
        step[1] = np.nan
        step[:, active] = here, length, height
        steps.append(step)
        place[active] = here + shift
        active = active[place[active] < stop[active]]
    place, length, height = np.stack(steps, axis=1)
    return place.astype(int), length, height


def _pieces(f0):
    """First and last frames of the pieces into which voiced stretches are cut."""
    edges = np.diff(np.concatenate([[0], (f0 > 0).astype(int), [0]]))
    starts, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    cuts = [np.arange(start, end, _PIECE_FRAMES) for start, end in zip(starts, ends, strict=True)]
    counts = [len(pieces) for pieces in cuts]
    first = np.concatenate([*cuts, np.empty(0, dtype=int)])
    return first, np.minimum(first + _PIECE_FRAMES, np.repeat(ends, counts)) - 1


def _start(samples, place, period, longest):
    """Move each place to the highest sample of the period that it begins."""
    steps = np.arange(longest)
    window = np.where(steps < period[:, None], samples[place[:, None] + steps], -np.inf)
    return place + window.argmax(axis=1)


def _match(samples, place, period, longest):
    """Find the shift at which the period around each place repeats.

    Gives the whole shift, its length between samples (NaN: no match) and the period's height.
    """
    half = np.ceil(period / 2).astype(int)
    widest, reach = longest // 2 + 1, int(longest * _SEARCH) + 2
    steps = np.arange(-widest, widest + 1)
    inside = np.abs(steps) <= half[:, None]  # (R, W)
    window = samples[place[:, None] + steps] * inside
    nominal = np.rint(period).astype(int)
    lags = np.arange(-reach, reach + 1)
    ahead = samples[(place + nominal)[:, None] + np.arange(-widest - reach, widest + reach + 1)]
    products = np.einsum("rw,rlw->rl", window, sliding_window_view(ahead, len(steps), axis=1))
    energy = np.zeros((len(place), ahead.shape[1] + 1))
    np.cumsum(np.square(ahead, dtype=float), axis=1, out=energy[:, 1:])
    rows = np.arange(len(place))
    middle = (widest + np.arange(len(lags))) + rows[:, None] * energy.shape[1]  # (R, L), flat
    squares = energy.ravel()[middle + half[:, None] + 1] - energy.ravel()[middle - half[:, None]]
    own = np.square(window).sum(axis=1, keepdims=True)
    match = products / np.sqrt(np.maximum(squares * own, _TINY))
    allowed = np.abs(lags) <= np.maximum(1, (period * _SEARCH)[:, None])
    best = np.where(allowed, match, -np.inf)[:, 1:-1].argmax(axis=1) + 1
    left, middle, right = (match[rows, best + step] for step in (-1, 0, 1))
    curvature = np.minimum(left - 2 * middle + right, -_TINY)
    offset = np.clip(0.5 * (left - right) / curvature, -0.5, 0.5)
    shift = np.maximum(nominal + lags[best], 1)
    length = np.where(middle >= _MIN_MATCH, shift + offset, np.nan)
    height = window.max(axis=1) - window.min(axis=1)
    return shift, length, height
