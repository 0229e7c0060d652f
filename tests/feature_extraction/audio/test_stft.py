"""STFT against librosa."""

import warnings

import librosa
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from sklearn_mmsent import AcousticFunctionals, LogMel
from sklearn_mmsent.exceptions import CellError
from sklearn_mmsent.feature_extraction.audio import STFT

RATE = 16_000
SETTINGS = [
    {},
    {"scale": "power", "n_fft": 400, "hop_length": 100},
    {"scale": "db"},
    {"scale": "db", "n_fft": 1024, "hop_length": 333, "top_db": None, "ref": "max"},
    {"scale": "db", "n_fft": 401, "hop_length": 77, "ref": 0.5, "amin": 1e-6, "top_db": 40.0},
    {"sample_rate": 22050, "n_fft": 2048, "hop_length": 512},
]


def sweep(seconds=0.5, rate=RATE):
    """A rising, swelling tone with a little noise."""
    time = np.arange(int(seconds * rate)) / rate
    noise = np.random.default_rng(0).standard_normal(len(time))
    return ((0.1 + 0.5 * time) * np.sin(2 * np.pi * (200 + 900 * time) * time) + 0.01 * noise) / 2


def clips():
    rng = np.random.default_rng(0)
    lengths = (1, 160, 399, 511, 512, 1300, 5000, 16_000, 40_001)
    fading = [np.linspace(0, 0.3, n) * rng.standard_normal(n) for n in lengths]
    return [*fading, sweep(1.3), np.zeros(3000), np.r_[np.zeros(4000), sweep(), np.zeros(4000)]]


def librosa_frames(clip, extractor, kept=slice(None)):
    """Reference of librosa, (frames, frequencies)."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "n_fft=.* is too large", UserWarning)
        spectra = librosa.stft(
            np.float32(clip), n_fft=extractor.n_fft, hop_length=extractor.hop_length
        )
    magnitudes = np.abs(spectra)[kept]
    if extractor.scale == "magnitude":
        return magnitudes.T
    if extractor.scale == "power":
        return magnitudes.T**2
    ref = np.max if extractor.ref == "max" else extractor.ref
    options = {"ref": ref, "amin": extractor.amin, "top_db": extractor.top_db}
    return librosa.power_to_db(magnitudes**2, **options).T


def sequence(extractor, cells, max_steps=700):
    extractor.set_params(pooling=None, frames_per_step=1, max_steps=max_steps)
    return extractor.fit_transform(cells).reshape(len(cells), max_steps, -1)


@pytest.mark.parametrize("settings", SETTINGS)
def test_frames_equal_librosa(settings):
    extractor = STFT(**settings)
    for clip, found in zip(clips(), sequence(extractor, clips()), strict=True):
        expected = librosa_frames(clip, extractor)
        found, rest = found[: len(expected)], found[len(expected) :]
        assert found.shape == expected.shape
        minimum = 1.0 if extractor.scale == "db" else 1e-3  # silence has no range
        assert np.abs(found - expected).max() <= 1e-4 * max(np.ptp(expected), minimum)
        assert np.isnan(rest).all()


def test_decibels_equal_amplitude_to_db():
    magnitudes = np.abs(librosa.stft(np.float32(sweep()), n_fft=512, hop_length=160))
    expected = librosa.amplitude_to_db(magnitudes, ref=np.max)
    found = sequence(STFT(scale="db", ref="max"), [sweep()], expected.shape[1])[0]
    np.testing.assert_allclose(found.T, expected, atol=2e-3)


@pytest.mark.parametrize("scale", ["magnitude", "db"])
def test_frequency_range(scale):
    extractor = STFT(scale=scale, fmin=300.0, fmax=1000.0)
    found = sequence(extractor, [sweep()], 51)[0]
    frequencies = librosa.fft_frequencies(sr=RATE, n_fft=512)
    kept = (frequencies >= 300) & (frequencies <= 1000)
    expected = librosa_frames(sweep(), extractor, kept)
    assert np.abs(found - expected).max() <= 1e-4 * np.ptp(expected)
    names = [f"stft{number:03}" for number in np.flatnonzero(kept)]
    assert extractor.fit([]).get_feature_names_out()[: len(names)].tolist() == [
        f"{name}@000" for name in names
    ]


@pytest.mark.parametrize(("rate", "n_fft"), [(16_000, 512), (22_050, 2048), (44_100, 882)])
def test_range_includes_its_edges(rate, n_fft):
    spacing = rate / n_fft
    for number in (3, 7, 49, 123):
        extractor = STFT(rate, n_fft=n_fft, fmin=number * spacing, fmax=(number + 2) * spacing)
        width = max(3, len(str(n_fft // 2)))
        names = extractor.set_params(statistics=["max"]).fit([]).get_feature_names_out()
        assert names.tolist() == [f"stft{number + i:0{width}}_max" for i in range(3)]


def test_statistics_over_frames():
    statistics = ("p05", "mean", "std", "p50", "min", "max", "p95")
    extractor = STFT(scale="db", statistics=statistics)
    pooled = extractor.fit_transform(clips()).reshape(len(clips()), 257, 7)
    for clip, found in zip(clips(), pooled, strict=True):
        frames = librosa_frames(clip, extractor).astype(float)
        expected = [frames.mean(0), frames.std(0), frames.min(0), frames.max(0)]
        expected += list(np.percentile(frames, [5, 50, 95], axis=0))
        order = [1, 2, 4, 5, 0, 3, 6]
        np.testing.assert_allclose(found[:, order], np.stack(expected, axis=1), atol=4e-3)


def test_names_are_bins_and_statistics():
    assert STFT().fit([]).get_feature_names_out()[[0, 1, 4, -1]].tolist() == [
        "stft000_mean",
        "stft000_std",
        "stft001_mean",
        "stft256_max",
    ]
    steps = STFT(n_fft=8, pooling=None, max_steps=11).fit([]).get_feature_names_out()
    assert steps[[0, 4, 5, -1]].tolist() == [
        "stft000@000",
        "stft004@000",
        "stft000@001",
        "stft004@010",
    ]


def test_silence_is_finite():
    for scale, level in (("magnitude", 0), ("power", 0), ("db", -100)):
        for pooling in ("stats", None):
            extractor = STFT(scale=scale, pooling=pooling, statistics=["mean"], max_steps=6)
            np.testing.assert_allclose(extractor.fit_transform([np.zeros(8000)]), level, atol=1e-4)


def test_steps_average_frames_with_nan_padding():
    clip = sweep(0.333)
    frames = sequence(STFT(), [clip], 34)[0]
    steps = STFT(pooling=None, max_steps=6).fit_transform([clip, None]).reshape(2, 6, 257)
    for i, step in enumerate(steps[0, :4]):
        np.testing.assert_allclose(step, frames[10 * i : 10 * i + 10].mean(axis=0), atol=1e-5)
    assert np.isnan(steps[0, 4:]).all()
    assert np.isnan(steps[1]).all()


@pytest.mark.parametrize(
    "extractor",
    [
        STFT(),
        STFT(scale="power", fmin=100.0, fmax=3000.0),
        STFT(scale="db", statistics=["std", "p10", "mean", "max"]),
        STFT(scale="db", pooling=None, max_steps=12, long_clips="squeeze", top_db=None),
    ],
)
def test_features_independent_of_order_and_batches(extractor):
    rng = np.random.default_rng(0)
    cells = [*clips(), None, sweep(3.0), (sweep(1.0, 44_100), 44_100), clips()[6]]
    features = extractor.fit_transform(cells)
    assert np.isnan(features[12]).all()
    np.testing.assert_array_equal(features[6], features[-1])
    order = rng.permutation(len(cells))
    for batch_size in (1, 2, 5):
        other = clone(extractor).set_params(batch_size=batch_size).fit(cells)
        shuffled = other.transform([cells[i] for i in order])
        np.testing.assert_allclose(shuffled, features[order], rtol=1e-6, atol=1e-5)


def test_input_arrays_are_not_modified():
    samples = sweep().astype(np.float32)
    for array in (samples, samples[:, None], np.repeat(samples[:, None], 2, 1)):
        array = array.copy()
        array.flags.writeable = False
        for extractor in (STFT(), STFT(scale="db"), LogMel(), AcousticFunctionals()):
            extractor.fit_transform([array, (array, RATE)])
            np.testing.assert_array_equal(array.reshape(len(samples), -1)[:, 0], samples)


@pytest.mark.parametrize(
    ("extractor", "message"),
    [
        (STFT(fmin=500.0, fmax=400.0), r"STFT needs fmin < fmax <= sample_rate / 2"),
        (STFT(fmax=9000.0), r"got fmin=0.0, fmax=9000.0, sample_rate=16000"),
        (STFT(fmin=10.0, fmax=20.0), r"STFT has no frequency from fmin=10.0 .* are 31.25 Hz apart"),
        (STFT(statistics=["median"]), "'statistics' parameter of STFT must name"),
    ],
)
def test_inconsistent_parameters(extractor, message):
    with pytest.raises(ValueError, match=message):
        extractor.fit([])


def test_unusable_cell_error():
    cells = pd.Series([sweep(), np.array([0.0, np.nan])], index=["a", "b"], name="clip")
    with pytest.raises(CellError, match=r"^STFT: row 1 \(index 'b'\), column 'clip'.*NaN"):
        STFT().fit_transform(cells)


def test_gpu_equals_cpu():
    import torch

    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    for pooling in ("stats", None):
        for scale in ("magnitude", "power", "db"):
            extractor = STFT(scale=scale, pooling=pooling, max_steps=30)
            on_cpu = extractor.set_params(device="cpu").fit_transform(clips())
            on_gpu = extractor.set_params(device="cuda").fit_transform(clips())
            np.testing.assert_allclose(on_gpu, on_cpu, rtol=1e-4, atol=5e-3)
