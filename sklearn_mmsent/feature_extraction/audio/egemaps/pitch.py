"""Fundamental frequency and harmonics-to-noise ratio of each frame.

Shapes: T frames of a clip, B clips, K frequencies of a spectrum, C candidate pitches in the
whole range, Q candidates per frame.

The candidates of a frame are the peaks of its subharmonic sum [1]_, which adds the magnitudes at
the multiples of each pitch with decreasing weights. The autocorrelation [2]_ measures how periodic
the frame is at a candidate. Dynamic programming then chooses the path through candidates and
unvoiced frames with the highest score and the smallest jumps.

.. [1] D. Hermes, "Measurement of pitch by subharmonic summation", JASA 83(1), 1988.
.. [2] P. Boersma, "Accurate short-term analysis of the fundamental frequency and the
   harmonics-to-noise ratio of a sampled sound", IFA Proceedings 17, 1993.
"""

from functools import lru_cache

import numpy as np
from scipy.fft import irfft, rfft

_PER_OCTAVE = 48
_N_HARMONICS, _DECAY = 15, 0.85  # of the subharmonic sum
_N_CANDIDATES = 5
_TINY = 1e-30

# scores in units of the autocorrelation, tuned on acted speech and song
_HARMONIC_WEIGHT = 1.8  # subharmonic sum of a candidate, relative to the best of the frame
_PEAK_WEIGHT, _PEAK_NEUTRAL = 0.24, 2.8  # prominence of the best sum over the mean of all
_VOICING = 0.44  # score of an unvoiced frame
_QUIET_DB, _QUIET_BONUS = -8.5, 0.021  # relative to the loudest frame; per dB below that
_JUMP_COST = 0.3  # per octave
_SWITCH_COST = 0.14  # between voiced and unvoiced

_MAX_CORRELATION = 0.999  # 30 dB


def pitch_grid(f0_min, f0_max):
    """Return candidate pitches in Hz, spaced evenly in octaves."""
    count = int(np.ceil(np.log2(f0_max / f0_min) * _PER_OCTAVE)) + 1
    return f0_min * 2.0 ** (np.arange(count) / _PER_OCTAVE)


@lru_cache(maxsize=8)
def _subharmonics(n_fft, sample_rate, f0_min, f0_max):
    """Return weights (K, C) that sum the linearly interpolated harmonics of each candidate."""
    grid, n_bins = pitch_grid(f0_min, f0_max), n_fft // 2 + 1
    weights = np.zeros((n_bins, len(grid)), dtype=np.float32)
    for harmonic in range(1, _N_HARMONICS + 1):
        position = grid * harmonic * n_fft / sample_rate
        inside = np.flatnonzero(position < n_bins - 1)
        below = position[inside].astype(int)
        share = position[inside] - below
        weights[below, inside] += _DECAY ** (harmonic - 1) * (1 - share)
        weights[below + 1, inside] += _DECAY ** (harmonic - 1) * share
    return weights


@lru_cache(maxsize=8)
def gaussian_window(n_samples):
    """Return a Gaussian window with a standard deviation of 0.4 times its half length."""
    half = (n_samples - 1) / 2
    return np.exp(-0.5 * ((np.arange(n_samples) - half) / (0.4 * half)) ** 2).astype(np.float32)


@lru_cache(maxsize=8)
def _window_decay(n_samples, n_fft):
    """Return the normalised autocorrelation of the window by lag."""
    spectrum = rfft(gaussian_window(n_samples), 2 * n_fft)
    decay = irfft(spectrum.real**2 + spectrum.imag**2)[: n_fft // 2]
    return decay / decay[0]


def _power(frames):
    """Return power spectra (T, K) of the windowed frames, zero-padded to a power of two."""
    n_samples = frames.shape[1]
    padded = np.zeros((len(frames), _fft_length(n_samples)), dtype=np.float32)
    windowed = padded[:, :n_samples]
    np.subtract(frames, frames.mean(axis=1, keepdims=True), out=windowed)
    windowed *= gaussian_window(n_samples)
    spectrum = rfft(padded, overwrite_x=True)
    power = np.square(spectrum.real)
    power += np.square(spectrum.imag)
    return power


def _fft_length(n_samples):
    """Return the next power of two."""
    return 1 << (n_samples - 1).bit_length()


def candidates(frames, *, sample_rate, f0_min, f0_max):
    """Find Q pitch candidates in Hz of each frame (T, n_samples), without a window function.

    Returns pitches (T, Q); their scores (T, Q), -inf where there are fewer than Q; the
    autocorrelation of the windowed frame at the period of the pitch (T, Q), 1 at lag 0; energies
    (T,) and spectra (T, K) of the windowed frames.
    """
    n_samples = frames.shape[1]
    n_fft = _fft_length(n_samples)
    power = _power(frames)
    autocorrelation = irfft(power)[:, : n_fft // 2]
    magnitude = np.sqrt(power, out=power)  # (T, K)
    energy = autocorrelation[:, 0].astype(float)
    sums = magnitude @ _subharmonics(n_fft, sample_rate, f0_min, f0_max)  # (T, C)
    pitch, height = _peaks(sums, f0_min)

    lag = np.clip(np.rint(sample_rate / pitch).astype(int), 1, n_fft // 2 - 2)
    near = [np.take_along_axis(autocorrelation, lag + step, axis=1) for step in (-1, 0, 1)]
    correlation = np.max(near, axis=0) / np.maximum(energy, _TINY)[:, None]
    strength = correlation / _window_decay(n_samples, n_fft)[lag]
    best = np.maximum(height[:, :1], _TINY)
    prominence = best / np.maximum(sums.mean(axis=1, keepdims=True), _TINY) - _PEAK_NEUTRAL
    score = strength + _HARMONIC_WEIGHT * (height / best - 1) + _PEAK_WEIGHT * prominence
    score[(height <= 0) | (energy[:, None] <= _TINY)] = -np.inf
    return pitch, score, correlation, energy, magnitude


def _peaks(sums, f0_min):
    """Return pitch and height of the highest peaks, each (T, Q), in descending order."""
    inner = sums[:, 1:-1]
    is_peak = (inner > sums[:, :-2]) & (inner >= sums[:, 2:])
    heights = np.where(is_peak, inner, 0)
    chosen = np.argpartition(heights, -_N_CANDIDATES, axis=1)[:, -_N_CANDIDATES:]
    height = np.take_along_axis(heights, chosen, axis=1)
    order = np.argsort(-height, axis=1, kind="stable")
    chosen = np.take_along_axis(chosen, order, axis=1)
    height = np.take_along_axis(height, order, axis=1).astype(float)
    left, middle, right = (np.take_along_axis(sums, chosen + i, axis=1) for i in range(3))
    curvature = np.minimum(left - 2 * middle + right, -_TINY)
    offset = np.where(height > 0, np.clip(0.5 * (left - right) / curvature, -0.5, 0.5), 0)
    return f0_min * 2.0 ** ((chosen + 1 + offset) / _PER_OCTAVE), height


def track(pitches, scores, energies):
    """Choose the best path through the candidates of each clip.

    From lists of pitches and scores (T, Q), see `candidates`, and of energies (T,). Returns for
    each clip the index of the candidate of each frame, (T,); Q in unvoiced frames.
    """
    lengths = np.array([len(pitch) for pitch in pitches])
    n_clips, n_steps, n_voiced = len(pitches), lengths.max(), pitches[0].shape[1]
    octaves = np.zeros((n_steps, n_clips, n_voiced))
    total = np.full((n_steps, n_clips, n_voiced + 1), -np.inf)
    total[..., -1] = 0
    for i, (pitch, score, energy) in enumerate(zip(pitches, scores, energies, strict=True)):
        octaves[: len(pitch), i] = np.log2(pitch)
        total[: len(pitch), i, :-1] = score
        total[: len(pitch), i, -1] = _unvoiced_score(energy)

    came_from = np.zeros(total.shape, dtype=np.int8)
    cost = np.zeros((n_clips, n_voiced + 1, n_voiced + 1))  # from the previous frame's state
    cost[:, :-1, -1] = cost[:, -1, :-1] = _SWITCH_COST
    for step in range(1, n_steps):
        jump = octaves[step - 1][:, :, None] - octaves[step][:, None, :]
        cost[:, :-1, :-1] = _JUMP_COST * np.abs(jump)
        paths = total[step - 1][:, :, None] - cost
        came_from[step] = paths.argmax(axis=1)
        total[step] += paths.max(axis=1)

    clips = np.arange(n_clips)
    path = np.empty((n_steps, n_clips), dtype=int)
    state = np.zeros(n_clips, dtype=int)
    for step in range(n_steps - 1, -1, -1):
        state = np.where(step == lengths - 1, total[step].argmax(axis=1), state)
        path[step] = state
        state = came_from[step, clips, state]
    return [path[:length, i] for i, length in enumerate(lengths)]


def _unvoiced_score(energy):
    loudest = max(energy.max(), _TINY)
    decibels = 10 * np.log10(np.maximum(energy / loudest, 1e-12))
    return _VOICING + _QUIET_BONUS * np.maximum(_QUIET_DB - decibels, 0)


def harmonics_to_noise(correlation):
    """Return the harmonics-to-noise ratio in dB from the autocorrelation at the period."""
    periodic = np.clip(correlation, 1 - _MAX_CORRELATION, _MAX_CORRELATION)
    return 10 * np.log10(periodic / (1 - periodic))
