"""Noise reduction for images."""

from math import ceil
from numbers import Integral, Real

import numpy as np
from scipy import ndimage

from sklearn_mmsent.feature_extraction._cell_transformer import CellTransformer
from sklearn_mmsent.feature_extraction.image.io import read_image, shrink_image
from sklearn_mmsent.utils._documentation import document_shared_parameters
from sklearn_mmsent.utils._optional import import_optional
from sklearn_mmsent.utils._sklearn import Interval, StrOptions

# Immerkaer (1996): zero on planes and straight edges, so that only noise remains; its norm is 6
_NOISE_MASK = np.array([[1.0, -2.0, 1.0], [-2.0, 4.0, -2.0], [1.0, -2.0, 1.0]]) / 6


@document_shared_parameters(CellTransformer)
class ImageDenoiser(CellTransformer):
    """Reduce noise in images while preserving edges.

    Maps a column of images to a column of images; place it before an image extractor in a
    pipeline. Nothing is learned in fit. Missing cells stay missing.

    Parameters
    ----------
    method : {"median", "nl_means", "tv"}, default="median"
        "median" filters each pixel with its neighbourhood: effective against impulse noise (salt
        and pepper), weak against grain. "nl_means" [1]_ averages pixels with similar surroundings:
        effective against grain (Gaussian noise) with the least loss of detail, but the slowest.
        "tv" minimises the total variation [2]_: effective against grain at the cost of fine
        texture. The latter two keep impulse noise.
    strength : float, default=1.0
        For "median", radius of the neighbourhood in pixels, rounded up. Otherwise a multiple of
        the noise level estimated from the image [3]_: noise-free images stay unchanged.
    max_size : int or None, default=1024
        Maximum height and width of the output in pixels. Larger images are downscaled first, which
        bounds time and memory and reduces noise by itself. None keeps all sizes.
    max_pixels : int, default=50_000_000
        Largest accepted width times height of an image; see `Pixels`.

    See Also
    --------
    make_extractor : Accepts a pipeline of a denoiser and an extractor for a modality.
    ColorTexture : Its edge, texture and sharpness features are the most sensitive to noise.

    Notes
    -----
    See the Notes of `Pixels` for supported image cells. The output is a uint8 RGB array.
    Extractors that downscale images average out noise themselves: before `Pixels` with 48 x 48
    pixels, denoising a photo of 1000 x 1000 has little effect.

    References
    ----------
    .. [1] A. Buades, B. Coll and J.-M. Morel, "A non-local algorithm for image denoising", CVPR,
       2005.
    .. [2] A. Chambolle, "An algorithm for total variation minimization and applications",
       Journal of Mathematical Imaging and Vision 20, 2004.
    .. [3] J. Immerkaer, "Fast noise variance estimation", Computer Vision and Image
       Understanding 64(2), 1996.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_mmsent.feature_extraction.image import ImageDenoiser
    >>> photo = np.full((5, 5, 3), 200, dtype=np.uint8)
    >>> photo[2, 2] = 0
    >>> (clean,) = ImageDenoiser().fit_transform([photo])
    >>> clean.shape, clean.min()
    ((5, 5, 3), np.uint8(200))
    """

    modality = "image"

    _parameter_constraints: dict = {
        **CellTransformer._parameter_constraints,
        "method": [StrOptions({"median", "nl_means", "tv"})],
        "strength": [Interval(Real, 0, None, closed="neither")],
        "max_size": [Interval(Integral, 1, None, closed="left"), None],
        "max_pixels": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        method="median",
        *,
        strength=1.0,
        max_size=1024,
        max_pixels=50_000_000,
        on_error="raise",
    ):
        self.method = method
        self.strength = strength
        self.max_size = max_size
        self.max_pixels = max_pixels
        self.on_error = on_error

    def _convert(self, cell):
        owner = type(self).__name__
        image = read_image(cell, max_pixels=self.max_pixels, draft_size=self.max_size, owner=owner)
        pixels = np.asarray(shrink_image(image, self.max_size))
        if self.method == "median":
            side = 2 * ceil(self.strength) + 1
            return ndimage.median_filter(pixels, size=(side, side, 1), mode="nearest")
        restoration = import_optional("skimage.restoration", extra="image", needed_by=owner)
        noisy = pixels / np.float32(255)
        sigma = self.strength * _noise(noisy)
        if sigma < 1 / 255:  # less than one grey level
            return pixels
        if self.method == "tv":
            clean = restoration.denoise_tv_chambolle(noisy, weight=sigma, channel_axis=-1)
        else:
            clean = restoration.denoise_nl_means(
                noisy, patch_size=5, patch_distance=6, h=0.8 * sigma, sigma=sigma, channel_axis=-1
            )
        return np.rint(np.clip(clean, 0, 1) * 255).astype(np.uint8)


def _noise(pixels):
    """Estimate the standard deviation of the noise, averaged over channels."""
    details = [ndimage.convolve(channel, _NOISE_MASK) for channel in np.moveaxis(pixels, -1, 0)]
    # unlike the mean, the median is not affected by edges and corners that remain
    return float(np.mean([np.median(np.abs(detail)) for detail in details]) / 0.6745)
