"""Cropping images to the largest face."""

import numpy as np
import pandas as pd
import pytest
import skimage.data
from sklearn.base import clone

from sklearn_mmsent import make_extractor, make_pipeline
from sklearn_mmsent.exceptions import CellError
from sklearn_mmsent.feature_extraction.image import FaceCropper, Pixels
from sklearn_mmsent.feature_extraction.image.faces import _square

TOP, LEFT, SIDE = 64, 171, 104  # the face of the astronaut: rows, columns, pixels


@pytest.fixture(scope="module")
def portrait():
    return skimage.data.astronaut()


@pytest.fixture(scope="module")
def empty():
    y, x = np.mgrid[0:120, 0:160]
    return np.stack([x, 2 * y, 200 - x], axis=-1).astype(np.uint8)


def crop(cell, **parameters):
    return FaceCropper(**parameters).fit_transform([cell])[0]


def difference(face, image, row, column):
    """Mean absolute difference from a square of an image."""
    part = image[row : row + len(face), column : column + len(face)]
    return np.abs(face.astype(float) - part).mean()


def test_crop_is_the_face(portrait):
    face = crop(portrait, margin=0)
    assert face.dtype == np.uint8
    assert face.shape[0] == face.shape[1] == pytest.approx(SIDE, abs=15)
    rows, columns = np.mgrid[TOP - 20 : TOP + 20, LEFT - 20 : LEFT + 20].reshape(2, -1)
    distances = [difference(face, portrait, *at) for at in zip(rows, columns, strict=True)]
    assert min(distances) == 0


def test_margin_and_size(portrait):
    plain, wide = crop(portrait, margin=0), crop(portrait, margin=0.5)
    assert len(wide) == pytest.approx(2 * len(plain), abs=2)
    edge = (len(wide) - len(plain)) // 2
    inner = wide[edge : edge + len(plain), edge : edge + len(plain)]
    assert min(difference(plain, np.roll(inner, s, (0, 1)), 0, 0) for s in ((0, 0), (-1, -1))) < 15
    assert crop(portrait, margin=50).shape == (256, 256, 3)  # the whole image, downscaled
    assert crop(portrait, margin=50, max_size=2000).shape == (512, 512, 3)
    assert crop(portrait, max_size=30).shape == (30, 30, 3)


def test_crop_at_the_edge_is_square(portrait):
    cut = portrait[TOP - 5 : TOP + 150, LEFT - 5 : LEFT + 150]
    face = crop(cut, margin=0.4)
    assert face.shape[0] == face.shape[1] == pytest.approx(155, abs=20)


@pytest.mark.parametrize(
    ("face", "margin", "box"),
    [
        ((10, 20, 30), 0, (10, 20, 40, 50)),
        ((10, 20, 30), 0.2, (4, 14, 46, 56)),
        ((2, 20, 30), 0.2, (0, 14, 42, 56)),
        ((65, 45, 35), 0.2, (51, 31, 100, 80)),
        ((30, 20, 30), 3, (5, 0, 85, 80)),
        ((0.4, 0.4, 0.2), 0, (0, 0, 1, 1)),
    ],
)
def test_boxes_are_square_and_inside_the_image(face, margin, box):
    assert _square(face, margin, (100, 80)) == box


def test_largest_face_at_any_position(portrait):
    large = portrait[: TOP + 160, LEFT - 60 : LEFT + 164]
    small = np.asarray(large[::2, ::2])
    both = np.zeros((230, 360, 3), np.uint8)
    both[: len(large), : large.shape[1]] = large
    both[50 : 50 + len(small), 230 : 230 + small.shape[1]] = small
    faces = [crop(image, margin=0) for image in (both, both[:, ::-1].copy())]
    assert len(crop(small, margin=0)) < 70
    assert all(len(face) == pytest.approx(SIDE, abs=20) for face in faces)


def test_faces_below_min_size_are_ignored(portrait):
    assert crop(portrait, min_size=0.15) is not None
    assert crop(portrait, min_size=0.4) is None


def test_an_image_without_a_face_is_missing(portrait, empty):
    cells = pd.Series([portrait, empty, None], index=list("abc"), name="photo")
    missing = FaceCropper().fit_transform(cells)  # warnings are errors
    assert missing.index.tolist() == list("abc")
    assert missing["a"].shape[2] == 3
    assert missing["b"] is None
    assert missing["c"] is None
    whole = FaceCropper(no_face="whole").fit_transform(cells)
    np.testing.assert_array_equal(whole["b"], empty)
    assert whole["c"] is None
    assert crop(np.repeat(empty, 3, axis=0), no_face="whole").shape == (256, 114, 3)
    with pytest.raises(
        CellError, match=r"^FaceCropper: row 1 \(index 'b'\), .*no face was detected"
    ):
        FaceCropper(no_face="raise").fit_transform(cells)
    with pytest.warns(UserWarning, match=r"^FaceCropper: 1 of 3 cells could not be used"):
        lenient = FaceCropper(no_face="raise", on_error="missing").fit_transform(cells)
    assert [cell is None for cell in lenient] == [False, True, True]


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (500, 1), (23, 23), (24, 24), (25, 600)])
def test_degenerate_images_have_no_face(shape):
    assert crop(np.full(shape, 0.5)) is None
    assert crop(np.full(shape, 0.5), no_face="whole").shape[2] == 3


def test_unusable_cell_errors(portrait):
    with pytest.raises(
        CellError, match=r"^FaceCropper: row 1, cell 7 bytes: Pillow finds no image"
    ):
        FaceCropper().fit_transform([portrait, b"nothing"])
    with pytest.raises(CellError, match="max_pixels=9"):
        crop(portrait, max_pixels=9)


def test_deterministic_and_input_unchanged(portrait):
    copy = portrait.copy()
    transformer = FaceCropper().fit([portrait])
    first, again = transformer.transform([portrait]), clone(transformer).fit_transform([portrait])
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(portrait, copy)


def test_pipeline_with_extractor(portrait, empty):
    face = make_pipeline(FaceCropper(), Pixels((8, 8)))
    extractor = make_extractor(face=("photo", face), image=("photo", Pixels((4, 4))))
    cells = np.empty(3, dtype=object)
    cells[:] = [portrait, empty, None]
    table = extractor.fit_transform(pd.DataFrame({"photo": cells}))
    present = table.notna().to_numpy()
    assert table.shape == (3, 3 * (64 + 16))
    face_columns = table.columns.str.startswith("face__")
    assert present[:, face_columns].all(axis=1).tolist() == [True, False, False]
    assert present[:, ~face_columns].all(axis=1).tolist() == [True, True, False]


@pytest.mark.slow
def test_real_faces(real_data):
    photos = sorted((real_data / "mvsa_single" / "images").glob("*.jpg"))[:100]
    if not photos:
        pytest.skip("the folder MMSENT_DATA has no mvsa_single/images")
    share = np.mean([cell is not None for cell in FaceCropper().fit_transform(photos)])
    assert 0.1 < share < 0.4
