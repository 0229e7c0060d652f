"""Reading pictures safely: any cell to an upright RGB picture, or a CellError with the cause."""

import warnings

import numpy as np

from sklearn_mmsent.exceptions import CellError
from sklearn_mmsent.feature_extraction.cells import describe
from sklearn_mmsent.feature_extraction.files import is_file_cell, looks_like, open_cell
from sklearn_mmsent.utils._optional import import_optional

# Not every format that Pillow knows: EPS would run Ghostscript on the user's file, and formats
# without a signature (TGA, PCX) take any bytes for a picture.
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "JPEG2000", "AVIF", "ICO")
_ORIENTATION = 0x0112  # the EXIF tag


def read_image(cell, *, max_pixels, draft_size=None, owner="an image extractor"):
    """Read one cell as an upright RGB picture.

    Parameters
    ----------
    cell : str, Path, bytes, ndarray or PIL.Image.Image
        See `Pixels` for what each may hold.
    max_pixels : int
        Largest allowed width times height, checked before anything is decoded.
    draft_size : int or None, default=None
        Smallest height and width in pixels that the caller needs; a JPEG is then decoded at
        the smallest of its cheap scales (1/2, 1/4, 1/8) that is no smaller.
    owner : str
        Who asks, for the message when Pillow is not installed.

    Returns
    -------
    PIL.Image.Image
        In mode RGB.

    Raises
    ------
    CellError
        If the cell is no picture, is too large, or cannot be decoded.
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
        f"expected a path, the bytes of a picture file, an array or a PIL image; got "
        f"{describe(cell)}"
    )


def resize_image(image, size, aspect):
    """Bring a picture to a size, antialiased.

    Parameters
    ----------
    image : PIL.Image.Image
        In mode RGB.
    size : tuple of int
        Height and width in pixels.
    aspect : {"stretch", "pad", "crop"}
        What to do where the proportions differ; see `Pixels`.

    Returns
    -------
    PIL.Image.Image
        Of the given size.
    """
    pil = import_optional("PIL.Image", extra="image", needed_by="an image extractor")
    height, width = size
    how = {"resample": pil.Resampling.BICUBIC, "reducing_gap": 3.0}
    if aspect == "crop":
        scale = min(image.width / width, image.height / height)
        left = (image.width - width * scale) / 2
        top = (image.height - height * scale) / 2
        box = (left, top, left + width * scale, top + height * scale)
        return image.resize((width, height), box=_inside(box, image.size), **how)
    if aspect == "pad":
        scale = min(width / image.width, height / image.height)
        inner = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        padded = pil.new("RGB", (width, height))
        corner = ((width - inner[0]) // 2, (height - inner[1]) // 2)
        padded.paste(image.resize(inner, **how), corner)
        return padded
    return image.resize((width, height), **how)


def shrink_image(image, max_size):
    """Bring a picture to a height and width of at most so many pixels, antialiased.

    Parameters
    ----------
    image : PIL.Image.Image
        In mode RGB or L.
    max_size : int or None
        Pixels of the longer side; None leaves it.

    Returns
    -------
    PIL.Image.Image
        The same one, if it is small enough.
    """
    if max_size is None or max(image.size) <= max_size:
        return image
    pil = import_optional("PIL.Image", extra="image", needed_by="an image extractor")
    scale = max_size / max(image.size)
    size = [max(1, round(n * scale)) for n in image.size]
    return image.resize(size, resample=pil.Resampling.BICUBIC, reducing_gap=3.0)


def _read_file(pil, file, max_pixels, draft_size):
    pil.init()  # registers the formats beyond the five that Pillow loads by itself
    formats = [name for name in _FORMATS if name in pil.OPEN]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # our limit speaks in place of Pillow's warnings
        try:
            image = pil.open(file, formats=formats)
        except pil.DecompressionBombError as error:
            raise CellError(
                f"its header claims more pixels than Pillow accepts ({error}); if that is true "
                "and wanted, shrink the picture first"
            ) from error
        except Exception as error:  # decoders meet broken headers with errors of any kind
            cause = f"Pillow finds no picture in it; {looks_like(file)}"
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
            f"the picture has {width} x {height} = {width * height} pixels, more than "
            f"max_pixels={max_pixels}; shrink it, or raise max_pixels if it can be trusted"
        )


def _decode(pil, image):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            image.load()
            return _upright(pil, image, _to_rgb(pil, image))
        except CellError:
            raise
        except Exception as error:  # decoders meet broken data with errors of any kind
            raise CellError(
                f"the picture is truncated or damaged, Pillow cannot decode it ({_reason(error)})"
            ) from error


def _reason(error):
    return str(error).strip().rstrip(".") or type(error).__name__


def _upright(pil, image, rgb):
    """Turn the picture as its EXIF orientation says."""
    try:
        orientation = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # damaged metadata do not spoil a picture that decodes
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
            f"a picture of 32-bit integers from {values.min()} to {values.max()}; expected 8 or "
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
        raise CellError("the picture holds NaN or infinite values")
    low, high = values.min(), values.max()
    if low < 0 or high > 1:
        raise CellError(
            f"floats from {low:g} to {high:g}; expected 0 to 1 (or dtype uint8 from 0 to 255)"
        )
    return np.rint(values * 255).astype(np.uint8)


def _inside(box, size):
    """Cut off what rounding put a hair outside of the picture, which Pillow refuses."""
    left, top, right, bottom = box
    return max(left, 0), max(top, 0), min(right, size[0]), min(bottom, size[1])
