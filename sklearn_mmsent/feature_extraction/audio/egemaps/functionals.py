"""Functionals of eGeMAPS: statistics of descriptors over a whole clip.

Shapes: T frames of a clip.
"""

import numpy as np

_SIGNIFICANT = 0.1  # minimum difference of turning points, as a fraction of the range


def smooth(values):
    """Average over three consecutive frames of (T, ...), repeating the ends."""
    padded = np.concatenate([values[:1], values, values[-1:]])
    return (padded[:-2] + padded[1:-1] + padded[2:]) / 3


def smooth_nonzero(values):
    """Average over the nonzero ones of three consecutive frames of (T, ...); 0 stays 0."""
    nonzero = values != 0
    zero = np.zeros_like(values[:1], dtype=float)
    padded = np.concatenate([zero, values, zero])
    counts = np.concatenate([zero, nonzero, zero])
    sums = padded[:-2] + padded[1:-1] + padded[2:]
    return np.where(nonzero, sums / np.maximum(counts[:-2] + counts[1:-1] + counts[2:], 1), 0)


def mean(values):
    """Return the arithmetic mean; NaN for no values."""
    return values.mean() if len(values) else np.nan


def mean_and_variation(values):
    """Return mean and coefficient of variation; NaN for no values."""
    if not len(values):
        return [np.nan, np.nan]
    average = values.mean()
    return [average, values.std() / average if average else 0.0]


def contour(values, seconds_per_frame):
    """Return mean, variation, percentiles 20, 50, 80, their range, and rising and falling slopes.

    Ten floats for a descriptor (T,): NaN for no values; slopes per second, 0 if there are none.
    """
    if not len(values):
        return [np.nan] * 10
    low, middle, high = np.percentile(values, [20, 50, 80])
    turns = turning_points(values)
    slopes = np.diff(values[turns]) / (np.diff(turns) * seconds_per_frame)
    up, down = slopes[slopes > 0], -slopes[slopes < 0]
    steepness = [
        s for part in (up, down) for s in ((part.mean(), part.std()) if len(part) else (0, 0))
    ]
    return [*mean_and_variation(values), low, middle, high, high - low, *steepness]


def interpolate_zeros(values):
    """Interpolate linearly over zeros in (T,); NaN if all are zero."""
    nonzero = np.flatnonzero(values)
    if not len(nonzero):
        return np.full(len(values), np.nan)
    return np.interp(np.arange(len(values)), nonzero, values[nonzero])


def segment_moments(contours, n_segments):
    """Compute means and standard deviations of contours (T, C) in segments of equal length.

    Returns a flat array ordered by segment, contour, and then mean and standard deviation. With
    fewer frames than segments, segments overlap.
    """
    starts = np.arange(n_segments) * len(contours) // n_segments
    stops = np.maximum(np.arange(1, n_segments + 1) * len(contours) // n_segments, starts + 1)
    segments = [contours[start:stop] for start, stop in zip(starts, stops, strict=True)]
    return np.array([[part.mean(0), part.std(0)] for part in segments]).swapaxes(1, 2).ravel()


def turning_points(values):
    """Find the ends of a contour (T,) and where it turns by more than a tenth of its range.

    Returns increasing positions; between two of them the contour is monotonic up to insignificant
    turns.
    """
    threshold = _SIGNIFICANT * np.ptp(values)
    last = len(values) - 1
    inner = np.flatnonzero(np.diff(np.sign(np.diff(values)))) + 1  # local extremes
    turns, direction, highest, lowest = [0], 0, 0, 0
    for i in [*inner.tolist(), last]:
        highest = i if values[i] > values[highest] else highest
        lowest = i if values[i] < values[lowest] else lowest
        if direction >= 0 and values[highest] - values[i] > threshold:
            turns.append(highest)
            direction, highest, lowest = -1, i, i
        elif direction <= 0 and values[i] - values[lowest] > threshold:
            turns.append(lowest)
            direction, highest, lowest = 1, i, i
    turns += [highest if direction > 0 else lowest, last]
    return np.unique(turns)


def peaks_per_second(values, seconds_per_frame):
    """Return the number of significant peaks per second."""
    heights = values[turning_points(values)]
    peaks = (heights[1:-1] > heights[:-2]) & (heights[1:-1] > heights[2:])
    return peaks.sum() / (len(values) * seconds_per_frame)


def segments(voiced, seconds_per_frame):
    """Return the rate of voiced segments, and mean and std of voiced and unvoiced durations.

    Five floats, per second and in seconds, 0 if there is no segment, from whether each frame (T,)
    is voiced. Single unvoiced and then single voiced frames are ignored.
    """
    voiced = _without_single_frames(voiced, False)
    voiced = _without_single_frames(voiced, True)
    lengths = [_runs(voiced == kind)[1] * seconds_per_frame for kind in (True, False)]
    rate = len(lengths[0]) / (len(voiced) * seconds_per_frame)
    return [
        rate,
        *(s for part in lengths for s in ((part.mean(), part.std()) if len(part) else (0, 0))),
    ]


def _runs(chosen):
    """Return starts and lengths of the runs of True."""
    edges = np.diff(np.concatenate([[0], chosen.astype(int), [0]]))
    starts = np.flatnonzero(edges == 1)
    return starts, np.flatnonzero(edges == -1) - starts


def _without_single_frames(voiced, kind):
    """Flip single frames of a kind; unvoiced ones at the ends are kept."""
    starts, lengths = _runs(voiced == kind)
    single = starts[lengths == 1]
    if not kind:
        single = single[(single > 0) & (single < len(voiced) - 1)]
    changed = voiced.copy()
    changed[single] = not kind
    return changed


def sound_level(samples):
    """Return the mean power in dB relative to full scale, at least -120."""
    power = np.mean(np.square(samples, dtype=float))
    return 10 * np.log10(max(power, 1e-12))
