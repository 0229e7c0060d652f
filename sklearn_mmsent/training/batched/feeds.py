"""Feeds: the batches of a stack of members; members with the same rows share a feed.

Candidates of a search with one seed read the same rows of a fold in the same order and share one
feed. Shapes: K members, S feeds, B rows of a batch, F features.
"""

import torch

from sklearn_mmsent.training.dataset import CHUNK
from sklearn_mmsent.training.out_of_core import StreamedValues
from sklearn_mmsent.utils._tensors import map_tensors


class Feeds:
    """Batches of the members of a stack, epoch by epoch.

    Parameters
    ----------
    members : list of Member
        Of one batch size.
    modules : list of FusionNetwork
        Their networks, which standardise.
    training : bool
        True: training rows, shuffled by the members' seeds. False: validation rows in order.
    batch_size : int
        Rows B of each member in a batch.
    """

    def __init__(self, members, modules, *, training, batch_size):
        self.training, self.batch_size = training, batch_size
        self.feeds, self.feed_of = [], []
        known = {}
        for member, module in zip(members, modules, strict=True):
            key = feed_key(member, training=training)
            if key not in known:
                known[key] = len(self.feeds)
                seed = member.seed if training else None
                data = member.train if training else member.valid
                self.feeds.append(_Feed(data, module.standardizers, seed))
            self.feed_of.append(known[key])
        data = [member.train if training else member.valid for member in members]
        self.sizes = [len(rows) for rows in data]
        self.weights = _padded([rows.weights for rows in data])  # (K, n)

    @property
    def shared(self):
        """Whether all members share one feed."""
        return len(self.feeds) == 1

    def n_batches(self, i):
        """Return how many batches member number i has in an epoch."""
        return -(-self.sizes[i] // self.batch_size)

    def keep(self, kept):
        """Continue with some of the members, by their numbers."""
        feed_of = [self.feed_of[i] for i in kept]
        used = sorted(set(feed_of))
        self.feeds = [self.feeds[i] for i in used]
        self.feed_of = [used.index(i) for i in feed_of]
        self.sizes = [self.sizes[i] for i in kept]
        self.weights = self.weights[kept]

    def epoch(self):
        """Yield the batches of an epoch: inputs, targets, and weights of shape (K, B).

        Inputs and targets have a leading axis of members unless all share one feed. Members whose
        rows are used up get rows of weight zero.
        """
        orders, real = self._orders()  # (S, n)
        device = self.weights.device
        feed_of = torch.tensor(self.feed_of, device=device)
        longest, size = orders.shape[1], self.batch_size
        row = sum(values.shape[1:].numel() for values in self.feeds[0].data.values) * 4
        n_rows = size * max(1, CHUNK // (row * size * len(self.feeds)))
        for start in range(0, longest, n_rows):
            rows = orders[:, start : start + n_rows]
            weights = self.weights.gather(1, rows[feed_of])
            if real is not None:
                weights = weights * real[feed_of, start : start + n_rows]
            inputs, targets = self._gather(rows)
            for first in range(0, rows.shape[1], size):
                batch = slice(first, first + size)
                yield (
                    self._repeat(map_tensors(inputs, lambda x, at=batch: x[:, at]), feed_of),
                    self._repeat(targets[:, batch], feed_of),
                    weights[:, batch],
                )

    def _orders(self):
        """Return the rows of each feed in order, and which are no padding (None for all)."""
        device = self.weights.device
        orders = [feed.order() for feed in self.feeds]
        longest = max(map(len, orders))
        if all(len(order) == longest for order in orders):
            return torch.stack(orders).to(device), None
        padded = torch.zeros(len(orders), longest, dtype=torch.long)
        real = torch.zeros_like(padded, dtype=self.weights.dtype)
        for i, order in enumerate(orders):
            padded[i, : len(order)] = order
            real[i, : len(order)] = 1
        return padded.to(device), real.to(device)

    def _gather(self, rows):
        parts = [feed.take(order) for feed, order in zip(self.feeds, rows, strict=True)]
        if self.shared:
            return map_tensors(parts[0], lambda x: x.unsqueeze(0))
        values, present, steps = zip(*(inputs for inputs, _ in parts), strict=True)
        inputs = (
            [torch.stack(block) for block in zip(*values, strict=True)],
            torch.stack(present),
            [
                None if block[0] is None else torch.stack(block)
                for block in zip(*steps, strict=True)
            ],
        )
        return inputs, torch.stack([targets for _, targets in parts])

    def _repeat(self, batch, feed_of):
        """Repeat the batches of feeds for their members."""
        if self.shared:
            return map_tensors(batch, lambda x: x[0])
        if len(self.feeds) == len(feed_of):
            return batch  # each member has its own, in order
        return map_tensors(batch, lambda x: x.index_select(0, feed_of))


class _Feed:
    """The rows of one dataset, standardised by one network."""

    def __init__(self, data, standardizers, seed):
        self.data = data
        self.standardizers = standardizers
        self.generator = None if seed is None else torch.Generator().manual_seed(seed)
        self.whole = [_whole(x, steps) for x, steps in zip(data.values, data.steps, strict=True)]

    def order(self):
        if self.generator is None:
            return torch.arange(len(self.data))
        return self.data.order(self.generator)

    def take(self, rows):
        """Return inputs, with standardised values, and targets."""
        (values, present, steps), batch = self.data[rows]
        standardised = []
        for layer, x, step, whole in zip(
            self.standardizers, values, steps, self.whole, strict=True
        ):
            if whole:  # nothing is missing
                x = x.to(layer.mean.dtype).sub_(layer.mean).mul_(layer.inverse_scale)
            else:
                x = layer(x, step)
            standardised.append(x)
        return (standardised, present, steps), batch[0]


def feed_key(member, *, training):
    """Return a key that is equal for members with the same batches."""
    data = member.train if training else member.valid
    arrays = [part for part in (data.targets, data.rows, data.classes) if part is not None]
    numbers = b"".join(array.cpu().numpy().tobytes() for array in arrays)
    statistics = b"".join(array.tobytes() for pair in member.plan.statistics for array in pair)
    places = tuple(values.data_ptr() for values in data.values)
    return places, len(data), numbers, statistics, member.seed if training else None


def _whole(values, steps):
    if steps is not None or isinstance(values, StreamedValues):  # to check would read all
        return False
    return not values.is_floating_point() or not bool(values.isnan().any())


def _padded(rows):
    """Stack weights of unequal numbers of rows, padded with zeros."""
    longest = max(map(len, rows))
    return torch.stack([torch.nn.functional.pad(x, (0, longest - len(x))) for x in rows])
