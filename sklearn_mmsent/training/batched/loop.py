"""Training a stack: epochs, early stopping of each member, and what is left of it."""

import math
import time
from dataclasses import dataclass

import torch

from sklearn_mmsent.exceptions import DivergenceError
from sklearn_mmsent.training.batched.feeds import Streams
from sklearn_mmsent.training.batched.optimizer import StackedAdamW, clip
from sklearn_mmsent.training.batched.stack import NetworkStack, write_back

THRESHOLD = 1e-4  # of skorch's EarlyStopping: a loss must fall by more, relative to itself
ROWS_AT_ONCE = 4096  # of all members together, in validation


@dataclass(frozen=True)
class Settings:
    """What the optimizer knows of a member; members with equal ones make steps of equal size."""

    lr: float
    weight_decay: float
    n_batches: int
    n_steps: int
    lr_schedule: str | None
    warmup: float


class Training:
    """K members that are trained together.

    Parameters
    ----------
    members : list of Member
        With networks of equal shapes, one loss and batch size, on one device, and validation
        rows for all or for none.
    nets : list of FusionNet
        Initialised; their networks are trained, their histories are written.
    """

    def __init__(self, members, nets):
        order = sorted(range(len(members)), key=lambda i: _numbers(members[i]))
        self.members = [members[i] for i in order]
        self.nets = [nets[i] for i in order]
        modules = [net.module_ for net in self.nets]
        first = self.members[0]
        self.stack = NetworkStack(modules, first.loss)
        self.train = Streams(self.members, modules, training=True, batch_size=first.batch_size)
        self.valid = None
        if first.valid is not None:
            size = max(32, ROWS_AT_ONCE // len(members))
            self.valid = Streams(self.members, modules, training=False, batch_size=size)
        settings = []
        for i, member in enumerate(self.members):
            n = self.train.n_batches(i)
            lr, decay, n_steps = member.lr, member.weight_decay, n * member.max_epochs
            settings.append(Settings(lr, decay, n, n_steps, member.lr_schedule, member.warmup))
        fused = self.stack.weights.device.type == "cpu"
        self.optimizer = StackedAdamW(
            self.stack.weights, self.stack.gradients, settings, fused=fused
        )
        limits = [member.max_gradient_norm for member in self.members]
        self.limits = torch.tensor(limits, device=self.stack.weights.device).unsqueeze(1)
        self.best = [None] * len(members)
        self.watch = [_Watch() for _ in members]

    def run(self, watch=None):
        """Train all members to their ends; return the errors, by net, of those that diverged.

        Parameters
        ----------
        watch : Watch or None, default=None
            May end members after an epoch; see `train_members`.
        """
        errors = {}
        while self.members:
            started = time.perf_counter()
            columns = [self._epoch(self.train, training=True)]
            if self.valid is not None:
                columns.append(self._epoch(self.valid, training=False))
            losses = torch.stack(columns, dim=1).tolist()  # the one wait for the device
            seconds = (time.perf_counter() - started) / len(self.members)
            kept = []
            for i, (member, net) in enumerate(zip(self.members, self.nets, strict=True)):
                error = self._record(i, losses[i], seconds)
                if error is not None:
                    errors[net] = error
                elif self._goes_on(i, losses[i], len(net.history), member):
                    kept.append(i)
                else:
                    self._finish(i)
            if watch is not None and kept and len(self.nets[kept[0]].history) in watch.epochs:
                kept = self._let_go(kept, watch)
            if len(kept) < len(self.members):
                self._keep(kept)
        return errors

    def batches(self, n):
        """Make some steps, which no history tells of; to measure how long they take."""
        while True:
            for number, batch in enumerate(self.train.epoch()):
                if n == 0:
                    return
                self._step(number, batch)
                n -= 1

    def _epoch(self, streams, *, training):
        """Return each member's weighted mean loss, (K,), on the device."""
        total = weight = 0.0
        for number, batch in enumerate(streams.epoch()):
            if training:
                losses = self._step(number, batch)
            else:
                losses = self.stack.losses(*batch, shared=streams.shared, training=False)
            of_batch = batch[2].sum(1)
            # a member whose rows are used up has no loss here, be it NaN
            total = total + torch.where(of_batch > 0, losses * of_batch, 0.0)
            weight = weight + of_batch
        return total / weight.clamp(min=1e-12)

    def _step(self, number, batch):
        losses = self.stack.losses(*batch, shared=self.train.shared, training=True)
        if any(math.isfinite(member.max_gradient_norm) for member in self.members):
            clip(self.stack.gradients, self.limits)
        self.optimizer.step(number)
        return losses

    def _record(self, i, losses, seconds):
        """Write an epoch into a member's history, as its net would; return what went wrong."""
        history = self.nets[i].history
        history.new_epoch()
        history.record("epoch", len(history))
        both = (("train", self.train), ("valid", self.valid))
        for (prefix, streams), loss in zip(both, losses, strict=False):
            if not math.isfinite(loss):
                return DivergenceError(
                    f"training diverged: the {prefix} loss of epoch {len(history)} is {loss}. "
                    f"Lower lr (now {self.members[i].lr}), or look for extreme values in the "
                    "features or targets."
                )
            history.record(f"{prefix}_loss", loss)
            history.record(f"{prefix}_batch_count", streams.n_batches(i))
            best = min(history[:, f"{prefix}_loss"])
            history.record(f"{prefix}_loss_best", loss <= best)
        history.record("dur", seconds)
        return None

    def _goes_on(self, i, losses, epoch, member):
        if member.patience is not None:
            if self.watch[i].improves(losses[-1]):
                self.best[i] = self.stack.weights[i].clone()
            elif self.watch[i].misses == member.patience:
                return False
        return epoch < member.max_epochs

    def _let_go(self, kept, watch):
        """Show members as they are now; return those that are to go on."""
        for i in kept:
            write_back(self.stack.weights[i], self.nets[i].module_)
            self.nets[i].module_.eval()
        ended = watch([self.members[i] for i in kept], [self.nets[i] for i in kept])
        for i, over in zip(kept, ended, strict=True):
            if over:
                self._finish(i)
        return [i for i, over in zip(kept, ended, strict=True) if not over]

    def _finish(self, i):
        net, best = self.nets[i], self.best[i]
        write_back(self.stack.weights[i] if best is None else best, net.module_)

    def _keep(self, kept):
        """Continue with some of the members, by their numbers."""
        for name in ("members", "nets", "best", "watch"):
            setattr(self, name, [getattr(self, name)[i] for i in kept])
        if not kept:
            return
        self.stack.keep(kept)
        self.optimizer.keep(self.stack.weights, self.stack.gradients, kept)
        self.limits = self.limits[kept]
        self.train.keep(kept)
        if self.valid is not None:
            self.valid.keep(kept)


class _Watch:
    """Looks for a better validation loss, by the rules of skorch's EarlyStopping."""

    def __init__(self):
        self.misses = 0
        self.to_beat = math.inf

    def improves(self, loss):
        if not loss < self.to_beat:
            self.misses += 1
            return False
        self.misses = 0
        self.to_beat = loss - THRESHOLD * loss
        return True


def _numbers(member):
    """Return what members are sorted by, so that those of equal steps stand side by side."""
    n_rows = len(member.train)
    return (member.lr, member.weight_decay, n_rows, member.max_epochs, str(member.lr_schedule))
