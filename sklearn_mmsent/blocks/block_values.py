"""BlockValues: the rows of one block with their masks, and their statistics."""

from dataclasses import dataclass

import numpy as np

from sklearn_mmsent.blocks.memory_mapped import StoredValues
from sklearn_mmsent.blocks.moments import statistics_of


@dataclass(frozen=True)
class BlockValues:
    """The rows of one block of a table, with their masks.

    Parameters
    ----------
    values : ndarray or StoredValues of shape (n_samples, *block.shape)
        C-ordered, in the dtype of the block; NaN where the table has it. Both return an array
        when indexed by rows.
    present : ndarray of bool of shape (n_samples,)
        Whether the row has the block.
    steps : ndarray of bool of shape (n_samples, T), or None
        Valid steps of a sequence; None for flat blocks and images.
    """

    values: np.ndarray | StoredValues
    present: np.ndarray
    steps: np.ndarray | None = None

    def take(self, rows):
        """Return some rows, in memory.

        Parameters
        ----------
        rows : ndarray of int or bool
            Indices or a mask.

        Returns
        -------
        BlockValues
            The block with these rows.
        """
        steps = None if self.steps is None else self.steps[rows]
        return BlockValues(self.values[rows], self.present[rows], steps)

    def statistics(self):
        """Return mean and scale of each feature over valid values.

        Pooled over the valid steps of a sequence, and per channel of an image.

        Returns
        -------
        mean, scale : ndarray of float64 of shape (F,), or (C, 1, 1) for an image
            Zeros and ones for features without values; the scale of a constant
            feature is one.
        """
        return statistics_of([self])[0]
