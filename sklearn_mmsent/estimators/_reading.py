"""What an estimator reads before there is a network; candidates of a search may share it."""

from dataclasses import dataclass

import numpy as np

from sklearn_mmsent.training import BlockDataset


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
