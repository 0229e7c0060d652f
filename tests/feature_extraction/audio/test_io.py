"""Audio in containers that libsndfile does not support, and invalid files."""

import sys

import numpy as np
import pytest

from sklearn_mmsent import LogMel
from sklearn_mmsent.exceptions import CellError
from sklearn_mmsent.feature_extraction.audio.io import read_audio

RATE = 16_000
KINDS = {
    "m4a": {"video": None, "format": "ipod"},
    "aac": {"video": None, "format": "adts"},
    "mp4": {},
    "mov": {},
    "mkv": {"video": "libx264"},
    "webm": {"video": "libvpx", "audio": "libopus", "rate": 48_000},
    "avi": {"audio": "mp3"},
}


def read(cell, **settings):
    return read_audio(cell, **{"sample_rate": RATE, "max_seconds": 600, **settings})


@pytest.mark.parametrize("kind", KINDS)
def test_containers_preserve_the_tone(kind, tmp_path, write_clip):
    path = write_clip(tmp_path / f"clip.{kind}", **KINDS[kind])
    samples = read(path)
    assert samples.dtype == np.float32
    assert abs(len(samples) / RATE - 1) < 0.15  # encoders pad with a frame or two
    middle = samples[RATE // 4 : RATE // 4 + RATE // 2]
    peak = np.abs(np.fft.rfft(middle)).argmax() * RATE / len(middle)
    assert abs(peak - 440) <= 2
    assert 0.3 < middle.std() < 0.4  # a sine of amplitude 0.5
    np.testing.assert_array_equal(read(path.read_bytes()), samples)


def test_channels_are_averaged(tmp_path, write_clip):
    stereo = read(write_clip(tmp_path / "stereo.mp4", layout="stereo"))  # on the left only
    assert 0.15 < stereo[RATE // 4 : RATE // 2].std() < 0.2  # a sine of amplitude 0.25


def test_file_extension_is_ignored(tmp_path, write_clip):
    path = write_clip(tmp_path / "clip.wav", video=None, format="ipod")
    assert abs(len(read(path)) / RATE - 1) < 0.15


@pytest.mark.parametrize("kind", ["mp4", "mkv", "webm", "avi"])
@pytest.mark.parametrize("share", [0.3, 0.6])
def test_truncated_container_error(kind, share, tmp_path, write_clip):
    data = write_clip(tmp_path / f"clip.{kind}", **KINDS[kind]).read_bytes()
    with pytest.raises(CellError, match="truncated"):
        read(data[: int(len(data) * share)])


def test_video_without_audio_error(tmp_path, write_clip):
    path = write_clip(tmp_path / "silent.mp4", audio=None)
    with pytest.raises(CellError, match=r"it holds no sound \(mov.*: video without sound\)"):
        read(path)
    with pytest.warns(UserWarning, match="1 of 2 cells could not be used"):
        features = LogMel(on_error="missing").fit_transform([np.ones(800), path])
    assert np.isnan(features[1]).all()


def test_max_seconds_error(tmp_path, write_clip):
    path = write_clip(tmp_path / "clip.m4a", seconds=3, video=None, format="ipod")
    with pytest.raises(CellError, match="more than max_seconds=1"):
        read(path, max_seconds=1)


@pytest.mark.parametrize(
    "playlist",
    [
        "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:9.9,\nfile://{path}\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile {path}\n",
    ],
)
def test_playlists_do_not_open_other_files(playlist, tmp_path, write_clip):
    path = write_clip(tmp_path / "secret.mp4")
    list_file = tmp_path / "list.mp4"
    list_file.write_text(playlist.format(path=path))
    for cell in (list_file, list_file.read_bytes()):
        with pytest.raises(CellError, match="nor FFmpeg can read it"):
            read(cell)


@pytest.mark.parametrize("kind", ["m4a", "mkv", "avi"])
def test_corrupt_bytes_raise_only_cell_errors(kind, tmp_path, write_clip):
    data = write_clip(tmp_path / f"clip.{kind}", seconds=0.3, **KINDS[kind]).read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(30):
        broken = np.frombuffer(data, np.uint8).copy()
        broken[rng.integers(0, len(broken), 8)] = rng.integers(0, 256, 8)
        try:
            samples = read(broken.tobytes())
        except CellError:
            continue
        assert np.isfinite(samples).all()


def test_missing_pyav_error_names_the_extra(monkeypatch, tmp_path, write_clip):
    path = write_clip(tmp_path / "clip.mp4")
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(ImportError, match=r"LogMel needs .*'av'.*sklearn-mmsent\[audio\]"):
        LogMel().fit_transform([path])
