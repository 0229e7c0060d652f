"""BlockValues: the rows of one block with their masks, and their statistics."""

from dataclasses import dataclass

import numpy as np

from sklearn_mmsent.blocks.memory_mapped import StoredValues
from sklearn_mmsent.blocks.moments import statistics_of


@dataclass(frozen=True)
class BlockValues:
    """The rows of one block, cut out of a table.

    Parameters
    ----------
    values : ndarray or StoredValues of shape (n_samples, *block.shape)
        C-ordered, in the block's own dtype; NaN where the table has it. Either gives an
        array where it is indexed by rows.
    present : ndarray of bool of shape (n_samples,)
        Whether the row has this block at all.
    steps : ndarray of bool of shape (n_samples, T), or None
        Which steps of a sequence are real; None for flat blocks and images.
    """

    values: np.ndarray | StoredValues
    present: np.ndarray
    steps: np.ndarray | None = None

    def take(self, rows):
        """Return the chosen rows, in memory.

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
        return statistics_of([self])[0]
