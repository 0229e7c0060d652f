"""Raw cells: which are missing, which are equal, and where they stand in the user's table."""

import hashlib
import os
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from sklearn_mmsent.exceptions import CellError

_GLANCES = 16  # rows of an array that are looked at to tell it from others
_CELL_TYPES = "a text, a path, bytes or an array"


def is_missing(cell):
    """Tell whether a cell means "not there": None, NaN, NaT, or empty of content.

    Parameters
    ----------
    cell : object
        One cell of a raw table.

    Returns
    -------
    bool
        True for None, NaN, ``pd.NA``, blank strings, empty bytes and arrays without elements.

    Examples
    --------
    >>> [is_missing(cell) for cell in (None, float("nan"), " ", b"", "fine", 0.0)]
    [True, True, True, True, False, False]
    """
    if cell is None or cell is pd.NA or cell is pd.NaT:
        return True
    if isinstance(cell, str):
        return not cell.strip()
    if isinstance(cell, bytes | bytearray | memoryview):
        return len(cell) == 0
    if isinstance(cell, np.ndarray):
        return cell.size == 0
    return isinstance(cell, float | np.floating) and bool(np.isnan(cell))


def content_key(cell):
    """Return a hashable key under which two cells of equal content are the same cell.

    A path stands for itself here, not for what the file holds.
    """
    if isinstance(cell, np.ndarray):
        # sha256, for which most processors have instructions of their own
        digest = hashlib.sha256(cell.tobytes()).digest()
        return ("array", cell.shape, cell.dtype.str, digest)
    if isinstance(cell, tuple | list):
        return (type(cell).__name__, *map(content_key, cell))
    if isinstance(cell, bytearray | memoryview):
        return ("bytes", bytes(cell))
    if isinstance(cell, Path):
        return ("str", str(cell))
    try:
        hash(cell)
    except TypeError:
        return ("object", id(cell))
    return (type(cell).__name__, cell)


def _glance(cell):
    """Return what is quick to tell of `content_key`: equal cells give equal answers."""
    if isinstance(cell, np.ndarray) and cell.ndim and cell.size:
        some = cell[(slice(None, None, max(1, len(cell) // _GLANCES)), *[0] * (cell.ndim - 1))]
        return ("array", cell.shape, cell.dtype.str, some.tobytes())
    if isinstance(cell, tuple | list):
        return (type(cell).__name__, *map(_glance, cell))
    return content_key(cell)


def file_content(cell):
    """Return what a cell holds: its own content, or for a path that of the file.

    Parameters
    ----------
    cell : object
        A present cell.

    Returns
    -------
    tuple or None
        Hashable; None for an object whose content is not known.

    Raises
    ------
    OSError
        If the file of a path cannot be read.
    """
    if isinstance(cell, str | Path):
        if not os.path.isfile(cell):
            return ("str", str(cell))
        with open(cell, "rb") as file:
            digest = hashlib.file_digest(file, "blake2b").digest()
        return ("file", digest, Path(cell).suffix.lower())  # some readers go by the suffix
    if isinstance(cell, tuple | list):
        parts = [file_content(part) for part in cell]
        return None if None in parts else (type(cell).__name__, *parts)
    if isinstance(cell, np.ndarray) and cell.dtype.hasobject:
        return None
    if cell is None or isinstance(
        cell, np.ndarray | np.generic | bytes | bytearray | memoryview | int | float
    ):
        return content_key(cell)
    return None


@dataclass(frozen=True)
class CellColumn:
    """One column of raw cells with what an error message needs to find a row again."""

    cells: list
    labels: list | None  # index labels where the caller gave a pandas object
    name: str | None

    @classmethod
    def read(cls, X, *, owner):
        """Read a Series, a list, a 1-D array or a one-column table.

        Parameters
        ----------
        X : Series, DataFrame, ndarray or sequence
            The column as the caller gave it.
        owner : str
            Who reads, for messages.
        """
        if isinstance(X, str | bytes | Path | dict):
            raise CellError(
                f"{owner} expects a column of cells, each {_CELL_TYPES}; got a single "
                f"{type(X).__name__}. Put it into a list: [{type(X).__name__}]."
            )
        labels = name = None
        if isinstance(X, pd.DataFrame):
            if X.shape[1] != 1:
                raise CellError(
                    f"{owner} expects one column of cells; got a table of {X.shape[1]} columns. "
                    "Choose one with X['column'], or name it in make_extractor(...)."
                )
            X = X.iloc[:, 0]
        if isinstance(X, pd.Series):
            labels, name = X.index.tolist(), None if X.name is None else str(X.name)
            cells = X.tolist()
        elif isinstance(X, np.ndarray):
            if X.ndim == 2 and X.shape[1] == 1:
                X = X[:, 0]
            elif X.ndim != 1:
                raise CellError(
                    f"{owner} expects one column of cells; got an array of shape {X.shape}. "
                    "For one cell that is an array, pass a list: [array]."
                )
            cells = X.tolist() if X.dtype.kind != "O" else list(X)
        elif len(getattr(X, "shape", (0,))) != 1 or isinstance(X, set | frozenset):
            raise CellError(
                f"{owner} expects one column of cells; got a {type(X).__name__}"
                f"{f' of shape {X.shape}' if hasattr(X, 'shape') else ', which has no order'}. "
                "Pass a list, a 1-D array or a pandas Series."
            )
        elif hasattr(X, "__iter__"):
            cells = list(X)
        else:
            raise CellError(
                f"{owner} expects a column of cells, each {_CELL_TYPES}; "
                f"got a {type(X).__name__}. Pass a list, an array or a pandas Series."
            )
        return cls(cells, labels, name)

    def group(self, key):
        """Return the rows of the present cells, grouped into lists of rows with equal keys.

        Keys of arrays are slow to take, so only cells that look alike are asked for theirs.
        """
        alike = {}
        for row, cell in enumerate(self.cells):
            if not is_missing(cell):
                alike.setdefault(_glance(cell), []).append(row)
        groups = []
        for rows in alike.values():
            equal = {}
            for row in rows:
                equal.setdefault(key(self.cells[row]) if len(rows) > 1 else None, []).append(row)
            groups.extend(equal.values())
        return sorted(groups)  # by their first rows

    def report(self, failed, *, owner, on_error, stacklevel):
        """Raise for the first failed row, or warn once with the count.

        Parameters
        ----------
        failed : dict of int to Exception
            What went wrong, by row.
        owner : str
            Who reads, for the message.
        on_error : {"raise", "missing"}
            Which of the two.
        stacklevel : int
            Of the warning, as seen from here.
        """
        if not failed:
            return
        row = min(failed)
        first = f"{self.where(row)}: {failed[row]}"
        if on_error == "raise":
            raise CellError(
                f"{owner}: {first}. Mend or empty this cell, or set on_error='missing' to "
                "treat unusable cells as missing."
            ) from failed[row]
        warnings.warn(
            f"{owner}: {len(failed)} of {len(self.cells)} cells could not be used and count as "
            f"missing; the first is {first}.",
            UserWarning,
            stacklevel=stacklevel,
        )

    def where(self, row):
        """Say where a row stands, in the user's own terms."""
        place = f"row {row}"
        if self.labels is not None and self.labels[row] != row:
            place += f" (index {self.labels[row]!r})"
        if self.name is not None:
            place += f", column {self.name!r}"
        return f"{place}, cell {describe(self.cells[row])}"


def describe(cell, max_chars=80):
    """Describe a cell in a few words for a message."""
    if isinstance(cell, np.ndarray):
        return f"array of shape {cell.shape} and dtype {cell.dtype}"
    if isinstance(cell, bytes | bytearray | memoryview):
        return f"{len(cell)} bytes"
    if isinstance(cell, str | Path):
        text = str(cell)
        if len(text) > max_chars:  # the end of a path tells more than its middle
            text = f"{text[: max_chars // 2 - 1]}…{text[-max_chars // 2 :]}"
        return repr(text)
    return f"{type(cell).__name__} {str(cell)[:max_chars]!r}"
