"""Pixels: names, channels and resizing."""

import os
from pathlib import Path

import numpy as np
import pytest

from sklearn_mmsent.feature_extraction.image import ColorTexture, Pixels


def pixels(cell, size=(4, 4), **options):
    """The pixels of one cell as (channel, row, column)."""
    return Pixels(size, **options).fit_transform([cell]).reshape(-1, *size)


def test_names_match_pixel_order():
    image = np.arange(12 * 3 * 3, dtype=np.uint8).reshape(12, 3, 3)
    extractor = Pixels((12, 3)).fit([image])
    names = extractor.get_feature_names_out().tolist()
    assert names == sorted(names)
    assert names[:4] == [
        "pixel@000@000@000",
        "pixel@000@000@001",
        "pixel@000@000@002",
        "pixel@000@001@000",
    ]
    assert names[-1] == "pixel@002@011@002"
    features = extractor.transform([image])
    assert features.dtype == np.float32
    expected = np.moveaxis(image, -1, 0) / 255
    np.testing.assert_allclose(features.reshape(3, 12, 3), expected, atol=1e-6)


def test_gray_channel_is_luma(photo):
    extractor = Pixels((4, 4), color="gray").fit([photo])
    assert extractor.get_feature_names_out()[[0, -1]].tolist() == [
        "pixel@000@000@000",
        "pixel@000@003@003",
    ]
    luma = np.tensordot([0.299, 0.587, 0.114], pixels(photo), 1)
    np.testing.assert_allclose(pixels(photo, color="gray")[0], luma, atol=0.004)


def test_images_are_stretched_cropped_or_padded():
    wide = np.zeros((10, 30, 3), np.uint8)
    wide[:, 10:20] = 255
    np.testing.assert_allclose(
        pixels(wide, (6, 6), aspect="stretch")[0, 3], [0, 0, 1, 1, 0, 0], atol=0.2
    )
    np.testing.assert_allclose(pixels(wide, (6, 6), aspect="crop"), 1, atol=0.1)
    padded = pixels(wide, (6, 6), aspect="pad")[0]
    np.testing.assert_array_equal(padded[[0, 1, 4, 5]], 0)
    np.testing.assert_allclose(padded[2:4, 2:4], 1, atol=0.1)


def test_downscaling_is_antialiased():
    stripes = np.zeros((64, 64), np.uint8)
    stripes[:, ::2] = 255
    np.testing.assert_allclose(pixels(stripes, (8, 8)), 0.5, atol=0.02)


@pytest.mark.parametrize("size", [(4,), (4, 4, 3), (0, 4), (4.0, 4)])
@pytest.mark.parametrize("extractor", [Pixels, ColorTexture])
def test_invalid_size(extractor, size):
    with pytest.raises(ValueError, match=r"'size' parameter of .* must be two positive integers"):
        extractor(size).fit([])


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
