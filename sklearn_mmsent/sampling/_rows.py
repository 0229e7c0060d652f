"""Rows of a table of blocks, and interpolation between two of them."""

import numpy as np
import pandas as pd

from sklearn_mmsent.blocks import BlockLayout
from sklearn_mmsent.blocks.memory_mapped import pieces

TOKEN = ("id",)  # the feature name of `TokenIds`


class BlockRows:
    """Rows of a validated table, split into blocks, from which new rows are interpolated.

    A new row lies between a *seed* and a *partner*, with the same weight in every block. Where one
    of the two has no value (a missing block, padding, a single NaN), the new row takes that of the
    seed. It therefore has the blocks of its seed, its sequence lengths, and the indicator columns
    of `FillBlocks`.

    The table is not changed. For `modalities`, see :meth:`BlockLayout.of`.
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
        """Whether the values of each block are quantities that can be interpolated."""
        return np.array([not _is_token_ids(block) for block in self.layout.blocks])

    def shared(self, seeds, partners):
        """Return the fraction of the modalities of each seed that is mixed with its partner.

        All modalities of the seed, and the blocks within a modality, count equally; 0 for a seed
        without any.
        """
        has = self.present[seeds]
        both = has & self.present[partners] & self.blended
        names = np.array([block.modality for block in self.layout.blocks])
        shared, n_present = np.zeros(len(seeds)), np.zeros(len(seeds))
        for modality in self.layout.modalities:
            blocks = names == modality
            n_blocks = has[:, blocks].sum(axis=1)
            shared += both[:, blocks].sum(axis=1) / np.maximum(n_blocks, 1)
            n_present += n_blocks > 0
        return shared / np.maximum(n_present, 1)

    def blend(self, seeds, partners, weights):
        """Interpolate between seeds (weight 0) and partners (weight 1).

        Returns rows of the type and dtypes of the table. Integers are rounded, which keeps them
        within the range of seed and partner.
        """
        output = _TableWriter(self.X, len(seeds))
        for block, data in zip(self.layout.blocks, self.values, strict=True):
            complete = data.present.all() and (data.steps is None or data.steps.all())
            for piece in pieces(len(seeds), block.width):
                chosen = seeds[piece], partners[piece]
                if _is_token_ids(block):
                    made = data.values[chosen[0]]
                else:
                    made = _interpolate(data, *chosen, weights[piece], complete=complete)
                output.write(piece, block.start, made.reshape(len(made), block.width))
        for column in self.layout.indicator_columns:
            output.write(slice(None), column, _column(self.X, column)[seeds][:, None])
        return output.table()


def plain(label):
    """Return a label as a Python scalar, for error messages."""
    return label.item() if isinstance(label, np.generic) else label


def _is_token_ids(block):
    """Return whether a block holds token ids, which cannot be interpolated."""
    return block.kind == "sequence" and block.features == TOKEN


def _interpolate(data, seeds, partners, weights, *, complete):
    """Interpolate rows of one block; missing values are those of the seed."""
    start, end = data.values[seeds], data.values[partners]
    # float16 and integers are too coarse to compute in
    dtype = np.result_type(start.dtype, np.float32)
    weights = weights.astype(dtype).reshape(-1, *[1] * (start.ndim - 1))
    made = end.astype(dtype)
    made -= start
    made *= weights
    made += start
    if complete and (start.dtype.kind != "f" or not np.isnan(made.sum())):
        return made
    both = data.present[seeds] & data.present[partners]
    both = both.reshape(weights.shape)
    if data.steps is not None:
        both = both & (data.steps[seeds] & data.steps[partners])[:, :, None]
    return np.where(both & ~np.isnan(made), made, start)


def _column(X, column):
    return X.iloc[:, column].to_numpy() if isinstance(X, pd.DataFrame) else X[:, column]


class _TableWriter:
    """Empty table of the type of another; adjacent columns of one dtype share an array."""

    def __init__(self, X, n_rows):
        self.X = X
        dtypes = list(X.dtypes) if isinstance(X, pd.DataFrame) else [X.dtype] * X.shape[1]
        self.dtypes, self.starts, self.arrays = [], [], []
        ends = [i + 1 for i in range(len(dtypes)) if dtypes[i : i + 1] != dtypes[i + 1 : i + 2]]
        for start, end in zip([0, *ends[:-1]], ends, strict=True):
            dtype = dtypes[start]
            is_numpy = isinstance(dtype, np.dtype)  # extension dtypes are converted at the end
            self.dtypes.append(dtype)
            self.starts.append(start)
            self.arrays.append(np.empty((n_rows, end - start), dtype if is_numpy else np.float64))

    def write(self, rows, column, values):
        """Write values from a column on, rounded for integer columns."""
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
        """Return the table."""
        if not isinstance(self.X, pd.DataFrame):
            return self.arrays[0]
        frames = []
        for start, dtype, array in zip(self.starts, self.dtypes, self.arrays, strict=True):
            names = self.X.columns[start : start + array.shape[1]]
            frame = pd.DataFrame(array, columns=names, copy=False)
            frames.append(frame if isinstance(dtype, np.dtype) else frame.astype(dtype))
        return frames[0] if len(frames) == 1 else pd.concat(frames, axis=1)
