"""What an estimator reads before there is a network; candidates of a search may share it."""

from dataclasses import dataclass

import numpy as np

from sklearn_mmsent.blocks.memory_mapped import StoredValues
from sklearn_mmsent.exceptions import TooLargeError
from sklearn_mmsent.training import BlockDataset
from sklearn_mmsent.utils._memory import free_bytes

COPIES = 4  # of the rows, when a sampler is through: read, filled, resampled, cut into blocks


@dataclass(frozen=True)
class Table:
    """A checked training table, whose blocks are on the device."""

    blocks: list
    data: BlockDataset
    y: np.ndarray
    sample_weight: np.ndarray | None
    groups: np.ndarray | None
    valid: BlockDataset | None  # where rows to validate on were given
    y_valid: np.ndarray | None


@dataclass(frozen=True)
class Reading:
    """What is trained and validated on: the last before there is a network."""

    seed: int
    statistics: tuple
    unseen: list
    train: BlockDataset
    y: np.ndarray
    sample_weight: np.ndarray | None
    valid: BlockDataset
    y_valid: np.ndarray
    weights_valid: np.ndarray | None


def rows_for_sampler(estimator, blocks, chosen):
    """Return the rows that a sampler works on, in memory.

    Parameters
    ----------
    estimator : estimator
        Whose sampler it is.
    blocks : list of BlockValues
        Of the training table.
    chosen : ndarray of bool of shape (n_samples,) or None
        Which rows; None for all.

    Returns
    -------
    list of BlockValues
        With arrays.
    """
    n_rows = len(blocks[0].present)
    chosen = np.ones(n_rows, dtype=bool) if chosen is None else chosen
    stored = [block.values for block in blocks if isinstance(block.values, StoredValues)]
    n_bytes = sum(values.nbytes for values in stored) * int(chosen.sum()) // n_rows
    free = free_bytes()
    if COPIES * n_bytes > free:
        sampler = type(estimator.sampler).__name__
        raise TooLargeError(
            f"{type(estimator).__name__}: the sampler {sampler} needs {int(chosen.sum()):,} "
            f"memory-mapped rows in memory, {n_bytes / 2**20:,.0f} MiB about {COPIES} times, and "
            f"{free / 2**20:,.0f} MiB are free. Choose rows before fit, or take class_weight or "
            "sample_weight, with which rows stay in the file."
        )
    return [block.take(chosen) for block in blocks]
