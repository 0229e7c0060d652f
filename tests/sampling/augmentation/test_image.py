"""ImageAugmenter."""

import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from sklearn_mmsent import ColorTexture
from sklearn_mmsent.feature_extraction.image import Pixels
from sklearn_mmsent.sampling import ImageAugmenter

OFF = {"flip": 0, "crop": 0, "rotate": 0, "color": 0, "blur": 0, "erase": 0}
RNG = np.random.default_rng(0)
# a dark left, a bright right, a red stripe on top
PHOTO = np.full((40, 60, 3), 60, dtype=np.uint8)
PHOTO[:, 30:] = 200
PHOTO[:8] = [250, 20, 20]


def changed(cell=PHOTO, n=20, **options):
    augmenter = ImageAugmenter(factor=n, **{"random_state": 0, **options})
    cells = np.empty(1, dtype=object)
    cells[0] = cell
    X_new, _ = augmenter.fit_resample(pd.DataFrame({"image": cells}), [0.5])
    return X_new["image"].tolist()[1:]


def test_disabled_transformations_are_identity():
    assert all(np.array_equal(new, PHOTO) for new in changed(**OFF))


@pytest.mark.parametrize(
    ("option", "amount"),
    [("crop", 0.3), ("rotate", 30), ("color", 0.5), ("blur", 3.0), ("erase", 0.3)],
)
def test_strength_of_each_transformation(option, amount):
    pictures = changed(**{**OFF, option: amount})
    assert all(new.shape == PHOTO.shape and new.dtype == np.uint8 for new in pictures)
    far = [np.abs(new.astype(int) - PHOTO).mean() for new in pictures]
    assert np.count_nonzero(far) >= 19
    assert max(far) < 60
    assert len({new.tobytes() for new in pictures}) > 15
    less = [
        np.abs(new.astype(int) - PHOTO).mean() for new in changed(**{**OFF, option: amount / 8})
    ]
    assert np.mean(less) < np.mean(far)


def test_flip_probability():
    pictures = changed(n=60, **{**OFF, "flip": 0.5})
    mirrored = [np.array_equal(new, PHOTO[:, ::-1]) for new in pictures]
    assert all(m or np.array_equal(new, PHOTO) for m, new in zip(mirrored, pictures, strict=True))
    assert 15 < sum(mirrored) < 45


def test_erased_area():
    photo = RNG.integers(0, 256, (50, 50, 3), dtype=np.uint8)
    mean = photo.reshape(-1, 3).mean(axis=0).round()
    shares = [(new == mean).all(axis=2).mean() for new in changed(photo, **{**OFF, "erase": 0.2})]
    assert 0.12 < max(shares) < 0.22
    assert min(shares) < 0.08


def test_cell_types(tmp_path):
    image = Image.fromarray(PHOTO)
    image.save(tmp_path / "photo.png")
    file = io.BytesIO()
    image.save(file, "png")
    first = changed(n=3)
    cells = [str(tmp_path / "photo.png"), tmp_path / "photo.png", file.getvalue(), image]
    for cell in [*cells, PHOTO / 255]:
        assert all(map(np.array_equal, changed(cell, n=3), first))


def test_large_images_are_downscaled():
    wide = np.zeros((30, 900, 3), dtype=np.uint8)
    assert changed(wide, n=1)[0].shape == (17, 512, 3)
    assert changed(wide, n=1, max_size=None)[0].shape == wide.shape


def test_one_pixel_and_grey_images():
    assert changed(np.zeros((1, 1), dtype=np.uint8), n=5)[4].shape == (1, 1, 3)
    assert changed(PHOTO[:, :, 0], n=1)[0].shape == PHOTO.shape


def test_extractors_accept_the_result():
    pictures = pd.Series(changed(n=4))
    assert np.isfinite(ColorTexture().fit_transform(pictures)).all()
    assert np.isfinite(Pixels(size=(8, 8)).fit_transform(pictures)).all()
