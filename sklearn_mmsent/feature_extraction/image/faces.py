"""Pictures cut to their largest face."""

from functools import cache
from numbers import Integral, Real

import numpy as np

from sklearn_mmsent.exceptions import CellError
from sklearn_mmsent.feature_extraction._cell_transformer import CellTransformer
from sklearn_mmsent.feature_extraction.image.io import read_image, shrink_image
from sklearn_mmsent.utils._optional import import_optional
from sklearn_mmsent.utils._sklearn import Interval, StrOptions

_SEARCHED = 240  # pixels of the longer side: more takes longer and finds few more large faces
_WINDOW = 24  # pixels, the smallest face that the cascade knows
_SEARCH = {"scale_factor": 1.1, "step_ratio": 1.0, "min_neighbor_number": 6}


class FaceCropper(CellTransformer):
    """Cut pictures to their largest face.

    From a column of pictures to a column of pictures: stands before any extractor of pictures in
    a pipeline, so that its numbers tell of the face and not of what is around it. It learns
    nothing, and what is missing stays missing.

    Parameters
    ----------
    margin : float, default=0.2
        Share of the face's side that is added on each of the four sides. The detector's box
        reaches from the brows to the chin.

    min_size : float, default=0.1
        Smallest face that counts, as a share of the picture's shorter side. The search takes
        place on a copy of at most 240 pixels, in which no face under 24 pixels is found.

    no_face : {"missing", "whole", "raise"}, default="missing"
        What becomes of a picture in which no face is found: a missing cell, the whole picture,
        or what `on_error` says of cells that cannot be used.

    max_size : int, default=256
        Largest height and width in pixels of what comes out; larger pictures are shrunk. The
        cells of a column are in memory all at once.

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
    make_extractor : Takes a pipeline of crops and an extractor for a modality, beside another
        extractor of the whole pictures.
    ImageEmbedder : What a pretrained model sees in a face.
    Pixels : For networks that read the face themselves.

    Notes
    -----
    Cells are what `Pixels` takes; what comes out are arrays of uint8 in RGB, always square but
    for whole pictures. A crop that would reach beyond the picture is moved inside.

    The detector is the cascade of local binary patterns that comes with scikit-image. It knows
    upright faces that look into the camera, and misses most that are turned, tilted, half hidden
    or cut so tightly that they fill the picture. Of 250 photos from tweets, none of which had a
    part in choosing its settings, it found something in 56; 43 of these were human faces, the
    rest drawings, a cat, and things. Of faces pasted into photos, at least a quarter as high as
    these, it found 97 in 100 from a laboratory and 59 in 100 from the web. A modern network finds
    more: crop with one beforehand where that matters. A search takes about a tenth of a second.

    References
    ----------
    .. [1] S. Liao, X. Zhu, Z. Lei, L. Zhang and S. Z. Li, "Learning multi-scale block local
       binary patterns for face recognition", ICB, 2007.
    .. [2] P. Viola and M. Jones, "Rapid object detection using a boosted cascade of simple
       features", CVPR, 2001.

    Examples
    --------
    >>> import skimage.data
    >>> from sklearn_mmsent.feature_extraction.image import FaceCropper
    >>> portrait = skimage.data.astronaut()
    >>> sky = portrait[:100, 300:400]
    >>> portrait.shape
    (512, 512, 3)
    >>> face, nothing = FaceCropper().fit_transform([portrait, sky])
    >>> face.shape, nothing
    ((143, 143, 3), None)
    """

    _parameter_constraints: dict = {
        **CellTransformer._parameter_constraints,
        "margin": [Interval(Real, 0, None, closed="left")],
        "min_size": [Interval(Real, 0, 1, closed="right")],
        "no_face": [StrOptions({"missing", "whole", "raise"})],
        "max_size": [Interval(Integral, 1, None, closed="left")],
        "max_pixels": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        *,
        margin=0.2,
        min_size=0.1,
        no_face="missing",
        max_size=256,
        max_pixels=50_000_000,
        on_error="raise",
    ):
        self.margin = margin
        self.min_size = min_size
        self.no_face = no_face
        self.max_size = max_size
        self.max_pixels = max_pixels
        self.on_error = on_error

    def _convert(self, cell):
        image = read_image(cell, max_pixels=self.max_pixels, owner=type(self).__name__)
        face = _largest_face(image, self.min_size)
        if face is None and self.no_face == "missing":
            return None
        if face is None and self.no_face == "raise":
            raise CellError("no face is found in it")
        if face is not None:
            image = image.crop(_square(face, self.margin, image.size))
        return np.asarray(shrink_image(image, self.max_size))


def _largest_face(image, min_size):
    """Return (left, top, side) of the largest face in pixels, or None."""
    small = shrink_image(image.convert("L"), _SEARCHED)
    shorter = min(small.size)
    smallest = max(_WINDOW, int(np.ceil(min_size * shorter)))
    if smallest > shorter:
        return None
    found = _cascade().detect_multi_scale(
        np.asarray(small), min_size=(smallest, smallest), max_size=(shorter, shorter), **_SEARCH
    )
    if not found:
        return None
    face = min(found, key=lambda box: (-box["width"], box["r"], box["c"]))
    scale = image.width / small.width, image.height / small.height
    return face["c"] * scale[0], face["r"] * scale[1], face["width"] * max(scale)


@cache
def _cascade():
    """Return the detector that comes with scikit-image."""
    feature = import_optional("skimage.feature", extra="image", needed_by="FaceCropper")
    data = import_optional("skimage.data", extra="image", needed_by="FaceCropper")
    return feature.Cascade(data.lbp_frontal_face_cascade_filename())


def _square(face, margin, size):
    """Return the box of a face with its margin, moved and shrunk to lie inside the picture."""
    left, top, side = face
    wanted = min(max(1, round(side * (1 + 2 * margin))), *size)
    shift = (side - wanted) / 2
    left = min(max(0, round(left + shift)), size[0] - wanted)
    top = min(max(0, round(top + shift)), size[1] - wanted)
    return left, top, left + wanted, top + wanted
