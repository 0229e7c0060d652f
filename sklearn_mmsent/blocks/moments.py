"""Mean and scale of each feature of all blocks, in two passes over pieces of the rows."""

import math

import numpy as np

from sklearn_mmsent.blocks.memory_mapped import pieces


def statistics_of(blocks, chosen=None):
    """Mean and scale of each feature of each block over what is really there.

    All blocks are read piece by piece of rows, so that a table in a file is read twice and no
    more, and never held.

    Parameters
    ----------
    blocks : list of BlockValues
        Of the same rows.
    chosen : ndarray of bool of shape (n_samples,) or None, default=None
        Rows that count; None for all.

    Returns
    -------
    list of (mean, scale) pairs
        See :meth:`BlockValues.statistics`.
    """
    moments = [_Moments(block) for block in blocks]
    width = sum(math.prod(block.values.shape[1:]) for block in blocks)
    rows = pieces(len(blocks[0].present), width)
    for add in (_Moments.add_values, _Moments.add_squares):
        for piece in rows:
            for of_block in moments:
                add(of_block, piece, chosen)
    return [of_block.mean_and_scale() for of_block in moments]


class _Moments:
    """Two-pass moments of a block's features in float64, ignoring NaN."""

    def __init__(self, block):
        self.block = block
        shape = block.values.shape
        n_features = shape[1] if len(shape) == 4 else shape[-1]
        self.count, self.total, self.squares = np.zeros((3, n_features))

    def add_values(self, piece, chosen):
        values = self._observations(piece, chosen)
        known = ~np.isnan(values)
        self.count += known.sum(axis=0)
        self.total += np.where(known, values, 0.0).sum(axis=0)

    def add_squares(self, piece, chosen):
        deviation = self._observations(piece, chosen) - self._mean()
        self.squares += np.where(np.isnan(deviation), 0.0, deviation**2).sum(axis=0)

    def mean_and_scale(self):
        mean = self._mean()
        scale = np.sqrt(self.squares / np.maximum(self.count, 1))
        # rounding leaves a constant column a tiny spread; dividing by it would blow up noise
        tiny = 10 * np.finfo(np.float64).eps * np.maximum(np.abs(mean), 1e-300)
        scale[scale <= tiny] = 1.0
        is_image = len(self.block.values.shape) == 4
        return (mean[:, None, None], scale[:, None, None]) if is_image else (mean, scale)

    def _mean(self):
        return self.total / np.maximum(self.count, 1)

    def _observations(self, piece, chosen):
        """Return what is there of a piece of the rows, one observation a row."""
        block, values = self.block, self.block.values[piece]
        here = block.present[piece]
        if chosen is not None:
            here = here & chosen[piece]
        if values.ndim == 4:  # image: every pixel of a channel is one observation
            n_channels = values.shape[1]
            rows = values[here].reshape(-1, n_channels, math.prod(values.shape[2:]))
            rows = rows.transpose(0, 2, 1).reshape(-1, n_channels)
        elif block.steps is not None:
            rows = values[block.steps[piece] & here[:, None]]
        else:
            rows = values[here]
        return rows.astype(np.float64)
