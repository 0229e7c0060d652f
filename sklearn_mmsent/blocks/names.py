"""Parse column names into blocks."""

import re
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from sklearn_mmsent.blocks.block import LENGTH, PRESENT, SEPARATOR, Block
from sklearn_mmsent.exceptions import BlockError
from sklearn_mmsent.utils._validation import check_unique

HOW_TO_NAME = (
    "Name columns '<modality>__<feature>' or '<modality>__<part>__<feature>', with zero-padded "
    "indices after '@' for inner axes ('audio__mfcc003@017'); make_extractor(...) does so"
)


def parse_names(names):
    """Return the blocks of a list of column names.

    Parameters
    ----------
    names : list of str
        Column names in the package's pattern.

    Returns
    -------
    tuple of Block
        In column order.

    Raises
    ------
    BlockError
        If a name does not match the pattern, is duplicated or out of order.
    """
    check_unique(names)
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
                f"{block_name!r}, which ended before. The columns of a block must be contiguous."
            )
        blocks.append(_build_block(block_name, group, indicators.pop(block_name, {})))
    if indicators:
        raise BlockError(
            f"column {next(iter(indicators)) + SEPARATOR + PRESENT!r} belongs to a block that "
            "has no columns. Drop it together with the block."
        )
    return tuple(blocks)


def column_names_of(X):
    """Return the column names of a table, or None if it has none.

    Parameters
    ----------
    X : DataFrame or ndarray
        A table; column labels that are numbers are no names.

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
    """Return whether a column holds the presence or length of a block.

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


def carried_columns(names_in, names_out):
    """Return the columns that a step of a pipeline hands on.

    Indicators of blocks bypass the step, so that a scaler does not turn lengths into z-scores.

    Parameters
    ----------
    names_in, names_out : sequence of str
        Input columns of the step's transformer, and its output columns.

    Returns
    -------
    kept : list of str
        Output columns of the transformer that are handed on.
    indicators : list of str
        Indicators among the input columns, appended unchanged; without those of blocks that the
        transformer dropped.
    """
    names = set(map(str, names_in))
    indicators = [name for name in names_in if is_indicator(name, names)]
    kept = [name for name in names_out if name not in indicators]
    dropped = _block_names(names.difference(indicators)) - _block_names(kept)
    return kept, [name for name in indicators if name.rpartition(SEPARATOR)[0] not in dropped]


def _block_names(names):
    return {str(name).rpartition(SEPARATOR)[0] for name in names}


@dataclass(frozen=True)
class _Column:
    """The components of a column name."""

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
                f"for each. {HOW_TO_NAME}."
            )
        pieces = match["base"].split(SEPARATOR, 2)
        if len(pieces) < 2 or not all(pieces):
            raise BlockError(f"column {position} {name!r} names no modality. {HOW_TO_NAME}.")
        index = tuple(int(i) for i in match["index"].split("@")[1:])
        return cls(position, name, SEPARATOR.join(pieces[:-1]), pieces[-1], index)


def _build_block(name, columns, indicators):
    depth = len(columns[0].index)
    for column in columns:
        if len(column.index) != depth:
            raise BlockError(
                f"column {column.position} {column.name!r} has {len(column.index)} indices, but "
                f"the block {name!r} started with {depth}. Use a separate part for each shape: "
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
                f"column {column.position} is {column.name!r}, but {wanted!r} was expected: within "
                "a block, indices vary slowest and features fastest, without gaps."
            )
    block = Block(name, columns[0].position, features, extents, **indicators)
    if block.width != len(columns):
        raise BlockError(
            f"the block {name!r} ends at column {columns[-1].position} {columns[-1].name!r} after "
            f"{len(columns)} columns, but its indices span {block.width}. Was a column dropped?"
        )
    return block


def _is_present_column(name):
    return name.endswith(SEPARATOR + PRESENT) and name != SEPARATOR + PRESENT
