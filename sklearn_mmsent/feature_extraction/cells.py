"""Raw cells: which are missing, which are equal, and how a column of them is read and reported."""

import hashlib
import os
import warnings
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_is_fitted

from sklearn_mmsent.exceptions import CellError

_SAMPLED_ROWS = 16  # of an array, compared before its whole content is
_CELL_TYPES = "a text, a path, bytes or an array"


def is_missing(cell):
    """Return whether a cell is missing: None, NaN, NaT, or empty of content.

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


def apply_to_cell(function, cell):
    """Apply a function to one cell; return an error about the cell instead of raising it.

    The function takes a present cell and raises CellError or OSError if it is unusable. The result
    is None for a missing cell, and the error for an unusable one.
    """
    if is_missing(cell):
        return None
    try:
        return function(cell)
    except (CellError, OSError) as error:
        return error


def content_key(cell):
    """Return a hashable key that is equal for cells of equal content.

    A path stands for itself here, not for the content of the file.
    """
    if isinstance(cell, np.ndarray):
        # sha256: most processors have instructions for it
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


def _quick_key(cell):
    """Return a cheap key: equal for cells of equal content, rarely for others."""
    if isinstance(cell, np.ndarray) and cell.ndim and cell.size:
        step = max(1, len(cell) // _SAMPLED_ROWS)
        sample = cell[(slice(None, None, step), *[0] * (cell.ndim - 1))]
        return ("array", cell.shape, cell.dtype.str, sample.tobytes())
    if isinstance(cell, tuple | list):
        return (type(cell).__name__, *map(_quick_key, cell))
    return content_key(cell)


def file_content(cell):
    """Return the content of a present cell as a hashable tuple; for a path, a digest of the file.

    None means that the content of an object is unknown. Raises OSError if the file cannot be read.
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


class CellInputMixin:
    """Column names and estimator tags of a transformer that reads one column of raw cells.

    A subclass implements ``_feature_names``.
    """

    def get_feature_names_out(self, input_features=None):
        """Return the names of the output columns.

        Parameters
        ----------
        input_features : ignored
            Present for scikit-learn's pipelines.

        Returns
        -------
        ndarray of str objects of shape (n_features_out_,)
            Of an extractor, names as ``blocks`` reads them: a feature with inner axes has
            zero-padded indices after ``@``. Of a cell transformer, the name of the column seen in
            `fit`; ``"cell"`` if it had none.
        """
        check_is_fitted(self, "n_features_in_")
        return np.asarray(self._feature_names(), dtype=object)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        tags.input_tags.string = True
        tags.input_tags.allow_nan = True
        tags.transformer_tags.preserves_dtype = []
        return tags


@dataclass(frozen=True)
class CellColumn:
    """One column of raw cells, with index labels and a name, if any, for error messages."""

    cells: list
    labels: list | None = None
    name: str | None = None

    @classmethod
    def read(cls, X, *, owner):
        """Read a Series, a list, a 1-D array or a one-column table.

        Raises CellError for a single cell, a table of several columns, or no column at all.
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

    def with_cells(self, cells):
        """Return the column with other cells in the same rows."""
        return replace(self, cells=cells)

    def group(self, key):
        """Return the rows of the present cells, grouped into lists of rows with equal keys.

        `key` is slow for arrays, so that it is only compared where a quick key is equal.
        """
        if len(self.cells) == 1:
            return [] if is_missing(self.cells[0]) else [[0]]
        candidates = {}
        for row, cell in enumerate(self.cells):
            if not is_missing(cell):
                candidates.setdefault(_quick_key(cell), []).append(row)
        groups = []
        for rows in candidates.values():
            equal = {}
            for row in rows:
                equal.setdefault(key(self.cells[row]) if len(rows) > 1 else None, []).append(row)
            groups.extend(equal.values())
        return sorted(groups)  # by their first rows

    def apply(self, function, *, owner, on_error):
        """Return the results of a function of each present cell, and report unusable cells.

        See `apply_to_cell` and `report`. Results are None for missing and unusable cells.
        """
        results = [apply_to_cell(function, cell) for cell in self.cells]
        failed = {row: item for row, item in enumerate(results) if isinstance(item, Exception)}
        self.report(failed, owner=owner, on_error=on_error)
        return [None if row in failed else item for row, item in enumerate(results)]

    def report(self, failed, *, owner, on_error):
        """Raise a CellError for the first unusable cell, or warn once with the count.

        `failed` holds errors by row; the message names row, column, cell and cause.
        """
        if not failed:
            return
        row = min(failed)
        first = f"{self.where(row)}: {failed[row]}"
        if on_error == "raise":
            raise CellError(
                f"{owner}: {first}. Fix or clear this cell, or set on_error='missing' to "
                "treat unusable cells as missing."
            ) from failed[row]
        warnings.warn(
            f"{owner}: {len(failed)} of {len(self.cells)} cells could not be used and count as "
            f"missing; the first is {first}.",
            UserWarning,
            stacklevel=6,  # the caller of `transform`, above the wrappers of set_output
        )

    def where(self, row):
        """Return a description of a row: its position, label, column and cell."""
        place = f"row {row}"
        if self.labels is not None and self.labels[row] != row:
            place += f" (index {self.labels[row]!r})"
        if self.name is not None:
            place += f", column {self.name!r}"
        return f"{place}, cell {describe(self.cells[row])}"


def describe(cell, max_chars=80):
    """Return a short description of a cell for a message."""
    if isinstance(cell, np.ndarray):
        return f"array of shape {cell.shape} and dtype {cell.dtype}"
    if isinstance(cell, bytes | bytearray | memoryview):
        return f"{len(cell)} bytes"
    if isinstance(cell, str | Path):
        text = str(cell)
        if len(text) > max_chars:  # the end of a path says more than its middle
            text = f"{text[: max_chars // 2 - 1]}…{text[-max_chars // 2 :]}"
        return repr(text)
    return f"{type(cell).__name__} {str(cell)[:max_chars]!r}"
