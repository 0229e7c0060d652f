"""BlockLayout: all blocks of a table, and how to cut them out."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from sklearn_mmsent.blocks.block import SEPARATOR, Block
from sklearn_mmsent.blocks.names import HOW_TO_NAME, parse_names
from sklearn_mmsent.blocks.values import BlockValues
from sklearn_mmsent.exceptions import BlockError

DEFAULT_NAME = "features"  # the one block of a table without names


@dataclass(frozen=True)
class BlockLayout:
    """All blocks of a table, and how to cut them out.

    Parameters
    ----------
    blocks : tuple of Block
        In column order.
    n_columns : int
        Number of the table's columns, those of ``FillBlocks`` included.

    See Also
    --------
    FillBlocks : Makes a table free of NaN and keeps what this class needs as columns.

    Examples
    --------
    >>> layout = BlockLayout.from_names(
    ...     ["text__0", "text__1", "audio__mel@0", "audio__mel@1", "audio__mel@2"]
    ... )
    >>> [(block.name, block.kind, block.shape) for block in layout.blocks]
    [('text', 'flat', (2,)), ('audio', 'sequence', (3, 1))]
    >>> audio = layout.read([[0.1, 0.2, 1.0, 2.0, float("nan")]])[1]
    >>> audio.values.shape, audio.steps.tolist()
    ((1, 3, 1), [[True, True, False]])
    """

    blocks: tuple
    n_columns: int

    # -- where a layout comes from -----------------------------------------------------------

    @classmethod
    def of(cls, X, modalities="auto", *, owner="BlockLayout"):
        """Find the blocks of a table.

        Parameters
        ----------
        X : DataFrame or ndarray of shape (n_samples, n_columns)
            A numeric table.
        modalities : "auto", mapping or None, default="auto"
            "auto" reads the column names, and takes a table without names as
            one block with a warning. A mapping such as ``{"text": 384,
            "audio": (50, 74)}`` gives names and shapes in column order. None
            takes the table as one block, silently.
        owner : str, default="BlockLayout"
            Who asks, for messages.

        Returns
        -------
        BlockLayout
            The blocks.

        Raises
        ------
        BlockError
            If names or shapes do not fit the table; the message names the column.
        """
        n_columns = X.shape[1]
        if isinstance(modalities, Mapping):
            return cls.from_shapes(modalities, n_columns=n_columns, owner=owner)
        names = column_names_of(X)
        if modalities is None:
            return cls._one_block(names, n_columns)
        if modalities != "auto":
            raise BlockError(
                f"{owner}: modalities must be 'auto', None or a mapping of names to shapes such as "
                f"{{'text': 384, 'audio': (50, 74)}}; got {modalities!r}."
            )
        if names is not None and any(SEPARATOR in name for name in names):
            return cls.from_names(names)
        warnings.warn(
            f"{owner}: the table's columns name no modality, so all {n_columns} columns are taken "
            f"as one block. {HOW_TO_NAME}, or pass modalities={{'text': 384, ...}}; "
            "modalities=None takes one block without this warning.",
            UserWarning,
            stacklevel=3,
        )
        return cls._one_block(names, n_columns)

    @classmethod
    def _one_block(cls, names, n_columns):
        features = tuple(names) if names is not None else _numbered(n_columns)
        return cls((Block(DEFAULT_NAME, 0, features),), n_columns)

    @classmethod
    def from_shapes(cls, shapes, *, n_columns=None, owner="BlockLayout"):
        """Lay blocks out in column order from their shapes.

        Parameters
        ----------
        shapes : mapping of str to int or tuple of int
            Block name to number of features, (T, F) of a sequence, or
            (C, H, W) of an image.
        n_columns : int or None, default=None
            Number of columns that the shapes must add up to; None takes their sum.
        owner : str, default="BlockLayout"
            Who asks, for messages.

        Returns
        -------
        BlockLayout
            The blocks.
        """
        blocks, start = [], 0
        for name, shape in shapes.items():
            shape = (shape,) if isinstance(shape, int | np.integer) else tuple(shape)
            if not 1 <= len(shape) <= 3 or any(
                not isinstance(n, int | np.integer) or n < 1 for n in shape
            ):
                raise BlockError(
                    f"{owner}: block {name!r} has shape {shape}; expected a number of features, "
                    "(steps, features) or (channels, rows, columns), all positive integers."
                )
            if len(shape) == 3:
                block = Block(name, start, ("x",), shape)
            else:
                block = Block(name, start, _numbered(shape[-1]), shape[:-1])
            blocks.append(block)
            start = block.stop
        if n_columns is not None and start != n_columns:
            widths = " + ".join(f"{block.name} {block.width}" for block in blocks)
            raise BlockError(
                f"{owner}: the shapes in modalities add up to {start} columns ({widths}), but the "
                f"table has {n_columns}. Make them agree."
            )
        return cls(tuple(blocks), start)

    @classmethod
    def from_names(cls, names):
        """Read the blocks from column names.

        Parameters
        ----------
        names : sequence of str
            Column names in the module's pattern.

        Returns
        -------
        BlockLayout
            The blocks, in column order.

        Raises
        ------
        BlockError
            If a name breaks the pattern, stands twice, or stands in the wrong
            place; the message names the column and what was expected there.
        """
        names = list(names)
        return cls(parse_names(names), len(names))

    # -- what it knows -----------------------------------------------------------------------

    @cached_property
    def modalities(self):
        """Names of the modalities, in column order."""
        return tuple(dict.fromkeys(block.modality for block in self.blocks))

    @cached_property
    def indicator_columns(self):
        """Columns that hold presence and lengths, in column order."""
        marks = ((b.present_column, b.length_column) for b in self.blocks)
        return sorted(c for pair in marks for c in pair if c is not None)

    def select(self, modalities):
        """Return the columns of some modalities, their indicators included.

        Parameters
        ----------
        modalities : iterable of str
            Which modalities.

        Returns
        -------
        ndarray of int
            Column positions, in column order.

        Raises
        ------
        BlockError
            If a modality is not in the table.
        """
        wanted = set(modalities)
        if unknown := wanted - set(self.modalities):
            raise BlockError(
                f"no column belongs to the modality {sorted(unknown)[0]!r}; "
                f"the table has {', '.join(self.modalities)}."
            )
        columns = []
        for block in self.blocks:
            if block.modality in wanted:
                columns.extend(range(block.start, block.stop))
                marks = (block.present_column, block.length_column)
                columns.extend(column for column in marks if column is not None)
        return np.asarray(sorted(columns), dtype=np.intp)

    # -- cutting a table ---------------------------------------------------------------------

    def read(self, X):
        """Cut a table into blocks with their masks.

        Parameters
        ----------
        X : DataFrame, ndarray or nested list of shape (n_samples, n_columns)
            A numeric table.

        Returns
        -------
        list of BlockValues
            One per block, C-ordered and in the block's own dtype. They may share
            memory with the table and must not be written into.

        Raises
        ------
        BlockError
            For infinite numbers and columns that are not numbers.
        """
        if not isinstance(X, pd.DataFrame):
            X = np.asarray(X)
        return [self._read_block(block, X) for block in self.blocks]

    def _read_block(self, block, X):
        values = _columns(X, block.columns)
        n = len(values)
        # one pass tells a clean block, the common case, from one to look at closely
        with np.errstate(all="ignore"):
            clean = values.dtype.kind in "bui" or bool(np.isfinite(values.sum(dtype=np.float64)))
        if not clean:
            _refuse_infinite(values, block, X)
        values = np.ascontiguousarray(values).reshape(n, *block.shape)
        if block.kind == "sequence":
            steps = np.ones(values.shape[:2], bool) if clean else ~np.isnan(values).all(axis=2)
            if block.length_column is not None:
                lengths = _indicator(X, block.length_column, values.shape[1])
                steps &= np.arange(values.shape[1]) < np.rint(lengths)[:, None]
            present = steps.any(axis=1)
        else:
            steps = None
            inner = tuple(range(1, values.ndim))
            present = np.ones(n, bool) if clean else ~np.isnan(values).all(axis=inner)
        if block.present_column is not None:
            present &= _indicator(X, block.present_column, 1) >= 0.5
            if steps is not None:
                steps &= present[:, None]
        return BlockValues(values, present, steps)


def column_names_of(X):
    """Return a table's column names, or None where it has none.

    Parameters
    ----------
    X : DataFrame or ndarray
        A table; columns of numbers (0, 1, ...) count as no names.

    Returns
    -------
    list of str or None
        The names.
    """
    columns = getattr(X, "columns", None)
    if columns is None or not all(isinstance(name, str) for name in columns):
        return None
    return list(columns)


def _numbered(n):
    digits = len(str(max(n - 1, 0)))
    return tuple(f"x{i:0{digits}d}" for i in range(n))


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
    if any(isinstance(dtype, pd.api.extensions.ExtensionDtype) for dtype in dtypes):
        return frame.to_numpy(dtype=np.float64, na_value=np.nan)  # pd.NA has no integer
    return frame.to_numpy()


def _indicator(X, column, largest):
    """Read what `FillBlocks` wrote, and notice if a scaler has been over it."""
    values = X.iloc[:, column].to_numpy() if isinstance(X, pd.DataFrame) else X[:, column]
    values = np.nan_to_num(values.astype(np.float64))
    outside = (values < -0.01) | (values > largest + 0.01)
    if outside.any():
        row = int(np.argmax(outside))
        names = column_names_of(X) or {column: ""}
        raise BlockError(
            f"column {column} {names[column]!r} tells what is missing and must lie between 0 and "
            f"{largest}, but is {values[row]:.4g} in row {row}: a scaler has been over it. Build "
            "the pipeline with sklearn_mmsent.make_pipeline, whose steps leave such columns alone."
        )
    return values


def _refuse_infinite(values, block, X):
    rows, columns = np.nonzero(np.isinf(values))
    if len(rows) == 0:
        return
    names = column_names_of(X)
    column = block.start + columns[0]
    place = f"row {rows[0]}, column {column}" + (f" {names[column]!r}" if names else "")
    # the first words are those that scikit-learn's own checks look for
    raise BlockError(
        f"Input X contains infinity: {place} is {values[rows[0], columns[0]]} "
        f"({len(rows)} such values in the block {block.name!r}). "
        "Replace infinite values by numbers, or by NaN where the value is unknown."
    )
