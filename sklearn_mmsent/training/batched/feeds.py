"""The batches that a stack of members is fed with; who looks at the same rows shares them.

Candidates of a search with one seed read the same rows of a fold in the same order: then they are
one stream. Shapes: K members, S streams, B rows of a batch, F features.
"""

import torch

from sklearn_mmsent.training.dataset import CHUNK
from sklearn_mmsent.training.out_of_core import StreamedValues
from sklearn_mmsent.utils._tensors import map_tensors


class Streams:
    """What members read, epoch by epoch.

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
        self.streams, self.stream_of = [], []
        known = {}
        for member, module in zip(members, modules, strict=True):
            key = stream_key(member, training=training)
            if key not in known:
                known[key] = len(self.streams)
                seed = member.seed if training else None
                data = member.train if training else member.valid
                self.streams.append(_Stream(data, module.standardizers, seed))
            self.stream_of.append(known[key])
        data = [member.train if training else member.valid for member in members]
        self.sizes = [len(rows) for rows in data]
        self.weights = _side_by_side([rows.weights for rows in data])  # (K, n)

    @property
    def shared(self):
        """Whether all members look at the same rows."""
        return len(self.streams) == 1

    def n_batches(self, i):
        """Return how many batches member number i has in an epoch."""
        return -(-self.sizes[i] // self.batch_size)

    def keep(self, kept):
        """Go on with some of the members, by their numbers."""
        of = [self.stream_of[i] for i in kept]
        used = sorted(set(of))
        self.streams = [self.streams[i] for i in used]
        self.stream_of = [used.index(i) for i in of]
        self.sizes = [self.sizes[i] for i in kept]
        self.weights = self.weights[kept]

    def epoch(self):
        """Yield the batches of an epoch: inputs, targets, and weights of shape (K, B).

        Inputs and targets have an axis of members in front unless all share one stream. Where
        rows of some are used up, a batch goes on with rows of weight zero.
        """
        orders, real = self._orders()  # (S, n)
        device = self.weights.device
        of = torch.tensor(self.stream_of, device=device)
        longest, size = orders.shape[1], self.batch_size
        row = sum(values.shape[1:].numel() for values in self.streams[0].data.values) * 4
        n_rows = size * max(1, CHUNK // (row * size * len(self.streams)))
        for start in range(0, longest, n_rows):
            rows = orders[:, start : start + n_rows]
            weights = self.weights.gather(1, rows[of])
            if real is not None:
                weights = weights * real[of, start : start + n_rows]
            inputs, targets = self._gather(rows)
            for first in range(0, rows.shape[1], size):
                batch = slice(first, first + size)
                yield (
                    self._of_members(map_tensors(inputs, lambda x, at=batch: x[:, at]), of),
                    self._of_members(targets[:, batch], of),
                    weights[:, batch],
                )

    def _orders(self):
        """Return the rows of each stream in order, and which are no padding (None for all)."""
        device = self.weights.device
        orders = [stream.order() for stream in self.streams]
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
        parts = [stream.take(order) for stream, order in zip(self.streams, rows, strict=True)]
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

    def _of_members(self, batch, of):
        """From streams to members."""
        if self.shared:
            return map_tensors(batch, lambda x: x[0])
        if len(self.streams) == len(of):
            return batch  # the first member is of the first stream, and so on
        return map_tensors(batch, lambda x: x.index_select(0, of))


class _Stream:
    """The rows of one dataset, standardised as one network does it."""

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
            if whole:  # nothing is missing: no need to look for it
                x = x.to(layer.mean.dtype).sub_(layer.mean).mul_(layer.inverse_scale)
            else:
                x = layer(x, step)
            standardised.append(x)
        return (standardised, present, steps), batch[0]


def stream_key(member, *, training):
    """Return what decides the batches that a member reads."""
    data = member.train if training else member.valid
    arrays = [part for part in (data.targets, data.rows, data.classes) if part is not None]
    numbers = b"".join(array.cpu().numpy().tobytes() for array in arrays)
    statistics = b"".join(array.tobytes() for pair in member.plan.statistics for array in pair)
    places = tuple(values.data_ptr() for values in data.values)
    return places, len(data), numbers, statistics, member.seed if training else None


def _whole(values, steps):
    if steps is not None or isinstance(values, StreamedValues):  # to look would be to read all
        return False
    return not values.is_floating_point() or not bool(values.isnan().any())


def _side_by_side(rows):
    """Stack weights of unequal numbers of rows, filled up by zeros."""
    longest = max(map(len, rows))
    return torch.stack([torch.nn.functional.pad(x, (0, longest - len(x))) for x in rows])
