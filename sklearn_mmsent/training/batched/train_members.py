"""Training many networks: stacked where they are compatible and it is faster."""

from dataclasses import dataclass, replace

import torch

from sklearn_mmsent.exceptions import TooLargeError
from sklearn_mmsent.training.batched.checkpoint import StackCheckpoint
from sklearn_mmsent.training.batched.compatibility import network_key, plan_key
from sklearn_mmsent.training.batched.feeds import feed_key
from sklearn_mmsent.training.batched.loop import Training
from sklearn_mmsent.training.batched.monitor import Monitor
from sklearn_mmsent.training.batched.packing import (
    bytes_of,
    cut,
    is_out_of_memory,
    members_at_once,
)
from sklearn_mmsent.training.batched.stackable import (
    measure_gain,
    settings_blocker,
    stack_blocker,
)
from sklearn_mmsent.training.checkpoint import CheckpointError, Decisions, NoDecisions, digest
from sklearn_mmsent.training.net import FusionNet
from sklearn_mmsent.training.train import finish_net, initialize_net, train_network
from sklearn_mmsent.utils._messages import first_line
from sklearn_mmsent.utils._random import torch_seed

MIN_GAIN = 1.1  # with which a stack is used
MIN_STEPS_TO_MEASURE = 100  # steps of a member; with fewer a measurement takes too long
MIN_MEMBERS = 8  # members of one feed that make a separate stack on a CPU

NO_COMPATIBLE = "no compatible member"

_gains = {}  # measured in this process


@dataclass
class Trained:
    """Result of training a member.

    Parameters
    ----------
    net : FusionNet or None
        The trained net, as :func:`train_network` returns it; None where training failed.
    error : Exception or None
        Why training failed.
    how : str
        "stacked with n others", or "trained alone: " and the reason.
    """

    net: FusionNet | None = None
    error: Exception | None = None
    how: str = ""


def train_members(members, *, batched="auto", watch=None):
    """Train many networks, each like `train_network`.

    Members that differ only in weights, rows, statistics, learning rate, weight decay, clipping,
    dropout, patience and number of epochs are stacked and trained as one network with an axis of
    members. Equal seeds give equal initial weights and batches; dropout masks differ.

    Parameters
    ----------
    members : list of Member
        Networks to train.
    batched : "auto" or bool, default="auto"
        "auto" stacks members if a short measurement shows that it is faster; the decision holds
        for all such members of a process. True stacks what can be stacked; False nothing.
    watch : callable or None, default=None
        Stops members early. After each of its ``epochs`` it is called with the members of a stack
        and their nets, and returns a list of bool, True for each member to stop. Members with a
        checkpoint are not watched.

    Returns
    -------
    list of Trained
        In the order of the members. A member that diverges or cannot be built has an error and
        does not affect the others.
    """
    results = [Trained() for _ in members]
    keys = _keys(members, results)
    groups = {}
    for i, member in enumerate(members):
        reason = settings_blocker(member) if batched else "batched=False"
        if results[i].error is not None:
            results[i].how = "not trained: it has no digest for a checkpoint"
        elif reason:
            _train_alone(member, results[i], reason, keys[i], watch)
        else:
            groups.setdefault((plan_key(member), member.checkpoint_dir), []).append(i)
    for numbers in groups.values():
        if len(numbers) == 1:
            i = numbers[0]
            _train_alone(members[i], results[i], NO_COMPATIBLE, keys[i], watch)
        else:
            _Group(members, results, keys, batched, watch).train(numbers)
    return results


def _keys(members, results):
    """Return the digest of each member that has a checkpoint; record errors of those without."""
    keys, known = [None] * len(members), {}
    for i, member in enumerate(members):
        if member.checkpoint_dir is not None:
            try:
                keys[i] = member.key(known)
            except ValueError as error:
                results[i].error = error
    return keys


class _Group:
    """Members with compatible settings."""

    def __init__(self, members, results, keys, batched, watch):
        self.members, self.results, self.keys = members, results, keys
        self.batched, self.watch = batched, watch

    def train(self, numbers):
        """Train members, given by their numbers."""
        first = self.members[numbers[0]]
        decided = self._decisions("group", numbers)
        size = decided.get("members_at_once", (int,))
        if not size or size < 1:
            try:
                size = self._size(first)
            except Exception as error:  # it cannot be built or run: each raises its own error
                return self._alone(numbers, first_line(error))
            decided.set("members_at_once", size)
        for pack in self._packs(numbers, size):
            self._train_pack(pack)

    def _size(self, member):
        net = initialize_net(member)
        rows = torch.arange(min(member.batch_size, len(member.train)))
        rows = rows.to(member.train.present.device)
        net.criterion_.train()
        with torch_seed(member.seed, member.device):
            inputs, targets = member.train[rows]
            n_bytes = bytes_of(member, net.module_, lambda: net.criterion_(inputs, *targets))
        return members_at_once(member.device, n_bytes)

    def _packs(self, numbers, size):
        """Distribute members over stacks; on a CPU, those of one feed make separate stacks."""
        feeds = {}
        for i in numbers:
            key = feed_key(self.members[i], training=True)
            feeds.setdefault(key, []).append(i)
        packs, others = [], []
        on_cpu = torch.device(self.members[numbers[0]].device).type == "cpu"
        for same_feed in feeds.values():
            if on_cpu and len(same_feed) >= MIN_MEMBERS:
                packs += cut(same_feed, size)
            else:
                others += same_feed
        return packs + (cut(others, size) if others else [])

    def _train_pack(self, pack):
        """Train one stack; halve it where memory does not suffice."""
        if len(pack) == 1:
            return self._alone(pack, NO_COMPATIBLE)
        decided = self._decisions("pack", pack)
        try:
            if not decided.get("halved", (bool,)):
                return self._stacked(pack)
        except CheckpointError:
            raise
        except Exception as error:
            if not is_out_of_memory(error):
                return self._alone(pack, first_line(error))
            decided.set("halved", True)
        for half in cut(pack, -(-len(pack) // 2)):  # except would hold its tensors
            self._train_pack(half)
        return None

    def _stacked(self, pack):
        compatible = {}
        for i, member in ((i, self.members[i]) for i in pack):
            net = initialize_net(member)
            compatible.setdefault(network_key(net.module_), []).append((i, member, net))
        for same in compatible.values():
            numbers, members, nets = zip(*same, strict=True)
            if len(same) == 1:
                self._alone(numbers, NO_COMPATIBLE)
                continue
            reason = self._blocker(members, nets, self._decisions("stack", numbers))
            if reason:
                self._alone(numbers, reason)
                continue
            errors = self._run(numbers, members, nets)
            for i, net in zip(numbers, nets, strict=True):
                result = self.results[i]
                result.how = f"stacked with {len(same) - 1} others"
                result.error = errors.get(net)
                result.net = finish_net(net) if result.error is None else None

    def _run(self, numbers, members, nets):
        """Train a stack, unless a checkpoint has it; return the errors by net."""
        folder = members[0].checkpoint_dir
        if folder is not None:
            checkpoint = StackCheckpoint(folder, self._key("stack", numbers))
            errors = checkpoint.load(nets)
            if errors is not None:
                return errors
        with torch_seed(members[0].seed, members[0].device):
            errors = Training(members, nets).run(self.watch if folder is None else None)
        if folder is not None:
            checkpoint.save(nets, errors)
        return errors

    def _blocker(self, members, nets, decided):
        """Return why networks are not stacked, or None."""
        first, net = members[0], nets[0]
        n_steps = -(-len(first.train) // first.batch_size) * first.max_epochs
        if self.batched != "auto" or n_steps < MIN_STEPS_TO_MEASURE:
            return stack_blocker(members, nets)
        shared = len({feed_key(member, training=True) for member in members}) == 1
        key = (plan_key(first), network_key(net.module_), len(members), shared)
        key = (*key, torch.get_num_threads())
        gain = decided.get("gain", (float, str))
        if gain is not None:  # that of the interrupted run
            _gains.setdefault(key, gain)
        else:
            if key not in _gains:
                _gains[key] = stack_blocker(members, nets) or measure_gain(members, nets)
            gain = _gains[key]
            decided.set("gain", gain)
        if isinstance(gain, str):
            return gain
        return None if gain >= MIN_GAIN else f"stacking is {gain:.2f} times as fast"

    def _alone(self, numbers, reason):
        for i in numbers:
            _train_alone(self.members[i], self.results[i], reason, self.keys[i], self.watch)

    def _key(self, kind, numbers):
        """Return the digest of a list of members."""
        return digest((kind, self.batched, [self.keys[i] for i in numbers]))

    def _decisions(self, kind, numbers):
        """Return the decisions about members that a resumed run must repeat."""
        folder = self.members[numbers[0]].checkpoint_dir
        return (
            NoDecisions() if folder is None else Decisions(folder, kind, self._key(kind, numbers))
        )


def _train_alone(member, result, reason, checkpoint_key, watch):
    result.how = f"trained alone: {reason}"
    try:
        if watch is None or member.checkpoint_dir is not None:
            result.net = train_network(member, checkpoint_key)
        else:
            callbacks = [*(member.callbacks or ()), ("monitor", Monitor(member, watch))]
            result.net = train_network(replace(member, callbacks=callbacks))
    except CheckpointError:  # the other members would fail, too
        raise
    except Exception as error:  # returned, so that the others are trained
        if is_out_of_memory(error):
            n_rows, n_bytes = len(member.train), _bytes_of_table(member)
            error = TooLargeError(
                f"one network of width {member.plan.width} with batches of {member.batch_size} "
                f"does not fit into the memory of {member.device}, where its {n_rows:,} rows take "
                f"{n_bytes / 2**20:,.0f} MiB: {first_line(error)}. Lower batch_size or "
                "hidden_size, or train on another device."
            )
        result.error = error


def _bytes_of_table(member):
    return sum(values.numel() * values.element_size() for values in member.train.values)
