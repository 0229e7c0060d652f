"""Mel filter bank on the Slaney scale."""

import numpy as np


def mel_filters(sample_rate, n_fft, n_mels, fmin, fmax):
    """Return triangular filters of equal area on the Slaney mel scale, (n_mels, 1 + n_fft // 2).

    Equal to ``librosa.filters.mel`` with its defaults; frequencies are in Hz.
    """
    frequencies = np.fft.rfftfreq(n_fft, 1 / sample_rate)
    edges = _mel_to_hz(np.linspace(*_hz_to_mel(np.array([fmin, fmax], dtype=float)), n_mels + 2))
    widths = np.diff(edges)
    ramps = edges[:, None] - frequencies
    rising = -ramps[:-2] / widths[:-1, None]
    falling = ramps[2:] / widths[1:, None]
    filters = np.maximum(0, np.minimum(rising, falling))
    filters *= (2 / (edges[2:] - edges[:-2]))[:, None]
    return filters.astype(np.float32)


# Slaney's scale: linear below 1 kHz, logarithmic above
_HZ_PER_MEL, _KNEE_HZ, _LOG_STEP = 200 / 3, 1000.0, np.log(6.4) / 27


def _hz_to_mel(hz):
    logarithmic = _KNEE_HZ / _HZ_PER_MEL + np.log(np.maximum(hz, _KNEE_HZ) / _KNEE_HZ) / _LOG_STEP
    return np.where(hz < _KNEE_HZ, hz / _HZ_PER_MEL, logarithmic)


def _mel_to_hz(mel):
    knee = _KNEE_HZ / _HZ_PER_MEL
    logarithmic = _KNEE_HZ * np.exp(_LOG_STEP * (np.maximum(mel, knee) - knee))
    return np.where(mel < knee, mel * _HZ_PER_MEL, logarithmic)
