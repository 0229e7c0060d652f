"""Files that are not what they seem: every extractor of pictures reads them through one door."""

import io
import os
import struct
import wave
import zlib

import numpy as np
import pytest
from PIL import Image

from sklearn_mmsent.exceptions import CellError
from sklearn_mmsent.feature_extraction.image import (
    ColorTexture,
    FaceCropper,
    ImageDenoiser,
    ImageEmbedder,
    Pixels,
)


@pytest.fixture
def readers(folders):
    """One of each that reads pictures."""
    embedder = ImageEmbedder(folders / "clip", device="cpu")
    return [Pixels((6, 6)), ColorTexture((32, 32)), embedder, FaceCropper(), ImageDenoiser()]


@pytest.fixture
def photo():
    y, x = np.mgrid[0:40, 0:60]
    return np.stack([x * 4, y * 6, 255 - x * 2 - y * 3], axis=-1).astype(np.uint8)


def saved(path, picture, format, **options):
    (picture if isinstance(picture, Image.Image) else Image.fromarray(picture)).save(
        path, format, **options
    )
    return path


def wav():
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(bytes(800))
    return buffer.getvalue()


def colours(cell):
    return Pixels((8, 8)).fit_transform([cell]).reshape(3, 8, 8)


def test_the_name_of_a_file_says_nothing(photo, tmp_path):
    expected = colours(photo)
    for name, format in (("a.jpg", "PNG"), ("b.txt", "BMP"), ("c", "GIF"), ("d.wav", "TIFF")):
        path = saved(tmp_path / name, photo, format)
        np.testing.assert_allclose(colours(path), expected, atol=0.06, err_msg=name)


def test_what_cannot_be_read_is_named_by_every_reader(photo, readers, tmp_path):
    whole = saved(tmp_path / "whole.jpg", photo, "JPEG").read_bytes()
    files = {
        "sound.png": (wav(), "its first bytes are those of WAV sound"),
        "empty.png": (b"", r"the file is empty \(0 bytes\)"),
        "half.jpg": (whole[: -len(whole) // 5], "truncated or damaged"),
        "page.jpg": (b"<!doctype html>", "a text such as HTML"),
        "lfs.png": (b"version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer"),
    }
    for name, (content, _) in files.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "nowhere.png").symlink_to(tmp_path / "gone.png")
    (tmp_path / "circle.png").symlink_to(tmp_path / "circle.png")
    messages = {name: message for name, (_, message) in files.items()}
    messages |= {
        "nowhere.png": "there is no such file",
        "circle.png": "not a path that can be opened",
        ".": "it is a directory, expected a file",
    }
    for reader in readers:
        name = type(reader).__name__
        for file, message in messages.items():
            with pytest.raises(CellError, match=rf"^{name}: row 1, cell .*{message}"):
                reader.fit_transform([photo, tmp_path / file])
        cells = [photo, *(tmp_path / file for file in messages), None]
        lenient = reader.set_params(on_error="missing")
        with pytest.warns(UserWarning, match=f"^{name}: 8 of 10 cells could not be used") as caught:
            result = lenient.fit_transform(cells)
        assert len(caught) == 1
        if result.dtype == object:
            assert [cell is None for cell in result[1:]] == [True] * 9
        else:
            assert np.isnan(result).all(axis=1).tolist() == [False] + [True] * 9


@pytest.mark.parametrize("format", ["JPEG", "TIFF"])
def test_cmyk_is_not_inverted(photo, tmp_path, format):
    path = saved(tmp_path / "print", Image.fromarray(photo).convert("CMYK"), format)
    np.testing.assert_allclose(colours(path), colours(photo), atol=0.06)


def test_sixteen_bits_of_each_colour(photo):
    # Pillow does not write such files
    rows = b"".join(b"\0" + row.tobytes() for row in photo.astype(">u2") * 257)
    chunks = [b"IHDR" + struct.pack(">IIBBBBB", 60, 40, 16, 2, 0, 0, 0)]
    chunks += [b"IDAT" + zlib.compress(rows), b"IEND"]
    cell = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
        for chunk in chunks
    )
    np.testing.assert_allclose(colours(cell), colours(photo), atol=0.01)


def test_of_a_moving_png_the_first_frame_counts(tmp_path):
    red, blue = Image.new("RGB", (6, 6), "red"), Image.new("RGB", (6, 6), "blue")
    path = saved(tmp_path / "moving.png", red, "PNG", save_all=True, append_images=[blue])
    np.testing.assert_array_equal(colours(path)[2], 0)


@pytest.mark.parametrize("size", [(1, 1), (1, 9000), (9000, 1), (3, 2000)])
def test_extreme_proportions(readers, tmp_path, size):
    path = saved(tmp_path / "thin.png", Image.new("RGBA", size, (255, 0, 0, 90)), "PNG")
    for reader in readers:
        reader.set_params(**({"no_face": "whole"} if isinstance(reader, FaceCropper) else {}))
        (result,) = reader.fit_transform([path])
        assert np.isfinite(result).all()


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(readers, photo, tmp_path):
    path = saved(tmp_path / "secret.png", photo, "PNG")
    path.chmod(0)
    for reader in readers:
        with pytest.raises(CellError, match="may not be read: permission denied"):
            reader.fit_transform([path])
