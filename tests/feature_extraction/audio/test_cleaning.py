"""Audio normalisation."""

import io
import pickle

import librosa
import numpy as np
import pandas as pd
import pytest
import soundfile
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline as make_plain_pipeline

from sklearn_mmsent import (
    MFCC,
    AcousticFunctionals,
    Cached,
    FusionClassifier,
    LogMel,
    make_extractor,
    make_pipeline,
)
from sklearn_mmsent.exceptions import CellError
from sklearn_mmsent.feature_extraction.audio import AudioCleaner

RATE = 16_000
OFF = {"high_pass": None, "trim_db": None, "level": None}


def tone(seconds=0.5, pitch=440.0, rate=RATE, amplitude=0.3):
    return amplitude * np.sin(2 * np.pi * pitch * np.arange(int(seconds * rate)) / rate)


def spoken(seed=0):
    """Bursts of noise at several levels, separated by faint noise."""
    rng = np.random.default_rng(seed)
    parts = []
    for level in (1e-4, 0.02, 1e-4, 0.4, 0.003, 1e-4):
        parts.append(level * rng.standard_normal(rng.integers(1000, 9000)))
    return np.concatenate(parts).astype(np.float32)


def clean(cell, **parameters):
    samples, rate = AudioCleaner(**{**OFF, **parameters}).fit_transform([cell])[0]
    assert samples.dtype == np.float32
    assert samples.ndim == 1
    assert rate == parameters.get("sample_rate", RATE)
    return samples


def rms(samples):
    return np.sqrt(np.mean(np.square(samples, dtype=float)))


def test_disabled_steps_leave_audio_unchanged():
    sound = spoken()
    np.testing.assert_array_equal(clean(sound), sound)


# -- rate and channels -------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [8_000, 22_050, 48_000])
def test_rate_and_channels(rate):
    left, right = tone(rate=rate), tone(rate=rate, pitch=880.0)
    buffer = io.BytesIO()
    soundfile.write(buffer, np.stack([left, right], axis=1), rate, format="WAV", subtype="FLOAT")
    expected = (tone() + tone(pitch=880.0)) / 2
    for cell in (buffer.getvalue(), (np.stack([left, right], axis=1), rate)):
        found = clean(cell)
        assert abs(len(found) - len(expected)) <= 1
        inner = slice(500, 7500)  # filters ring at the ends
        np.testing.assert_allclose(found[inner], expected[inner], atol=2e-3)
    assert len(clean((left, rate), sample_rate=11_025)) == pytest.approx(11_025 / 2, abs=1)


# -- high-pass filter ----------------------------------------------------------------------------


def test_high_pass_removes_offset_and_rumble():
    sound = tone(1.0)
    for below in (0.2, 0.2 * np.sin(2 * np.pi * 3 * np.arange(RATE) / RATE)):
        found = clean(sound + below, high_pass=20.0)
        np.testing.assert_allclose(found[2000:-2000], sound[2000:-2000], atol=2e-3)
    assert rms(clean(tone(1.0, 50.0), high_pass=200.0)) < 0.01 * rms(tone(1.0, 50.0))


@pytest.mark.parametrize("n_samples", [1, 2, 9, 100])
def test_very_short_clips(n_samples):
    sound = np.full(n_samples, 0.5)
    found = AudioCleaner().fit_transform([sound])[0][0]
    assert found.shape == (n_samples,)
    np.testing.assert_allclose(found, 0, atol=1e-6)  # a constant is an offset
    assert clean(sound, trim_db=40.0, level="peak").shape == (n_samples,)


# -- trimming ------------------------------------------------------------------------------------


@pytest.mark.parametrize("trim_db", [10.0, 30.0, 45.0, 60.0, 90.0])
def test_trimming_equals_librosa(trim_db):
    lengths = set()
    for seed in range(8):
        sound = spoken(seed)
        expected, _ = librosa.effects.trim(sound, top_db=trim_db)
        found = clean(sound, trim_db=trim_db)
        np.testing.assert_array_equal(found, expected)
        lengths.add(len(sound) - len(found))
    assert (lengths == {0}) == (trim_db == 90.0)
    for n_samples in (1, 511, 512, 513, 1024, 2048, 5120):
        sound = spoken()[-n_samples:] * np.linspace(0, 1, n_samples, dtype=np.float32)
        np.testing.assert_array_equal(
            clean(sound, trim_db=trim_db), librosa.effects.trim(sound, top_db=trim_db)[0]
        )


def test_pauses_are_kept():
    sound = np.concatenate([np.zeros(8000), tone(), np.zeros(16_000), tone(), np.zeros(8000)])
    found = clean(sound, trim_db=40.0)
    assert abs(len(found) - 32_000) < 4096


@pytest.mark.parametrize("sound", [np.zeros(9000), np.full(9000, 1e-7), np.full(9000, 0.3)])
def test_silent_clip_is_kept_whole(sound):
    for level in ("rms", "peak"):
        found, _ = AudioCleaner(level=level).fit_transform([sound])[0]
        assert found.shape == sound.shape
        np.testing.assert_allclose(found, 0, atol=1e-6)


# -- level ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("amplitude", [1e-3, 0.3, 1.0, 30.0])
def test_level_is_normalised_by_rms_or_peak(amplitude):
    sound = tone(amplitude=amplitude)
    assert rms(clean(sound, level="rms")) == pytest.approx(0.1, rel=1e-4)
    assert rms(clean(sound, level="rms", level_db=0)) == pytest.approx(1, rel=1e-4)
    assert np.abs(clean(sound, level="peak", level_db=-6)).max() == pytest.approx(0.5012, rel=1e-3)


def test_peaks_are_not_clipped():
    sound = np.zeros(16_000)
    sound[8000] = 0.5
    found = clean(sound, level="rms")
    assert found.max() == pytest.approx(0.1 * np.sqrt(16_000), rel=1e-4)


def test_level_is_measured_after_trimming():
    sound = np.concatenate([np.zeros(32_000), tone(), np.zeros(32_000)])
    found = clean(sound, trim_db=40.0, level="rms")
    assert rms(found) == pytest.approx(0.1, rel=1e-4)


# -- columns -------------------------------------------------------------------------------------


def test_container_types_missing_cells_and_read_only_input():
    sound = spoken()
    sound.flags.writeable = False
    cells = [sound, None, float("nan"), (sound, 8000), np.zeros(0)]
    series = pd.Series(cells, index=list("abcde"), name="clip", dtype=object)
    cleaned = AudioCleaner().fit_transform(series)
    assert cleaned.index.tolist() == series.index.tolist()
    assert cleaned.name == "clip"
    assert cleaned["b"] is None
    assert cleaned["e"].size == 0
    assert not np.shares_memory(cleaned["a"][0], sound)
    assert not np.shares_memory(clean(sound), sound)
    np.testing.assert_array_equal(sound, spoken())
    assert AudioCleaner().fit_transform(cells).shape == (5,)


def test_unusable_cell_error():
    column = pd.Series([tone(), np.array([0.0, np.nan])], index=[7, 8], name="clip")
    with pytest.raises(CellError, match=r"^AudioCleaner: row 1 \(index 8\), column 'clip'.*NaN"):
        AudioCleaner().fit_transform(column)
    with pytest.warns(UserWarning, match="^AudioCleaner: 1 of 2 cells"):
        cleaned = AudioCleaner(on_error="missing").fit_transform(column)
    assert cleaned[8] is None
    with pytest.raises(CellError, match="lasts 2 s"):
        clean(tone(2.0), max_seconds=1.0)


def test_high_pass_above_nyquist_error():
    with pytest.raises(ValueError, match=r"AudioCleaner needs high_pass < sample_rate / 2"):
        AudioCleaner(8000, high_pass=4000.0).fit([])


def test_pickle_and_clone():
    cleaner = AudioCleaner(8000, level="peak").fit([])
    for copy in (pickle.loads(pickle.dumps(cleaner)), clone(cleaner).fit([])):
        np.testing.assert_array_equal(
            copy.transform([spoken()])[0][0], cleaner.transform([spoken()])[0][0]
        )


def test_pipeline_with_extractors(tmp_path):
    quiet, loud = np.r_[np.zeros(9000), 0.01 * tone()], np.r_[0.5 * tone(), np.zeros(9000)]
    for extractor in (LogMel(statistics=["mean"]), AcousticFunctionals(), Cached(MFCC(), tmp_path)):
        features = make_plain_pipeline(AudioCleaner(), extractor).fit_transform([quiet, None, loud])
        assert np.isnan(features[1]).all()
    bands = make_plain_pipeline(AudioCleaner(), LogMel(statistics=["max"]))
    features = bands.fit_transform([quiet, loud])
    assert np.median(np.abs(features[0] - features[1])) < 1.5
    plain = LogMel(statistics=["max"]).fit_transform([quiet, loud])
    assert np.median(np.abs(plain[0] - plain[1])) > 20


def test_parameters_can_be_searched():
    sounds = pd.DataFrame({"clip": [tone(0.2, 200.0 + 50 * i) for i in range(8)]})
    pipe = make_pipeline(
        make_extractor(audio=("clip", make_plain_pipeline(AudioCleaner(), MFCC(3)))),
        FusionClassifier(max_epochs=1, early_stopping=False, random_state=0),
    )
    name = "multimodalextractor__audio__audiocleaner__level"
    search = GridSearchCV(pipe, {name: ["rms", None]}, cv=2, error_score="raise")
    search.fit(sounds, [0, 0, 0, 0, 1, 1, 1, 1])
    assert set(search.best_params_) == {name}
