"""Pictures without their noise."""

from math import ceil
from numbers import Integral, Real

import numpy as np
from scipy import ndimage

from sklearn_mmsent.feature_extraction._cell_transformer import CellTransformer
from sklearn_mmsent.feature_extraction.image.io import read_image, shrink_image
from sklearn_mmsent.utils._optional import import_optional
from sklearn_mmsent.utils._sklearn import Interval, StrOptions

# Immerkaer (1996): blind to planes and to straight edges, it leaves the noise; its norm is 6
_NOISE_MASK = np.array([[1.0, -2.0, 1.0], [-2.0, 4.0, -2.0], [1.0, -2.0, 1.0]]) / 6


class ImageDenoiser(CellTransformer):
    """Take the noise out of pictures, and leave edges where they are.

    From a column of pictures to a column of pictures: stands before any extractor of pictures in
    a pipeline. It learns nothing, and what is missing stays missing.

    Parameters
    ----------
    method : {"median", "nl_means", "tv"}, default="median"
        "median" takes the median of each pixel's neighbours: against single wrong pixels (salt
        and pepper), and mild against grain. "nl_means" averages pixels whose surroundings look
        alike: against grain (gaussian noise), where it keeps most detail, and the slowest. "tv"
        looks for the picture of least total variation nearby: against grain, at the cost of fine
        texture. The latter two take single wrong pixels for detail, and keep them.

    strength : float, default=1.0
        For "median" the radius of the neighbourhood in pixels, rounded up. For the others the
        share of the noise that is taken out, measured against an estimate from the picture
        itself: where there is none, nothing changes.

    max_size : int or None, default=1024
        Largest height and width in pixels of what comes out; larger pictures are shrunk before,
        which bounds the time and the memory, and takes out noise by itself. None keeps every
        size.

    max_pixels : int, default=50_000_000
        Largest width times height of a picture that is read at all; see `Pixels`.

    on_error : {"raise", "missing"}, default="raise"
        For a cell that cannot be used: raise a `CellError`, or make it missing and warn once
        with the number.

    Attributes
    ----------
    n_features_in_ : int
        Always 1, the column of cells.

    See Also
    --------
    make_extractor : Takes a pipeline of a denoiser and an extractor for a modality.
    ColorTexture : Its edges, textures and sharpness are what noise spoils most.

    Notes
    -----
    Cells are what `Pixels` takes; what comes out are arrays of uint8 in RGB. Extractors that
    shrink pictures average noise away by themselves: before `Pixels` of 48 x 48 there is little
    to gain from a photo of 1000 x 1000.

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
        if sigma < 1 / 255:  # less than one step of a pixel
            return pixels
        if self.method == "tv":
            clean = restoration.denoise_tv_chambolle(noisy, weight=sigma, channel_axis=-1)
        else:
            clean = restoration.denoise_nl_means(
                noisy, patch_size=5, patch_distance=6, h=0.8 * sigma, sigma=sigma, channel_axis=-1
            )
        return np.rint(np.clip(clean, 0, 1) * 255).astype(np.uint8)


def _noise(pixels):
    """Estimate the standard deviation of a picture's noise, as the mean of its channels."""
    details = [ndimage.convolve(channel, _NOISE_MASK) for channel in np.moveaxis(pixels, -1, 0)]
    # the median, other than the mean, does not see what edges and corners leave in it
    return float(np.mean([np.median(np.abs(detail)) for detail in details]) / 0.6745)
