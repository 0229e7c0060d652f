"""Synthetic voices that express an intensity by pitch, energy, brightness and speed."""

import wave
from dataclasses import dataclass

import numpy as np

SAMPLE_RATE = 16_000  # Hz
_PERIOD = 1024  # samples of one stored pitch period
_VOWELS = np.array(  # first three formants in Hz: a, e, i, o, u
    [(730, 1090, 2440), (530, 1840, 2480), (270, 2290, 3010), (570, 840, 2410), (300, 870, 2240)]
)
_BANDWIDTHS = np.array([90.0, 120.0, 180.0])  # Hz


@dataclass(frozen=True)
class Voice:
    """Properties of a speaker's voice that do not depend on emotion."""

    pitch: float  # Hz
    tract: float  # factor on all formants: shorter vocal tracts sound brighter
    loudness: float
    pace: float  # syllables per second

    @classmethod
    def draw(cls, rng):
        return cls(
            pitch=float(np.exp(rng.uniform(np.log(95), np.log(240)))),
            tract=rng.uniform(0.9, 1.15),
            loudness=rng.uniform(0.85, 1.15),
            pace=rng.uniform(4.2, 5.2),
        )


def synthesise(rng, shown, voice, noise):
    """Synthesise about a second of babble that expresses an intensity in [-3, 3].

    Positive ones are higher, rising, livelier and brighter; negative ones are darker, falling,
    slower and rough. Noise in [0, 1] is the strength of background noise and of level changes.
    Returns float32 samples in [-1, 1] at 16 kHz.
    """
    # saturates: mild emotions are clearly expressed, strong ones only a little more
    mood = float(np.tanh(shown / 1.5))
    pace = voice.pace * (1 + 0.3 * mood) * np.exp(rng.normal(0, 0.05 + 0.05 * noise))
    n_syllables = int(rng.integers(4, 6))
    n_times = int(n_syllables / pace * SAMPLE_RATE)
    times = np.arange(n_times) / n_times  # 0 to 1 over the clip

    beat = times * n_syllables
    syllable = np.minimum(beat.astype(int), n_syllables - 1)
    contour = 1 + 0.25 * mood * (times - 0.5) + (0.05 + 0.08 * max(mood, 0)) * np.sin(np.pi * beat)
    pitch = voice.pitch * (1 + 0.18 * mood) * contour
    roughness = 0.01 + 0.12 * max(-mood, 0)
    pitch *= 1 + roughness * np.repeat(rng.normal(size=n_times // 80 + 1), 80)[:n_times]

    phase = np.cumsum(pitch) / SAMPLE_RATE
    position = (phase % 1 * _PERIOD).astype(int)
    vowels = _VOWELS[rng.integers(len(_VOWELS), size=n_syllables)]
    periods = np.stack([_period(f * voice.tract, voice.pitch, mood) for f in vowels])
    shimmer = 1 + 2.5 * roughness * rng.normal(size=int(phase[-1]) + 1)[phase.astype(int)]
    envelope = np.sin(np.pi * (beat % 1)) ** (0.7 + 0.4 * max(-mood, 0))
    sound = periods[syllable, position] * envelope * shimmer
    breath = rng.normal(size=n_times) * envelope * (0.02 + 0.06 * max(-mood, 0))

    level = 0.12 * voice.loudness * (1 + 0.5 * mood) * np.exp(rng.normal(0, 0.25 * noise))
    hiss = rng.normal(size=n_times) * 0.012 * noise
    return np.clip(level * (sound + breath) + hiss, -1, 1).astype(np.float32)


def write_wav(path, sound):
    """Write mono 16-bit PCM with the standard library, for reproducible bytes."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(np.round(sound * 32767).astype("<i2").tobytes())


def _period(formants, pitch, mood):
    """Return one period of a vowel, of unit power, from its harmonics up to 7 kHz."""
    harmonics = np.arange(1, int(7000 / pitch) + 1)
    frequencies = harmonics * pitch
    distance = (frequencies[:, None] - formants) / _BANDWIDTHS
    resonance = (1 / (1 + distance**2)).sum(axis=1) + 0.03
    tilt = harmonics ** -(0.9 - 0.5 * mood)
    spectrum = np.zeros(_PERIOD // 2 + 1, dtype=complex)
    # fixed phases spread the energy over the period, as in natural voices
    spectrum[harmonics] = resonance * tilt * np.exp(1j * np.pi * harmonics**2 / len(harmonics))
    period = np.fft.irfft(spectrum)
    return period / np.sqrt(np.mean(period**2))
