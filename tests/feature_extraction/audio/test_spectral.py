import io
import os
import pickle
import struct
import sys
import warnings
from pathlib import Path

import librosa
import numpy as np
import pandas as pd
import pytest
import soundfile
from sklearn.base import clone

from sklearn_mmsent.exceptions import CellError
from sklearn_mmsent.feature_extraction.audio import MFCC, LogMel

RATE = 16_000


def sweep(seconds=0.5, rate=RATE):
    """A rising, swelling tone with a little noise."""
    time = np.arange(int(seconds * rate)) / rate
    noise = np.random.default_rng(0).standard_normal(len(time))
    return ((0.1 + 0.5 * time) * np.sin(2 * np.pi * (200 + 900 * time) * time) + 0.01 * noise) / 2


def encode(samples, rate=RATE, format="WAV", subtype=None):
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, format=format, subtype=subtype)
    return buffer.getvalue()


def wav(data, *, rate=RATE, channels=1, bits=16, kind=1, declared=None):
    """A handmade WAV file, which may declare more data than it holds."""
    declared = len(data) if declared is None else declared
    block = channels * bits // 8
    header = struct.pack("<HHIIHH", kind, channels, rate, rate * block, block, bits)
    return (
        b"RIFF"
        + struct.pack("<I", min(36 + declared, 0xFFFFFFFF))
        + b"WAVEfmt "
        + struct.pack("<I", 16)
        + header
        + b"data"
        + struct.pack("<I", declared)
        + data
    )


def mean_levels(cell, **options):
    return LogMel(statistics=["mean"], **options).fit_transform([cell])[0]


# -- cell types and file formats -------------------------------------------------------------


def test_all_cell_types_give_the_same_features(tmp_path):
    samples = np.round(sweep() * 2**15) / 2**15  # what 16 bits can hold
    path = tmp_path / "clip.wav"
    soundfile.write(path, samples, RATE)
    cells = [path, str(path), path.read_bytes(), samples, samples[:, None], (samples, RATE)]
    cells += [samples.astype(np.float32), (samples * 2**15).astype(np.int16)]
    cells += [(samples * 2**31).astype(np.int32), (samples, np.int64(RATE)), (samples, float(RATE))]
    features = MFCC().fit_transform(cells)
    assert features.dtype == np.float32
    assert np.isfinite(features).all()
    np.testing.assert_allclose(features, np.broadcast_to(features[0], features.shape), atol=1e-5)


@pytest.mark.parametrize(
    ("format", "subtype", "tolerance"),
    [
        ("WAV", "PCM_U8", 4),
        ("WAV", "PCM_16", 0.1),
        ("WAV", "PCM_24", 0.01),
        ("WAV", "PCM_32", 0.01),
        ("WAV", "FLOAT", 0.01),
        ("WAV", "DOUBLE", 0.01),
        ("WAV", "ULAW", 4),
        ("FLAC", "PCM_16", 0.1),
        ("AIFF", "PCM_16", 0.1),
        ("OGG", "VORBIS", 10),
        ("MP3", "MPEG_LAYER_III", 10),
    ],
)
def test_formats_and_depths(format, subtype, tolerance):
    expected = mean_levels(sweep(), fmax=4000)
    found = mean_levels(encode(sweep(), format=format, subtype=subtype), fmax=4000)
    assert np.abs(found - expected).mean() < tolerance


def test_channels_are_averaged():
    left, right = sweep(), sweep()[::-1]
    both = np.stack([left, right], axis=1)
    expected = mean_levels((left + right) / 2)
    np.testing.assert_allclose(mean_levels(both), expected, atol=1e-4)
    np.testing.assert_allclose(mean_levels(encode(both, subtype="FLOAT")), expected, atol=1e-4)
    many = np.repeat(left[:, None], 12, axis=1)
    np.testing.assert_allclose(mean_levels(many), mean_levels(left), atol=1e-4)


@pytest.mark.parametrize("rate", [8_000, 11_025, 44_100, 48_000, 192_000])
def test_resampling_keeps_pitch_and_level(rate):
    def tone(rate):
        return np.sin(2 * np.pi * 1000 * np.arange(rate) / rate)

    expected = mean_levels(tone(RATE), fmax=3500)
    for cell in ((tone(rate), rate), encode(tone(rate) * 0.999, rate)):
        found = mean_levels(cell, fmax=3500)
        assert found.argmax() == expected.argmax()
        assert found.max() == pytest.approx(expected.max(), abs=0.2)


def test_silence_is_finite():
    for pooling in ("stats", None):
        for extractor in (LogMel(pooling=pooling, max_steps=4), MFCC(pooling=pooling, max_steps=4)):
            features = extractor.fit_transform([np.zeros(8000)])
            assert np.isfinite(features).all()
    np.testing.assert_allclose(mean_levels(np.zeros(8000)), -100, atol=1e-4)
    np.testing.assert_allclose(mean_levels(np.zeros(8000), ref="max"), 0, atol=1e-4)


def test_stream_of_unknown_length():
    data = (sweep() * 2**15).astype("<i2").tobytes()
    streamed = wav(data, declared=0xFFFFFFFF)
    np.testing.assert_array_equal(mean_levels(streamed), mean_levels(wav(data)))


# -- bad input -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        (encode(np.zeros(0)), r"the sound has no samples \(0 s\)"),
        ((np.zeros(0), RATE), r"the sound has no samples \(0 s\)"),
        (wav(b"\0" * 900, declared=36_000 * 32_000), "promises 36000 s, the file holds 0.028125 s"),
        (encode(sweep())[:5000], "truncated: its header promises 0.5 s, the file holds 0.1"),
        (encode(sweep(), format="AIFF")[:5000], "truncated: its header promises 0.49"),
        (encode(sweep(), format="FLAC")[:2000], "truncated or damaged"),
        (encode(sweep(), format="OGG", subtype="VORBIS")[:1500], "Ogg file"),
        (encode(sweep(4), format="MP3")[:3000], "truncated: its header promises"),
        (b"\x89PNG\r\n\x1a\n" + bytes(64), "first bytes are those of a PNG picture"),
        (b"\0\0\0 ftypM4A " + bytes(64), "an MP4 file"),
        (b"RIFF\0\0\0\0WAVE", "neither libsndfile .*No 'data' chunk.* nor FFmpeg can read it"),
        (b"no sound at all", "nor FFmpeg can read it.*its first bytes are b'no sound'"),
        (wav(bytes(64), rate=3), "a sample rate of 3 Hz; expected 1000 to 1000000 Hz"),
        (encode(np.array([0, 1, np.nan, 0]), subtype="FLOAT"), "1 of 4 samples are NaN .* at 2"),
        (np.array([0.0, np.inf]), "1 of 2 samples are NaN or infinite, the first at 1"),
        (np.array([0.0, 1e300]), "1 of 2 samples are NaN or infinite"),
        (np.array([0.0, 1e30]), "samples reach 1e.30; expected full scale -1 to 1"),
        (np.zeros((2, 1000)), r"would be 1000 channels; .* pass array.T"),
        (np.zeros((2, 3, 4)), r"an array of shape \(2, 3, 4\)"),
        (np.zeros(9, np.int64), "samples of dtype int64; expected floats"),
        (np.zeros(9, complex), "samples of dtype complex128; expected floats"),
        (np.zeros(700 * RATE, np.int8), "lasts 700 s .* more than max_seconds=600"),
        ((RATE, np.zeros(99)), r"a tuple \(rate, samples\); .* swap the two"),
        ((np.zeros(99), "16 kHz"), "second part is '16 kHz'"),
        ((np.zeros(99), 16000.5), "second part is float '16000.5'"),
        (([0.0, 0.1], RATE), "first part is list"),
        ((np.zeros(99), 5), "a sample rate of 5 Hz"),
        (7, r"expected a path, the bytes of a sound file, an array, or a tuple .*; got int"),
        ("no/such/file.wav", "there is no such file"),
    ],
)
def test_unusable_cells_are_named(cell, message):
    cells = pd.Series([sweep(), None, cell], index=["a", "b", "c"], name="clip")
    with pytest.raises(CellError, match=message) as caught:
        LogMel().fit_transform(cells)
    assert str(caught.value).startswith("LogMel: row 2 (index 'c'), column 'clip', cell ")
    with pytest.warns(UserWarning, match="1 of 3 cells could not be used") as warned:
        features = LogMel(on_error="missing").fit_transform(cells)
    assert len(warned) == 1
    assert np.isnan(features[1:]).all()
    assert np.isfinite(features[0]).all()


def test_a_flac_header_of_ten_hours_costs_no_memory():
    data = bytearray(encode(sweep(), format="FLAC"))
    n_samples = 36_000 * RATE
    data[21] = (data[21] & 0xF0) | (n_samples >> 32)
    data[22:26] = struct.pack(">I", n_samples & 0xFFFFFFFF)
    with pytest.raises(CellError, match="lasts 36000 s by its length in samples, more than"):
        LogMel().fit_transform([bytes(data)])
    with pytest.raises(CellError, match="truncated"):
        LogMel(max_seconds=40_000).fit_transform([bytes(data)])


@pytest.mark.parametrize("format", ["WAV", "FLAC", "OGG", "AIFF"])
def test_broken_bytes_never_escape(format):
    rng = np.random.default_rng(0)
    data = np.frombuffer(encode(sweep(0.2), format=format), dtype=np.uint8)
    cells = []
    for _ in range(40):
        broken = data.copy()
        broken[rng.integers(0, min(len(broken), 120), 4)] = rng.integers(0, 256, 4)
        cells.append(broken.tobytes())
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "LogMel: .* cells could not be used", UserWarning)
        features = LogMel(on_error="missing").fit_transform(cells)
    assert features.shape == (40, 256)


def test_unusable_files(tmp_path):
    (tmp_path / "empty.wav").touch()
    with pytest.raises(CellError, match=r"the file is empty \(0 bytes\)"):
        LogMel().fit_transform([tmp_path / "empty.wav"])
    with pytest.raises(CellError, match="it is a directory, expected a file"):
        LogMel().fit_transform([tmp_path])
    (tmp_path / "headless.raw").write_bytes(bytes(100))
    with pytest.raises(CellError, match="nor FFmpeg can read it"):
        LogMel().fit_transform([tmp_path / "headless.raw"])


def test_missing_dependency_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "soundfile", None)
    LogMel().fit_transform([sweep()])  # arrays need no soundfile
    with pytest.raises(ImportError, match=r"MFCC needs .*sklearn-mmsent\[audio\]"):
        MFCC().fit_transform([wav(bytes(64))])


# -- equality with librosa -------------------------------------------------------------------

SETTINGS = [
    {},
    {"n_fft": 400, "hop_length": 100, "n_mels": 40, "fmin": 50.0, "fmax": 7000.0},
    {"n_fft": 1024, "hop_length": 333, "top_db": None, "ref": "max"},
    {"n_fft": 401, "hop_length": 77, "ref": 0.5, "amin": 1e-6, "top_db": 40.0},
    {"sample_rate": 22050, "n_fft": 2048, "hop_length": 512, "n_mels": 128},
]


def clips():
    rng = np.random.default_rng(0)
    lengths = (1, 160, 399, 511, 512, 1300, 5000, 16_000, 40_001)
    fading = [np.linspace(0, 0.3, n) * rng.standard_normal(n) for n in lengths]
    return [*fading, sweep(1.3), np.zeros(3000), np.r_[np.zeros(4000), sweep(), np.zeros(4000)]]


def librosa_frames(clip, extractor):
    """Reference of librosa in dB, (frames, bands)."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "n_fft=.* is too large", UserWarning)
        warnings.filterwarnings("ignore", "Empty filters", UserWarning)
        powers = librosa.feature.melspectrogram(
            y=np.float32(clip),
            sr=extractor.sample_rate,
            n_fft=extractor.n_fft,
            hop_length=extractor.hop_length,
            n_mels=extractor.n_mels,
            fmin=extractor.fmin,
            fmax=extractor.fmax,
        )
    ref = np.max if extractor.ref == "max" else extractor.ref
    return librosa.power_to_db(powers, ref=ref, amin=extractor.amin, top_db=extractor.top_db).T


def assert_equal_to_range(found, expected, share=1e-4):
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= share * max(np.ptp(expected), 1.0)


def sequence(extractor, cells, max_steps=700):
    extractor.set_params(pooling=None, frames_per_step=1, max_steps=max_steps)
    return extractor.fit_transform(cells).reshape(len(cells), max_steps, -1)


@pytest.mark.parametrize("settings", SETTINGS)
def test_log_mel_equals_librosa(settings):
    extractor = LogMel(**settings)
    for clip, found in zip(clips(), sequence(extractor, clips()), strict=True):
        expected = librosa_frames(clip, extractor)
        assert_equal_to_range(found[: len(expected)], expected)
        assert np.isnan(found[len(expected) :]).all()


@pytest.mark.parametrize("settings", SETTINGS)
def test_mfcc_and_deltas_equal_librosa(settings):
    extractor = MFCC(13, deltas=2, **settings)
    for clip, found in zip(clips(), sequence(extractor, clips()), strict=True):
        expected = librosa.feature.mfcc(S=librosa_frames(clip, extractor).T, n_mfcc=13)
        n_frames = expected.shape[1]
        assert_equal_to_range(found[:n_frames, :13], expected.T)
        if n_frames >= 9:  # the minimum of librosa
            for order in (1, 2):
                delta = librosa.feature.delta(expected, order=order).T
                assert_equal_to_range(found[:n_frames, 13 * order : 13 * (order + 1)], delta)


def test_deltas_of_short_clips_fit_all_frames():
    extractor = MFCC(2, deltas=2)
    for n_samples in (1, 160, 500, 1100):  # 1, 2, 4, 7 frames
        found = sequence(extractor, [sweep()[500 : 500 + n_samples]], 7)[0]
        n_frames = 1 + n_samples // 160
        assert np.isfinite(found[:n_frames]).all()
        time = np.arange(n_frames)
        for order in (1, 2):
            derivative = np.zeros(2)
            if n_frames > order:
                fit = np.polyfit(time, found[:n_frames, :2].astype(float), order)
                derivative = fit[0] * order
            deltas = found[:n_frames, 2 * order : 2 * order + 2]
            np.testing.assert_allclose(
                deltas, np.broadcast_to(derivative, deltas.shape), rtol=1e-3, atol=2e-3
            )


def test_statistics_over_frames():
    statistics = ("p05", "mean", "std", "p50", "min", "max", "p95")
    extractor = LogMel(statistics=statistics)
    pooled = extractor.fit_transform(clips()).reshape(len(clips()), 64, 7)
    for clip, found in zip(clips(), pooled, strict=True):
        frames = librosa_frames(clip, extractor).astype(float)
        expected = [frames.mean(0), frames.std(0), frames.min(0), frames.max(0)]
        expected += list(np.percentile(frames, [5, 50, 95], axis=0))
        order = [1, 2, 4, 5, 0, 3, 6]
        np.testing.assert_allclose(found[:, order], np.stack(expected, axis=1), atol=2e-3)


@pytest.mark.parametrize("extractor", [LogMel(n_mels=8), MFCC(6, n_mels=8)])
def test_segments_are_summarised_separately(extractor):
    extractor = clone(extractor).set_params(statistics=["mean", "max", "p25"], n_segments=3)
    found = extractor.fit_transform(clips()).reshape(len(clips()), 3, -1, 3)
    for clip, segments in zip(clips(), found, strict=True):
        [frames] = sequence(extractor, [clip])
        frames = frames[~np.isnan(frames[:, 0])].astype(float)
        edges = [k * len(frames) // 3 for k in range(4)]
        for k, segment in enumerate(segments):
            piece = frames[edges[k] : max(edges[k + 1], edges[k] + 1)]
            expected = [piece.mean(0), piece.max(0), np.percentile(piece, 25, axis=0)]
            np.testing.assert_allclose(segment, np.stack(expected, axis=1), atol=2e-3)


def test_segment_names():
    whole, one = (LogMel(n_mels=4, **kind).fit(clips()) for kind in ({}, {"n_segments": 1}))
    np.testing.assert_array_equal(whole.transform(clips()), one.transform(clips()))
    names = (
        LogMel(n_mels=4, statistics=["mean", "std"], n_segments=11).fit([]).get_feature_names_out()
    )
    assert names[[0, 1, 2, 8, -1]].tolist() == [
        "logmel000_segment000_mean",
        "logmel000_segment000_std",
        "logmel001_segment000_mean",
        "logmel000_segment001_mean",
        "logmel003_segment010_std",
    ]


def test_segments_overlap_in_short_clips():
    clip = sweep(0.02)  # three frames
    [frames] = sequence(LogMel(n_mels=4), [clip], 3)
    found = LogMel(n_mels=4, statistics=["mean", "std"], n_segments=6).fit_transform(
        [clip, sweep()]
    )
    means, deviations = found[0].reshape(6, 4, 2).transpose(2, 0, 1)
    np.testing.assert_allclose(means, frames.repeat(2, axis=0), atol=1e-4)
    np.testing.assert_allclose(deviations, 0, atol=1e-4)


# -- sequences -------------------------------------------------------------------------------


def test_names_sort_by_step_then_coefficient():
    extractor = MFCC(12, pooling=None, max_steps=101).fit([])
    names = extractor.get_feature_names_out().tolist()
    assert names[:2] == ["mfcc000@000", "mfcc001@000"]
    assert names[12] == "mfcc000_delta@000"
    assert names[24] == "mfcc000@001"
    assert names[-1] == "mfcc011_delta@100"
    assert len(names) == extractor.n_features_out_ == 12 * 2 * 101
    flat = MFCC(12, statistics=["mean", "p90"]).fit([]).get_feature_names_out()
    assert flat[[0, 1, 2, 24]].tolist() == [
        "mfcc000_mean",
        "mfcc000_p90",
        "mfcc001_mean",
        "mfcc000_delta_mean",
    ]
    assert LogMel().fit([]).get_feature_names_out()[5] == "logmel001_std"


def test_steps_average_frames_with_nan_padding():
    clip = sweep(0.333)
    frames = sequence(LogMel(), [clip], 34)[0]
    steps = LogMel(pooling=None, max_steps=6).fit_transform([clip, None]).reshape(2, 6, 64)
    for i, step in enumerate(steps[0, :4]):
        np.testing.assert_allclose(step, frames[10 * i : 10 * i + 10].mean(axis=0), atol=1e-4)
    assert np.isnan(steps[0, 4:]).all()
    assert np.isnan(steps[1]).all()


def test_long_clips_are_cropped_or_squeezed():
    short, long = sweep(0.3), sweep(1.0)
    settings = {"pooling": None, "frames_per_step": 5, "max_steps": 8}
    cropped, squeezed = (
        LogMel(long_clips=rule, **settings).fit_transform([short, long]).reshape(2, 8, 64)
        for rule in ("crop", "squeeze")
    )
    frames = sequence(LogMel(), [long], 101)[0]
    np.testing.assert_allclose(cropped[1], frames[:40].reshape(8, 5, 64).mean(1), atol=1e-4)
    expected = [part.mean(axis=0) for part in np.split(frames, range(13, 101, 13))]
    np.testing.assert_allclose(squeezed[1], expected, atol=1e-4)
    np.testing.assert_array_equal(cropped[0], squeezed[0])  # no effect on a short clip
    assert np.isnan(cropped[0, 7]).all()


# -- common behaviour ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "extractor",
    [
        LogMel(),
        LogMel(pooling=None, max_steps=12),
        LogMel(pooling=None, max_steps=12, long_clips="squeeze", top_db=None),
        MFCC(deltas=2),
        MFCC(deltas=2, pooling=None, max_steps=12, frames_per_step=3),
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
    copy = pickle.loads(pickle.dumps(extractor))
    np.testing.assert_array_equal(copy.transform(cells), features)
    assert extractor.transform([]).shape == (0, features.shape[1])


def test_groups_of_limited_size_keep_the_order(monkeypatch):
    from sklearn_mmsent.feature_extraction.audio import _spectral

    lengths = [900, 5, 300, 300, 2000, 40]
    groups = list(_spectral.groups([np.zeros(n) for n in lengths], max_samples=1000))
    assert groups == [[1, 5, 2], [3], [0], [4]]
    whole = LogMel().fit_transform(clips())
    one_by_one = _spectral.groups
    monkeypatch.setattr(_spectral, "groups", lambda clips, _: one_by_one(clips, 1))
    np.testing.assert_allclose(LogMel().fit_transform(clips()), whole, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("extractor", "message"),
    [
        (LogMel(fmin=500.0, fmax=400.0), r"LogMel needs fmin < fmax <= sample_rate / 2"),
        (LogMel(fmax=9000.0), r"got fmin=0.0, fmax=9000.0, sample_rate=16000"),
        (LogMel(statistics=["mean", "median"]), "'statistics' parameter of LogMel must name"),
        (LogMel(statistics=["mean", "mean"]), "must name, each once"),
        (LogMel(statistics=[]), "'statistics' parameter of LogMel must name"),
        (MFCC(80), "cannot take n_mfcc=80 coefficients from n_mels=64 bands"),
    ],
)
def test_inconsistent_parameters(extractor, message):
    with pytest.raises(ValueError, match=message):
        extractor.fit([])


def test_unavailable_device_error():
    import torch

    with pytest.raises(ValueError, match="device='gpu' cannot be used"):
        LogMel(device="gpu").fit_transform([sweep()])
    if torch.cuda.is_available():
        pytest.skip("a CUDA device is available")
    with pytest.raises(ValueError, match="device='cuda' cannot be used"):
        LogMel(device="cuda").fit_transform([sweep()])


@pytest.mark.parametrize("pooling", ["stats", None])
def test_gpu_equals_cpu(pooling):
    import torch

    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    for extractor in (LogMel(pooling=pooling), MFCC(deltas=2, pooling=pooling)):
        on_cpu = extractor.set_params(device="cpu").fit_transform(clips())
        on_gpu = extractor.set_params(device="cuda").fit_transform(clips())
        np.testing.assert_allclose(on_gpu, on_cpu, atol=5e-3)


@pytest.mark.slow
@pytest.mark.parametrize("extractor", [LogMel(), MFCC(deltas=2), MFCC(pooling=None)])
def test_real_speech(extractor):
    if "MMSENT_DATA" not in os.environ:
        pytest.skip("set MMSENT_DATA to the folder of the real data")
    files = sorted(Path(os.environ["MMSENT_DATA"]).glob("ravdess/subset/speech/*.flac"))[:200]
    if not files:
        pytest.skip("the folder MMSENT_DATA has no ravdess/subset/speech")
    features = extractor.fit_transform(files)
    assert np.isfinite(features).any(axis=1).all()
    for path in files[:20]:
        samples, rate = soundfile.read(path, dtype="float32")
        frames = librosa_frames(librosa.to_mono(samples.T), extractor)
        assert rate == extractor.sample_rate
        found = sequence(LogMel(), [path])[0]
        assert_equal_to_range(found[: len(frames)], frames[:700])
