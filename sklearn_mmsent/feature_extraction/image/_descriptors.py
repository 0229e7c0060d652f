"""Colour and texture descriptors of an image, each with its feature names.

Arrays: ``rgb`` and ``hsv`` (H, W, 3), ``luma`` (H, W), all floats from 0 to 1; luma after Rec. 601.
"""

import numpy as np
from scipy import ndimage

from sklearn_mmsent.blocks import numbered_names
from sklearn_mmsent.utils._optional import import_optional

COLOR_NAMES = (
    "red_mean",
    "green_mean",
    "blue_mean",
    "red_std",
    "green_std",
    "blue_std",
    "hue_cos",
    "hue_sin",
    "saturation_mean",
    "saturation_std",
    "brightness_mean",
    "brightness_std",
    "warmth",
    "colourfulness",
    "pleasure",
    "arousal",
    "dominance",
)
EDGE_NAMES = (
    "contrast_rms",
    "contrast_range",
    "luma_entropy",
    "edge_mean",
    "edge_std",
    "edge_density",
    "sharpness",
)
LBP_POINTS = 8
_EDGE_THRESHOLD = 0.1  # as a fraction of the steepest possible edge


def luma(rgb):
    """Return the Rec. 601 luma."""
    return rgb @ np.array([0.299, 0.587, 0.114])


def hsv(rgb):
    """Convert to hue (in turns), saturation and value."""
    red, green, blue = np.moveaxis(rgb, -1, 0)
    high = np.maximum(np.maximum(red, green), blue)
    chroma = high - np.minimum(np.minimum(red, green), blue)
    divisor = np.where(chroma > 0, chroma, 1)  # grey has hue 0
    sixths = np.where(
        high == red,
        (green - blue) / divisor % 6,
        np.where(high == green, (blue - red) / divisor + 2, (red - green) / divisor + 4),
    )
    return np.stack([sixths / 6, chroma / np.where(high > 0, high, 1), high], axis=-1)


def color_stats(rgb, hsv):
    """Return moments of the colours and measures of affect."""
    color = import_optional("skimage.color", extra="image", needed_by="ColorTexture")
    hue, saturation, brightness = hsv[..., 0] * 2 * np.pi, hsv[..., 1], hsv[..., 2]
    chroma = saturation * brightness  # grey has no hue and weight 0
    mean_luma, mean_saturation = luma(rgb).mean(), saturation.mean()
    return np.array(
        [
            *rgb.mean(axis=(0, 1)),
            *rgb.std(axis=(0, 1)),
            (chroma * np.cos(hue)).mean(),
            (chroma * np.sin(hue)).mean(),
            mean_saturation,
            saturation.std(),
            brightness.mean(),
            brightness.std(),
            _warmth(color.rgb2lab(rgb.astype(np.float32))),
            _colourfulness(rgb),
            # Valdez & Mehrabian (1994), on mean brightness and saturation
            0.69 * mean_luma + 0.22 * mean_saturation,
            -0.31 * mean_luma + 0.60 * mean_saturation,
            -0.76 * mean_luma + 0.32 * mean_saturation,
        ]
    )


def _warmth(lab):
    """Return the mean of the warm-cool scale of Ou et al. (2004), from cool (negative) to warm."""
    a, b = lab[..., 1], lab[..., 2]
    angle = np.arctan2(b, a) - np.deg2rad(50)
    return float((-0.5 + 0.02 * np.hypot(a, b) ** 1.07 * np.cos(angle)).mean(dtype=np.float64))


def _colourfulness(rgb):
    """Return the colourfulness of Hasler & Suesstrunk (2003), for channels from 0 to 1."""
    red_green = rgb[..., 0] - rgb[..., 1]
    yellow_blue = (rgb[..., 0] + rgb[..., 1]) / 2 - rgb[..., 2]
    spread = np.hypot(red_green.std(), yellow_blue.std())
    return float(spread + 0.3 * np.hypot(red_green.mean(), yellow_blue.mean()))


def histogram_names(n_bins):
    """Return the names of `color_histograms`."""
    return [
        name
        for channel in ("hue", "saturation", "brightness")
        for name in numbered_names(f"{channel}_hist", n_bins)
    ]


def color_histograms(hsv, n_bins):
    """Return fractions of pixels per bin of hue (weighted by chroma), saturation, brightness."""
    n_pixels = hsv.shape[0] * hsv.shape[1]
    bins = np.minimum((hsv * n_bins).astype(np.intp), n_bins - 1)
    chroma = (hsv[..., 1] * hsv[..., 2]).ravel()
    counts = [
        np.bincount(bins[..., 0].ravel(), weights=chroma, minlength=n_bins),
        np.bincount(bins[..., 1].ravel(), minlength=n_bins),
        np.bincount(bins[..., 2].ravel(), minlength=n_bins),
    ]
    return np.concatenate(counts) / n_pixels


def hog_names(n_cells, n_orientations):
    """Return the names of `hog`: cell row, cell column, orientation."""
    return [
        name
        for row in numbered_names("hog_r", n_cells)
        for cell in numbered_names(f"{row}_c", n_cells)
        for name in numbered_names(f"{cell}_o", n_orientations)
    ]


def hog(luma, n_cells, n_orientations):
    """Return oriented gradients on a grid of cells, normalised over the whole image."""
    feature = import_optional("skimage.feature", extra="image", needed_by="ColorTexture")
    height, width = luma.shape
    return feature.hog(
        luma,
        orientations=n_orientations,
        pixels_per_cell=(height // n_cells, width // n_cells),
        cells_per_block=(n_cells, n_cells),
    )


def lbp_names(radii):
    """Return the names of `lbp_histograms`."""
    return [
        name for radius in radii for name in numbered_names(f"lbp_r{radius}_hist", LBP_POINTS + 2)
    ]


def lbp_histograms(luma, radii):
    """Return fractions of the uniform local binary patterns, per radius."""
    feature = import_optional("skimage.feature", extra="image", needed_by="ColorTexture")
    grey = np.rint(luma * 255).astype(np.uint8)
    histograms = []
    for radius in radii:
        patterns = feature.local_binary_pattern(grey, LBP_POINTS, radius, method="uniform")
        counts = np.bincount(patterns.astype(np.intp).ravel(), minlength=LBP_POINTS + 2)
        histograms.append(counts / patterns.size)
    return np.concatenate(histograms)


def edge_stats(luma):
    """Return contrast, edge and sharpness measures."""
    low, high = np.percentile(luma, [5, 95])
    shares = np.bincount(np.minimum((luma * 64).astype(np.intp), 63).ravel(), minlength=64)
    shares = shares[shares > 0] / luma.size
    edges = np.hypot(ndimage.sobel(luma, axis=0), ndimage.sobel(luma, axis=1)) / np.sqrt(32)
    return np.array(
        [
            luma.std(),
            high - low,
            -(shares * np.log2(shares)).sum(),
            edges.mean(),
            edges.std(),
            (edges > _EDGE_THRESHOLD).mean(),
            np.log10(ndimage.laplace(luma).var() + 1e-6),
        ]
    )
