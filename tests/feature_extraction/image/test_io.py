"""Reading images: cell types, formats, orientation and corrupt files."""

import io
import os
import struct
import sys
import warnings
import wave
import zlib

import numpy as np
import pandas as pd
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
def readers(vision_folders):
    """One of each transformer that reads images."""
    embedder = ImageEmbedder(vision_folders / "clip", device="cpu")
    return [Pixels((6, 6)), ColorTexture((32, 32)), embedder, FaceCropper(), ImageDenoiser()]


def encode(image, format, **options):
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def png_header(width, height):
    """A PNG file that declares a size and holds almost no data."""

    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(bytes(100))
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    )


def pixels(cell, size=(4, 4), **options):
    """The pixels of one cell as (channel, row, column)."""
    return Pixels(size, **options).fit_transform([cell]).reshape(-1, *size)


# -- cell types and formats ------------------------------------------------------------------


def test_all_cell_types_give_the_same_features(photo, tmp_path):
    image = Image.fromarray(photo)
    path = tmp_path / "photo.png"
    image.save(path)
    lazy = Image.open(path)
    cells = [path, str(path), path.read_bytes(), bytearray(path.read_bytes()), image, lazy]
    cells += [photo, photo / 255, (photo / 255).astype(np.float32), photo.astype(np.uint16) * 257]
    for extractor in (Pixels((8, 8)), ColorTexture()):
        features = extractor.fit_transform(cells)
        assert np.isfinite(features).all()
        np.testing.assert_array_equal(features, np.broadcast_to(features[0], features.shape))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_exif_orientation_is_applied(photo, orientation, format):
    upright = Image.fromarray(photo)
    turn = Image.Transpose
    stored = {  # how a camera stores the upright image
        2: turn.FLIP_LEFT_RIGHT,
        3: turn.ROTATE_180,
        4: turn.FLIP_TOP_BOTTOM,
        5: turn.TRANSPOSE,
        6: turn.ROTATE_90,
        7: turn.TRANSVERSE,
        8: turn.ROTATE_270,
    }.get(orientation)
    image = upright if stored is None else upright.transpose(stored)
    exif = Image.Exif()
    exif[0x0112] = orientation
    cell = encode(image, format, exif=exif)
    np.testing.assert_allclose(pixels(cell), pixels(photo), atol=0.03)
    np.testing.assert_allclose(pixels(Image.open(io.BytesIO(cell))), pixels(photo), atol=0.03)


def test_corrupt_exif_is_ignored(photo):
    cell = encode(Image.fromarray(photo), "JPEG", exif=b"Exif\x00\x00MM\x00*\xff\xff\xff\xff")
    np.testing.assert_allclose(pixels(cell), pixels(photo), atol=0.03)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "YCbCr", "CMYK", "I;16", "LA", "RGBA"])
def test_modes_are_converted_to_rgb(mode):
    white_left = np.zeros((8, 8), dtype=np.uint8)
    white_left[:, :4] = 255
    image = Image.fromarray(white_left)
    if mode == "I;16":
        image = Image.fromarray(white_left.astype(np.uint16) * 257)
        assert image.mode == mode
    elif mode == "YCbCr":
        image = image.convert("RGB").convert(mode)
    else:
        image = image.convert(mode)
    cell = encode(image, "TIFF" if mode in ("CMYK", "YCbCr") else "PNG")
    expected = np.zeros((3, 8, 8))
    expected[:, :, :4] = 1
    np.testing.assert_allclose(pixels(cell, (8, 8)), expected, atol=0.01)


def test_sixteen_bit_images_are_rescaled():
    values = np.array([[0, 257, 32896, 65535]], dtype=np.uint16)
    expected = np.array([[0, 1 / 255, 128 / 255, 1]])
    for format in ("PNG", "TIFF"):
        cell = encode(Image.fromarray(values), format)
        np.testing.assert_allclose(pixels(cell, (1, 4))[0], expected, atol=1e-6)


@pytest.mark.parametrize("mode", ["LA", "RGBA", "PA"])
def test_transparency_is_composited_over_white(mode):
    image = Image.new("RGBA", (4, 4), (0, 0, 0, 0)).convert(mode)
    np.testing.assert_array_equal(pixels(image), 1)
    half = np.zeros((4, 4, 4), dtype=np.uint8)
    half[..., 3] = 128
    np.testing.assert_allclose(pixels(half), 127 / 255, atol=1e-6)


def test_transparent_palette_entry_is_white():
    image = Image.new("P", (4, 4), 0)
    image.putpalette([0, 0, 0, 255, 0, 0])
    np.testing.assert_array_equal(pixels(encode(image, "PNG", transparency=0)), 1)


@pytest.mark.parametrize("format", ["GIF", "PNG", "WEBP", "TIFF"])
def test_first_frame_of_an_animation(format):
    red, blue = Image.new("RGB", (6, 6), "red"), Image.new("RGB", (6, 6), "blue")
    options = {"lossless": True} if format == "WEBP" else {}
    cell = encode(red, format, save_all=True, append_images=[blue], **options)
    np.testing.assert_allclose(pixels(cell)[:, 0, 0], [1, 0, 0], atol=0.01)


@pytest.mark.parametrize("cell", [np.zeros((1, 1), np.uint8), np.full((1, 1, 3), 0.5)])
@pytest.mark.parametrize("extractor", [Pixels(), Pixels(aspect="pad"), ColorTexture()])
def test_one_pixel_image(extractor, cell):
    assert np.isfinite(extractor.fit_transform([cell])).all()


@pytest.mark.parametrize("aspect", ["stretch", "pad", "crop"])
@pytest.mark.parametrize("shape", [(1, 997), (997, 1), (331, 7), (48, 48)])
def test_extreme_aspect_ratios(aspect, shape):
    features = ColorTexture(aspect=aspect).fit_transform([np.full(shape, 0.5)])
    assert np.isfinite(features).all()


def test_reduced_scale_of_large_jpeg(photo):
    large = Image.fromarray(photo).resize((1200, 800))
    np.testing.assert_allclose(
        pixels(encode(large, "JPEG", quality=95), (8, 8)), pixels(large, (8, 8)), atol=0.02
    )


# -- bad input -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        (png_header(60_000, 60_000), "claims more pixels than Pillow accepts"),
        (png_header(9_000, 9_000), r"9000 x 9000 = 81000000 pixels, more than max_pixels=50000000"),
        (png_header(10_000, 10_000), r"more than max_pixels=50000000"),  # Pillow only warns here
        (png_header(100, 100), "truncated or damaged"),
        (b"RIFF\x00\x00\x00\x00WAVEfmt ", "first bytes are those of WAV sound"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "those of a PostScript document"),
        (b"<svg/>", "a text such as HTML, XML or SVG; expected one of JPEG, PNG"),
        (b"no picture at all", "its first bytes are b'no pictu'"),
        ("no/such/file.jpg", r"there is no such file \(relative to the working directory"),
        ("https://example.org/cat.jpg", "web address, expected a file; download it first"),
        ("null\0byte.png", "not a path that can be opened"),
        ("x" * 5000, "not a path that can be opened"),
        (np.zeros((3, 8, 9), np.uint8), r"move the channels last: np.moveaxis"),
        (np.zeros(8, np.uint8), r"an array of shape \(8,\); expected \(height, width\)"),
        (np.zeros((8, 8), np.int64), "an array of dtype int64; expected uint8"),
        (np.full((8, 8), 200.0), "floats from 200 to 200; expected 0 to 1"),
        (np.full((8, 8), np.nan), "holds NaN or infinite"),
        (np.zeros((8000, 8000), np.uint8), "64000000 pixels, more than max_pixels"),
        (Image.new("L", (8000, 8000)), "64000000 pixels, more than max_pixels"),
        (3.5, "expected a path, the bytes of an image file, an array or a PIL image; got float"),
        (Image.fromarray(np.full((3, 3), 7.5, np.float32)), "floats from 7.5 to 7.5"),
        (Image.fromarray(np.full((3, 3), -7, np.int32)), "32-bit integers from -7 to -7"),
    ],
)
def test_unusable_cell_error(cell, message, photo):
    limit = Image.MAX_IMAGE_PIXELS
    cells = pd.Series([photo, None, cell], index=["a", "b", "c"], name="poster")
    with pytest.raises(CellError, match=message) as caught:
        Pixels().fit_transform(cells)
    assert str(caught.value).startswith("Pixels: row 2 (index 'c'), column 'poster', cell ")
    with pytest.warns(UserWarning, match="1 of 3 cells could not be used") as warned:
        features = Pixels(on_error="missing").fit_transform(cells)
    assert len(warned) == 1
    assert np.isnan(features[1:]).all()
    assert np.isfinite(features[0]).all()
    assert limit == Image.MAX_IMAGE_PIXELS


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM"])
@pytest.mark.parametrize("kept", [0.02, 0.3, 0.7])
def test_truncated_files(photo, format, kept):
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    data = encode(Image.fromarray(noise), format)
    with pytest.raises(CellError, match=r"cannot|no image"):
        Pixels().fit_transform([data[: int(len(data) * kept)]])


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "GIF", "TIFF", "ICO"])
def test_corrupt_bytes_raise_only_cell_errors(photo, format):
    rng = np.random.default_rng(0)
    data = np.frombuffer(encode(Image.fromarray(photo), format), dtype=np.uint8)
    cells = []
    for _ in range(40):
        broken = data.copy()
        broken[rng.integers(0, min(len(broken), 300), 6)] = rng.integers(0, 256, 6)
        cells.append(broken.tobytes())
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Pixels: .* cells could not be used", UserWarning)
        features = Pixels((4, 4), on_error="missing").fit_transform(cells)
    assert features.shape == (40, 48)


def test_unusable_files(tmp_path):
    empty = tmp_path / "empty.png"
    empty.touch()
    with pytest.raises(CellError, match=r"empty.png': the file is empty \(0 bytes\)"):
        Pixels().fit_transform([empty])
    with pytest.raises(CellError, match="it is a directory, expected a file"):
        Pixels().fit_transform([tmp_path])
    with pytest.raises(CellError, match="there is no such file"):
        Pixels().fit_transform([empty / "below_a_file.png"])
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(CellError, match="a device, pipe or socket, expected a regular file"):
        Pixels().fit_transform([pipe])


def test_permission_error(tmp_path, monkeypatch):
    path = tmp_path / "secret.png"
    path.write_bytes(png_header(1, 1))

    def deny(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", deny)  # root can read all files
    with pytest.raises(CellError, match="may not be read: permission denied"):
        Pixels().fit_transform([str(path)])


def test_more_than_max_pixels_raises():
    with pytest.raises(CellError, match="max_pixels=15"):
        Pixels(max_pixels=15).fit_transform([np.zeros((4, 4), np.uint8)])
    Pixels(max_pixels=16).fit_transform([np.zeros((4, 4), np.uint8)])


def test_missing_dependency_error_names_the_extra(photo, monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    with pytest.raises(ImportError, match=r"Pixels needs .*sklearn-mmsent\[image\]"):
        Pixels().fit_transform([photo])


# -- every transformer that reads images -----------------------------------------------------


def save(path, image, format, **options):
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(
        path, format, **options
    )
    return path


def wav():
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(bytes(800))
    return buffer.getvalue()


def test_file_extension_is_ignored(photo, tmp_path):
    expected = pixels(photo, (8, 8))
    for name, format in (("a.jpg", "PNG"), ("b.txt", "BMP"), ("c", "GIF"), ("d.wav", "TIFF")):
        path = save(tmp_path / name, photo, format)
        np.testing.assert_allclose(pixels(path, (8, 8)), expected, atol=0.06, err_msg=name)


def test_unreadable_file_errors(photo, readers, tmp_path):
    whole = save(tmp_path / "whole.jpg", photo, "JPEG").read_bytes()
    files = {
        "sound.png": (wav(), "its first bytes are those of WAV sound"),
        "empty.png": (b"", r"the file is empty \(0 bytes\)"),
        "half.jpg": (whole[: -len(whole) // 5], "truncated or damaged"),
        "page.jpg": (b"<!doctype html>", "a text such as HTML"),
        "lfs.png": (b"version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer"),
    }
    for name, (content, _) in files.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "dangling.png").symlink_to(tmp_path / "gone.png")
    (tmp_path / "circle.png").symlink_to(tmp_path / "circle.png")
    messages = {name: message for name, (_, message) in files.items()}
    messages |= {
        "dangling.png": "there is no such file",
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
    path = save(tmp_path / "print", Image.fromarray(photo).convert("CMYK"), format)
    np.testing.assert_allclose(pixels(path, (8, 8)), pixels(photo, (8, 8)), atol=0.06)


def test_sixteen_bit_rgb_png(photo):
    # Pillow cannot write this format
    rows = b"".join(b"\0" + row.tobytes() for row in photo.astype(">u2") * 257)
    chunks = [b"IHDR" + struct.pack(">IIBBBBB", 60, 40, 16, 2, 0, 0, 0)]
    chunks += [b"IDAT" + zlib.compress(rows), b"IEND"]
    cell = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
        for chunk in chunks
    )
    np.testing.assert_allclose(pixels(cell, (8, 8)), pixels(photo, (8, 8)), atol=0.01)


@pytest.mark.parametrize("size", [(1, 1), (1, 9000), (9000, 1), (3, 2000)])
def test_extreme_aspect_ratios_of_files(readers, tmp_path, size):
    path = save(tmp_path / "thin.png", Image.new("RGBA", size, (255, 0, 0, 90)), "PNG")
    for reader in readers:
        reader.set_params(**({"no_face": "whole"} if isinstance(reader, FaceCropper) else {}))
        (result,) = reader.fit_transform([path])
        assert np.isfinite(result).all()
