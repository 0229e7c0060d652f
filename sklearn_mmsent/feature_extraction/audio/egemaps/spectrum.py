"""Loudness and spectral shape of each frame.

Shapes: T frames of a clip, K frequencies of a spectrum, M bands.
"""

from functools import lru_cache

import numpy as np
from scipy.fft import dct, rfft

_N_BANDS, _LOWEST_HZ, _HIGHEST_HZ = 26, 20.0, 8000.0
_LIFTER = 22
_FLOOR = 1e-12  # power, -120 dB

NAMES = (
    *("loudness", "alphaRatio", "hammarbergIndex", "slope0-500", "slope500-1500"),
    *("spectralFlux", "mfcc1", "mfcc2", "mfcc3", "mfcc4"),
)


@lru_cache(maxsize=8)
def _bands(n_fft, sample_rate):
    """Return triangular mel bands (K, M) and their weights in the loudness (M,)."""

    def mel(hz):
        return 1127 * np.log1p(hz / 700)

    highest = min(_HIGHEST_HZ, sample_rate / 2)
    edges = np.linspace(mel(_LOWEST_HZ), mel(highest), _N_BANDS + 2)
    at = mel(np.fft.rfftfreq(n_fft, 1 / sample_rate))[:, None]
    rising = (at - edges[:-2]) / np.diff(edges)[:-1]
    falling = (edges[2:] - at) / np.diff(edges)[1:]
    centre = 700 * np.expm1(edges[1:-1] / 1127)
    return np.maximum(0, np.minimum(rising, falling)).astype(np.float32), _equal_loudness(centre)


def _equal_loudness(hz):
    """Return Hermansky's equal-loudness curve, normalised to a maximum of 1."""

    def curve(hz):
        square = (2 * np.pi * hz) ** 2
        low = square**2 * (square + 56.8e6) / ((square + 6.3e6) ** 2 * (square + 0.38e9))
        return low / (square**3 + 9.58e26)

    return curve(hz) / curve(np.arange(1000.0, 8000.0, 10.0)).max()


def describe(frames, chunk, *, sample_rate):
    """Compute loudness and spectral shape of a range of T frames, (T, 10) in the order of `NAMES`.

    `frames` are all windows of one clip, (n_frames, n_samples), without a window function; `chunk`
    is the range as a slice. The flux of its first frame needs the frame before.
    """
    n_samples = frames.shape[1]
    n_fft = 1 << (n_samples - 1).bit_length()
    n_before = min(chunk.start, 1)
    frames = frames[chunk.start - n_before : chunk.stop]
    spectrum = rfft(frames * np.hamming(n_samples).astype(np.float32), n_fft)
    power = spectrum.real**2 + spectrum.imag**2  # (T, K)
    bands, audible = _bands(n_fft, sample_rate)
    in_bands = (power @ bands).astype(float)  # (T, M)

    def span(low, high):
        """Return the slice of frequencies in [low, high) Hz."""
        return slice(*(int(np.ceil(hz * n_fft / sample_rate)) for hz in (low, high)))

    low, high = power[:, span(0, 1000)].sum(axis=1), power[:, span(1000, 5000)].sum(axis=1)
    peak_low = power[:, span(0, 2000)].max(axis=1)
    peak_high = power[:, span(2000, 5000)].max(axis=1)
    decibels = 10 * np.log10(np.maximum(power[:, span(0, 1501)], _FLOOR).astype(float))
    hertz = np.arange(decibels.shape[1]) * sample_rate / n_fft
    described = [
        ((in_bands * audible) ** 0.33).sum(axis=1),
        _decibels_between(high, low),
        _decibels_between(peak_low, peak_high),
        *(_slope(decibels, hertz, *edges) for edges in ((0, 500), (500, 1500))),
        _flux(np.sqrt(power[:, span(0, 5001)])),
        *_cepstrum(in_bands).T,
    ]
    return np.stack(described, axis=1)[n_before:]


def _decibels_between(upper, lower):
    upper, lower = (np.maximum(part.astype(float), _FLOOR) for part in (upper, lower))
    return 10 * np.log10(upper / lower)


def _slope(decibels, hertz, low, high):
    """Slope of the line through the spectrum between two frequencies, in dB per Hz."""
    within = (hertz >= low) & (hertz <= high)
    centred = hertz[within] - hertz[within].mean()
    return decibels[:, within] @ (centred / (centred @ centred))


def _flux(magnitude):
    """Root mean square of what changes from one frame to the next; 0 for the first."""
    flux = np.zeros(len(magnitude))
    flux[1:] = np.sqrt(np.mean(np.diff(magnitude, axis=0) ** 2, axis=1, dtype=float))
    return flux


def _cepstrum(in_bands):
    order = np.arange(1, 5)
    logarithms = np.log(np.maximum(in_bands, 1e-8))
    lifter = 1 + _LIFTER / 2 * np.sin(np.pi * order / _LIFTER)
    return dct(logarithms, type=2, norm="ortho", axis=1)[:, order] * lifter
