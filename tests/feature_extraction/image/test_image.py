import io
import os
import pickle
import struct
import sys
import warnings
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import skimage.color
from PIL import Image
from sklearn.base import clone

from sklearn_mmsent.exceptions import CellError
from sklearn_mmsent.feature_extraction.image import ColorTexture, Pixels
from sklearn_mmsent.feature_extraction.image._descriptors import hsv

GROUPS = ("color_stats", "histograms", "hog", "lbp", "edges")


@pytest.fixture
def photo():
    """A smooth picture of 40 x 60 pixels in which no two corners look alike."""
    y, x = np.mgrid[0:40, 0:60]
    return np.stack([x * 4, y * 6, 255 - x * 2 - y * 3], axis=-1).astype(np.uint8)


def encode(image, format, **options):
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def png_header(width, height):
    """A PNG file that claims a size and holds next to nothing."""

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
    """The picture of one cell as (channel, row, column)."""
    return Pixels(size, **options).fit_transform([cell]).reshape(-1, *size)


# -- every kind of cell, and every kind of picture -------------------------------------------


def test_all_kinds_of_cells_give_the_same_numbers(photo, tmp_path):
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
    stored = {  # how a camera stores the upright picture under each orientation
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


def test_damaged_exif_does_not_spoil_the_picture(photo):
    cell = encode(Image.fromarray(photo), "JPEG", exif=b"Exif\x00\x00MM\x00*\xff\xff\xff\xff")
    np.testing.assert_allclose(pixels(cell), pixels(photo), atol=0.03)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "YCbCr", "CMYK", "I;16", "LA", "RGBA"])
def test_modes_become_rgb(mode):
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


def test_sixteen_bits_are_scaled_and_not_clipped():
    values = np.array([[0, 257, 32896, 65535]], dtype=np.uint16)
    expected = np.array([[0, 1 / 255, 128 / 255, 1]])
    for format in ("PNG", "TIFF"):
        cell = encode(Image.fromarray(values), format)
        np.testing.assert_allclose(pixels(cell, (1, 4))[0], expected, atol=1e-6)


@pytest.mark.parametrize("mode", ["LA", "RGBA", "PA"])
def test_transparency_is_laid_over_white(mode):
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
def test_first_frame_of_an_animation_counts(format):
    red, blue = Image.new("RGB", (6, 6), "red"), Image.new("RGB", (6, 6), "blue")
    options = {"lossless": True} if format == "WEBP" else {}
    cell = encode(red, format, save_all=True, append_images=[blue], **options)
    np.testing.assert_allclose(pixels(cell)[:, 0, 0], [1, 0, 0], atol=0.01)


@pytest.mark.parametrize("cell", [np.zeros((1, 1), np.uint8), np.full((1, 1, 3), 0.5)])
@pytest.mark.parametrize("extractor", [Pixels(), Pixels(aspect="pad"), ColorTexture()])
def test_one_pixel_is_a_picture(extractor, cell):
    assert np.isfinite(extractor.fit_transform([cell])).all()


@pytest.mark.parametrize("aspect", ["stretch", "pad", "crop"])
@pytest.mark.parametrize("shape", [(1, 997), (997, 1), (331, 7), (48, 48)])
def test_extreme_proportions(aspect, shape):
    features = ColorTexture(aspect=aspect).fit_transform([np.full(shape, 0.5)])
    assert np.isfinite(features).all()


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
        (3.5, "expected a path, the bytes of a picture file, an array or a PIL image; got float"),
        (Image.fromarray(np.full((3, 3), 7.5, np.float32)), "floats from 7.5 to 7.5"),
        (Image.fromarray(np.full((3, 3), -7, np.int32)), "32-bit integers from -7 to -7"),
    ],
)
def test_unusable_cells_are_named(cell, message, photo):
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
    with pytest.raises(CellError, match=r"cannot|no picture"):
        Pixels().fit_transform([data[: int(len(data) * kept)]])


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "GIF", "TIFF", "ICO"])
def test_broken_bytes_never_escape(photo, format):
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


def test_unreadable_permission(tmp_path, monkeypatch):
    path = tmp_path / "secret.png"
    path.write_bytes(png_header(1, 1))

    def refuse(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", refuse)  # root may read everything
    with pytest.raises(CellError, match="may not be read: permission denied"):
        Pixels().fit_transform([str(path)])


def test_max_pixels_is_the_users_choice():
    with pytest.raises(CellError, match="max_pixels=15"):
        Pixels(max_pixels=15).fit_transform([np.zeros((4, 4), np.uint8)])
    Pixels(max_pixels=16).fit_transform([np.zeros((4, 4), np.uint8)])


def test_missing_dependency_names_the_extra(photo, monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    with pytest.raises(ImportError, match=r"Pixels needs .*sklearn-mmsent\[image\]"):
        Pixels().fit_transform([photo])


# -- Pixels ----------------------------------------------------------------------------------


def test_pixel_names_sort_and_follow_the_numbers():
    picture = np.arange(12 * 3 * 3, dtype=np.uint8).reshape(12, 3, 3)
    extractor = Pixels((12, 3)).fit([picture])
    names = extractor.get_feature_names_out().tolist()
    assert names == sorted(names)
    assert names[:4] == [
        "pixel@000@000@000",
        "pixel@000@000@001",
        "pixel@000@000@002",
        "pixel@000@001@000",
    ]
    assert names[-1] == "pixel@002@011@002"
    features = extractor.transform([picture])
    assert features.dtype == np.float32
    expected = np.moveaxis(picture, -1, 0) / 255
    np.testing.assert_allclose(features.reshape(3, 12, 3), expected, atol=1e-6)


def test_gray_is_one_channel(photo):
    extractor = Pixels((4, 4), color="gray").fit([photo])
    assert extractor.get_feature_names_out()[[0, -1]].tolist() == [
        "pixel@000@000@000",
        "pixel@000@003@003",
    ]
    luma = np.tensordot([0.299, 0.587, 0.114], pixels(photo), 1)
    np.testing.assert_allclose(pixels(photo, color="gray")[0], luma, atol=0.004)


def test_aspect():
    wide = np.zeros((10, 30, 3), np.uint8)
    wide[:, 10:20] = 255
    np.testing.assert_allclose(
        pixels(wide, (6, 6), aspect="stretch")[0, 3], [0, 0, 1, 1, 0, 0], atol=0.2
    )
    np.testing.assert_allclose(pixels(wide, (6, 6), aspect="crop"), 1, atol=0.1)
    padded = pixels(wide, (6, 6), aspect="pad")[0]
    np.testing.assert_array_equal(padded[[0, 1, 4, 5]], 0)
    np.testing.assert_allclose(padded[2:4, 2:4], 1, atol=0.1)


def test_shrinking_is_antialiased():
    stripes = np.zeros((64, 64), np.uint8)
    stripes[:, ::2] = 255
    np.testing.assert_allclose(pixels(stripes, (8, 8)), 0.5, atol=0.02)


def test_large_jpeg_is_decoded_at_a_reduced_scale_with_the_same_result(photo):
    large = Image.fromarray(photo).resize((1200, 800))
    np.testing.assert_allclose(
        pixels(encode(large, "JPEG", quality=95), (8, 8)), pixels(large, (8, 8)), atol=0.02
    )


@pytest.mark.parametrize("size", [(4,), (4, 4, 3), (0, 4), (4.0, 4)])
@pytest.mark.parametrize("extractor", [Pixels, ColorTexture])
def test_size_must_be_two_positive_integers(extractor, size):
    with pytest.raises(ValueError, match=r"'size' parameter of .* must be two positive integers"):
        extractor(size).fit([])


# -- ColorTexture ----------------------------------------------------------------------------


def test_texture_names_match_the_groups(photo):
    whole = ColorTexture().set_output(transform="pandas").fit_transform([photo])
    assert whole.columns.is_unique
    parts = []
    for group in GROUPS:
        switches = {other: other == group for other in GROUPS}
        part = ColorTexture(**switches).set_output(transform="pandas").fit_transform([photo])
        parts.append(part)
    pd.testing.assert_frame_equal(pd.concat(parts, axis=1), whole)
    assert [part.shape[1] for part in parts] == [17, 36, 144, 20, 7]


def texture(cell, **options):
    return ColorTexture(**options).set_output(transform="pandas").fit_transform([cell]).iloc[0]


def test_hsv_equals_skimage():
    rgb = np.random.default_rng(0).integers(0, 4, (64, 64, 3)) / 3  # many ties and greys
    np.testing.assert_allclose(hsv(rgb), skimage.color.rgb2hsv(rgb), atol=1e-12)


def test_colours_mean_what_they_say():
    def plain(*rgb):
        return texture(np.full((8, 8, 3), rgb, dtype=np.uint8))

    red, blue, grey, yellow = (
        plain(255, 0, 0),
        plain(0, 0, 255),
        plain(128, 128, 128),
        plain(255, 255, 0),
    )
    assert red["warmth"] > grey["warmth"] > blue["warmth"]
    assert red["hue_cos"] == pytest.approx(1)
    assert blue["hue_sin"] == pytest.approx(-np.sqrt(3) / 2, abs=1e-6)
    assert yellow["hue_hist002"] == pytest.approx(1)
    assert grey.filter(like="hue").abs().max() == 0
    assert grey["saturation_hist000"] == 1
    assert grey["colourfulness"] == 0
    assert grey["pleasure"] == pytest.approx(0.69 * 128 / 255)
    assert grey["dominance"] == pytest.approx(-0.76 * 128 / 255)
    assert red["arousal"] == pytest.approx(-0.31 * 0.299 + 0.6)


def test_colourfulness_follows_the_paper():
    halves = np.zeros((128, 128, 3), np.uint8)
    halves[:64, :, 0] = 255  # red over black
    # rg is 1 or 0, yb is .5 or 0: deviations .5 and .25, means .5 and .25
    assert texture(halves)["colourfulness"] == pytest.approx(1.3 * np.hypot(0.5, 0.25), rel=0.01)


def test_textures_mean_what_they_say(photo):
    rng = np.random.default_rng(0)
    smooth, noisy = texture(photo), texture(rng.integers(0, 255, (128, 128), dtype=np.uint8))
    assert noisy["sharpness"] > smooth["sharpness"]
    assert noisy["edge_density"] > smooth["edge_density"]
    stripes = np.zeros((128, 128), np.uint8)
    stripes[:, (np.arange(128) // 8) % 2 == 0] = 255
    upright, lying = texture(stripes), texture(stripes.T)
    assert upright["hog_r001_c001_o000"] != pytest.approx(lying["hog_r001_c001_o000"], abs=0.05)
    assert upright.filter(like="lbp_r1").sum() == pytest.approx(1)


def test_contradicting_settings():
    with pytest.raises(ValueError, match="ColorTexture has nothing to measure"):
        ColorTexture(**dict.fromkeys(GROUPS, False)).fit([])
    with pytest.raises(ValueError, match=r"size=\(50, 50\) into hog_cells=4 equal cells"):
        ColorTexture((50, 50)).fit([])
    ColorTexture((50, 50), hog=False).fit([])


# -- the manners of all extractors -----------------------------------------------------------


@pytest.mark.parametrize("extractor", [Pixels((6, 6)), ColorTexture()])
def test_company_order_and_batches_change_nothing(extractor, photo):
    rng = np.random.default_rng(0)
    cells = [rng.integers(0, 255, (20 + i, 30, 3), dtype=np.uint8) for i in range(5)]
    cells += [None, photo, cells[0]]
    features = extractor.fit_transform(cells)
    assert np.isnan(features[5]).all()
    np.testing.assert_array_equal(features[0], features[-1])
    order = rng.permutation(len(cells))
    for batch_size in (1, 3):
        other = clone(extractor).set_params(batch_size=batch_size).fit(cells)
        shuffled = other.transform([cells[i] for i in order])
        np.testing.assert_allclose(shuffled, features[order], atol=1e-5)
    copy = pickle.loads(pickle.dumps(extractor))
    np.testing.assert_array_equal(copy.transform(cells), features)
    assert extractor.transform([]).shape == (0, features.shape[1])


@pytest.mark.slow
@pytest.mark.parametrize("extractor", [Pixels(), ColorTexture()])
def test_real_photos(extractor):
    if "MMSENT_DATA" not in os.environ:
        pytest.skip("set MMSENT_DATA to the folder of the real data")
    photos = sorted(Path(os.environ["MMSENT_DATA"]).glob("mvsa_single/images/*.jpg"))[:300]
    if not photos:
        pytest.skip("the folder MMSENT_DATA has no mvsa_single/images")
    features = extractor.fit_transform(photos)
    assert np.isfinite(features).all()
    assert (features.std(axis=0) > 0).mean() > 0.95
