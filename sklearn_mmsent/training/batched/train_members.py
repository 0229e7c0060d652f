"""Training many networks: stacked where they are alike and it pays, the others one at a time."""

import time
import warnings
from dataclasses import dataclass, replace

import torch

from sklearn_mmsent.exceptions import TooLargeError
from sklearn_mmsent.training.batched.checkpoint import StackCheckpoint
from sklearn_mmsent.training.batched.compatibility import network_key, plan_key
from sklearn_mmsent.training.batched.feeds import stream_key
from sklearn_mmsent.training.batched.loop import Training
from sklearn_mmsent.training.batched.monitor import Watched
from sklearn_mmsent.training.batched.packing import (
    bytes_of,
    cut,
    is_out_of_memory,
    members_at_once,
)
from sklearn_mmsent.training.checkpoint import CheckpointError, Decisions, NoDecisions, digest
from sklearn_mmsent.training.net import FusionNet
from sklearn_mmsent.training.precision import choose_precision
from sklearn_mmsent.training.train import finish_net, make_net, train_network
from sklearn_mmsent.utils._messages import first_line
from sklearn_mmsent.utils._random import torch_seed

GAIN = 1.1  # that a stack must show to be taken
STEPS = 4  # that are timed, of the stack and of a lone member in turn
MIN_STEPS_TO_MEASURE = 100  # steps of a member from which on it is worth looking
MIN_MEMBERS = 8  # members of one stream that make a stack of their own on a CPU

_gains = {}  # measured in this process


@dataclass
class Trained:
    """What became of a member.

    Parameters
    ----------
    net : FusionNet or None
        The trained net, as :func:`train_network` gives it; None where training failed.
    error : Exception or None
        What went wrong.
    how : str
        "stacked with n others", or "alone: " and the reason.
    """

    net: FusionNet | None = None
    error: Exception | None = None
    how: str = ""


def train_members(members, *, batched="auto", max_bytes=None, watch=None):
    """Train many networks, each as `train_network` would alone.

    Those that are alike but for weights, rows, statistics, learning rate, weight decay, clipping,
    dropout, patience and number of epochs are trained together, as one network with an axis of
    members. Equal seeds give equal initial weights and batches; what dropout draws is different.

    Parameters
    ----------
    members : list of Member
        What to train.
    batched : "auto" or bool, default="auto"
        "auto" stacks what a short measurement shows to be faster so; one decision holds for all
        like members of a process. True stacks what can be stacked; False trains one by one.
    max_bytes : int or None, default=None
        Memory for a stack; None means what is sensible for the device.
    watch : Watch or None, default=None
        Ends members before their time. After each of its ``epochs`` it is called with members that
        are trained side by side and their nets as they are then, and gives a list that tells of
        each whether it ends. Members with a checkpoint are not watched.

    Returns
    -------
    list of Trained
        In the order of the members. A member that diverges, or cannot be built, has an error
        and leaves the others alone.
    """
    results = [Trained() for _ in members]
    keys = _keys(members, results)
    groups = {}
    for i, member in enumerate(members):
        reason = _reason_alone(member) if batched else "batched=False"
        if results[i].error is not None:
            results[i].how = "not at all: another run could not find it again"
        elif reason:
            _train_alone(member, results[i], reason, keys[i], watch)
        else:
            groups.setdefault((plan_key(member), member.checkpoint_dir), []).append(i)
    for numbers in groups.values():
        if len(numbers) == 1:
            i = numbers[0]
            _train_alone(members[i], results[i], "no other is like it", keys[i], watch)
        else:
            _Group(members, results, keys, batched, max_bytes, watch).train(numbers)
    return results


def _keys(members, results):
    """Return the digest of each member that has a checkpoint; note what has none as an error."""
    keys, known = [None] * len(members), {}
    for i, member in enumerate(members):
        if member.checkpoint_dir is not None:
            try:
                keys[i] = member.key(known)
            except ValueError as error:
                results[i].error = error
    return keys


class _Group:
    """Members whose settings are alike."""

    def __init__(self, members, results, keys, batched, max_bytes, watch):
        self.members, self.results, self.keys = members, results, keys
        self.batched, self.max_bytes, self.watch = batched, max_bytes, watch

    def train(self, numbers):
        """Train the members of some numbers."""
        first = self.members[numbers[0]]
        decided = self._decisions("group", numbers)
        size = decided.get("members_at_once", (int,))
        if not size or size < 1:
            try:
                size = self._size(first)
            except Exception as error:  # it cannot be built, or run: each tells so itself
                return self._alone(numbers, first_line(error))
            decided.set("members_at_once", size)
        for pack in self._packs(numbers, size):
            self._train_pack(pack)

    def _size(self, member):
        net = _initialised(member)
        rows = torch.arange(min(member.batch_size, len(member.train)))
        rows = rows.to(member.train.present.device)
        net.criterion_.train()
        with torch_seed(member.seed, member.device):
            inputs, targets = member.train[rows]
            of_one = bytes_of(member, net.module_, lambda: net.criterion_(inputs, *targets))
        return members_at_once(member.device, of_one, self.max_bytes)

    def _packs(self, numbers, size):
        """Put members side by side; on a CPU those that read the same rows by themselves."""
        streams = {}
        for i in numbers:
            key = stream_key(self.members[i], training=True)
            streams.setdefault(key, []).append(i)
        packs, others = [], []
        on_cpu = torch.device(self.members[numbers[0]].device).type == "cpu"
        for of_stream in streams.values():
            if on_cpu and len(of_stream) >= MIN_MEMBERS:
                packs += cut(of_stream, size)
            else:
                others += of_stream
        return packs + (cut(others, size) if others else [])

    def _train_pack(self, pack):
        """Train one stack; halve it where memory does not suffice."""
        if len(pack) == 1:
            return self._alone(pack, "no other is left beside it")
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
        for half in cut(pack, -(-len(pack) // 2)):  # the error, and what it holds, is gone
            self._train_pack(half)
        return None

    def _stacked(self, pack):
        members = [self.members[i] for i in pack]
        nets, alike = [], {}
        for i, member in zip(pack, members, strict=True):
            net = _initialised(member)
            alike.setdefault(network_key(net.module_), []).append((i, member, net))
        for same in alike.values():
            numbers, members, nets = zip(*same, strict=True)
            if len(same) == 1:
                self._alone(numbers, "no other network is like it")
                continue
            reason = self._why_not(members, nets, self._decisions("stack", numbers))
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

    def _why_not(self, members, nets, decided):
        """Return why not to stack networks, or None."""
        first, net = members[0], nets[0]
        n_steps = -(-len(first.train) // first.batch_size) * first.max_epochs
        if self.batched != "auto" or n_steps < MIN_STEPS_TO_MEASURE:
            return stack_blocker(members, nets)
        shared = len({stream_key(member, training=True) for member in members}) == 1
        key = (plan_key(first), network_key(net.module_), len(members), shared)
        key = (*key, torch.get_num_threads())
        gain = decided.get("gain", (float, str))
        if gain is not None:  # as it was before a kill, whatever else it would be now
            _gains.setdefault(key, gain)
        else:
            if key not in _gains:
                _gains[key] = stack_blocker(members, nets) or _gain(members, nets)
            gain = _gains[key]
            decided.set("gain", gain)
        if isinstance(gain, str):
            return gain
        return None if gain >= GAIN else f"stacking is {gain:.2f} times as fast"

    def _alone(self, numbers, reason):
        for i in numbers:
            _train_alone(self.members[i], self.results[i], reason, self.keys[i], self.watch)

    def _key(self, what, numbers):
        """Return the digest of some members together."""
        return digest((what, self.batched, self.max_bytes, [self.keys[i] for i in numbers]))

    def _decisions(self, what, numbers):
        """Return what has been decided about members, which a resumed run is to decide alike."""
        folder = self.members[numbers[0]].checkpoint_dir
        return (
            NoDecisions() if folder is None else Decisions(folder, what, self._key(what, numbers))
        )


def _reason_alone(member):
    """Return why a member cannot be stacked, as far as its settings tell."""
    if member.callbacks:
        return "it has callbacks"
    if member.net_params:
        return "it has net_params"
    if isinstance(member.loss, torch.nn.Module):
        return "its loss may have weights of its own"
    if choose_precision(member.precision, member.plan, member.device) != "float32":
        return "it is trained in bfloat16"
    return "it is verbose" if member.verbose else None


def _train_alone(member, result, reason, checkpoint_key, watch):
    result.how = f"alone: {reason}"
    try:
        if watch is None or member.checkpoint_dir is not None:
            result.net = train_network(member, checkpoint_key)
        else:
            callbacks = [*(member.callbacks or ()), ("watch", Watched(member, watch))]
            result.net = train_network(replace(member, callbacks=callbacks))
    except CheckpointError:  # no member's fault: the others would fail as well
        raise
    except Exception as error:  # given back: the others go on
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


def _initialised(member):
    """Return a member's net with the weights that it starts from."""
    net = make_net(member)
    with torch_seed(member.seed, member.device):
        net.initialize()
    return net


def stack_blocker(members, nets):
    """Try one step of a stack; return why it does not work, or None."""
    module = nets[0].module_
    if not all(p.requires_grad for p in module.parameters()):
        return "a part of its network is frozen"
    if any(encoder.learning_rates() for encoder in module.encoders):
        return "a part of its network learns at a rate of its own"
    if any(encoder.ragged for encoder in module.encoders):
        return "a part of its network computes over real steps alone, which differ"
    if any(part.remembers for part in (module.fusion, *module.unimodal)):
        return "a part of its network remembers each training row"
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with torch_seed(members[0].seed, members[0].device):
            trial = Training(members[:2], nets[:2])
            trial.batches(1)
    if any("performance drop" in str(warning.message) for warning in caught):
        return "torch has no rule to stack a part of its network"
    buffers = dict(trial.stack.objective.named_buffers())
    stateful = [name for name in trial.stack.buffers if not name.endswith(".p")]
    if stateful or any(
        not torch.equal(buffer, buffers[f"network.{name}"])
        for name, buffer in module.named_buffers()
        if f"network.{name}" in buffers
    ):
        return "a part of its network keeps numbers of its own besides weights"
    return None


def _gain(members, nets):
    """Measure how much faster than one by one a stack is, per step of a member."""
    member = members[0]
    together, alone = Training(members, nets), _initialised(member)
    generator = torch.Generator().manual_seed(member.seed)
    batches = list(torch.randperm(len(member.train), generator=generator).split(member.batch_size))
    device = member.train.present.device

    def one_by_one(n):
        for i in range(n):
            alone.train_step(member.train[batches[i % len(batches)].to(device)])

    def seconds(function, n):
        started = time.perf_counter()
        function(n)
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return (time.perf_counter() - started) / n

    with torch_seed(member.seed, member.device):
        together.batches(1)
        one_by_one(2)
        times = [
            (seconds(one_by_one, 2 * STEPS), seconds(together.batches, STEPS)) for _ in range(3)
        ]
    alone_time, together_time = (min(column) for column in zip(*times, strict=True))
    return alone_time * len(members) / together_time
