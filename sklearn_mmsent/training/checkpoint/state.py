"""What training consists of besides weights: callbacks, histories, random numbers."""

import torch
from skorch.callbacks import (
    Checkpoint,
    EarlyStopping,
    EpochScoring,
    EpochTimer,
    GradientNormClipping,
    LRScheduler,
    PrintLog,
)
from skorch.history import History

from sklearn_mmsent.training.checkpoint.digest import parameters_of
from sklearn_mmsent.training.schedule import LearningRateSchedule

#: What callbacks that are known learn in training; the last ones find all of it in the history.
_LEARNED = {
    EarlyStopping: ("misses_", "dynamic_threshold_", "best_epoch_", "best_model_weights_"),
    LearningRateSchedule: ("step_",),
    LRScheduler: ("batch_idx_", "lr_scheduler_"),
    **dict.fromkeys((EpochTimer, PrintLog, GradientNormClipping, EpochScoring, Checkpoint), ()),
}


def callback_states(net):
    """Return the states of a net's callbacks by name, of those that can be saved."""
    states = {}
    for name, callback in net.callbacks_:
        if type(callback) in _LEARNED:
            values = {n: getattr(callback, n) for n in _LEARNED[type(callback)]}
            states[name] = {
                n: v.state_dict() if hasattr(v, "state_dict") else v for n, v in values.items()
            }
        elif _saves_itself(callback):
            states[name] = callback.state_dict()
    return states


def restore_callbacks(net, states):
    """Give callbacks their states back; return the names of those that have none, but had one."""
    anew = []
    for name, callback in net.callbacks_:
        if type(callback) in _LEARNED:
            for n in _LEARNED[type(callback)]:
                value = states[name][n]
                if hasattr(getattr(callback, n), "load_state_dict"):
                    getattr(callback, n).load_state_dict(value)
                else:
                    setattr(callback, n, _to_device(value, net.device))
        elif _saves_itself(callback):
            callback.load_state_dict(states[name])
        elif vars(callback).keys() - parameters_of(callback).keys():
            anew.append(f"{name} ({type(callback).__name__})")
    return anew


def check_callbacks(net, states):
    """Raise an error if states are not those of a net's callbacks."""
    for name, callback in net.callbacks_:
        known = _LEARNED.get(type(callback))
        if known is None and not _saves_itself(callback):
            continue
        if name not in states or (known and set(states[name]) != set(known)):
            raise ValueError(f"the state of the callback {name} is not there")


def _saves_itself(callback):
    return hasattr(callback, "state_dict") and hasattr(callback, "load_state_dict")


def _to_device(value, device):
    if isinstance(value, dict):  # weights by name
        return {name: tensor.to(device) for name, tensor in value.items()}
    return value


def pack_history(history):
    """Return a history's rows; batches of which nothing is told are counted."""
    return [
        {**row, "batches": row["batches"] if any(row["batches"]) else len(row["batches"])}
        for row in history
    ]


def unpack_history(rows):
    """Return the history that rows are of."""
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
