"""Cutting a table into blocks: what is there, what is missing, what is no number."""

import numpy as np
import pandas as pd

from sklearn_mmsent.blocks.block_values import BlockValues
from sklearn_mmsent.blocks.memory_mapped import StoredValues, is_memory_mapped, pieces
from sklearn_mmsent.blocks.names import column_names_of
from sklearn_mmsent.exceptions import BlockError
from sklearn_mmsent.utils import _memory


def read_blocks(blocks, X, *, stream=False):
    """Cut a table into blocks with their masks.

    Parameters
    ----------
    blocks : list of Block
        Where the blocks are.
    X : DataFrame or ndarray of shape (n_samples, n_columns)
        A numeric table.
    stream : bool, default=False
        Whether blocks of a memory-mapped table that takes too much memory stay where they are.

    Returns
    -------
    list of BlockValues
        One per block.
    """
    stored = _stored(blocks, X) if stream else [None] * len(blocks)
    looks = [
        _Look(block, _load(X, block) if values is None else values)
        for block, values in zip(blocks, stored, strict=True)
    ]
    # all blocks of some rows, then the next rows: what is in a file is read once
    for rows in pieces(len(X), sum(block.width for block in blocks)):
        for look in looks:
            look.at(rows)
    for look in looks:
        look.refuse_infinite(X)
    return [look.finish(X) for look in looks]


class _Look:
    """Finds out piece by piece what of a block is there."""

    def __init__(self, block, values):
        self.block, self.values = block, values
        n = len(values)
        self.present = np.ones(n, bool)
        self.steps = np.ones(values.shape[:2], bool) if block.kind == "sequence" else None
        self.n_infinite, self.first_infinite = 0, None

    def at(self, rows):
        """Look at some rows, a slice."""
        values = self.values[rows]
        # one pass tells clean rows, the common case, from those to look at closely
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
        there = ~np.isnan(values)
        if self.steps is None:
            self.present[rows] = there.any(axis=tuple(range(1, values.ndim)))
        else:
            self.steps[rows] = there.any(axis=2)

    def refuse_infinite(self, X):
        """Raise an error that names the first infinite number."""
        if self.first_infinite is None:
            return
        row, column, number = self.first_infinite
        names = column_names_of(X)
        place = f"row {row}, column {column}" + (f" {names[column]!r}" if names else "")
        # the first words are those that scikit-learn's own checks look for
        raise BlockError(
            f"Input X contains infinity: {place} is {number} "
            f"({self.n_infinite} such values in the block {self.block.name!r}). "
            "Replace infinite values by numbers, or by NaN where the value is unknown."
        )

    def finish(self, X):
        """Return the block with its masks, those that columns of the table tell included."""
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
    """Return the values of blocks that are to stay in a mapped file, None for the others."""
    views = [_view(X, block.columns) for block in blocks]
    if _memory.fits(sum(view.nbytes for view in views if view is not None)):
        return [None] * len(blocks)
    return [
        None if view is None else StoredValues(view, block.shape)
        for view, block in zip(views, blocks, strict=True)
    ]


def _view(X, columns):
    """Return columns as a view of a mapped file, or None where they are none."""
    if not isinstance(X, pd.DataFrame):
        return X[:, columns] if X.dtype.kind in "bufi" and is_memory_mapped(X) else None
    if 16 * X.size <= _memory.SMALL:  # whatever it is: it is held
        return None
    head = X.iloc[:1, columns]
    dtypes = set(head.dtypes)
    if len(dtypes) > 1 or not all(isinstance(d, np.dtype) and d.kind in "bufi" for d in dtypes):
        return None
    # where the first row is a view, so are all
    return X.iloc[:, columns].to_numpy() if is_memory_mapped(head.to_numpy()) else None


def _load(X, block):
    """Return a block's values C-ordered in memory."""
    values = _columns(X, block.columns)
    native = values.dtype.newbyteorder("=")
    return np.ascontiguousarray(values, dtype=native).reshape(len(values), *block.shape)


def _columns(X, columns):
    """Cut columns out of a table as numbers, in their own dtype."""
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
                f"column {name!r} has dtype {dtype}; expected numbers. Raw texts and files become "
                "numbers through make_extractor(...)."
            )
    options = {}
    if any(isinstance(dtype, pd.api.extensions.ExtensionDtype) for dtype in dtypes):
        options = {"dtype": np.float64, "na_value": np.nan}  # pd.NA has no integer
    return _to_array(frame, options)


def _to_array(frame, options):
    """Turn a frame into an array; a large one that pandas would copy a few columns at a time."""
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
    """Tell whether pandas gives out the cells of a frame without copying them."""
    head = frame.iloc[:1]
    return np.may_share_memory(head.to_numpy(), head.iloc[:, 0].to_numpy())


def _indicator(X, column, largest):
    """Read what `FillBlocks` wrote, and notice if a scaler has been over it.

    SVMSMOTE steps half the way beyond its rows, so values may lie half the range outside. Standard
    scores of a presence still reach further, whatever its share.
    """
    values = X.iloc[:, column].to_numpy() if isinstance(X, pd.DataFrame) else X[:, column]
    values = np.nan_to_num(values.astype(np.float64))
    slack = 0.5 * largest + 0.01
    outside = (values < -slack) | (values > largest + slack)
    if outside.any():
        row = int(np.argmax(outside))
        names = column_names_of(X) or {column: ""}
        raise BlockError(
            f"column {column} {names[column]!r} tells what is missing and must lie between 0 and "
            f"{largest}, but is {values[row]:.4g} in row {row}: a scaler has been over it. Build "
            "the pipeline with sklearn_mmsent.make_pipeline, whose steps leave such columns alone."
        )
    return values
