"""Image noise reduction."""

import pickle

import numpy as np
import pandas as pd
import pytest

from sklearn_mmsent import ColorTexture, make_pipeline
from sklearn_mmsent.exceptions import CellError
from sklearn_mmsent.feature_extraction.image import ImageDenoiser

METHODS = ["median", "nl_means", "tv"]


@pytest.fixture(scope="module")
def clean():
    y, x = np.mgrid[0:64, 0:80]
    image = np.stack([2 * x, 3 * y, 255 - x - y], axis=-1).astype(np.uint8)
    image[20:44, 30:60] = [200, 30, 90]
    return image


@pytest.fixture(scope="module")
def grain(clean):
    noise = np.random.default_rng(0).normal(0, 20, clean.shape)
    return np.clip(clean + noise, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def salt_and_pepper(clean):
    image, chance = clean.copy(), np.random.default_rng(0).random(clean.shape[:2])
    image[chance < 0.03] = 0
    image[chance > 0.97] = 255
    return image


def denoise(cell, method="median", **parameters):
    return ImageDenoiser(method, **parameters).fit_transform([cell])[0]


def error(image, clean):
    return np.mean((image.astype(float) - clean) ** 2)


@pytest.mark.parametrize(("method", "left"), [("median", 0.3), ("nl_means", 0.1), ("tv", 0.1)])
def test_grain_is_reduced(clean, grain, method, left):
    result = denoise(grain, method)
    assert result.dtype == np.uint8
    assert result.shape == clean.shape
    assert error(result, clean) < left * error(grain, clean)


def test_only_median_removes_salt_and_pepper(clean, salt_and_pepper):
    noise = error(salt_and_pepper, clean)
    assert error(denoise(salt_and_pepper), clean) < 0.02 * noise
    assert error(denoise(salt_and_pepper, "tv"), clean) > 0.8 * noise
    assert error(denoise(salt_and_pepper, "nl_means"), clean) > 0.8 * noise


@pytest.mark.parametrize("method", METHODS)
def test_edges_are_preserved(clean, grain, method):
    result = denoise(grain, method).astype(float)
    step = result[22:42, 30:33, 0].mean() - result[22:42, 27:30, 0].mean()
    assert step > 0.8 * (200 - 57)


@pytest.mark.parametrize("method", ["nl_means", "tv"])
def test_noise_free_image_is_unchanged(clean, method):
    np.testing.assert_array_equal(denoise(clean, method), clean)


@pytest.mark.parametrize("method", METHODS)
def test_higher_strength_smooths_more(grain, method):
    rough = [np.abs(np.diff(denoise(grain, method, strength=s), axis=0)).mean() for s in (0.5, 1.5)]
    assert rough[1] < rough[0]


def test_median_radius_is_rounded_up(grain):
    np.testing.assert_array_equal(denoise(grain, strength=0.2), denoise(grain, strength=1))
    np.testing.assert_array_equal(denoise(grain, strength=1.1), denoise(grain, strength=2))
    assert (denoise(grain, strength=1) != denoise(grain, strength=2)).any()


def test_images_larger_than_max_size_are_downscaled(clean):
    assert denoise(clean).shape == (64, 80, 3)
    assert denoise(clean, max_size=40).shape == (32, 40, 3)
    assert denoise(clean, max_size=80).shape == (64, 80, 3)
    assert denoise(np.zeros((3, 3000), np.uint8)).shape == (1, 1024, 3)
    assert denoise(np.zeros((3, 3000), np.uint8), max_size=None).shape == (3, 3000, 3)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("shape", [(1, 1), (1, 90), (90, 2), (5, 5), (8, 9, 4)])
def test_degenerate_images(method, shape):
    noise = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    assert denoise(noise, method).shape == (*shape[:2], 3)


def test_container_type_and_missing_cells(grain):
    cells = pd.Series([grain, None, float("nan")], index=list("abc"), name="photo")
    result = ImageDenoiser().fit_transform(cells)
    assert result.name == "photo"
    assert result.isna().tolist() == [False, True, True]
    copy = pickle.loads(pickle.dumps(ImageDenoiser().fit(cells)))
    np.testing.assert_array_equal(copy.transform(cells)["a"], result["a"])


def test_unusable_cell_errors(grain):
    cells = [grain, b"nothing"]
    with pytest.raises(CellError, match=r"^ImageDenoiser: row 1, cell 7 bytes: Pillow finds no"):
        ImageDenoiser().fit_transform(cells)
    with pytest.warns(UserWarning, match=r"^ImageDenoiser: 1 of 2 cells could not be used"):
        result = ImageDenoiser(on_error="missing").fit_transform(cells)
    assert result[1] is None
    with pytest.raises(CellError, match="max_pixels=9"):
        denoise(grain, max_pixels=9)


def test_pipeline_with_extractor(clean, grain):
    def sharpness(image, *steps):
        table = make_pipeline(*steps, ColorTexture()).fit_transform([image])
        return table["sharpness"].item()

    assert sharpness(grain, ImageDenoiser()) < sharpness(grain) / 2
