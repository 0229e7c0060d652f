"""Train one network."""

import contextlib
import math
from dataclasses import replace

import torch
from skorch.callbacks import EarlyStopping, GradientNormClipping
from skorch.helper import predefined_split
from skorch.utils import noop

from sklearn_mmsent.training.checkpoint.single import NetworkCheckpoint
from sklearn_mmsent.training.net import FusionNet, StopTraining
from sklearn_mmsent.training.precision import check_precision, choose_precision
from sklearn_mmsent.training.schedule import LearningRateSchedule
from sklearn_mmsent.utils._random import torch_seed


def train_network(member, checkpoint_key=None):
    """Train a network and leave every global random number generator as it was.

    Parameters
    ----------
    member : Member
        Data and settings.
    checkpoint_key : str or None, default=None
        ``member.key()``, if it is known already.

    Returns
    -------
    FusionNet
        Its ``module_`` is in evaluation mode; on the CPU in float64, in which a
        row's prediction does not depend on the other rows of its batch.

    Raises
    ------
    DivergenceError
        If a loss becomes NaN or infinite.
    ValueError
        If the device cannot compute in `precision`, or a checkpoint is requested of settings
        that have no digest.
    """
    run = _run
    if member.checkpoint_dir is not None:
        run = NetworkCheckpoint(member.checkpoint_dir, checkpoint_key or member.key()).run
    net = make_net(member)
    with torch_seed(member.seed, member.device):
        net.initialize()
        run(net, member.train)
    return finish_net(net)


def _run(net, train):
    """Train an initialised net."""
    net.notify("on_train_begin", X=train, y=None)
    with contextlib.suppress(StopTraining):
        net.fit_loop(train)
    net.notify("on_train_end", X=train, y=None)


def make_net(member):
    """Return the net that `train_network` trains, not yet initialised."""
    precision = choose_precision(member.precision, member.plan, member.device)
    check_precision(precision, member.device)
    net_params = dict(member.net_params or {})
    if "optimizer" not in net_params:
        net_params |= {"optimizer": torch.optim.AdamW, "optimizer__fused": True}
        net_params.setdefault("optimizer__weight_decay", member.weight_decay)
    net_params.setdefault("lr", member.lr)
    net_params.setdefault("batch_size", member.batch_size)
    net_params.setdefault("max_epochs", member.max_epochs)
    return FusionNet(
        member.plan.build,
        loss=member.loss,
        seed=member.seed,
        precision=precision,
        device=member.device,
        train_split=None if member.valid is None else predefined_split(member.valid),
        callbacks=[*(member.callbacks or ()), *_callbacks(member)],
        verbose=member.verbose,
        **net_params,
    )


def initialize_net(member):
    """Return the net that `train_network` trains, with its initial weights."""
    net = make_net(member)
    with torch_seed(member.seed, member.device):
        net.initialize()
    return net


def _callbacks(member):
    """Return the callbacks that the settings of a member require."""
    callbacks = []
    if math.isfinite(member.max_gradient_norm):
        clipping = GradientNormClipping(member.max_gradient_norm)
        callbacks.append(("gradient_clipping", clipping))
    if member.lr_schedule is not None or member.warmup > 0:
        schedule = LearningRateSchedule(member.lr_schedule, member.warmup)
        callbacks.append(("lr_schedule", schedule))
    if member.patience is not None:
        stop = EarlyStopping(patience=member.patience, load_best=True, sink=noop)
        callbacks.append(("early_stopping", stop))
    return callbacks


def finish_net(net):
    """Prepare a trained net for prediction and pickling; return it."""
    # or every pickle would hold the validation rows and the weights the network started with
    net.train_split, net.module = None, replace(net.module.__self__, starts=None).build
    if torch.device(net.device).type == "cpu":
        net.module_.double()
    net.module_.eval()
    net.precision = "float32"  # the net's own methods predict in the precision of the weights
    return net
