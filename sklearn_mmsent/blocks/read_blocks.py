"""Read the blocks of a table, with masks of missing values."""

import numpy as np
import pandas as pd

from sklearn_mmsent.blocks.block_values import BlockValues
from sklearn_mmsent.blocks.memory_mapped import StoredValues, is_memory_mapped, pieces
from sklearn_mmsent.blocks.names import column_names_of
from sklearn_mmsent.exceptions import BlockError
from sklearn_mmsent.utils import _memory


def read_blocks(blocks, X, *, stream=False):
    """Return the blocks of a table with their masks.

    Parameters
    ----------
    blocks : list of Block
        Blocks of the table.
    X : DataFrame or ndarray of shape (n_samples, n_columns)
        A numeric table.
    stream : bool, default=False
        Whether to leave a memory-mapped table in its file if it does not fit into memory.

    Returns
    -------
    list of BlockValues
        One per block.
    """
    stored = _stored(blocks, X) if stream else [None] * len(blocks)
    readers = [
        _BlockReader(block, _load(X, block) if values is None else values)
        for block, values in zip(blocks, stored, strict=True)
    ]
    # slice by slice, so that a memory-mapped table is read once
    for rows in pieces(len(X), sum(block.width for block in blocks)):
        for reader in readers:
            reader.scan(rows)
    for reader in readers:
        reader.check_finite(X)
    return [reader.result(X) for reader in readers]


class _BlockReader:
    """Finds the valid values of a block, slice by slice."""

    def __init__(self, block, values):
        self.block, self.values = block, values
        n = len(values)
        self.present = np.ones(n, bool)
        self.steps = np.ones(values.shape[:2], bool) if block.kind == "sequence" else None
        self.n_infinite, self.first_infinite = 0, None

    def scan(self, rows):
        """Update the masks of a slice of rows."""
        values = self.values[rows]
        # a sum is a cheap test for the common case of finite values
        with np.errstate(all="ignore"):
            if values.dtype.kind in "bui" or np.isfinite(values.sum(dtype=np.float64)):
                return
        infinite = np.isinf(values)
        if infinite.any():
            if self.first_infinite is None:
                row, column = (int(i[0]) for i in np.nonzero(infinite.reshape(len(values), -1)))
                number = values.reshape(len(values), -1)[row, column]
                self.first_infinite = rows.start + row, self.block.start + column, number
            self.n_infinite += int(infinite.sum())
        valid = ~np.isnan(values)
        if self.steps is None:
            self.present[rows] = valid.any(axis=tuple(range(1, values.ndim)))
        else:
            self.steps[rows] = valid.any(axis=2)

    def check_finite(self, X):
        """Raise an error that names the first infinite value."""
        if self.first_infinite is None:
            return
        row, column, number = self.first_infinite
        names = column_names_of(X)
        place = f"row {row}, column {column}" + (f" {names[column]!r}" if names else "")
        # scikit-learn's checks expect these first words
        raise BlockError(
            f"Input X contains infinity: {place} is {number} "
            f"({self.n_infinite} such values in the block {self.block.name!r}). "
            "Replace infinite values by finite ones, or by NaN if unknown."
        )

    def result(self, X):
        """Return the block with its masks, combined with the indicator columns of the table."""
        block, steps, present = self.block, self.steps, self.present
        if steps is not None:
            if block.length_column is not None:
                lengths = _indicator(X, block.length_column, steps.shape[1])
                steps &= np.arange(steps.shape[1]) < np.rint(lengths)[:, None]
            present = steps.any(axis=1)
        if block.present_column is not None:
            present &= _indicator(X, block.present_column, 1) >= 0.5
            if steps is not None:
                steps &= present[:, None]
        return BlockValues(self.values, present, steps)


# -- columns of a table --------------------------------------------------------------------------


def _stored(blocks, X):
    """Return the values of blocks that stay in a memory-mapped file, None for others."""
    views = [_view(X, block.columns) for block in blocks]
    if _memory.fits(sum(view.nbytes for view in views if view is not None)):
        return [None] * len(blocks)
    return [
        None if view is None else StoredValues(view, block.shape)
        for view, block in zip(views, blocks, strict=True)
    ]


def _view(X, columns):
    """Return columns as a view of a memory-mapped file, or None if they are not one."""
    if not isinstance(X, pd.DataFrame):
        return X[:, columns] if X.dtype.kind in "bufi" and is_memory_mapped(X) else None
    if 16 * X.size <= _memory.SMALL:  # small tables are held in memory
        return None
    head = X.iloc[:1, columns]
    dtypes = set(head.dtypes)
    if len(dtypes) > 1 or not all(isinstance(d, np.dtype) and d.kind in "bufi" for d in dtypes):
        return None
    # if the first row is a view, all are
    return X.iloc[:, columns].to_numpy() if is_memory_mapped(head.to_numpy()) else None


def _load(X, block):
    """Return the values of a block, C-ordered in memory."""
    values = _columns(X, block.columns)
    native = values.dtype.newbyteorder("=")
    return np.ascontiguousarray(values, dtype=native).reshape(len(values), *block.shape)


def _columns(X, columns):
    """Return columns of a table as an array of their dtype."""
    if not isinstance(X, pd.DataFrame):
        values = X[:, columns]
        if values.dtype.kind not in "bufi":
            raise BlockError(f"expected a table of numbers; got an array of dtype {X.dtype}.")
        return values
    frame = X.iloc[:, columns]
    dtypes = set(frame.dtypes)  # a table has many columns and few dtypes
    for dtype in dtypes:
        if not pd.api.types.is_numeric_dtype(dtype) or pd.api.types.is_complex_dtype(dtype):
            name = frame.columns[list(frame.dtypes).index(dtype)]
            raise BlockError(
                f"column {name!r} has dtype {dtype}; expected numbers. Extract raw texts and "
                "files with make_extractor(...)."
            )
    options = {}
    if any(isinstance(dtype, pd.api.extensions.ExtensionDtype) for dtype in dtypes):
        options = {"dtype": np.float64, "na_value": np.nan}  # integers cannot represent pd.NA
    return _to_array(frame, options)


def _to_array(frame, options):
    """Return a frame as an array; large ones are copied a few columns at a time."""
    if 8 * frame.size <= _memory.SMALL or _is_view(frame):
        return frame.to_numpy(**options)
    dtype = frame.iloc[:0].to_numpy(**options).dtype
    values = np.empty(frame.shape, dtype)
    step = max(1, _memory.SMALL // (8 * len(frame)))
    for start in range(0, frame.shape[1], step):
        part = frame.iloc[:, start : start + step]
        values[:, start : start + step] = part.to_numpy(**options)
    return values


def _is_view(frame):
    """Return whether pandas returns the cells of a frame without a copy."""
    head = frame.iloc[:1]
    return np.may_share_memory(head.to_numpy(), head.iloc[:, 0].to_numpy())


def _indicator(X, column, largest):
    """Return a column that `FillBlocks` wrote; raise an error if it has been rescaled.

    Values may exceed the range by half of it, since SVMSMOTE extrapolates that far. Standardised
    presences always exceed that.
    """
    values = X.iloc[:, column].to_numpy() if isinstance(X, pd.DataFrame) else X[:, column]
    values = np.nan_to_num(values.astype(np.float64))
    slack = 0.5 * largest + 0.01
    outside = (values < -slack) | (values > largest + slack)
    if outside.any():
        row = int(np.argmax(outside))
        names = column_names_of(X) or {column: ""}
        raise BlockError(
            f"column {column} {names[column]!r} indicates missing values and must lie between 0 "
            f"and {largest}, but is {values[row]:.4g} in row {row}: it appears to have been "
            "rescaled. Build the pipeline with sklearn_mmsent.make_pipeline, in which "
            "transformers skip such columns."
        )
    return values
