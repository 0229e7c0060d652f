"""Blocks on the device, and batches of them: one `index_select` per block, no collating."""

import copy

import numpy as np
import torch

from sklearn_mmsent.training.out_of_core import StreamedValues, place, to_device
from sklearn_mmsent.utils._tensors import map_tensors

CHUNK = 2**24  # bytes of values that go to a device at once


class BlockDataset(torch.utils.data.Dataset):
    """The rows of all blocks as tensors on one device.

    Values that do not fit on the device are :class:`StreamedValues`, moved there batch by batch.

    Parameters
    ----------
    blocks : list of BlockValues
        Result of :meth:`sklearn_mmsent.blocks.BlockLayout.read`.
    targets : ndarray of shape (n_samples, ...) or None, default=None
        Targets of the loss; None to predict.
    weights : ndarray of shape (n_samples,) or None, default=None
        Weight of each row in the loss; None means one.
    device : str or torch.device, default="cpu"
        Device of the tensors.
    """

    def __init__(self, blocks, targets=None, weights=None, *, device="cpu"):
        self.values = place([block.values for block in blocks], device)
        present = np.column_stack([block.present for block in blocks])  # (n, M)
        self.present = torch.as_tensor(present, device=device)
        self.steps = [
            None if block.steps is None else torch.as_tensor(block.steps, device=device)
            for block in blocks
        ]
        self.targets = None if targets is None else to_device(targets, device)
        if weights is None:
            weights = np.ones(len(present))
        self.weights = to_device(weights.astype(np.float32), device)
        self.rows = None  # numbers in the tensors; None for all, in order
        self.classes = None  # class numbers, if epochs are balanced

    def view(self, rows=None, targets=None, weights=None, classes=None):
        """Return a dataset of some rows that shares the tensors of the blocks.

        Parameters
        ----------
        rows : ndarray of int of shape (n_chosen,) or None, default=None
            Numbers of the rows, possibly with repetitions; None for all.
        targets : ndarray of shape (n_chosen, ...) or None, default=None
            Targets of the chosen rows; None takes those of this dataset.
        weights : ndarray of shape (n_chosen,) or None, default=None
            Weights of the chosen rows; None takes those of this dataset.
        classes : ndarray of int of shape (n_chosen,) or None, default=None
            Class numbers of the chosen rows, to draw equally many of each class per epoch.

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
            chosen.targets = to_device(targets, device)
        if weights is not None:
            chosen.weights = to_device(weights.astype(np.float32), device)
        chosen.classes = None if classes is None else torch.as_tensor(classes)
        return chosen

    def __len__(self):
        return len(self.weights)

    def order(self, generator):
        """Draw the rows of an epoch, a LongTensor of shape (n_samples,) on the CPU."""
        n = len(self)
        if self.classes is None:
            return torch.randperm(n, generator=generator)
        numbers = self.classes.cpu()
        classes = numbers.unique()
        share, drawn = -(-n // len(classes)), []
        for number in classes:
            rows = (numbers == number).nonzero().flatten()
            rounds = -(-share // len(rows))
            orders = [torch.randperm(len(rows), generator=generator) for _ in range(rounds)]
            drawn.append(rows[torch.cat(orders)[:share]])
        drawn = torch.cat(drawn)
        return drawn[torch.randperm(len(drawn), generator=generator)[:n]]

    def rows_of(self, rows):
        """Return the numbers of rows of this dataset in the tensors of the blocks."""
        return rows if self.rows is None else self.rows.index_select(0, rows)

    def batches_at_once(self, batch_size):
        """Return the number of batches to gather, and to move to another device, at once."""
        streamed = [values for values in self.values if isinstance(values, StreamedValues)]
        if not streamed or self.present.device.type == "cpu":
            return 1
        row = sum(values.shape[1:].numel() * values.element_size() for values in streamed)
        return max(1, CHUNK // (row * batch_size))

    def rows_at_once(self):
        """Return the number of rows per batch where no gradient is needed.

        Large batches are faster for small rows; for large rows, allocating memory costs time.
        """
        row = 4 * sum(values.shape[1:].numel() for values in self.values)
        return min(1024, max(32, CHUNK // row))

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
    """Iterate over a dataset in batches, shuffled at each epoch or in order.

    Parameters
    ----------
    dataset : BlockDataset
        Rows to iterate over.
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
            order = self.dataset.order(self.generator)
        order, size = order.to(self.dataset.present.device), self.batch_size
        for rows in order.split(size * self.dataset.batches_at_once(size)):
            gathered = self.dataset[rows]
            if len(rows) <= size:
                yield gathered
                continue
            for first in range(0, len(rows), size):
                yield map_tensors(gathered, lambda x, at=first: x[at : at + size])
