"""Rows of a table of blocks, and new rows that lie between two of them."""

import numpy as np
import pandas as pd

from sklearn_mmsent.blocks import BlockLayout
from sklearn_mmsent.blocks.memory_mapped import pieces

TOKEN = ("id",)  # the one feature of what `TokenIds` makes


class BlockRows:
    """The rows of a table, cut into blocks, from which new rows are blended.

    A new row stands between a *seed* and a *partner*: the same weight in every block. Where
    one of the two has nothing (a missing block, a step of padding, a single NaN) there is
    nothing between, and the new row is there as the seed is: so it has the blocks of its
    seed, its lengths, and the columns with which `FillBlocks` tells them.

    Parameters
    ----------
    X : DataFrame or ndarray of shape (n_samples, n_columns)
        A checked table, which is not written into.
    modalities : "auto", mapping or None
        Where the blocks are; see :meth:`BlockLayout.of`.
    owner : str
        Name used in error messages.
    """

    def __init__(self, X, modalities, owner):
        self.X = X
        self.layout = BlockLayout.of(X, modalities, owner=owner)
        self.values = self.layout.read(X)
        self.present = np.column_stack([data.present for data in self.values])  # (n, M)

    def __len__(self):
        return len(self.present)

    @property
    def blended(self):
        """Tell of each block whether its numbers are quantities, between which others lie."""
        return np.array([not _is_token_ids(block) for block in self.layout.blocks])

    def shared(self, seeds, partners):
        """Return which share of each seed's modalities is blended with its partner's.

        Parameters
        ----------
        seeds, partners : ndarray of int of shape (n_made,)
            Row indices.

        Returns
        -------
        ndarray of float of shape (n_made,)
            Each modality of the seed counts the same, its blocks within it; 0 for a seed
            that has none.
        """
        own = self.present[seeds]
        both = own & self.present[partners] & self.blended
        names = np.array([block.modality for block in self.layout.blocks])
        shared, n_own = np.zeros(len(seeds)), np.zeros(len(seeds))
        for modality in self.layout.modalities:
            blocks = names == modality
            n_blocks = own[:, blocks].sum(axis=1)
            shared += both[:, blocks].sum(axis=1) / np.maximum(n_blocks, 1)
            n_own += n_blocks > 0
        return shared / np.maximum(n_own, 1)

    def blend(self, seeds, partners, weights):
        """Make rows between seeds and their partners.

        Parameters
        ----------
        seeds, partners : ndarray of int of shape (n_made,)
            Row indices.
        weights : ndarray of float of shape (n_made,)
            How far each new row lies from its seed towards its partner, from 0 to 1.

        Returns
        -------
        DataFrame or ndarray of shape (n_made, n_columns)
            In the form and the dtypes of the table: whole numbers are rounded, which keeps
            them between those they were made of.
        """
        sheets = _Sheets(self.X, len(seeds))
        for block, data in zip(self.layout.blocks, self.values, strict=True):
            gapless = data.present.all() and (data.steps is None or data.steps.all())
            for piece in pieces(len(seeds), block.width):
                chosen = seeds[piece], partners[piece]
                if _is_token_ids(block):
                    made = data.values[chosen[0]]
                else:
                    made = _between(data, *chosen, weights[piece], gapless=gapless)
                sheets.write(piece, block.start, made.reshape(len(made), block.width))
        for column in self.layout.indicator_columns:
            sheets.write(slice(None), column, _column(self.X, column)[seeds][:, None])
        return sheets.table()


def plain(label):
    """Return a class as Python writes it, for messages."""
    return label.item() if isinstance(label, np.generic) else label


def _is_token_ids(block):
    """Tell whether a block's numbers are names of tokens, between which nothing lies."""
    return block.kind == "sequence" and block.features == TOKEN


def _between(data, seeds, partners, weights, *, gapless):
    """Blend rows of one block; where one of the two has nothing, it is the seed's."""
    own, other = data.values[seeds], data.values[partners]
    # float16 has too few digits to count in, whole numbers none behind the point
    dtype = np.result_type(own.dtype, np.float32)
    weights = weights.astype(dtype).reshape(-1, *[1] * (own.ndim - 1))
    made = other.astype(dtype)
    made -= own
    made *= weights
    made += own
    if gapless and (own.dtype.kind != "f" or not np.isnan(made.sum())):
        return made
    both = data.present[seeds] & data.present[partners]
    both = both.reshape(weights.shape)
    if data.steps is not None:
        both = both & (data.steps[seeds] & data.steps[partners])[:, :, None]
    return np.where(both & ~np.isnan(made), made, own)


def _column(X, column):
    return X.iloc[:, column].to_numpy() if isinstance(X, pd.DataFrame) else X[:, column]


class _Sheets:
    """An empty table of another's form; neighbouring columns of one dtype share an array."""

    def __init__(self, X, n_rows):
        self.X = X
        dtypes = list(X.dtypes) if isinstance(X, pd.DataFrame) else [X.dtype] * X.shape[1]
        self.dtypes, self.starts, self.arrays = [], [], []
        ends = [i + 1 for i in range(len(dtypes)) if dtypes[i : i + 1] != dtypes[i + 1 : i + 2]]
        for start, end in zip([0, *ends[:-1]], ends, strict=True):
            dtype = dtypes[start]
            own = dtype if isinstance(dtype, np.dtype) else np.float64  # pandas' own come last
            self.dtypes.append(dtype)
            self.starts.append(start)
            self.arrays.append(np.empty((n_rows, end - start), own))

    def write(self, rows, column, values):
        """Write values from a column on, rounded where the columns hold whole numbers."""
        end = column + values.shape[1]
        for start, dtype, array in zip(self.starts, self.dtypes, self.arrays, strict=True):
            first, last = max(start, column), min(start + array.shape[1], end)
            if first >= last:
                continue
            part = values[:, first - column : last - column]
            if part.dtype.kind == "f" and dtype.kind != "f":
                part = np.rint(part)
            array[rows, first - start : last - start] = part

    def table(self):
        """Return the table that was written."""
        if not isinstance(self.X, pd.DataFrame):
            return self.arrays[0]
        frames = []
        for start, dtype, array in zip(self.starts, self.dtypes, self.arrays, strict=True):
            names = self.X.columns[start : start + array.shape[1]]
            frame = pd.DataFrame(array, columns=names, copy=False)
            frames.append(frame if isinstance(dtype, np.dtype) else frame.astype(dtype))
        return frames[0] if len(frames) == 1 else pd.concat(frames, axis=1)
