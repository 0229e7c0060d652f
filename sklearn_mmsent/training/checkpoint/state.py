"""State of training besides weights: early stopping, histories, random numbers."""

import inspect

import torch
from skorch.callbacks import (
    Checkpoint,
    EarlyStopping,
    EpochScoring,
    EpochTimer,
    GradientNormClipping,
    PrintLog,
)
from skorch.history import History

from sklearn_mmsent.training.schedule import LearningRateSchedule

#: Callbacks that find what they need in the history.
_STATELESS = (
    *(EpochTimer, PrintLog, GradientNormClipping, EpochScoring, Checkpoint),
    LearningRateSchedule,
)
_EARLY_STOPPING = ("misses_", "dynamic_threshold_", "best_epoch_", "best_model_weights_")


def can_resume(net):
    """Return whether all state of a net's callbacks is in the history or can be saved."""
    return all(
        type(callback) in (*_STATELESS, EarlyStopping) or not _learned(callback)
        for _, callback in net.callbacks_
    )


def _learned(callback):
    """Return the attributes of a callback that are not its parameters."""
    return vars(callback).keys() - inspect.signature(type(callback)).parameters.keys()


def early_stopping_state(net):
    """Return the state of each callback for early stopping, by name."""
    return {
        name: {attribute: getattr(callback, attribute) for attribute in _EARLY_STOPPING}
        for name, callback in net.callbacks_
        if type(callback) is EarlyStopping
    }


def check_early_stopping(net, state):
    """Raise an error if a state is not that of a net's callbacks for early stopping."""
    names = {name for name, callback in net.callbacks_ if type(callback) is EarlyStopping}
    if state.keys() != names or any(set(s) != set(_EARLY_STOPPING) for s in state.values()):
        raise ValueError("the state of early stopping is missing")


def restore_early_stopping(net, state):
    """Restore what `early_stopping_state` returned."""
    for name, callback in net.callbacks_:
        for attribute, value in state.get(name, {}).items():
            if isinstance(value, dict):  # weights by name
                value = {key: tensor.to(net.device) for key, tensor in value.items()}
            setattr(callback, attribute, value)


def pack_history(history):
    """Return a history's rows; batches without entries are counted."""
    return [
        {**row, "batches": row["batches"] if any(row["batches"]) else len(row["batches"])}
        for row in history
    ]


def unpack_history(rows):
    """Return the history of packed rows."""
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ValueError("its history is no list of epochs")
    history = History()
    for row in rows:
        batches = row["batches"]
        history.append(
            {**row, "batches": [{} for _ in range(batches)]} if isinstance(batches, int) else row
        )
    return history


def random_state(device):
    """Return the states of torch's generators of the CPU and the device."""
    cuda = torch.device(device).type == "cuda"
    return {
        "cpu": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state(device) if cuda else None,
    }


def restore_random_state(state, device):
    """Set torch's generators of the CPU and the device."""
    torch.set_rng_state(state["cpu"])
    if torch.device(device).type == "cuda":
        torch.cuda.set_rng_state(state["cuda"], device)
