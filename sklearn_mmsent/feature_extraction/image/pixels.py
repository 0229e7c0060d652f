"""Raw image pixels."""

import numpy as np

from sklearn_mmsent.blocks import indexed_names
from sklearn_mmsent.feature_extraction._base import BaseExtractor
from sklearn_mmsent.feature_extraction.image._base import ImageExtractor
from sklearn_mmsent.utils._documentation import document_shared_parameters
from sklearn_mmsent.utils._sklearn import StrOptions


@document_shared_parameters(BaseExtractor)
class Pixels(ImageExtractor):
    """Pixels of images, resized to a common size.

    The block has the shape of an image, for convolutional encoders. For other classifiers, the
    few descriptive features of `ColorTexture` usually work better.

    Parameters
    ----------
    size : tuple of two int, default=(48, 48)
        Height and width in pixels to resize images to. The number of columns is height times
        width times channels.
    color : {"rgb", "gray"}, default="rgb"
        Three channels, or one (Rec. 601 luma).
    aspect : {"stretch", "pad", "crop"}, default="stretch"
        How to handle images with another aspect ratio than `size`: ``"stretch"`` scales both axes
        independently, which keeps all content but distorts shapes; ``"pad"`` keeps the aspect
        ratio and adds black bars; ``"crop"`` keeps the aspect ratio and crops to the centre.
    max_pixels : int, default=50_000_000
        Largest accepted width times height of an image. It is checked in the header before
        decoding, so that a small file cannot exhaust memory. The limit of Pillow
        (``PIL.Image.MAX_IMAGE_PIXELS``, an error from twice its value) also applies.
    batch_size : int, default=64
        Number of images held in memory at a time, after resizing.

    See Also
    --------
    ColorTexture : A few hundred features of colour and texture, better for small datasets and
        for classifiers that do not model neighbouring pixels.

    Notes
    -----
    A cell is a path, the bytes of an image file, a PIL image, or an array of shape (height,
    width), (height, width, 3) or (height, width, 4) of dtype uint8 or uint16, or of floats from 0
    to 1. Supported formats are JPEG, PNG, WebP, GIF, BMP, TIFF, PPM, JPEG 2000, AVIF and ICO,
    whatever the file extension.

    The EXIF orientation is applied. Palette, greyscale, CMYK and 16-bit images are converted to
    8-bit RGB, transparent images are composited over white, and only the first frame of an
    animation is used. Resizing uses an antialiased bicubic filter; large JPEG files are decoded
    at a reduced scale of at least twice the final size.

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
