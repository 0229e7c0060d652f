"""The pixels of pictures, all brought to one size."""

import numpy as np

from sklearn_mmsent.blocks import indexed_names
from sklearn_mmsent.feature_extraction.image._base import ImageExtractor
from sklearn_mmsent.utils._sklearn import StrOptions


class Pixels(ImageExtractor):
    """Pixels of pictures, all brought to one size.

    The block is an image, as a convolutional encoder wants it. For an ordinary classifier a
    handful of descriptive numbers, `ColorTexture`, mostly serves better.

    Parameters
    ----------
    size : tuple of two int, default=(48, 48)
        Height and width in pixels that every picture is brought to. The table gets height
        times width times channels columns.

    color : {"rgb", "gray"}, default="rgb"
        Three channels, or one (luma after Rec. 601).

    aspect : {"stretch", "pad", "crop"}, default="stretch"
        What happens to a picture of other proportions than `size`: ``"stretch"`` scales both
        axes on their own, nothing is lost and shapes are distorted; ``"pad"`` keeps the
        proportions and adds black bars; ``"crop"`` keeps the proportions and cuts off what
        stands over, the same on both sides.

    max_pixels : int, default=50_000_000
        Largest width times height of a picture that is read at all. It is checked from the
        header, before anything is decoded, so that a small file cannot fill the memory.
        Pillow's own limit (``PIL.Image.MAX_IMAGE_PIXELS``, of which it refuses the double)
        stays in force above it.

    on_error : {"raise", "missing"}, default="raise"
        For a cell that cannot be used: raise a `CellError`, or count it as missing and warn
        once with the number.

    batch_size : int, default=64
        Pictures that are held in memory at a time, at their final size.

    n_jobs : int or None, default=None
        Processes that read batches at the same time; None means one.

    Attributes
    ----------
    n_features_in_ : int
        Always 1, the column of cells.

    n_features_out_ : int
        Number of columns.

    See Also
    --------
    ColorTexture : A few hundred numbers on colour and texture, better for small data and for
        classifiers that know nothing of neighbouring pixels.

    Notes
    -----
    A cell is a path, the bytes of a picture file, a PIL image, or an array of shape (height,
    width), (height, width, 3) or (height, width, 4) that holds uint8, uint16 or floats from 0
    to 1. Files may be JPEG, PNG, WebP, GIF, BMP, TIFF, PPM, JPEG 2000, AVIF or ICO, whatever
    they are named.

    Pictures are turned as their EXIF orientation says. Palette, grey, CMYK and 16-bit pictures
    become RGB of 8 bits per channel, transparent ones are laid over white, and of animated
    ones the first frame counts. Sizes change with an antialiased bicubic filter; large JPEG
    files are decoded at a reduced scale, never under twice the final size.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_mmsent.feature_extraction.image import Pixels
    >>> red = np.zeros((30, 40, 3), dtype=np.uint8)
    >>> red[:, :, 0] = 255
    >>> pixels = Pixels(size=(2, 2))
    >>> pixels.fit_transform([red])
    array([[1., 1., 1., 1., 0., 0., 0., 0., 0., 0., 0., 0.]], dtype=float32)
    >>> print(*pixels.get_feature_names_out()[:3])
    pixel@000@000@000 pixel@000@000@001 pixel@000@001@000
    """

    _parameter_constraints: dict = {
        **ImageExtractor._parameter_constraints,
        "color": [StrOptions({"rgb", "gray"})],
    }

    def __init__(
        self,
        size=(48, 48),
        *,
        color="rgb",
        aspect="stretch",
        max_pixels=50_000_000,
        on_error="raise",
        batch_size=64,
        n_jobs=None,
    ):
        self.size = size
        self.color = color
        self.aspect = aspect
        self.max_pixels = max_pixels
        self.on_error = on_error
        self.batch_size = batch_size
        self.n_jobs = n_jobs

    def _load(self, cell):
        image = super()._load(cell)
        return np.asarray(image.convert("L") if self.color == "gray" else image)

    def _encode(self, loaded):
        images = np.stack(loaded)  # (B, height, width[, 3])
        if self.color == "rgb":
            images = np.moveaxis(images, -1, 1)  # (B, 3, height, width)
        return images.reshape(len(loaded), -1) / np.float32(255)

    def _feature_names(self):
        height, width = self._check_size()
        n_channels = 3 if self.color == "rgb" else 1
        return indexed_names(["pixel"], n_channels, height, width)
