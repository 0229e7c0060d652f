"""Base class of image extractors: read an image and resize it."""

from numbers import Integral

from sklearn_mmsent.feature_extraction._base import BaseExtractor
from sklearn_mmsent.feature_extraction.image.io import read_image, resize_image
from sklearn_mmsent.utils._sklearn import Interval, StrOptions


class ImageExtractor(BaseExtractor):
    """Read an image and resize it; subclasses encode it."""

    modality = "image"

    _libraries = ("numpy", "scipy", "scikit-image", "pillow")
    _parameter_constraints: dict = {
        **BaseExtractor._parameter_constraints,
        "size": [tuple, list],
        "aspect": [StrOptions({"stretch", "pad", "crop"})],
        "max_pixels": [Interval(Integral, 1, None, closed="left")],
    }

    def _load(self, cell):
        height, width = self.size
        image = read_image(
            cell,
            max_pixels=self.max_pixels,
            draft_size=2 * max(height, width),
            owner=type(self).__name__,
        )
        return resize_image(image, (height, width), self.aspect)

    def _check_size(self):
        size = tuple(self.size)
        if len(size) != 2 or not all(isinstance(n, Integral) and n > 0 for n in size):
            raise ValueError(
                f"The 'size' parameter of {type(self).__name__} must be two positive integers, "
                f"(height, width) in pixels. Got {self.size!r} instead."
            )
        return size
