"""Waveform: every kind of audio cell, truncated or padded to the block."""

import io

import numpy as np
import pandas as pd
import pytest
import soundfile

from sklearn_mmsent import make_extractor
from sklearn_mmsent.blocks import BlockLayout
from sklearn_mmsent.exceptions import CellError
from sklearn_mmsent.feature_extraction.audio import Waveform
from sklearn_mmsent.feature_extraction.audio.io import read_audio

RATE = 16_000


def tone(seconds, rate=RATE, pitch=300.0):
    return 0.5 * np.sin(2 * np.pi * pitch * np.arange(round(seconds * rate)) / rate)


def wav(samples, rate=RATE):
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format="wav", subtype="FLOAT")
    return file.getvalue()


def test_samples_are_truncated_or_padded():
    short, long = tone(0.02), tone(0.1)
    X = Waveform(max_seconds=0.05).fit_transform([short, long, None])
    assert X.shape == (3, 800)
    assert X.dtype == np.float32
    np.testing.assert_allclose(X[0, :320], short, atol=1e-7)
    assert np.isnan(X[0, 320:]).all()
    np.testing.assert_allclose(X[1], long[:800], atol=1e-7)
    assert np.isnan(X[2]).all()


def test_all_cell_types_give_the_same_samples(tmp_path):
    samples = tone(0.04)
    soundfile.write(tmp_path / "a.wav", samples, RATE, subtype="FLOAT")
    stereo = np.column_stack([samples, samples])
    cells = [
        samples,
        (samples, RATE),
        tmp_path / "a.wav",
        str(tmp_path / "a.wav"),
        wav(samples),
        wav(stereo),
        (samples * 32768).round().astype(np.int16),
    ]
    X = Waveform(max_seconds=0.05).fit_transform(cells)
    np.testing.assert_allclose(X, np.repeat(X[:1], len(cells), axis=0), atol=2e-5)
    np.testing.assert_allclose(X[0, :640], samples, atol=1e-6)


def test_audio_is_resampled():
    cell = (tone(0.1, 8_000), 8_000)
    X = Waveform(max_seconds=0.1).fit_transform([cell])
    expected = read_audio(cell, sample_rate=RATE, max_seconds=1)
    np.testing.assert_array_equal(X[0], expected)
    np.testing.assert_allclose(X[0, 100:-100], tone(0.1)[100:-100], atol=2e-3)
    assert Waveform(8_000, max_seconds=0.1).fit_transform([cell]).shape == (1, 800)


def test_block_is_a_sequence_with_one_feature():
    table = pd.DataFrame({"clip": [tone(0.01), tone(0.02), None]})
    extractor = make_extractor(audio=("clip", Waveform(max_seconds=0.0201)))
    X = extractor.fit_transform(table)
    layout = BlockLayout.of(X)
    assert [block.shape for block in layout.blocks] == [(322, 1)]
    [values] = layout.read(X)
    assert values.steps.sum(axis=1).tolist() == [160, 320, 0]
    assert values.present.tolist() == [True, True, False]


def test_columns_depend_only_on_parameters():
    names = Waveform().fit([]).get_feature_names_out()
    assert len(names) == 64_000
    assert names[[0, -1]].tolist() == ["sample@00000", "sample@63999"]
    assert Waveform(max_seconds=1e-9).fit_transform([tone(0.01)]).shape == (1, 1)


def test_invalid_input():
    with pytest.raises(ValueError, match=r"'max_seconds' parameter of Waveform .* Got 0 instead"):
        Waveform(max_seconds=0).fit([])
    with pytest.raises(CellError, match=r"Waveform: row 0, .* longer than 600 s"):
        Waveform(1000, max_seconds=0.1).fit_transform([np.zeros(700_000)])
    with pytest.raises(CellError, match="Waveform: row 1"):
        Waveform(1000, max_seconds=0.1).fit_transform([np.zeros(9), "no.wav"])
    with pytest.warns(UserWarning, match="Waveform: 1 of 2 cells"):
        X = Waveform(1000, max_seconds=0.1, on_error="missing").fit_transform(
            [np.zeros(9), "no.wav"]
        )
    assert np.isnan(X[1]).all()
