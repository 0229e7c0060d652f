"""FusionNet: a skorch net that is trained on batches of blocks."""

import math

import torch
from skorch import NeuralNet
from skorch.callbacks import Callback, EpochTimer, PrintLog
from skorch.utils import TeeGenerator

from sklearn_mmsent.exceptions import DivergenceError
from sklearn_mmsent.nn.objective import Objective, autocast, full_precision
from sklearn_mmsent.training.dataset import Batches


class StopTraining(Exception):
    """Raised inside training when a callback asks to stop."""


class Interrupted(KeyboardInterrupt):
    """The user's Ctrl-C, which a checkpoint must distinguish from a callback's request to stop."""


class FusionNet(NeuralNet):
    """A skorch net that is fitted on a :class:`BlockDataset`.

    History, callbacks and checkpoints are those of skorch. What differs: batches
    are cut on the device, losses are weighted means (an epoch's loss is weighted
    by its batches' weights, and read from the device once per epoch), and a
    callback's request to stop is distinguished from the user's Ctrl-C, which
    skorch would swallow.

    Parameters
    ----------
    *args : tuple
        As for :class:`skorch.NeuralNet`.
    loss : callable
        Maps outputs and targets of a batch to the loss of each row.
    seed : int, default=0
        Seed of the order of the training rows.
    precision : {"float32", "bfloat16"}, default="float32"
        Precision of the layers; losses, weights and the optimizer are in float32.
    **kwargs : dict
        As for :class:`skorch.NeuralNet`.
    """

    checkpoint_ = None  # NetworkCheckpoint of the running training

    def __init__(self, *args, loss, seed=0, precision="float32", **kwargs):
        self.loss = loss
        self.seed = seed
        self.precision = precision
        super().__init__(*args, criterion=Objective, **kwargs)

    @property
    def _default_callbacks(self):
        return [("epoch_timer", EpochTimer()), ("print_log", PrintLog())]

    def initialize_criterion(self):
        """Build the objective of the module and the loss, whose parameters are optimised, too."""
        self.criterion_ = Objective(self.module_, self.loss, self.precision)
        return self

    def get_iterator(self, dataset, training=False):
        """Return the batches of a dataset, shuffled for training."""
        if not training:
            return Batches(dataset, max(self.batch_size, dataset.rows_at_once()))
        generator = torch.Generator().manual_seed(self.seed)
        if self.checkpoint_ is not None:
            self.checkpoint_.watch(generator)
        return Batches(dataset, self.batch_size, generator)

    def get_params_for_optimizer(self, prefix, named_parameters):
        """Return skorch's groups of parameters, split by the learning rates that encoders set."""
        trained = [(name, p) for name, p in named_parameters if p.requires_grad]
        (groups,), kwargs = super().get_params_for_optimizer(prefix, trained)
        rates = {
            id(parameter): rate
            for encoder in self.module_.encoders
            for part, rate in encoder.learning_rates()
            for parameter in part.parameters()
        }
        split = []
        for group in groups:
            by_rate = {}
            for parameter in group["params"]:
                # a rate that the user set by name takes precedence over the encoder's
                rate = None if "lr" in group else rates.get(id(parameter))
                by_rate.setdefault(rate, []).append(parameter)
            for rate, parameters in by_rate.items():
                own = {} if rate is None else {"lr": rate}
                split.append({**group, **own, "params": parameters})
        return (split,), kwargs

    def infer(self, x, **fit_params):
        """Run the module on the inputs of a batch, which are on the device."""
        with autocast(self.precision, self.device):
            return full_precision(self.module_(*x))

    def train_step_single(self, batch, **fit_params):
        """Compute the loss of a training batch and its gradients."""
        inputs, targets = batch
        loss, outputs = self.criterion_(inputs, *targets)
        loss.backward()
        return {"loss": loss, "y_pred": outputs}

    def train_step(self, batch, **fit_params):
        """Train on a batch like skorch, with less overhead on small batches.

        The module is switched to training once per epoch instead of once per batch, only callbacks
        that implement an event are called, and only LBFGS gets a closure.
        """
        if isinstance(self.optimizer_, torch.optim.LBFGS):  # evaluates the loss several times
            return super().train_step(batch, **fit_params)
        self.optimizer_.zero_grad()
        step = self.train_step_single(batch)
        if self._is_implemented("on_grad_computed"):
            parameters = TeeGenerator(self.get_all_learnable_params())
            self.notify("on_grad_computed", named_parameters=parameters, batch=batch, training=True)
        self.optimizer_.step()
        return step

    def validation_step(self, batch, **fit_params):
        """Compute the loss of a validation batch."""
        inputs, targets = batch
        with torch.no_grad():
            loss, outputs = self.criterion_(inputs, *targets)
        return {"loss": loss, "y_pred": outputs}

    def _is_implemented(self, method_name):
        """Return whether a callback of this net implements an event."""
        default = getattr(Callback, method_name)
        return any(
            getattr(type(callback), method_name, None) is not default
            for _, callback in self.callbacks_
        )

    def run_single_epoch(self, iterator, training, prefix, step_fn, **fit_params):
        """Train or validate for one epoch; record the weighted mean of the batches' losses."""
        if iterator is None:
            return
        total = torch.zeros((), device=self.device, dtype=torch.float32)
        total_weight = torch.zeros_like(total)
        self._set_training(training)
        begins, ends = (self._is_implemented(f"on_batch_{moment}") for moment in ("begin", "end"))
        for batch in iterator:
            if begins:
                self.notify("on_batch_begin", batch=batch, training=training)
            else:  # the net itself still starts the batch's entry in the history
                self.on_batch_begin(self, batch=batch, training=training)
            step = step_fn(batch, **fit_params)
            if ends:
                self.notify("on_batch_end", batch=batch, training=training, **step)
            weight = batch[1][1].sum()
            total += step["loss"].detach() * weight
            total_weight += weight
        loss = float(total / total_weight.clamp(min=1e-12))
        if not math.isfinite(loss):
            raise DivergenceError(
                f"training diverged: the {prefix} loss of epoch {len(self.history)} is {loss}. "
                f"Lower lr (now {self.lr}), or look for extreme values in the features or targets."
            )
        self.history.record(f"{prefix}_loss", loss)
        self.history.record(f"{prefix}_batch_count", len(iterator))
        best = min(self.history[:, f"{prefix}_loss"])
        self.history.record(f"{prefix}_loss_best", loss <= best)

    def notify(self, method_name, **cb_kwargs):
        """Call the callbacks, which request a stop by KeyboardInterrupt."""
        try:
            super().notify(method_name, **cb_kwargs)
        except Interrupted:
            raise
        except KeyboardInterrupt as request:
            raise StopTraining from request
        if method_name == "on_epoch_end" and self.checkpoint_ is not None:
            self.checkpoint_.epoch_ended(self)
