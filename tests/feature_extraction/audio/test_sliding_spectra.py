import numpy as np
import pytest

from sklearn_mmsent.feature_extraction.audio import MFCC, STFT, LogMel
from sklearn_mmsent.feature_extraction.audio.sliding_spectra import SlidingSpectra

RATE = 8000
EXTRACTORS = {
    "mel": LogMel(RATE, n_mels=20, top_db=30),
    "mel, loudest is 0 dB": LogMel(RATE, n_mels=20, ref="max", statistics=["p25", "max"]),
    "mfcc": MFCC(10, sample_rate=RATE, n_mels=20, deltas=2),
    "mfcc steps": MFCC(10, sample_rate=RATE, n_mels=20, pooling=None, max_steps=7, deltas=1),
    "squeezed": LogMel(
        RATE, n_mels=4, pooling=None, max_steps=3, frames_per_step=2, long_clips="squeeze"
    ),
    "stft": STFT(RATE, n_fft=200, hop_length=50, fmin=500),
    "odd": STFT(RATE, n_fft=255, hop_length=70, scale="db"),
    "hop beyond the window": LogMel(RATE, n_mels=5, n_fft=128, hop_length=300),
}


def noise(seconds):
    """Return soft noise of changing loudness, so that windows differ."""
    n = round(seconds * RATE)
    loudness = 0.05 + 0.04 * np.sin(np.arange(n) / RATE * 2)
    return (np.random.default_rng(0).normal(size=n) * loudness).astype(np.float32)


@pytest.mark.parametrize("name", EXTRACTORS)
@pytest.mark.parametrize("hop", [2000, 1999, 160, 9000])
def test_sliding_features_equal_those_of_the_window(name, hop):
    extractor, samples = EXTRACTORS[name], noise(4)
    samples[9000:15000] = 0  # a silence
    extractor.fit([samples])
    sliding = SlidingSpectra(extractor)
    positions = range(0, min(len(samples) - RATE, 12 * hop), hop)
    found = np.stack([sliding.features(samples[p : p + RATE], p) for p in positions])
    expected = extractor.transform([samples[p : p + RATE] for p in positions])
    scale = np.maximum(1, np.abs(np.nan_to_num(expected)))
    np.testing.assert_allclose(found / scale, expected / scale, atol=1e-5)


def test_no_frame_is_computed_twice():
    samples, extractor = noise(10), LogMel(RATE, n_fft=512, hop_length=160).fit([noise(1)])
    sliding = SlidingSpectra(extractor)
    for position in range(0, len(samples) - RATE, 4000):
        sliding.features(samples[position : position + RATE], position)
    n_windows = len(range(0, len(samples) - RATE, 4000))
    inner = (position + RATE - 512) // 160 + 1  # frames of the stream that lie inside a window
    assert sliding.n_computed <= inner + 4 * n_windows  # two at each end see zeros
    assert sum(len(powers) for _, powers in sliding._kept.values()) < 60


@pytest.mark.parametrize("n", [1, 3, 100, 255, 256, 257, 511, 512, 513, 700])
def test_windows_shorter_than_a_frame_equal_those_of_the_extractor(n):
    extractor = MFCC(5, sample_rate=RATE, n_mels=10, deltas=1).fit([noise(1)])
    sliding = SlidingSpectra(extractor)
    for position in (0, 160, 320, 100):
        samples = noise(1)[position : position + n]
        np.testing.assert_allclose(
            sliding.features(samples, position),
            extractor.transform([samples])[0],
            atol=1e-3,
            rtol=1e-5,
        )
