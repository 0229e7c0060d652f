"""Formants and the level of the harmonics at them.

Shapes: T frames of a clip, P order of the prediction, H harmonics, 3 formants.

Formants are the roots of a linear predictor [1]_ of each frame.

.. [1] B. Atal and S. Hanauer, "Speech analysis and synthesis by linear prediction of the speech
   wave", JASA 50(2), 1971.
"""

import numpy as np
from scipy.fft import irfft, rfft

_ORDER = 9
_HIGHEST_HZ = 5000.0  # the vocal tract has four or five formants below
_PRE_EMPHASIS = 0.97
_EDGE_HZ = 50.0  # roots nearer to the ends describe spectral tilt, not a resonance
_NEAR = 0.2  # harmonics within this fraction of a formant frequency belong to the formant
FLOOR_DB = -201.0  # undefined levels, as in eGeMAPS


def formants(frames, *, sample_rate):
    """Estimate the three lowest formants of windows (T, n_samples) without a window function.

    Returns frequencies and bandwidths in Hz, each (T, 3), 0 for formants that were not found.
    """
    n_samples = frames.shape[1]
    n_fft = 1 << (n_samples + _ORDER).bit_length()
    emphasised = np.zeros((len(frames), n_fft), dtype=np.float32)
    emphasised[:, 1:n_samples] = frames[:, 1:] - _PRE_EMPHASIS * frames[:, :-1]
    emphasised[:, :n_samples] *= np.hamming(n_samples).astype(np.float32)
    spectrum = rfft(emphasised, overwrite_x=True)
    highest = min(_HIGHEST_HZ, sample_rate / 2)
    n_bins = int(highest * n_fft / sample_rate) + 1
    power = (spectrum.real**2 + spectrum.imag**2)[:, :n_bins].astype(float)
    # dropping the upper frequencies is equivalent to resampling to a lower rate
    rate = 2 * (n_bins - 1) * sample_rate / n_fft
    roots = _roots(_predictor(irfft(power)[:, : _ORDER + 1]))
    frequency = np.angle(roots) * rate / (2 * np.pi)
    bandwidth = -np.log(np.maximum(np.abs(roots), 1e-9)) * rate / np.pi
    is_formant = (frequency > _EDGE_HZ) & (frequency < rate / 2 - _EDGE_HZ)
    order = np.argsort(np.where(is_formant, frequency, np.inf), axis=1)[:, :3]
    found = np.take_along_axis(is_formant, order, axis=1)
    return tuple(
        np.where(found, np.take_along_axis(values, order, axis=1), 0)
        for values in (frequency, bandwidth)
    )


def _predictor(correlation):
    """Solve by Levinson recursion: (T, P + 1) autocorrelations to (T, P + 1) coefficients."""
    n_frames, size = correlation.shape
    coefficients = np.zeros((n_frames, size))
    coefficients[:, 0] = 1
    error = correlation[:, 0] * (1 + 1e-9) + 1e-15
    for i in range(1, size):
        known = coefficients[:, :i]
        reflection = -(known * correlation[:, i:0:-1]).sum(axis=1) / error
        coefficients[:, 1 : i + 1] = (
            coefficients[:, 1 : i + 1] + reflection[:, None] * known[:, ::-1]
        )
        error = error * (1 - reflection**2)
    return coefficients


def _roots(coefficients):
    n_frames, order = len(coefficients), coefficients.shape[1] - 1
    companion = np.zeros((n_frames, order, order))
    companion[:, 0] = -coefficients[:, 1:]
    companion[:, np.arange(1, order), np.arange(order - 1)] = 1
    return np.linalg.eigvals(companion)


def harmonics(magnitude, f0, frequency, *, sample_rate):
    """Compare the levels of harmonics in dB.

    From spectra (T, K) of voiced frames, pitch (T,) and formants (T, 3) in Hz. Returns relations
    (T, 2), the first harmonic above the fundamental relative to the second, and to the highest
    near the third formant; and amplitudes (T, 3), the highest harmonic near each formant relative
    to the fundamental.
    """
    last_bin = magnitude.shape[1] - 1
    per_bin = sample_rate / 2 / last_bin
    n_harmonics = max(3, int(_HIGHEST_HZ / f0.min()))
    multiples = f0[:, None] * np.arange(1, n_harmonics + 1)  # (T, H)
    centre = np.rint(multiples / per_bin).astype(int)
    near = [
        np.take_along_axis(magnitude, np.minimum(centre + step, last_bin), axis=1)
        for step in (-1, 0, 1)
    ]
    level = 20 * np.log10(np.maximum(np.max(near, axis=0).astype(float), 1e-10))
    level[centre > last_bin] = FLOOR_DB

    amplitude = np.empty(frequency.shape)
    for i, formant in enumerate(frequency.T):
        distance = np.abs(multiples - formant[:, None])
        # at least the nearest harmonic, even for a high voice
        reach = np.maximum(_NEAR * formant, distance.min(axis=1))
        amplitude[:, i] = np.where(distance <= reach[:, None], level, FLOOR_DB).max(axis=1)
    relations = level[:, 1:2] - np.column_stack([level[:, 2], amplitude[:, 2]])
    return relations, np.maximum(amplitude - level[:, :1], FLOOR_DB)
