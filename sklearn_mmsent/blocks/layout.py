"""BlockLayout: all blocks of a table, and how to cut them out."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from sklearn_mmsent.blocks.block import SEPARATOR, Block
from sklearn_mmsent.blocks.feature_names import numbered_names
from sklearn_mmsent.blocks.names import HOW_TO_NAME, column_names_of, parse_names
from sklearn_mmsent.blocks.read_blocks import read_blocks
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
    FillBlocks : Fills a table and stores the masks that this class needs as columns.

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

    # -- constructors ------------------------------------------------------------------------

    @classmethod
    def of(cls, X, modalities="auto", *, owner="BlockLayout"):
        """Find the blocks of a table.

        Parameters
        ----------
        X : DataFrame or ndarray of shape (n_samples, n_columns)
            A numeric table.
        modalities : "auto", mapping or None, default="auto"
            "auto" reads the column names; a table without names is one block,
            with a warning. A mapping such as ``{"text": 384, "audio": (50, 74)}``
            gives names and shapes in column order. None means one block, without
            a warning.
        owner : str, default="BlockLayout"
            Name used in error messages.

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
            f"{owner}: the table's columns name no modality, so all {n_columns} columns form "
            f"one block. {HOW_TO_NAME}, or pass modalities={{'text': 384, ...}}; "
            "modalities=None silences this warning.",
            UserWarning,
            stacklevel=3,
        )
        return cls._one_block(names, n_columns)

    @classmethod
    def _one_block(cls, names, n_columns):
        features = tuple(names) if names is not None else tuple(numbered_names("x", n_columns))
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
            Name used in error messages.

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
                block = Block(name, start, tuple(numbered_names("x", shape[-1])), shape[:-1])
            blocks.append(block)
            start = block.stop
        if n_columns is not None and start != n_columns:
            widths = " + ".join(f"{block.name} {block.width}" for block in blocks)
            raise BlockError(
                f"{owner}: the shapes in modalities add up to {start} columns ({widths}), but the "
                f"table has {n_columns}."
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
            If a name does not match the pattern, is duplicated or out of order;
            the message names the column and what was expected.
        """
        names = list(names)
        return cls(parse_names(names), len(names))

    # -- properties --------------------------------------------------------------------------

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
        """Return the columns of some modalities, including their indicators.

        Parameters
        ----------
        modalities : iterable of str
            Names of the modalities.

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

    # -- reading tables ----------------------------------------------------------------------

    def read(self, X, *, stream=False):
        """Read the blocks of a table with their masks.

        Parameters
        ----------
        X : DataFrame, ndarray or nested list of shape (n_samples, n_columns)
            A numeric table.
        stream : bool, default=False
            Whether to leave the values of a memory-mapped table in its file if they do not fit
            into memory.

        Returns
        -------
        list of BlockValues
            One per block, C-ordered and in the dtype of the block. They may share
            memory with the table and must not be modified.

        Raises
        ------
        BlockError
            For infinite numbers and columns that are not numbers.
        """
        if not isinstance(X, pd.DataFrame):
            X = np.asarray(X)
        return read_blocks(self.blocks, X, stream=stream)
