"""Open cells that are files: paths, or the bytes of a file."""

import io
import os
import stat
from pathlib import Path

from sklearn_mmsent.exceptions import CellError

# (offset, bytes, type of the file)
_SIGNATURES = (
    (0, b"\x89PNG\r\n", "a PNG picture"),
    (0, b"\xff\xd8\xff", "a JPEG picture"),
    (0, b"GIF8", "a GIF picture"),
    (0, b"BM", "a BMP picture"),
    (8, b"WEBP", "a WebP picture"),
    (8, b"WAVE", "WAV sound"),
    (8, b"AVI ", "an AVI video"),
    (0, b"fLaC", "FLAC sound"),
    (0, b"OggS", "an Ogg file"),
    (0, b"ID3", "MP3 sound"),
    (4, b"ftyp", "an MP4 file (m4a, mp4, mov, heic)"),
    (0, b"\x1aE\xdf\xa3", "a Matroska or WebM video"),
    (0, b"%PDF", "a PDF document"),
    (0, b"PK\x03\x04", "a zip archive"),
    (0, b"\x1f\x8b", "a gzip archive"),
    (0, b"%!PS", "a PostScript document"),
    (0, b"<", "a text such as HTML, XML or SVG"),
    (0, b"version https://git-lfs", "a Git LFS pointer (run: git lfs pull)"),
)


def is_file_cell(cell):
    """Return whether a cell is a path or the bytes of a file."""
    return isinstance(cell, str | Path | bytes | bytearray | memoryview)


def open_cell(cell):
    """Open a path, or the bytes of a file, for binary reading.

    Parameters
    ----------
    cell : str, Path, bytes, bytearray or memoryview
        A local path, or the content of a file.

    Returns
    -------
    file : binary file object
        At its start, seekable, with at least one byte.

    Raises
    ------
    CellError
        If the file does not exist, is not a regular file, is not readable, or is empty.
    """
    if isinstance(cell, bytes | bytearray | memoryview):
        return io.BytesIO(cell)
    path = str(cell)
    try:
        status = os.stat(path)
        # before opening, since a pipe blocks and a device such as /dev/zero never ends
        if stat.S_ISDIR(status.st_mode):
            raise CellError("it is a directory, expected a file")
        if not stat.S_ISREG(status.st_mode):
            raise CellError("it is a device, pipe or socket, expected a regular file")
        if status.st_size == 0:
            raise CellError("the file is empty (0 bytes)")
        return open(path, "rb")
    except CellError:
        raise
    except (FileNotFoundError, NotADirectoryError) as error:
        if "://" in path:
            raise CellError("it is a web address, expected a file; download it first") from error
        hint = "" if os.path.isabs(path) else f" (relative to the working directory {os.getcwd()})"
        raise CellError(f"there is no such file{hint}") from error
    except PermissionError as error:
        raise CellError("the file may not be read: permission denied") from error
    except (OSError, ValueError) as error:  # such as a name that is too long, or a null byte
        raise CellError(f"it is not a path that can be opened ({error})") from error


def looks_like(file):
    """Return a guess at the type of an open file by its first bytes, for error messages."""
    file.seek(0)
    head = file.read(32)
    for offset, signature, name in _SIGNATURES:
        if head[offset : offset + len(signature)] == signature:
            return f"its first bytes are those of {name}"
    return f"its first bytes are {head[:8]!r}"
