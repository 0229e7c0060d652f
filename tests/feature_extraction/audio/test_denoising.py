"""Audio noise reduction."""

import os
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from sklearn.base import clone
from sklearn.pipeline import make_pipeline as make_plain_pipeline

from sklearn_mmsent import MFCC, Cached
from sklearn_mmsent.exceptions import CellError
from sklearn_mmsent.feature_extraction.audio import AudioCleaner, AudioDenoiser

RATE = 16_000


def voice(seconds=3.0, seed=0):
    """Synthetic syllables: harmonics of varying pitch and timbre, separated by pauses."""
    rng = np.random.default_rng(seed)
    time = np.arange(int(seconds * RATE)) / RATE
    phase = 2 * np.pi * np.cumsum(140 + 30 * np.sin(2 * np.pi * 0.7 * time)) / RATE
    formant = 900 + 500 * np.sin(2 * np.pi * 1.3 * time)
    sound = np.zeros_like(time)
    for harmonic in range(1, 25):
        colour = np.exp(-(((140 * harmonic - formant) / 500) ** 2)) + 0.3 / harmonic
        sound += colour * np.sin(harmonic * phase + rng.uniform(0, 6))
    syllables = np.clip(3 * np.sin(2 * np.pi * 2.5 * time), 0, 1)
    return (0.05 * sound * syllables).astype(np.float32)


def hiss(n_samples, seed=1):
    return np.random.default_rng(seed).standard_normal(n_samples)


def hum(n_samples):
    time = np.arange(n_samples) / RATE
    return sum(np.sin(2 * np.pi * 50 * k * time + k) / k for k in range(1, 8))


def mixed(sound, noise, snr):
    scale = np.sqrt(np.mean(sound**2) / np.mean(noise**2)) * 10 ** (-snr / 20)
    return (sound + scale * noise).astype(np.float32)


def snr(sound, found):
    rest = found.astype(float) - sound
    return 10 * np.log10(np.sum(sound.astype(float) ** 2) / np.sum(rest**2))


def denoise(cell, **parameters):
    samples, rate = AudioDenoiser(**parameters).fit_transform([cell])[0]
    assert samples.dtype == np.float32
    assert rate == parameters.get("sample_rate", RATE)
    return samples


@pytest.mark.parametrize(
    ("noise", "level", "gain"),
    [(hiss, 0, 9), (hiss, 5, 8), (hiss, 10, 7), (hiss, 20, 4), (hum, 0, 8), (hum, 10, 7)],
)
def test_signal_to_noise_ratio_improves(noise, level, gain):
    sound = voice()
    noisy = mixed(sound, noise(len(sound)), level)
    found = denoise(noisy)
    assert found.shape == noisy.shape
    assert snr(sound, found) > level + gain


def test_pure_noise_is_reduced_by_reduction_db():
    noise = 0.1 * hiss(3 * RATE).astype(np.float32)
    for reduction in (6, 12, 20):
        ratio = np.std(denoise(noise, reduction_db=reduction)) / np.std(noise)
        assert 20 * np.log10(ratio) == pytest.approx(-reduction, abs=3)


def test_clean_audio_is_hardly_changed():
    assert snr(voice(), denoise(voice())) > 20  # dB


def test_zero_reduction_is_identity():
    for n_fft in (512, 400, 130):
        noisy = mixed(voice(), hiss(3 * RATE), 5)
        np.testing.assert_allclose(denoise(noisy, reduction_db=0, n_fft=n_fft), noisy, atol=1e-6)


def test_signal_at_the_ends_is_kept():
    rng = np.random.default_rng(0)
    level = np.repeat([1.0, 1e-3, 1.0], [RATE // 2, 2 * RATE, RATE // 2])
    sound = (0.1 * level * rng.standard_normal(len(level))).astype(np.float32)
    found = denoise(sound, smooth_hz=500.0, smooth_seconds=0.1, reduction_db=60)
    for end in (slice(0, 2000), slice(-2000, None)):
        np.testing.assert_allclose(found[end], sound[end], atol=1e-5)


def test_recording_level_is_irrelevant():
    noisy = mixed(voice(), hiss(3 * RATE), 5)
    found = denoise(noisy)
    for factor in (1e-4, 1e3):
        np.testing.assert_allclose(denoise(noisy * factor) / factor, found, atol=1e-5)


@pytest.mark.parametrize("n_samples", [1, 100, 511, 4095, 4096, 5000, 48_001])
def test_silence_and_length_are_preserved(n_samples):
    np.testing.assert_array_equal(denoise(np.zeros(n_samples)), np.zeros(n_samples))
    assert denoise(0.1 * hiss(n_samples)).shape == (n_samples,)


def test_short_clips_are_unchanged():
    sound = voice(0.2)
    found = denoise(sound)
    np.testing.assert_array_equal(found, sound)
    assert not np.shares_memory(found, sound)


def test_digital_silence_is_excluded_from_noise_estimate():
    sound = voice()
    noisy = mixed(sound, hiss(len(sound)), 5)
    padded = np.r_[np.zeros(4 * RATE), noisy, np.zeros(4 * RATE)].astype(np.float32)
    found = denoise(padded)
    assert snr(sound, found[4 * RATE : 7 * RATE]) > 12
    np.testing.assert_allclose(found[: 3 * RATE], 0, atol=1e-7)
    almost = np.r_[np.zeros(4 * RATE), voice(0.1)].astype(np.float32)
    np.testing.assert_array_equal(denoise(almost), almost)


def test_parameters_control_how_much_noise_is_left():
    sound = voice()
    noisy = mixed(sound, hiss(len(sound)), 5)
    rest = [np.std(denoise(noisy, threshold_db=level)) for level in (0, 5, 15, 40)]
    assert rest == sorted(rest, reverse=True)
    assert snr(noisy, denoise(noisy, noise_quantile=0.01)) > snr(noisy, denoise(noisy))
    plain = denoise(noisy, smooth_hz=0, smooth_seconds=0)
    assert snr(sound, plain) > 11
    for option in ({"smooth_hz": 200.0}, {"smooth_seconds": 0.1}):
        assert snr(plain, denoise(noisy, **option)) < 25


def test_sample_rates_and_channels():
    sound = voice()
    noisy = mixed(sound, hiss(len(sound)), 5)
    same = denoise((noisy, 8000), sample_rate=8000)
    assert same.shape == noisy.shape
    assert denoise((noisy, 8000)).shape == (2 * len(noisy),)
    both = np.stack([noisy, noisy], axis=1)
    np.testing.assert_array_equal(denoise(both), denoise(noisy))


def test_deterministic_and_independent_of_batch():
    noisy = [mixed(voice(1.0, seed), hiss(RATE), 5) for seed in range(3)]
    denoiser = AudioDenoiser().fit([])
    batched = denoiser.transform(noisy)
    for copy in (denoiser, pickle.loads(pickle.dumps(denoiser)), clone(denoiser).fit([])):
        for sound, found in zip(noisy, batched, strict=True):
            np.testing.assert_array_equal(copy.transform([sound])[0][0], found[0])


def test_container_types_missing_cells_and_read_only_input():
    sound = voice()
    sound.flags.writeable = False
    series = pd.Series([sound, None, (sound, 8000)], index=list("abc"), name="clip", dtype=object)
    denoised = AudioDenoiser().fit_transform(series)
    assert denoised.index.tolist() == ["a", "b", "c"]
    assert denoised["b"] is None
    np.testing.assert_array_equal(sound, voice())


def test_unusable_cell_error():
    column = pd.Series([voice(), np.array([0.0, np.nan])], index=[7, 8], name="clip")
    with pytest.raises(CellError, match=r"^AudioDenoiser: row 1 \(index 8\), column 'clip'.*NaN"):
        AudioDenoiser().fit_transform(column)
    with pytest.warns(UserWarning, match="^AudioDenoiser: 1 of 2 cells"):
        denoised = AudioDenoiser(on_error="missing").fit_transform(column)
    assert denoised[8] is None


def test_pipeline_with_cleaner_and_cache(tmp_path):
    noisy = mixed(voice(), hiss(3 * RATE), 10)
    pipe = make_plain_pipeline(AudioCleaner(), AudioDenoiser(), Cached(MFCC(), tmp_path))
    features = pipe.fit_transform([noisy, None, (noisy, 8000)])
    assert np.isnan(features).all(axis=1).tolist() == [False, True, False]
    np.testing.assert_array_equal(pipe.transform([noisy])[0], features[0])


@pytest.mark.slow
@pytest.mark.parametrize(("level", "gain"), [(0, 9), (5, 8), (10, 6), (20, 3)])
def test_real_speech(level, gain):
    if "MMSENT_DATA" not in os.environ:
        pytest.skip("set MMSENT_DATA to the folder of the real data")
    files = sorted(Path(os.environ["MMSENT_DATA"]).glob("ravdess/subset/speech/*.flac"))[5::48]
    gains = []
    for path in files:
        sound, _ = soundfile.read(path, dtype="float32")
        gains.append(snr(sound, denoise(mixed(sound, hiss(len(sound)), level))) - level)
        assert snr(sound, denoise(sound)) > 20
    assert np.mean(gains) > gain
