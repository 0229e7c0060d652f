"""VideoFrames: frame sampling, pooling and invalid videos."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator
from sklearn.pipeline import make_pipeline

from sklearn_mmsent import ColorTexture, LogMel, TfidfEmbedder, VideoFrames, make_extractor
from sklearn_mmsent.blocks import BlockLayout
from sklearn_mmsent.exceptions import CellError
from sklearn_mmsent.feature_extraction import CellTransformer, media
from sklearn_mmsent.feature_extraction.image import Pixels

GRAY = Pixels(size=(1, 1), color="gray")  # brightness of the frames of write_clip


class KeepBright(CellTransformer):
    """Keep only bright images."""

    def __init__(self, on_error="raise"):
        self.on_error = on_error

    def _convert(self, cell):
        return cell if cell.mean() > 100 else None


def levels(cell, **settings):
    settings = {"pooling": None, "max_steps": 20, "frames_per_second": 10, **settings}
    return VideoFrames(GRAY, **settings).fit_transform([cell])[0]


@pytest.mark.parametrize(
    ("kind", "codec"), [("mp4", "mpeg4"), ("mkv", "libx264"), ("webm", "libvpx"), ("avi", "mpeg4")]
)
def test_frames_are_sampled_at_equal_times(kind, codec, tmp_path, write_clip):
    path = write_clip(tmp_path / f"fade.{kind}", video=codec, audio=None)
    truth = np.linspace(0, 1, 10)
    for cell in (path, str(path), path.read_bytes()):
        got = levels(cell)
        assert np.isnan(got[10:]).all()
        np.testing.assert_allclose(got[:10], truth, atol=0.03)
    half = levels(path, frames_per_second=5, max_steps=5)
    np.testing.assert_allclose(half, truth[::2], atol=0.03)
    double = levels(path, frames_per_second=20)
    np.testing.assert_allclose(double, np.repeat(truth, 2), atol=0.03)


def test_long_clips_are_spread_or_cropped(tmp_path, write_clip):
    path = write_clip(tmp_path / "fade.mp4", audio=None, seconds=2)
    truth = np.linspace(0, 1, 20)
    np.testing.assert_allclose(levels(path, max_steps=5), truth[::4], atol=0.03)
    np.testing.assert_allclose(levels(path, max_steps=5, long_clips="crop"), truth[:5], atol=0.03)


def test_arrays_and_files_agree(tmp_path, write_clip):
    path = write_clip(tmp_path / "fade.mkv", video="ffv1", audio=None, seconds=1.3)
    with open(path, "rb") as file, media.open_media(file, owner="test", extra="video") as container:
        frames = np.stack(list(media.picture_frames(container, 10, max_pixels=10_000)))
    assert frames.shape == (13, 48, 64, 3)
    for rate in (3, 10, 25):
        for max_steps in (4, 40):
            settings = {"frames_per_second": rate, "max_steps": max_steps}
            np.testing.assert_array_equal(
                levels((frames, 10), **settings), levels(path, **settings)
            )
    np.testing.assert_array_equal(levels(frames), levels((frames, 10)))


def test_statistics_over_frames(tmp_path, write_clip):
    path = write_clip(tmp_path / "fade.mp4", audio=None)
    steps = levels(path)[:10].astype(float)
    pooled = levels(path, pooling="stats", statistics=["mean", "std", "min", "max", "p25"])
    truth = [steps.mean(), steps.std(), steps.min(), steps.max(), np.percentile(steps, 25)]
    np.testing.assert_allclose(pooled, truth, atol=1e-6)


def test_one_column_for_two_modalities(tmp_path, write_clip):
    paths = [write_clip(tmp_path / f"{i}.mp4", pitch=300 * (i + 1)) for i in range(2)]
    extract = make_extractor(
        face=("clip", VideoFrames(ColorTexture(size=(16, 16)), pooling=None, max_steps=3)),
        voice=("clip", LogMel(n_mels=8)),
    )
    X = extract.fit_transform(pd.DataFrame({"clip": [*paths, None]}))
    layout = BlockLayout.from_names(X.columns)
    assert [(b.name, b.kind) for b in layout.blocks] == [("face", "sequence"), ("voice", "flat")]
    assert X.iloc[:2].filter(like="voice").notna().all(axis=None)
    assert X.iloc[:2].filter(regex="face.*@000").notna().all(axis=None)
    assert X.iloc[2].isna().all()


def test_missing_frames_are_dropped(tmp_path, write_clip):
    path = write_clip(tmp_path / "fade.mp4", audio=None)
    dark = np.zeros((3, 8, 8, 3), dtype=np.uint8)
    frames = VideoFrames(
        make_pipeline(KeepBright(), GRAY),
        frames_per_second=10,
        pooling=None,
        max_steps=8,
        long_clips="crop",
    )
    X = frames.fit_transform([path, dark])
    assert np.isnan(X[1]).all()
    bright = levels(path, max_steps=8, long_clips="crop")
    bright = bright[bright > 100 / 255]
    np.testing.assert_array_equal(X[0][: len(bright)], bright)
    assert np.isnan(X[0][len(bright) :]).all()


def test_rotation_metadata_is_applied(tmp_path, write_clip):
    data = bytearray(write_clip(tmp_path / "phone.mp4", audio=None, size=(32, 64)).read_bytes())
    # the display matrix of the track header, 16.16 fixed point: a quarter turn
    start = data.index(b"tkhd") + 4 + 40
    turn = [0, 1, 0, -1, 0, 0, 0, 0, 16384]
    data[start : start + 36] = b"".join((v * 65536).to_bytes(4, "big", signed=True) for v in turn)
    extractor = VideoFrames(Pixels(size=(4, 4)), max_steps=1).fit([])
    assert next(iter(extractor._frames(bytes(data)))).shape == (64, 32, 3)


def test_audio_without_video_error(tmp_path, write_clip):
    path = write_clip(tmp_path / "clip.m4a", video=None, format="ipod")
    with pytest.raises(CellError, match=r"row 0.*it holds no video \(mov.*: sound without video"):
        levels(path)


def test_unusable_cell_errors(tmp_path, write_clip):
    path = write_clip(tmp_path / "clip.mp4", audio=None)
    cases = {
        b"\x89PNG\r\n\x1a\n" + bytes(64): "no sound or video .* PNG picture",
        path.read_bytes()[:700]: "neither sound nor video",
        "no/such.mp4": "there is no such file",
        7: "expected a path, the bytes of a video file.*got int",
    }
    for cell, message in cases.items():
        with pytest.raises(CellError, match=f"VideoFrames: row 1.*{message}"):
            VideoFrames(GRAY).fit_transform([None, cell])
    with pytest.raises(CellError, match=r"shape \(3, 3\); expected \(n_frames, height, width, 3\)"):
        levels(np.zeros((3, 3)))
    with pytest.raises(CellError, match="second part is 'fast'"):
        levels((np.zeros((2, 3, 3, 3)), "fast"))
    with pytest.raises(CellError, match=r"lasts 1 s, more than max_seconds=0\.5"):
        levels(path, max_seconds=0.5)
    with pytest.raises(CellError, match="64 x 48 = 3072 pixels, more than max_pixels=99"):
        levels(path, max_pixels=99)
    with pytest.warns(UserWarning, match="2 of 3 cells could not be used"):
        X = VideoFrames(GRAY, on_error="missing").fit_transform([path, "none.mp4", b"no"])
    assert np.isfinite(X[0]).all()
    assert np.isnan(X[1:]).all()


def test_truncated_video_error(tmp_path, write_clip):
    data = write_clip(tmp_path / "clip.mkv", audio=None, seconds=3, size=(240, 320)).read_bytes()
    with pytest.raises(CellError, match="truncated"):
        levels(data[: len(data) // 2], max_steps=60)


@pytest.mark.parametrize(
    ("extractor", "message"),
    [
        (TfidfEmbedder(), "learns nothing from the training rows"),
        (make_pipeline(GRAY, GRAY), "a pipeline of cell transformers and an extractor"),
        (
            make_pipeline(KeepBright(), KeepBright()),
            "a pipeline of cell transformers and an extractor",
        ),
        (make_pipeline(KeepBright(on_error="missing"), GRAY), "disagree .* KeepBright.*Pixels"),
    ],
)
def test_invalid_extractors(extractor, message):
    with pytest.raises(ValueError, match=message):
        VideoFrames(extractor).fit([])
    with pytest.raises(ValueError, match="'statistics' parameter of VideoFrames"):
        VideoFrames(GRAY, statistics=["mode"]).fit([])
    with pytest.raises(ValueError, match="'extractor' parameter of VideoFrames"):
        VideoFrames(BaseEstimator()).fit([])
