"""Jitter and shimmer: differences of consecutive pitch periods in length and amplitude.

Shapes: T frames of a clip, R pieces of voiced speech, W samples of a window, L lags.

Each period is found from the previous one, as the shift at which the waveform best matches itself
[1]_. Voiced stretches of all clips are split into pieces that are processed in parallel, grouped
by pitch. Results do not depend on the composition of the batch.

.. [1] Y. Medan, E. Yair, D. Chazan, "Super resolution pitch determination of speech signals",
   IEEE Transactions on Signal Processing 39(1), 1991.
"""

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

_PIECE_FRAMES = 8
_SEARCH = 0.15  # range of shifts around the pitch period, as a fraction of it
_MIN_MATCH = 0.3  # minimum correlation of two consecutive periods
_TINY = 1e-12


def jitter_and_shimmer(clips, pitches, *, sample_rate, n_samples, hop_length):
    """Compute local jitter and local shimmer of the voiced frames of many clips.

    `pitches` are in Hz by frame, (T,), 0 where unvoiced; `n_samples` and `hop_length` are window
    and hop in samples.

    Returns an array of shape (T, 2) for each clip: mean absolute difference of consecutive period
    lengths over the mean length, and mean ratio of their amplitudes in dB. Both are 0 in unvoiced
    frames and in frames without two consecutive periods.
    """
    n_hops = n_samples // hop_length
    signal = _Signal.concatenate(clips, pitches, n_hops, n_samples, hop_length)
    sums = np.zeros((4, len(signal.f0) + n_hops))
    for place, length, height in _follow_all(signal, sample_rate):
        sums += _pairs(place // hop_length, length, height, sums.shape[1])
    lengths, changes, counts, decibels = sliding_window_view(sums, n_hops, axis=1).sum(axis=2)
    voiced = signal.f0 > 0
    jitter = np.where(
        voiced & (lengths[:-1] > 0), changes[:-1] / np.maximum(lengths[:-1], _TINY), 0
    )
    shimmer = np.where(voiced & (counts[:-1] > 0), decibels[:-1] / np.maximum(counts[:-1], 1), 0)
    both = np.column_stack([jitter, shimmer])
    return [
        both[first : first + len(f0)]
        for first, f0 in zip(signal.first_frames, pitches, strict=True)
    ]


@dataclass(frozen=True)
class _Signal:
    """All clips in sequence, separated by silences longer than a window."""

    samples: np.ndarray  # float32, each clip scaled to a peak of 1
    f0: np.ndarray  # of all frames; frame i starts at i * hop_length
    first_frames: list
    hop_length: int
    centre: int  # offset from the start of a frame to the middle of its hop

    @classmethod
    def concatenate(cls, clips, pitches, n_hops, n_samples, hop_length):
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
    """Sum lengths, differences, counts and decibels of consecutive periods by frame."""
    before, after = slice(None, -1), slice(1, None)
    with np.errstate(divide="ignore", invalid="ignore"):
        decibels = 20 * np.abs(np.log10(height[after] / height[before]))
    paired = np.isfinite(length[before] + length[after] + decibels)
    mean = 0.5 * (length[after] + length[before])[paired]
    change = np.abs(length[after] - length[before])[paired]
    values = (mean, change, np.ones(len(mean)), decibels[paired])
    return [np.bincount(frame[before][paired], v, minlength=n_frames)[:n_frames] for v in values]


def _follow_all(signal, sample_rate):
    """Follow all pieces; yield positions, lengths and heights of periods, each (steps, R)."""
    first, last = _pieces(signal.f0)
    if not len(first):
        return
    lowest = np.minimum.reduceat(signal.f0, np.column_stack([first, last + 1]).ravel())[::2]
    size = np.ceil(2 * np.log2(sample_rate / lowest)).astype(int)  # of periods, in half octaves
    for each in np.unique(size):
        rows = size == each
        yield _follow(signal, first[rows], last[rows], sample_rate, int(np.ceil(2 ** (each / 2))))


def _follow(signal, first, last, sample_rate, longest):
    """Follow pieces with periods of at most `longest` samples, in parallel.

    Steps without a match are NaN.
    """
    place = first * signal.hop_length + signal.centre
    place = _start(signal.samples, place, sample_rate / signal.f0[first], longest)
    stop = (last + 1) * signal.hop_length + signal.centre
    active = np.arange(len(first))
    steps = []
    while len(active):
        current = place[active]
        frame = (current - signal.centre) // signal.hop_length
        frame = np.clip(frame, first[active], last[active])
        period = sample_rate / signal.f0[frame]
        shift, length, height = _match(signal.samples, current, period, longest)
        step = np.zeros((3, len(first)))
        step[1] = np.nan
        step[:, active] = current, length, height
        steps.append(step)
        place[active] = current + shift
        active = active[place[active] < stop[active]]
    place, length, height = np.stack(steps, axis=1)
    return place.astype(int), length, height


def _pieces(f0):
    """Split voiced stretches into pieces; return their first and last frames."""
    edges = np.diff(np.concatenate([[0], (f0 > 0).astype(int), [0]]))
    starts, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    cuts = [np.arange(start, end, _PIECE_FRAMES) for start, end in zip(starts, ends, strict=True)]
    counts = [len(pieces) for pieces in cuts]
    first = np.concatenate([*cuts, np.empty(0, dtype=int)])
    return first, np.minimum(first + _PIECE_FRAMES, np.repeat(ends, counts)) - 1


def _start(samples, place, period, longest):
    """Move each position to the highest sample of the period that starts there."""
    steps = np.arange(longest)
    window = np.where(steps < period[:, None], samples[place[:, None] + steps], -np.inf)
    return place + window.argmax(axis=1)


def _match(samples, place, period, longest):
    """Find the shift at which the period around each position repeats.

    Returns the integer shift, its interpolated length (NaN without a match) and the amplitude of
    the period.
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
    norm = np.square(window).sum(axis=1, keepdims=True)
    match = products / np.sqrt(np.maximum(squares * norm, _TINY))
    allowed = np.abs(lags) <= np.maximum(1, (period * _SEARCH)[:, None])
    best = np.where(allowed, match, -np.inf)[:, 1:-1].argmax(axis=1) + 1
    left, middle, right = (match[rows, best + step] for step in (-1, 0, 1))
    curvature = np.minimum(left - 2 * middle + right, -_TINY)
    offset = np.clip(0.5 * (left - right) / curvature, -0.5, 0.5)
    shift = np.maximum(nominal + lags[best], 1)
    length = np.where(middle >= _MIN_MATCH, shift + offset, np.nan)
    height = window.max(axis=1) - window.min(axis=1)
    return shift, length, height
