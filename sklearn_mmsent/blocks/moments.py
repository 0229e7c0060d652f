"""Means and scales of features, in two passes over slices of the rows."""

import math

import numpy as np

from sklearn_mmsent.blocks.memory_mapped import pieces


def statistics_of(blocks, chosen=None):
    """Return mean and scale of each feature of each block over valid values.

    All blocks are read slice by slice, so that a memory-mapped table is read exactly twice and
    never held in memory.

    Parameters
    ----------
    blocks : list of BlockValues
        Blocks of the same rows.
    chosen : ndarray of bool of shape (n_samples,) or None, default=None
        Rows to use; None means all.

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
            for block_moments in moments:
                add(block_moments, piece, chosen)
    return [block_moments.mean_and_scale() for block_moments in moments]


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
        # rounding errors of a constant column must not become its scale
        tiny = 10 * np.finfo(np.float64).eps * np.maximum(np.abs(mean), 1e-300)
        scale[scale <= tiny] = 1.0
        is_image = len(self.block.values.shape) == 4
        return (mean[:, None, None], scale[:, None, None]) if is_image else (mean, scale)

    def _mean(self):
        return self.total / np.maximum(self.count, 1)

    def _observations(self, piece, chosen):
        """Return the valid observations of a slice of rows, one per row."""
        block, values = self.block, self.block.values[piece]
        present = block.present[piece]
        if chosen is not None:
            present = present & chosen[piece]
        if values.ndim == 4:  # image: each pixel of a channel is an observation
            n_channels = values.shape[1]
            rows = values[present].reshape(-1, n_channels, math.prod(values.shape[2:]))
            rows = rows.transpose(0, 2, 1).reshape(-1, n_channels)
        elif block.steps is not None:
            rows = values[block.steps[piece] & present[:, None]]
        else:
            rows = values[present]
        return rows.astype(np.float64)
