"""Training a stack: epochs, and early stopping of each member."""

import math
import time
from dataclasses import dataclass

import torch

from sklearn_mmsent.exceptions import DivergenceError
from sklearn_mmsent.training.batched.feeds import Feeds
from sklearn_mmsent.training.batched.optimizer import StackedAdamW, clip
from sklearn_mmsent.training.batched.stack import NetworkStack, write_back

THRESHOLD = 1e-4  # of skorch's EarlyStopping: a loss must fall by more, relative to itself
ROWS_AT_ONCE = 4096  # of all members together, in validation


@dataclass(frozen=True)
class Settings:
    """Optimizer settings of a member; members with equal settings make steps of equal size."""

    lr: float
    weight_decay: float
    n_batches: int
    n_steps: int
    lr_schedule: str | None
    warmup: float


class Training:
    """Training of K stacked members.

    Parameters
    ----------
    members : list of Member
        Their networks have equal shapes, they share loss, batch size and device, and all or none
        have validation rows.
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
        self.train = Feeds(self.members, modules, training=True, batch_size=first.batch_size)
        self.valid = None
        if first.valid is not None:
            size = max(32, ROWS_AT_ONCE // len(members))
            self.valid = Feeds(self.members, modules, training=False, batch_size=size)
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
        self.stopping = [_EarlyStopping() for _ in members]

    def run(self, watch=None):
        """Train all members; return the errors, by net, of those that diverged.

        Parameters
        ----------
        watch : callable or None, default=None
            May stop members after an epoch; see `train_members`.
        """
        errors = {}
        while self.members:
            started = time.perf_counter()
            columns = [self._epoch(self.train, training=True)]
            if self.valid is not None:
                columns.append(self._epoch(self.valid, training=False))
            losses = torch.stack(columns, dim=1).tolist()  # the only wait for the device
            seconds = (time.perf_counter() - started) / len(self.members)
            kept = []
            for i, (member, net) in enumerate(zip(self.members, self.nets, strict=True)):
                error = self._record(i, losses[i], seconds)
                if error is not None:
                    errors[net] = error
                elif self._continues(i, losses[i], len(net.history), member):
                    kept.append(i)
                else:
                    self._finish(i)
            if watch is not None and kept and len(self.nets[kept[0]].history) in watch.epochs:
                kept = self._watched(kept, watch)
            if len(kept) < len(self.members):
                self._keep(kept)
        return errors

    def batches(self, n):
        """Make some steps without recording them, to measure their time."""
        while True:
            for number, batch in enumerate(self.train.epoch()):
                if n == 0:
                    return
                self._step(number, batch)
                n -= 1

    def _epoch(self, feeds, *, training):
        """Return each member's weighted mean loss, (K,), on the device."""
        total = weight = 0.0
        for number, batch in enumerate(feeds.epoch()):
            if training:
                losses = self._step(number, batch)
            else:
                losses = self.stack.losses(*batch, shared=feeds.shared, training=False)
            batch_weight = batch[2].sum(1)
            # the loss of a member whose rows are used up does not count, even if it is NaN
            total = total + torch.where(batch_weight > 0, losses * batch_weight, 0.0)
            weight = weight + batch_weight
        return total / weight.clamp(min=1e-12)

    def _step(self, number, batch):
        losses = self.stack.losses(*batch, shared=self.train.shared, training=True)
        if any(math.isfinite(member.max_gradient_norm) for member in self.members):
            clip(self.stack.gradients, self.limits)
        self.optimizer.step(number)
        return losses

    def _record(self, i, losses, seconds):
        """Record an epoch in a member's history, like its net; return the error if it diverged."""
        history = self.nets[i].history
        history.new_epoch()
        history.record("epoch", len(history))
        both = (("train", self.train), ("valid", self.valid))
        for (prefix, feeds), loss in zip(both, losses, strict=False):
            if not math.isfinite(loss):
                return DivergenceError(
                    f"training diverged: the {prefix} loss of epoch {len(history)} is {loss}. "
                    f"Lower lr (now {self.members[i].lr}), or look for extreme values in the "
                    "features or targets."
                )
            history.record(f"{prefix}_loss", loss)
            history.record(f"{prefix}_batch_count", feeds.n_batches(i))
            best = min(history[:, f"{prefix}_loss"])
            history.record(f"{prefix}_loss_best", loss <= best)
        history.record("dur", seconds)
        return None

    def _continues(self, i, losses, epoch, member):
        if member.patience is not None:
            if self.stopping[i].improves(losses[-1]):
                self.best[i] = self.stack.weights[i].clone()
            elif self.stopping[i].misses == member.patience:
                return False
        return epoch < member.max_epochs

    def _watched(self, kept, watch):
        """Show members to a watch; return those that continue."""
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
        for name in ("members", "nets", "best", "stopping"):
            setattr(self, name, [getattr(self, name)[i] for i in kept])
        if not kept:
            return
        self.stack.keep(kept)
        self.optimizer.keep(self.stack.weights, self.stack.gradients, kept)
        self.limits = self.limits[kept]
        self.train.keep(kept)
        if self.valid is not None:
            self.valid.keep(kept)


class _EarlyStopping:
    """Tracks the best validation loss by the rules of skorch's EarlyStopping."""

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
    """Return the sort key of a member, by which those with equal steps are adjacent."""
    n_rows = len(member.train)
    return (member.lr, member.weight_decay, n_rows, member.max_epochs, str(member.lr_schedule))
