"""The contract between all parts: column names <-> slices <-> shapes <-> masks.

A sample is one row of a numeric table; the row is cut into named *blocks*, one
or more per modality. Blocks are found by column names:

========================================  ==============================================
column                                    meaning
========================================  ==============================================
``text__013``                             feature ``013`` of the modality ``text``
``audio__egemaps__jitter``                feature ``jitter`` of the part ``egemaps``
``audio__mfcc03@017``                     coefficient 3 at time step 17 of a sequence
``image__pixel@2@40@51``                  channel 2, row 40, column 51 of an image
``audio__present``, ``audio__length``     written by ``FillBlocks``: is the block there,
                                          and how many of its steps are real
========================================  ==============================================

Indices vary slowest and features fastest, so a block is a contiguous slice of
the table and its tensor a reshape of that slice. NaN means "not there": a whole
block of NaN is a missing modality, a whole first-axis step of NaN is padding,
and any other NaN is an ordinary missing value.
"""

import math
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby

import numpy as np
import pandas as pd

from sklearn_mmsent.exceptions import BlockError

SEPARATOR = "__"
PRESENT, LENGTH = "present", "length"
DEFAULT_NAME = "features"  # the one block of a table without names

_HOW_TO_NAME = (
    "Name columns '<modality>__<feature>' or '<modality>__<part>__<feature>', with zero-padded "
    "indices after '@' for inner axes ('audio__mfcc03@017'); make_extractor(...) does it for you"
)


@dataclass(frozen=True)
class Block:
    """One contiguous slice of a table's columns with the shape of one row of it.

    Parameters
    ----------
    name : str
        ``"<modality>"`` or ``"<modality>__<part>"``.
    start : int
        First column of the block in the table.
    features : tuple of str
        Names of the innermost features, without modality, part and indices.
    extents : tuple of int, default=()
        Lengths of the inner axes, slowest first: ``()`` for a flat block,
        ``(T,)`` for a sequence, ``(C, H, W)`` for an image.
    present_column, length_column : int or None, default=None
        Columns that say whether the block is there and how many of its steps
        are real, where ``FillBlocks`` wrote them.

    Examples
    --------
    >>> block = Block("audio__mfcc", start=0, features=("mfcc00", "mfcc01"), extents=(50,))
    >>> block.modality, block.kind, block.shape, block.stop
    ('audio', 'sequence', (50, 2), 100)
    """

    name: str
    start: int
    features: tuple
    extents: tuple = ()
    present_column: int | None = None
    length_column: int | None = None

    @property
    def modality(self):
        """The modality that the block belongs to."""
        return self.name.partition(SEPARATOR)[0]

    @property
    def shape(self):
        """Shape of one row's tensor: (F,), (T, F), or (C, H, W)."""
        if len(self.extents) > 1 and len(self.features) == 1:
            return self.extents
        return (*self.extents, len(self.features))

    @property
    def kind(self):
        """``"flat"``, ``"sequence"`` (time first) or ``"image"`` (channels first)."""
        return ("flat", "sequence", "image")[len(self.shape) - 1]

    @property
    def width(self):
        """Number of the block's columns."""
        return math.prod(self.extents) * len(self.features)

    @property
    def stop(self):
        """One past the last column of the block."""
        return self.start + self.width

    @property
    def columns(self):
        """The block's columns as a slice."""
        return slice(self.start, self.stop)

    def column_names(self):
        """Return the names of the block's columns, in order.

        Returns
        -------
        list of str
            ``<name>__<feature>``, with ``@`` and the indices where there are inner axes.
        """
        digits = [len(str(extent - 1)) for extent in self.extents]
        return [
            f"{self.name}{SEPARATOR}{feature}"
            + "".join(f"@{i:0{width}d}" for i, width in zip(index, digits, strict=True))
            for index in np.ndindex(*self.extents)
            for feature in self.features
        ]


@dataclass(frozen=True)
class BlockValues:
    """The rows of one block, cut out of a table.

    Parameters
    ----------
    values : ndarray of shape (n_samples, *block.shape)
        C-ordered copy in the block's own dtype; NaN where the table has it.
    present : ndarray of bool of shape (n_samples,)
        Whether the row has this block at all.
    steps : ndarray of bool of shape (n_samples, T), or None
        Which steps of a sequence are real; None for flat blocks and images.
    """

    values: np.ndarray
    present: np.ndarray
    steps: np.ndarray | None = None

    def take(self, rows):
        """Return the chosen rows.

        Parameters
        ----------
        rows : ndarray of int or bool
            Which rows.

        Returns
        -------
        BlockValues
            The same block with these rows only.
        """
        steps = None if self.steps is None else self.steps[rows]
        return BlockValues(self.values[rows], self.present[rows], steps)

    def statistics(self):
        """Mean and scale of each feature over what is really there.

        Pooled over the real steps of a sequence, and per channel of an image.

        Returns
        -------
        mean, scale : ndarray of float64 of shape (F,), or (C, 1, 1) for an image
            Zeros and ones where there is nothing to learn from; the scale of a
            constant feature is one.
        """
        values = self.values
        if values.ndim == 4:  # image: every pixel of a channel is one observation
            n, n_channels = values.shape[:2]
            rows = values[self.present].reshape(-1, n_channels, math.prod(values.shape[2:]))
            rows = rows.transpose(0, 2, 1).reshape(-1, n_channels)
        elif self.steps is not None:
            rows = values[self.steps & self.present[:, None]]
        else:
            rows = values[self.present]
        mean, scale = _mean_and_scale(rows)
        return (mean[:, None, None], scale[:, None, None]) if values.ndim == 4 else (mean, scale)


def _mean_and_scale(rows):
    """Two-pass moments of each column in float64, in chunks, ignoring NaN."""
    n_features = rows.shape[1]
    count, total = np.zeros(n_features), np.zeros(n_features)
    chunks = [rows[i : i + 4096] for i in range(0, len(rows), 4096)]
    for chunk in chunks:
        chunk = chunk.astype(np.float64)
        known = ~np.isnan(chunk)
        count += known.sum(axis=0)
        total += np.where(known, chunk, 0.0).sum(axis=0)
    known_count = np.maximum(count, 1)
    mean = total / known_count
    squares = np.zeros(n_features)
    for chunk in chunks:
        deviation = chunk.astype(np.float64) - mean
        squares += np.where(np.isnan(deviation), 0.0, deviation**2).sum(axis=0)
    scale = np.sqrt(squares / known_count)
    # rounding leaves a constant column a tiny spread; dividing by it would blow up noise
    scale[scale <= 10 * np.finfo(np.float64).eps * np.maximum(np.abs(mean), 1e-300)] = 1.0
    return mean, scale


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
            f"as one block. {_HOW_TO_NAME}, or pass modalities={{'text': 384, ...}}; "
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
        _check_unique(names)
        marked = {name[: -len(SEPARATOR + PRESENT)] for name in names if _is_present_column(name)}
        indicators, columns = {}, []
        for column, name in enumerate(names):
            owner, _, last = name.rpartition(SEPARATOR)
            if owner in marked and last in (PRESENT, LENGTH):
                indicators.setdefault(owner, {})[f"{last}_column"] = column
            else:
                columns.append(_Column.parse(column, name))
        blocks = []
        for block_name, group in groupby(columns, key=lambda column: column.block):
            group = list(group)
            if any(block.name == block_name for block in blocks):
                raise BlockError(
                    f"column {group[0].position} {group[0].name!r} continues the block "
                    f"{block_name!r}, which has ended before. Keep the columns of a block together."
                )
            blocks.append(_build_block(block_name, group, indicators.pop(block_name, {})))
        if indicators:
            raise BlockError(
                f"column {next(iter(indicators)) + SEPARATOR + PRESENT!r} belongs to a block that "
                "has no columns. Drop it together with the block."
            )
        return cls(tuple(blocks), len(names))

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
            A numeric table; it is not written into.

        Returns
        -------
        list of BlockValues
            One per block, each a C-ordered copy in the block's own dtype.

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
                lengths = _indicator(X, block.length_column)
                steps &= np.arange(values.shape[1]) < np.rint(lengths)[:, None]
            present = steps.any(axis=1)
        else:
            steps = None
            inner = tuple(range(1, values.ndim))
            present = np.ones(n, bool) if clean else ~np.isnan(values).all(axis=inner)
        if block.present_column is not None:
            present &= _indicator(X, block.present_column) >= 0.5
            if steps is not None:
                steps &= present[:, None]
        return BlockValues(values, present, steps)


@dataclass(frozen=True)
class _Column:
    """One column name, taken apart."""

    position: int
    name: str
    block: str
    feature: str
    index: tuple

    _PATTERN = re.compile(r"(?P<base>[^@]+)(?P<index>(@\d+)*)")

    @classmethod
    def parse(cls, position, name):
        match = cls._PATTERN.fullmatch(name)
        if match is None:
            raise BlockError(
                f"column {position} {name!r}: what follows '@' must be indices in digits, one '@' "
                f"for each. {_HOW_TO_NAME}."
            )
        pieces = match["base"].split(SEPARATOR, 2)
        if len(pieces) < 2 or not all(pieces):
            raise BlockError(f"column {position} {name!r} names no modality. {_HOW_TO_NAME}.")
        index = tuple(int(i) for i in match["index"].split("@")[1:])
        return cls(position, name, SEPARATOR.join(pieces[:-1]), pieces[-1], index)


def _build_block(name, columns, indicators):
    depth = len(columns[0].index)
    for column in columns:
        if len(column.index) != depth:
            raise BlockError(
                f"column {column.position} {column.name!r} has {len(column.index)} indices, but "
                f"the block {name!r} began with {depth}. Give each shape a part of its own: "
                f"'{name.partition(SEPARATOR)[0]}__<part>__{column.feature}...'."
            )
    features = tuple(c.feature for c in columns if c.index == columns[0].index)
    extents = tuple(1 + max(c.index[axis] for c in columns) for axis in range(depth))
    if depth > 3 or (depth > 1 and len(features) > 1):
        raise BlockError(
            f"column {columns[0].position} {columns[0].name!r}: a block is flat (no index), a "
            "sequence (one index: time) or an image (one feature with three indices: channel, row, "
            f"column); this one has {depth} indices and {len(features)} features."
        )
    expected = ((feature, index) for index in np.ndindex(*extents) for feature in features)
    for column, (feature, index) in zip(columns, expected, strict=False):
        if (column.feature, column.index) != (feature, index):
            wanted = f"{name}{SEPARATOR}{feature}" + "".join(f"@{i}" for i in index)
            raise BlockError(
                f"column {column.position} {column.name!r} stands where {wanted!r} was expected: "
                "within a block, indices vary slowest, features fastest, and none is left out."
            )
    block = Block(name, columns[0].position, features, extents, **indicators)
    if block.width != len(columns):
        raise BlockError(
            f"the block {name!r} ends with column {columns[-1].position} {columns[-1].name!r} after "
            f"{len(columns)} columns, but its indices span {block.width}. Was a column dropped?"
        )
    return block


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


def is_indicator(name, names):
    """Tell whether a column holds the presence or length of a block.

    Parameters
    ----------
    name : str
        A column name.
    names : collection of str
        All column names of the table.

    Returns
    -------
    bool
        True for ``<block>__present``, and for ``<block>__length`` beside it.
    """
    owner, _, last = str(name).rpartition(SEPARATOR)
    return bool(owner) and (
        last == PRESENT or (last == LENGTH and f"{owner}{SEPARATOR}{PRESENT}" in names)
    )


def _is_present_column(name):
    return name.endswith(SEPARATOR + PRESENT) and name != SEPARATOR + PRESENT


def _numbered(n):
    digits = len(str(max(n - 1, 0)))
    return tuple(f"x{i:0{digits}d}" for i in range(n))


def _check_unique(names):
    first = {}
    for column, name in enumerate(names):
        if first.setdefault(name, column) != column:
            raise BlockError(
                f"column name {name!r} stands twice, at columns {first[name]} and {column}. "
                "Give each column a name of its own."
            )


def _columns(X, columns):
    """Cut columns out of a table as numbers, in their own dtype."""
    if not isinstance(X, pd.DataFrame):
        values = X[:, columns]
        if values.dtype.kind not in "bufi":
            raise BlockError(f"expected a table of numbers; got an array of dtype {X.dtype}.")
        return values
    frame = X.iloc[:, columns]
    for name, dtype in frame.dtypes.items():
        if not (pd.api.types.is_numeric_dtype(dtype) or pd.api.types.is_bool_dtype(dtype)) or (
            pd.api.types.is_complex_dtype(dtype)
        ):
            raise BlockError(
                f"column {name!r} has dtype {dtype}; expected numbers. Raw texts and files become "
                "numbers through make_extractor(...)."
            )
    if any(isinstance(dtype, pd.api.extensions.ExtensionDtype) for dtype in frame.dtypes):
        return frame.to_numpy(dtype=np.float64, na_value=np.nan)  # pd.NA has no integer
    return frame.to_numpy()


def _indicator(X, column):
    values = X.iloc[:, column].to_numpy() if isinstance(X, pd.DataFrame) else X[:, column]
    return np.nan_to_num(values.astype(np.float64))


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
