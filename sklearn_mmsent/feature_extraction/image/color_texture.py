"""Descriptors of colour and texture."""

from numbers import Integral

import numpy as np

from sklearn_mmsent.feature_extraction._base import BaseExtractor
from sklearn_mmsent.feature_extraction.image import _descriptors as descriptors
from sklearn_mmsent.feature_extraction.image._base import ImageExtractor
from sklearn_mmsent.utils._documentation import document_shared_parameters
from sklearn_mmsent.utils._sklearn import Interval


@document_shared_parameters(BaseExtractor)
class ColorTexture(ImageExtractor):
    """Descriptors of colour and texture of an image.

    Features from studies of affective image classification [1]_, each with a descriptive name.
    They need no training and no download. `Pixels` keeps the image itself.

    Parameters
    ----------
    size : tuple of two int, default=(128, 128)
        Height and width in pixels to resize images to.
    color_stats : bool, default=True
        17 features: mean and standard deviation of red, green, blue, saturation and brightness
        (S and V of HSV); ``hue_cos`` and ``hue_sin``, the mean hue as a vector, weighted by
        chroma; ``warmth`` [2]_; ``colourfulness`` [3]_ (for channels from 0 to 1); ``pleasure``,
        ``arousal`` and ``dominance``, linear combinations of mean luma and saturation [4]_.
    histograms : bool, default=True
        Fractions of the pixels in `n_bins` bins each of hue, saturation and brightness. Hue is
        weighted by chroma, so that grey pixels do not count.
    hog : bool, default=True
        Histogram of oriented gradients [5]_ with `hog_cells` x `hog_cells` cells and 9
        orientations, normalised over the whole image.
    lbp : bool, default=True
        Fractions of the 10 uniform local binary patterns [6]_ of 8 neighbours, at radius 1 and at
        radius 2.
    edges : bool, default=True
        7 features: contrast (standard deviation of luma, and its range from the 5th to the 95th
        percentile), entropy of luma (bits), mean, standard deviation and density of Sobel edges,
        sharpness (decimal logarithm of the variance of the Laplacian).
    n_bins : int, default=12
        Number of bins of each of the three colour histograms.
    hog_cells : int, default=4
        Number of cells of the oriented gradients along each axis.
    aspect : {"stretch", "pad", "crop"}, default="stretch"
        How to handle images with another aspect ratio than `size`; see `Pixels`.
    max_pixels : int, default=50_000_000
        Largest accepted width times height of an image; see `Pixels`.
    batch_size : int, default=64
        Number of images held in memory at a time, after resizing.

    Attributes
    ----------
    n_features_out_ : int
        Number of output columns, 224 by default.

    See Also
    --------
    Pixels : The image itself, for encoders that learn their own features.

    Notes
    -----
    See the Notes of `Pixels` for supported image cells.

    References
    ----------
    .. [1] J. Machajdik and A. Hanbury, "Affective image classification using features inspired
       by psychology and art theory", ACM Multimedia, 2010.
    .. [2] L.-C. Ou, M. R. Luo, A. Woodcock and A. Wright, "A study of colour emotion and colour
       preference. Part I", Color Research & Application 29(3), 2004.
    .. [3] D. Hasler and S. Suesstrunk, "Measuring colourfulness in natural images", Human Vision
       and Electronic Imaging VIII, 2003.
    .. [4] P. Valdez and A. Mehrabian, "Effects of color on emotions", Journal of Experimental
       Psychology: General 123(4), 1994.
    .. [5] N. Dalal and B. Triggs, "Histograms of oriented gradients for human detection", CVPR,
       2005.
    .. [6] T. Ojala, M. Pietikainen and T. Maenpaa, "Multiresolution gray-scale and rotation
       invariant texture classification with local binary patterns", IEEE Transactions on
       Pattern Analysis and Machine Intelligence 24(7), 2002.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_mmsent import ColorTexture
    >>> red = np.zeros((30, 40, 3), dtype=np.uint8)
    >>> red[:, :, 0] = 255
    >>> blue = red[:, :, ::-1]
    >>> table = ColorTexture().set_output(transform="pandas").fit_transform([red, blue])
    >>> table[["red_mean", "warmth", "colourfulness"]].round(2)
       red_mean  warmth  colourfulness
    0       1.0    2.35           0.34
    1       0.0   -1.39           0.30
    """

    _parameter_constraints: dict = {
        **ImageExtractor._parameter_constraints,
        "color_stats": ["boolean"],
        "histograms": ["boolean"],
        "hog": ["boolean"],
        "lbp": ["boolean"],
        "edges": ["boolean"],
        "n_bins": [Interval(Integral, 2, 256, closed="both")],
        "hog_cells": [Interval(Integral, 1, None, closed="left")],
    }
    _hog_orientations = 9
    _lbp_radii = (1, 2)

    def __init__(
        self,
        size=(128, 128),
        *,
        color_stats=True,
        histograms=True,
        hog=True,
        lbp=True,
        edges=True,
        n_bins=12,
        hog_cells=4,
        aspect="stretch",
        max_pixels=50_000_000,
        on_error="raise",
        batch_size=64,
        n_jobs=None,
    ):
        self.size = size
        self.color_stats = color_stats
        self.histograms = histograms
        self.hog = hog
        self.lbp = lbp
        self.edges = edges
        self.n_bins = n_bins
        self.hog_cells = hog_cells
        self.aspect = aspect
        self.max_pixels = max_pixels
        self.on_error = on_error
        self.batch_size = batch_size
        self.n_jobs = n_jobs

    def _load(self, cell):
        return np.asarray(super()._load(cell))

    def _encode(self, loaded):
        return np.stack([self._describe(image) for image in loaded])

    def _describe(self, image):
        rgb = image / 255
        luma = descriptors.luma(rgb)
        groups = []
        if self.color_stats or self.histograms:
            hsv = descriptors.hsv(rgb)
        if self.color_stats:
            groups.append(descriptors.color_stats(rgb, hsv))
        if self.histograms:
            groups.append(descriptors.color_histograms(hsv, self.n_bins))
        if self.hog:
            groups.append(descriptors.hog(luma, self.hog_cells, self._hog_orientations))
        if self.lbp:
            groups.append(descriptors.lbp_histograms(luma, self._lbp_radii))
        if self.edges:
            groups.append(descriptors.edge_stats(luma))
        return np.concatenate(groups)

    def _feature_names(self):
        self._check_settings()
        names = []
        if self.color_stats:
            names += descriptors.COLOR_NAMES
        if self.histograms:
            names += descriptors.histogram_names(self.n_bins)
        if self.hog:
            names += descriptors.hog_names(self.hog_cells, self._hog_orientations)
        if self.lbp:
            names += descriptors.lbp_names(self._lbp_radii)
        if self.edges:
            names += descriptors.EDGE_NAMES
        return names

    def _check_settings(self):
        size = self._check_size()
        if not (self.color_stats or self.histograms or self.hog or self.lbp or self.edges):
            raise ValueError(
                "ColorTexture has no features to compute. Set at least one of color_stats, "
                "histograms, hog, lbp and edges to True."
            )
        if self.hog and any(n % self.hog_cells for n in size):
            raise ValueError(
                f"ColorTexture cannot divide an image of size={size} into hog_cells="
                f"{self.hog_cells} equal cells along each axis. Choose sizes that are multiples "
                "of hog_cells."
            )
