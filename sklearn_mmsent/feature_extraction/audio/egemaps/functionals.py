"""What a whole clip's descriptors amount to: the summaries of eGeMAPS.

Shapes: T frames of a clip.
"""

import numpy as np

_SIGNIFICANT = 0.1  # turning points that differ by less than this share of the range are none


def smooth(values):
    """Mean over three neighbouring frames of (T, ...); the ends repeat."""
    padded = np.concatenate([values[:1], values, values[-1:]])
    return (padded[:-2] + padded[1:-1] + padded[2:]) / 3


def smooth_nonzero(values):
    """Mean over those of three neighbouring frames of (T, ...) that are not 0; 0 stays 0."""
    there = values != 0
    zero = np.zeros_like(values[:1], dtype=float)
    padded = np.concatenate([zero, values, zero])
    counts = np.concatenate([zero, there, zero])
    sums = padded[:-2] + padded[1:-1] + padded[2:]
    return np.where(there, sums / np.maximum(counts[:-2] + counts[1:-1] + counts[2:], 1), 0)


def mean(values):
    """Arithmetic mean, NaN of no values."""
    return values.mean() if len(values) else np.nan


def mean_and_variation(values):
    """Mean, and standard deviation over the mean; NaN of no values."""
    if not len(values):
        return [np.nan, np.nan]
    average = values.mean()
    return [average, values.std() / average if average else 0.0]


def contour(values, seconds_per_frame):
    """Mean, variation, percentiles 20, 50 and 80, their range, and slopes up and down.

    Parameters
    ----------
    values : ndarray of shape (T,)
        A descriptor over time.
    seconds_per_frame : float
        From one value to the next.

    Returns
    -------
    list of 10 floats
        NaN of no values; slopes are per second, 0 where nothing rises or falls.
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


def bridge(values):
    """Draw a line over the frames of (T,) that are 0, from neighbour to neighbour that is not."""
    there = np.flatnonzero(values)
    if not len(there):
        return np.full(len(values), np.nan)
    return np.interp(np.arange(len(values)), there, values[there])


def of_parts(curves, n_parts):
    """Means and standard deviations of curves (T, C) in each of some parts of equal length.

    Parameters
    ----------
    curves : ndarray of shape (T, C)
        Descriptors over time; of fewer frames than parts, some count in several.
    n_parts : int
        Parts in time.

    Returns
    -------
    ndarray of shape (n_parts * C * 2,)
        Part by part, of each curve the mean and then the deviation.
    """
    starts = np.arange(n_parts) * len(curves) // n_parts
    stops = np.maximum(np.arange(1, n_parts + 1) * len(curves) // n_parts, starts + 1)
    pieces = [curves[start:stop] for start, stop in zip(starts, stops, strict=True)]
    return np.array([[piece.mean(0), piece.std(0)] for piece in pieces]).swapaxes(1, 2).ravel()


def turning_points(values):
    """Where a contour turns by more than a tenth of its range, and its ends.

    Parameters
    ----------
    values : ndarray of shape (T,)
        A descriptor over time, at least one frame.

    Returns
    -------
    ndarray of int
        Rising positions; between neighbours the contour only rises or only falls, but for
        what is too small to count.
    """
    threshold = _SIGNIFICANT * np.ptp(values)
    last = len(values) - 1
    inner = np.flatnonzero(np.diff(np.sign(np.diff(values)))) + 1  # all others lie on the way
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
    """How often a contour has a significant peak."""
    heights = values[turning_points(values)]
    peaks = (heights[1:-1] > heights[:-2]) & (heights[1:-1] > heights[2:])
    return peaks.sum() / (len(values) * seconds_per_frame)


def segments(voiced, seconds_per_frame):
    """Rate of voiced segments, mean and deviation of voiced and of unvoiced segments' lengths.

    Parameters
    ----------
    voiced : ndarray of shape (T,), bool
        Which frames have a pitch. Interruptions, and then voiced segments, of a single frame
        do not count.
    seconds_per_frame : float
        From one frame to the next.

    Returns
    -------
    list of 5 floats
        Segments per second, and lengths in seconds; 0 where there is no segment.
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
    """Starts and lengths of the stretches of True."""
    edges = np.diff(np.concatenate([[0], chosen.astype(int), [0]]))
    starts = np.flatnonzero(edges == 1)
    return starts, np.flatnonzero(edges == -1) - starts


def _without_single_frames(voiced, kind):
    """Turn single frames of a kind into the other; those at the ends stay if they are unvoiced."""
    starts, lengths = _runs(voiced == kind)
    single = starts[lengths == 1]
    if not kind:
        single = single[(single > 0) & (single < len(voiced) - 1)]
    changed = voiced.copy()
    changed[single] = not kind
    return changed


def sound_level(samples):
    """Decibels of the mean power relative to full scale, at least -120."""
    power = np.mean(np.square(samples, dtype=float))
    return 10 * np.log10(max(power, 1e-12))
