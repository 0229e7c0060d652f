"""Train one network, and predict with it."""

import contextlib
from dataclasses import replace

import torch
from skorch.callbacks import EarlyStopping, GradientNormClipping
from skorch.helper import predefined_split
from skorch.utils import noop

from sklearn_mmsent.training.checkpoint import LoneCheckpoint, digest_of_network
from sklearn_mmsent.training.net import FusionNet, StopTraining
from sklearn_mmsent.training.precision import check_precision, choose_precision
from sklearn_mmsent.training.schedule import LearningRateSchedule
from sklearn_mmsent.utils._random import torch_seed


def train_network(
    plan,
    train,
    valid=None,
    *,
    loss,
    seed,
    lr,
    weight_decay,
    batch_size,
    max_epochs,
    patience=None,
    clip_norm=None,
    lr_schedule=None,
    warmup=0.0,
    device="cpu",
    precision="float32",
    callbacks=(),
    verbose=0,
    net_params=None,
    checkpoint_dir=None,
    checkpoint_key=None,
):
    """Train a network and leave every global random number generator as it was.

    Parameters
    ----------
    plan : NetworkPlan
        What to build.
    train : BlockDataset
        Rows to learn from.
    valid : BlockDataset or None, default=None
        Rows to validate on after each epoch.
    loss : callable
        Maps outputs and targets of a batch to the loss of each row.
    seed : int
        Decides initial weights, order of rows and dropout.
    lr, weight_decay : float
        Of AdamW.
    batch_size : int
        Rows in a training batch.
    max_epochs : int
        Passes over the training rows, at most.
    patience : int or None, default=None
        Epochs without a better validation loss after which training stops and
        the best weights come back; None trains to the end.
    clip_norm : float or None, default=None
        Largest norm of all gradients of a step together; longer ones are scaled down to it.
    lr_schedule : {"cosine", "linear"} or None, default=None
        How the learning rates fall towards zero over `max_epochs`.
    warmup : float, default=0.0
        Share of all steps in which the learning rates rise to their values.
    device : str, default="cpu"
        Where to train.
    precision : {"auto", "float32", "bfloat16"}, default="float32"
        In which layers compute in training and validation; see `choose_precision`.
    callbacks : list of skorch callbacks, default=()
        Called beside the built-in ones.
    verbose : int, default=0
        1 prints a line per epoch.
    net_params : dict or None, default=None
        Further parameters of the skorch net.
    checkpoint_dir : str or None, default=None
        Folder of a file from which training goes on if it was killed.
    checkpoint_key : str or None, default=None
        What `digest_of_network` gives for all this, if it is known already.

    Returns
    -------
    FusionNet
        Its ``module_`` is in evaluation mode; on the CPU in float64, in which a
        row's prediction does not depend on the rows beside it.
    """
    settings = {
        "loss": loss,
        "seed": seed,
        "lr": lr,
        "weight_decay": weight_decay,
        "batch_size": batch_size,
        "max_epochs": max_epochs,
        "patience": patience,
        "clip_norm": clip_norm,
        "lr_schedule": lr_schedule,
        "warmup": warmup,
        "device": device,
        "precision": precision,
        "callbacks": callbacks,
        "net_params": net_params,
    }
    run = _run
    if checkpoint_dir is not None:
        key = checkpoint_key or digest_of_network(plan, train, valid, settings)
        run = LoneCheckpoint(checkpoint_dir, key).run
    net = make_net(plan, valid, **settings, verbose=verbose)
    with torch_seed(seed, device):
        net.initialize()
        run(net, train)
    return finish_net(net)


def _run(net, train):
    """Train an initialised net."""
    net.notify("on_train_begin", X=train, y=None)
    with contextlib.suppress(StopTraining):
        net.fit_loop(train)
    net.notify("on_train_end", X=train, y=None)


def make_net(
    plan,
    valid,
    *,
    loss,
    seed,
    lr,
    weight_decay,
    batch_size,
    max_epochs,
    patience,
    clip_norm,
    lr_schedule,
    warmup,
    device,
    precision,
    callbacks,
    verbose,
    net_params,
):
    """Return the net that `train_network` trains, not yet initialised; see there."""
    precision = choose_precision(precision, plan, device)
    check_precision(precision, device)
    net_params = dict(net_params or {})
    if "optimizer" not in net_params:
        net_params |= {"optimizer": torch.optim.AdamW, "optimizer__fused": True}
        net_params.setdefault("optimizer__weight_decay", weight_decay)
    callbacks = list(callbacks or ())
    if clip_norm is not None:
        callbacks.append(("clip_norm", GradientNormClipping(clip_norm)))
    if lr_schedule is not None or warmup > 0:
        callbacks.append(("lr_schedule", LearningRateSchedule(lr_schedule, warmup)))
    if patience is not None:
        stop = EarlyStopping(patience=patience, load_best=True, sink=noop)
        callbacks.append(("early_stopping", stop))
    net_params.setdefault("lr", lr)
    net_params.setdefault("batch_size", batch_size)
    net_params.setdefault("max_epochs", max_epochs)
    return FusionNet(
        plan.build,
        loss=loss,
        seed=seed,
        precision=precision,
        device=device,
        train_split=None if valid is None else predefined_split(valid),
        callbacks=callbacks,
        verbose=verbose,
        **net_params,
    )


def finish_net(net):
    """Make a trained net ready to predict and to pickle; return it."""
    # or the validation rows and the weights that it started with would live on in every pickle
    net.train_split, net.module = None, replace(net.module.__self__, starts=None).build
    if torch.device(net.device).type == "cpu":
        net.module_.double()
    net.module_.eval()
    net.precision = "float32"  # of what was trained, the net would predict by its own methods
    return net
