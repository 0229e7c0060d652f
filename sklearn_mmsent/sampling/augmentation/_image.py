"""ImageAugmenter: flip, crop, rotation, colour, blur and random erasing."""

from numbers import Integral, Real

import numpy as np

from sklearn_mmsent.feature_extraction.image.io import read_image, shrink_image
from sklearn_mmsent.sampling._base import BaseRowSampler
from sklearn_mmsent.sampling.augmentation._base import BaseAugmenter
from sklearn_mmsent.sampling.augmentation._text import TextAugmenter
from sklearn_mmsent.utils._documentation import document_shared_parameters
from sklearn_mmsent.utils._optional import import_optional
from sklearn_mmsent.utils._sklearn import Interval


@document_shared_parameters(BaseRowSampler, TextAugmenter)
class ImageAugmenter(BaseAugmenter):
    """Over-sample by copies of rows with a slightly modified image.

    All transformations are applied to each new image, in the order of the parameters, with random
    strengths up to the given limits.

    Parameters that are not listed here are those of :class:`TextAugmenter`.

    Parameters
    ----------
    columns : str or list of str, default="image"
        Columns to augment. An empty list copies rows unchanged.
    flip : float, default=0.5
        Probability of a horizontal flip. Set it to 0 if text or sides matter.
    crop : float, default=0.2
        Maximum fraction of the height and of the width to crop; the rest is resized to the
        original size.
    rotate : float, default=10.0
        Maximum rotation in degrees, in either direction; corners are filled with the mean colour.
    color : float, default=0.2
        Maximum relative change of brightness, contrast and saturation.
    blur : float, default=1.0
        Maximum radius of the Gaussian blur in pixels.
    erase : float, default=0.1
        Maximum fraction of the area covered by a rectangle of the mean colour (random erasing
        [1]_).
    max_size : int or None, default=512
        Maximum height and width of new images in pixels; larger images are downscaled first, since
        new images are kept in memory, up to 0.8 MB each at 512. None keeps all sizes.
    max_pixels : int, default=50_000_000
        Largest accepted width times height of an image; see `Pixels`.

    See Also
    --------
    ModalitySMOTE : Makes new rows from features instead of images.

    Notes
    -----
    See the Notes of `Pixels` for supported image cells. New cells are uint8 RGB arrays.

    References
    ----------
    .. [1] Z. Zhong, L. Zheng, G. Kang, S. Li, Y. Yang, "Random erasing data augmentation",
       AAAI 2020.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from sklearn_mmsent.sampling import ImageAugmenter
    >>> photos = [np.full((24, 32, 3), shade, dtype=np.uint8) for shade in (20, 90, 200)]
    >>> X = pd.DataFrame({"image": photos})
    >>> X_new, y_new = ImageAugmenter(random_state=0).fit_resample(X, ["neg", "pos", "pos"])
    >>> len(X_new), y_new[-1], X_new["image"][3].shape
    (4, 'neg', (24, 32, 3))
    """

    _parameter_constraints: dict = {
        **BaseAugmenter._parameter_constraints,
        "flip": [Interval(Real, 0, 1, closed="both")],
        "crop": [Interval(Real, 0, 1, closed="left")],
        "rotate": [Interval(Real, 0, 180, closed="both")],
        "color": [Interval(Real, 0, 1, closed="both")],
        "blur": [Interval(Real, 0, None, closed="left")],
        "erase": [Interval(Real, 0, 1, closed="left")],
        "max_size": [Interval(Integral, 1, None, closed="left"), None],
        "max_pixels": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        columns="image",
        *,
        sampling_strategy="auto",
        factor=None,
        flip=0.5,
        crop=0.2,
        rotate=10.0,
        color=0.2,
        blur=1.0,
        erase=0.1,
        max_size=512,
        max_pixels=50_000_000,
        on_error="raise",
        n_jobs=None,
        random_state=None,
    ):
        self.columns = columns
        self.sampling_strategy = sampling_strategy
        self.factor = factor
        self.flip = flip
        self.crop = crop
        self.rotate = rotate
        self.color = color
        self.blur = blur
        self.erase = erase
        self.max_size = max_size
        self.max_pixels = max_pixels
        self.on_error = on_error
        self.n_jobs = n_jobs
        self.random_state = random_state

    def _prepare(self):
        import_optional("PIL.Image", extra="augment", needed_by=type(self).__name__)

    def _augment(self, cell, rng):
        from PIL import Image, ImageEnhance, ImageFilter, ImageOps

        image = read_image(
            cell,
            max_pixels=self.max_pixels,
            draft_size=self.max_size,
            owner=type(self).__name__,
        )
        image = shrink_image(image, self.max_size)
        mean = tuple(np.asarray(image).reshape(-1, 3).mean(axis=0).round().astype(int).tolist())
        if rng.random() < self.flip:
            image = ImageOps.mirror(image)
        if self.crop:
            size = image.size
            kept = [side * (1 - rng.uniform(0, self.crop)) for side in size]
            left, top = (rng.uniform(0, side - keep) for side, keep in zip(size, kept, strict=True))
            box = (left, top, min(left + kept[0], size[0]), min(top + kept[1], size[1]))
            image = image.resize(size, Image.Resampling.BICUBIC, box=box)
        if self.rotate:
            angle = rng.uniform(-self.rotate, self.rotate)
            image = image.rotate(angle, Image.Resampling.BICUBIC, fillcolor=mean)
        if self.color:
            for enhance in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
                image = enhance(image).enhance(1 + rng.uniform(-self.color, self.color))
        if self.blur:
            image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0, self.blur)))
        if self.erase:
            image = image.copy()
            image.paste(mean, _rectangle(image.size, rng.uniform(0, self.erase), rng))
        return np.array(image)


def _rectangle(size, share, rng):
    """Return a random box inside an image that covers a fraction of it, aspect 1:2 to 2:1."""
    aspect = 2 ** rng.uniform(-1, 1)
    lengths = [
        min(side, round(side * (share * ratio) ** 0.5))
        for side, ratio in zip(size, (aspect, 1 / aspect), strict=True)
    ]
    left, top = (
        int(rng.integers(0, side - length + 1)) for side, length in zip(size, lengths, strict=True)
    )
    return left, top, left + lengths[0], top + lengths[1]
