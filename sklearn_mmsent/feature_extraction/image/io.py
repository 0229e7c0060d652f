"""Robust image reading: any cell to an upright RGB image, or a CellError with the cause."""

import warnings

import numpy as np

from sklearn_mmsent.exceptions import CellError
from sklearn_mmsent.feature_extraction.cells import describe
from sklearn_mmsent.feature_extraction.files import is_file_cell, looks_like, open_cell
from sklearn_mmsent.utils._optional import import_optional

# A subset of the formats of Pillow: EPS would run Ghostscript on the user's file, and formats
# without a signature (TGA, PCX) accept any bytes as an image.
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "JPEG2000", "AVIF", "ICO")
_ORIENTATION = 0x0112  # the EXIF tag


def read_image(cell, *, max_pixels, draft_size=None, owner="an image extractor"):
    """Read one cell as an upright RGB image.

    Parameters
    ----------
    cell : str, Path, bytes, ndarray or PIL.Image.Image
        Supported cells are described in the Notes of `Pixels`.
    max_pixels : int
        Largest accepted width times height, checked before decoding.
    draft_size : int or None, default=None
        Minimum height and width in pixels; a JPEG is then decoded at the smallest reduced scale
        (1/2, 1/4, 1/8) that is no smaller.
    owner : str
        Name used in error messages.

    Returns
    -------
    PIL.Image.Image
        Image in mode RGB.

    Raises
    ------
    CellError
        If the cell is not an image, is too large, or cannot be decoded.
    """
    pil = import_optional("PIL.Image", extra="image", needed_by=owner)
    if is_file_cell(cell):
        with open_cell(cell) as file:
            return _read_file(pil, file, max_pixels, draft_size)
    if isinstance(cell, np.ndarray):
        return _from_array(pil, cell, max_pixels)
    if isinstance(cell, pil.Image):
        _check_pixels(cell.size, max_pixels)
        return _decode(pil, cell)
    raise CellError(
        f"expected a path, the bytes of an image file, an array or a PIL image; got "
        f"{describe(cell)}"
    )


def resize_image(image, size, aspect):
    """Resize an RGB image to (height, width) with antialiasing; for `aspect`, see `Pixels`."""
    pil = import_optional("PIL.Image", extra="image", needed_by="an image extractor")
    height, width = size
    options = {"resample": pil.Resampling.BICUBIC, "reducing_gap": 3.0}
    if aspect == "crop":
        scale = min(image.width / width, image.height / height)
        left = (image.width - width * scale) / 2
        top = (image.height - height * scale) / 2
        box = (left, top, left + width * scale, top + height * scale)
        return image.resize((width, height), box=_inside(box, image.size), **options)
    if aspect == "pad":
        scale = min(width / image.width, height / image.height)
        inner = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        padded = pil.new("RGB", (width, height))
        corner = ((width - inner[0]) // 2, (height - inner[1]) // 2)
        padded.paste(image.resize(inner, **options), corner)
        return padded
    return image.resize((width, height), **options)


def shrink_image(image, max_size):
    """Downscale an RGB or L image to a maximum height and width in pixels, with antialiasing.

    An image that is small enough is returned itself; None keeps all sizes.
    """
    if max_size is None or max(image.size) <= max_size:
        return image
    pil = import_optional("PIL.Image", extra="image", needed_by="an image extractor")
    scale = max_size / max(image.size)
    size = [max(1, round(n * scale)) for n in image.size]
    return image.resize(size, resample=pil.Resampling.BICUBIC, reducing_gap=3.0)


def _read_file(pil, file, max_pixels, draft_size):
    pil.init()  # registers all formats, not only the five that Pillow loads by default
    formats = [name for name in _FORMATS if name in pil.OPEN]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # max_pixels replaces Pillow's warnings
        try:
            image = pil.open(file, formats=formats)
        except pil.DecompressionBombError as error:
            raise CellError(
                f"its header claims more pixels than Pillow accepts ({error}); if that is "
                "intended, downscale the image first"
            ) from error
        except Exception as error:  # decoders raise errors of any kind for corrupt headers
            cause = f"Pillow finds no image in it; {looks_like(file)}"
            if not isinstance(error, pil.UnidentifiedImageError):
                cause = f"its header cannot be read ({_reason(error)}); {looks_like(file)}"
            raise CellError(f"{cause}; expected one of {', '.join(formats)}") from error
        with image:
            _check_pixels(image.size, max_pixels)
            if draft_size is not None:
                image.draft(None, (draft_size, draft_size))
            return _decode(pil, image)


def _check_pixels(size, max_pixels):
    width, height = size
    if width * height > max_pixels:
        raise CellError(
            f"the image has {width} x {height} = {width * height} pixels, more than "
            f"max_pixels={max_pixels}; downscale it, or raise max_pixels if it can be trusted"
        )


def _decode(pil, image):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            image.load()
            return _upright(pil, image, _to_rgb(pil, image))
        except CellError:
            raise
        except Exception as error:  # decoders raise errors of any kind for corrupt data
            raise CellError(
                f"the image is truncated or damaged, Pillow cannot decode it ({_reason(error)})"
            ) from error


def _reason(error):
    return str(error).strip().rstrip(".") or type(error).__name__


def _upright(pil, image, rgb):
    """Apply the EXIF orientation."""
    try:
        orientation = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # corrupt metadata of a valid image
        orientation = 1
    turn = pil.Transpose
    method = {
        2: turn.FLIP_LEFT_RIGHT,
        3: turn.ROTATE_180,
        4: turn.FLIP_TOP_BOTTOM,
        5: turn.TRANSPOSE,
        6: turn.ROTATE_270,
        7: turn.TRANSVERSE,
        8: turn.ROTATE_90,
    }.get(orientation)
    return rgb if method is None else rgb.transpose(method)


def _to_rgb(pil, image):
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        values = np.asarray(image)
        if values.dtype.kind == "i":  # Pillow opens some 16-bit files in its 32-bit mode
            values = _as_uint16(values)
        image = pil.fromarray(_as_uint8(values.astype(values.dtype.newbyteorder("="))))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = pil.new("RGBA", image.size, "white")
        image = pil.alpha_composite(white, image)
    return image.convert("RGB")


def _as_uint16(values):
    if values.min() < 0 or values.max() > 65535:
        raise CellError(
            f"an image of 32-bit integers from {values.min()} to {values.max()}; expected 8 or "
            "16 bits per channel"
        )
    return values.astype(np.uint16)


def _from_array(pil, values, max_pixels):
    shape = values.shape
    if values.ndim == 3 and shape[2] == 1:
        values = values[:, :, 0]
    elif not (values.ndim == 2 or (values.ndim == 3 and shape[2] in (3, 4))):
        hint = ""
        if values.ndim == 3 and shape[0] in (1, 3, 4):
            hint = "; move the channels last: np.moveaxis(array, 0, -1)"
        raise CellError(
            f"an array of shape {shape}; expected (height, width), (height, width, 3) or "
            f"(height, width, 4){hint}"
        )
    _check_pixels((shape[1], shape[0]), max_pixels)
    return _to_rgb(pil, pil.fromarray(np.ascontiguousarray(_as_uint8(values))))


def _as_uint8(values):
    if values.dtype == np.uint8:
        return values
    if values.dtype == np.uint16:
        return np.rint(values / 257).astype(np.uint8)
    if values.dtype.kind != "f":
        raise CellError(
            f"an array of dtype {values.dtype}; expected uint8 (0 to 255), uint16 (0 to 65535) or "
            "floats from 0 to 1"
        )
    if not np.isfinite(values).all():
        raise CellError("the image holds NaN or infinite values")
    low, high = values.min(), values.max()
    if low < 0 or high > 1:
        raise CellError(
            f"floats from {low:g} to {high:g}; expected 0 to 1 (or dtype uint8 from 0 to 255)"
        )
    return np.rint(values * 255).astype(np.uint8)


def _inside(box, size):
    """Clip a box that exceeds the image by rounding, which Pillow does not accept."""
    left, top, right, bottom = box
    return max(left, 0), max(top, 0), min(right, size[0]), min(bottom, size[1])
