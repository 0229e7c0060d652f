"""BlockValues: the rows of one block with their masks, and their statistics."""

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class BlockValues:
    """The rows of one block, cut out of a table.

    Parameters
    ----------
    values : ndarray of shape (n_samples, *block.shape)
        C-ordered, in the block's own dtype; NaN where the table has it.
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
            n_channels = values.shape[1]
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
