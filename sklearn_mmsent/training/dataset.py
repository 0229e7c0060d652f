"""Blocks on the device, and batches of them: one `index_select` per block, no collating."""

import copy

import numpy as np
import torch


class BlockDataset(torch.utils.data.Dataset):
    """The rows of all blocks as tensors on one device.

    Parameters
    ----------
    blocks : list of BlockValues
        What :meth:`sklearn_mmsent.blocks.BlockLayout.read` gives.
    targets : ndarray of shape (n_samples, ...) or None, default=None
        What the loss compares with; None to predict.
    weights : ndarray of shape (n_samples,) or None, default=None
        Weight of each row in the loss; None means one.
    device : str or torch.device, default="cpu"
        Where the tensors live.
    """

    def __init__(self, blocks, targets=None, weights=None, *, device="cpu"):
        self.values = [_to_device(block.values, device) for block in blocks]
        present = np.column_stack([block.present for block in blocks])  # (n, M)
        self.present = torch.as_tensor(present, device=device)
        self.steps = [
            None if block.steps is None else torch.as_tensor(block.steps, device=device)
            for block in blocks
        ]
        self.targets = None if targets is None else _to_device(targets, device)
        if weights is None:
            weights = np.ones(len(present))
        self.weights = _to_device(weights.astype(np.float32), device)
        self.rows = None  # of the tensors; None for all in their order

    def view(self, rows=None, targets=None, weights=None):
        """Return a dataset of some rows that shares the tensors of the blocks.

        Parameters
        ----------
        rows : ndarray of int of shape (n_chosen,) or None, default=None
            Which rows, one perhaps more than once; None for all.
        targets : ndarray of shape (n_chosen, ...) or None, default=None
            Targets of the chosen rows; None takes those of this dataset.
        weights : ndarray of shape (n_chosen,) or None, default=None
            Weights of the chosen rows; None takes those of this dataset.

        Returns
        -------
        BlockDataset
            Its rows are numbered from zero.
        """
        chosen = copy.copy(self)
        device = self.present.device
        if rows is not None:
            rows = torch.as_tensor(rows, dtype=torch.long, device=device)
            chosen.rows = self.rows_of(rows)
            chosen.weights = self.weights.index_select(0, rows)
            if self.targets is not None:
                chosen.targets = self.targets.index_select(0, rows)
        if targets is not None:
            chosen.targets = _to_device(targets, device)
        if weights is not None:
            chosen.weights = _to_device(weights.astype(np.float32), device)
        return chosen

    def __len__(self):
        return len(self.weights)

    def rows_of(self, rows):
        """Return where rows of this dataset stand in the tensors of the blocks."""
        return rows if self.rows is None else self.rows.index_select(0, rows)

    def __getitem__(self, rows):
        """Return ``(inputs, (targets, weights, rows))`` of a tensor of row numbers."""
        places = self.rows_of(rows)
        inputs = (
            [values.index_select(0, places) for values in self.values],
            self.present.index_select(0, places),
            [None if steps is None else steps.index_select(0, places) for steps in self.steps],
        )
        targets = None if self.targets is None else self.targets.index_select(0, rows)
        return inputs, (targets, self.weights.index_select(0, rows), rows)


class Batches:
    """Iterate over a dataset in batches, shuffled anew at each epoch or in order.

    Parameters
    ----------
    dataset : BlockDataset
        The rows.
    batch_size : int
        Rows in a batch; the last may be shorter.
    generator : torch.Generator or None, default=None
        Shuffles the rows; None keeps their order.
    """

    def __init__(self, dataset, batch_size, generator=None):
        self.dataset = dataset
        self.batch_size = batch_size
        self.generator = generator

    def __len__(self):
        return -(-len(self.dataset) // self.batch_size)

    def __iter__(self):
        n = len(self.dataset)
        if self.generator is None:
            order = torch.arange(n)
        else:
            order = torch.randperm(n, generator=self.generator)
        for rows in order.to(self.dataset.present.device).split(self.batch_size):
            yield self.dataset[rows]


def _to_device(array, device):
    # float64 exists on every device but Apple's, and there nothing needs it
    if array.dtype == np.float64 and torch.device(device).type == "mps":
        array = array.astype(np.float32)
    if not array.flags.writeable:
        array = array.copy()  # torch warns of read-only memory, which it could write into
    return torch.as_tensor(array, device=device)
