"""ColorTexture: features of known images."""

import numpy as np
import pandas as pd
import pytest
import skimage.color

from sklearn_mmsent.feature_extraction.image import ColorTexture
from sklearn_mmsent.feature_extraction.image._descriptors import hsv

GROUPS = ("color_stats", "histograms", "hog", "lbp", "edges")


def test_groups_are_concatenated(photo):
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


def test_color_features_of_plain_images():
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


def test_colourfulness_equals_the_paper():
    halves = np.zeros((128, 128, 3), np.uint8)
    halves[:64, :, 0] = 255  # red above black
    # rg is 1 or 0, yb is .5 or 0: deviations .5 and .25, means .5 and .25
    assert texture(halves)["colourfulness"] == pytest.approx(1.3 * np.hypot(0.5, 0.25), rel=0.01)


def test_texture_features_of_known_patterns(photo):
    rng = np.random.default_rng(0)
    smooth, noisy = texture(photo), texture(rng.integers(0, 255, (128, 128), dtype=np.uint8))
    assert noisy["sharpness"] > smooth["sharpness"]
    assert noisy["edge_density"] > smooth["edge_density"]
    stripes = np.zeros((128, 128), np.uint8)
    stripes[:, (np.arange(128) // 8) % 2 == 0] = 255
    vertical, horizontal = texture(stripes), texture(stripes.T)
    assert vertical["hog_r001_c001_o000"] != pytest.approx(
        horizontal["hog_r001_c001_o000"], abs=0.05
    )
    assert vertical.filter(like="lbp_r1").sum() == pytest.approx(1)


def test_inconsistent_parameters():
    with pytest.raises(ValueError, match="ColorTexture has no features to compute"):
        ColorTexture(**dict.fromkeys(GROUPS, False)).fit([])
    with pytest.raises(ValueError, match=r"size=\(50, 50\) into hog_cells=4 equal cells"):
        ColorTexture((50, 50)).fit([])
    ColorTexture((50, 50), hog=False).fit([])
