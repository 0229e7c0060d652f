"""Resampling the training rows, after the validation rows were held out."""

import numpy as np
from sklearn.base import clone

from sklearn_mmsent.blocks import BlockLayout
from sklearn_mmsent.blocks.filling import fill_table
from sklearn_mmsent.blocks.memory_mapped import StoredValues
from sklearn_mmsent.exceptions import TooLargeError
from sklearn_mmsent.utils._memory import free_bytes

COPIES = 4  # of the rows while a sampler works: read, filled, resampled, cut into blocks


def resample(table, used, y, sample_weight, seed, params, owner):
    """Apply the sampler to a filled table of the training rows.

    Parameters
    ----------
    table : FitTable
        The training table.
    used : ndarray of bool of shape (n_samples,) or None
        Its training rows; None for all.
    y : ndarray
        Their encoded labels.
    sample_weight : ndarray or None
        Their weights.
    seed : int
        Seed of a sampler that has none.
    params : dict
        Parameters of the estimator.
    owner : str
        Name used in error messages.

    Returns
    -------
    blocks : list of BlockValues
        The resampled rows.
    y : ndarray
        Their encoded labels.
    sample_weight : ndarray or None
        Their weights.

    Raises
    ------
    ValueError
        If the sampler makes rows, which have no entry in sample_weight, or labels that the
        estimator cannot learn from.
    TooLargeError
        If the rows lie in a file and do not fit into memory.
    """
    sampler = clone(params["sampler"])
    if sampler.get_params().get("random_state", seed) is None:
        sampler.set_params(random_state=seed)
    blocks = _rows_in_memory(table.blocks, used, sampler, owner)
    layout, target = table.layout, table.target
    names = [name for block in layout.blocks for name in block.column_names()]
    means = [block.statistics()[0] for block in blocks]
    filled = fill_table(layout.blocks, blocks, means, names)
    X_new, y_new = sampler.fit_resample(filled, target.decode(y))
    y_new = target.encode_resampled(y_new, sampler, params)
    if sample_weight is not None:
        if not hasattr(sampler, "sample_indices_"):
            raise ValueError(
                f"{owner}: the sampler {type(sampler).__name__} makes new rows, for which "
                "sample_weight has no entries. Use a sampler that selects rows, or class_weight, "
                "or no sample_weight."
            )
        sample_weight = sample_weight[sampler.sample_indices_]
    found = getattr(sampler, "sample_weight_", None)  # of a sampler that trusts some rows less
    if found is not None:
        sample_weight = found if sample_weight is None else sample_weight * found
    return BlockLayout.from_names(X_new.columns).read(X_new), y_new, sample_weight


def _rows_in_memory(blocks, used, sampler, owner):
    """Return the training rows as arrays."""
    n_rows = len(blocks[0].present)
    used = np.ones(n_rows, dtype=bool) if used is None else used
    stored = [block.values for block in blocks if isinstance(block.values, StoredValues)]
    n_bytes = sum(values.nbytes for values in stored) * int(used.sum()) // n_rows
    free = free_bytes()
    if COPIES * n_bytes > free:
        raise TooLargeError(
            f"{owner}: the sampler {type(sampler).__name__} needs {int(used.sum()):,} "
            f"memory-mapped rows in memory, {n_bytes / 2**20:,.0f} MiB about {COPIES} times, and "
            f"{free / 2**20:,.0f} MiB are free. Select rows before fit, or use class_weight or "
            "sample_weight, with which rows stay in the file."
        )
    return [block.take(used) for block in blocks]
