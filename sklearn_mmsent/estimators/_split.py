"""The rows of a fit: the table as it was read, and the rows to train and validate on."""

import warnings
from dataclasses import dataclass

import numpy as np

from sklearn_mmsent.blocks.moments import statistics_of
from sklearn_mmsent.estimators._resampling import resample
from sklearn_mmsent.training import BlockDataset, holdout_rows
from sklearn_mmsent.utils._random import draw_seed


@dataclass(frozen=True)
class FitTable:
    """A checked training table, with its blocks on the device.

    Attributes
    ----------
    columns : dict
        Attributes of scikit-learn for number and names of its columns.
    layout : BlockLayout
        Its blocks.
    target : Target or TargetSet
        Target that was made from the training labels.
    blocks : list of BlockValues
        Values of the blocks.
    data : BlockDataset
        The same on the device.
    y : ndarray
        Encoded labels.
    sample_weight, groups : ndarray of shape (n_samples,) or None
        Weight and group of each row.
    valid, y_valid : BlockDataset and ndarray, or None
        Validation rows and their encoded labels, where they were given.
    """

    columns: dict
    layout: object
    target: object
    blocks: list
    data: BlockDataset
    y: np.ndarray
    sample_weight: np.ndarray | None
    groups: np.ndarray | None
    valid: BlockDataset | None
    y_valid: np.ndarray | None


@dataclass(frozen=True)
class FitRows:
    """The rows to train and to validate on.

    Attributes
    ----------
    columns, layout, target
        See :class:`FitTable`.
    seed : int
        Seed of the split, the sampler and the network.
    statistics : tuple of (mean, scale) pairs of ndarray
        Of the training rows, one pair per block.
    unseen : list of int
        Blocks that no training row has.
    train, valid : BlockDataset
        The rows.
    y, y_valid : ndarray
        Their encoded labels.
    sample_weight, weights_valid : ndarray or None
        Their weights.
    """

    columns: dict
    layout: object
    target: object
    seed: int
    statistics: tuple
    unseen: list
    train: BlockDataset
    y: np.ndarray
    sample_weight: np.ndarray | None
    valid: BlockDataset
    y_valid: np.ndarray
    weights_valid: np.ndarray | None


def split_table(table, params, owner):
    """Hold out rows to validate on, and resample the others.

    Parameters
    ----------
    table : FitTable
        The training table.
    params : dict
        Parameters of the estimator.
    owner : str
        Name used in error messages.

    Returns
    -------
    FitRows
    """
    blocks, train, y, sample_weight = table.blocks, table.data, table.y, table.sample_weight
    valid, y_valid, weights_valid = table.valid, table.y_valid, None
    used = None  # all rows
    seed = draw_seed(params["random_state"])
    if valid is None:
        held = _hold_out(table, params, seed)
        used = ~held
        train, valid = (table.data.view(np.flatnonzero(side)) for side in (used, held))
        y, y_valid = y[used], y[held]
        if sample_weight is not None:
            sample_weight, weights_valid = sample_weight[used], sample_weight[held]
    if params.get("sampler") is not None:
        blocks, y, sample_weight = resample(table, used, y, sample_weight, seed, params, owner)
        used = None
        train = BlockDataset(blocks, device=train.present.device)
    return FitRows(
        columns=table.columns,
        layout=table.layout,
        target=table.target,
        seed=seed,
        statistics=tuple(statistics_of(blocks, used)),
        unseen=_find_unseen(table.layout, blocks, used, owner),
        train=train,
        y=y,
        sample_weight=sample_weight,
        valid=valid,
        y_valid=y_valid,
        weights_valid=weights_valid,
    )


def _hold_out(table, params, seed):
    if not params["early_stopping"]:
        return np.zeros(len(table.y), dtype=bool)
    return holdout_rows(
        table.blocks,
        params["validation_fraction"],
        seed=seed,
        groups=table.groups,
        labels=table.target.strata(table.y),
    )


def _find_unseen(layout, blocks, used, owner):
    """Return the numbers of the blocks that no training row has: nothing is learned of them."""
    present = [b.present if used is None else b.present[used] for b in blocks]
    unseen = [i for i, rows in enumerate(present) if len(rows) and not rows.any()]
    if unseen:
        names = ", ".join(repr(layout.blocks[i].name) for i in unseen)
        warnings.warn(
            f"{owner}: no training row has the block {names}; it is treated as missing in "
            "prediction, too.",
            UserWarning,
            stacklevel=6,
        )
    return unseen
