"""Checkpoints of a stack: what its members have become, and where those that are left stand.

Shapes: K members of the stack, L of them left, P parameters of each.
"""

import torch

from sklearn_mmsent.exceptions import DivergenceError
from sklearn_mmsent.training.batched.stack import flat, write_back
from sklearn_mmsent.training.checkpoint.file import CheckpointFile
from sklearn_mmsent.training.checkpoint.state import (
    pack_history,
    random_state,
    restore_random_state,
    unpack_history,
)
from sklearn_mmsent.utils._messages import first_line


class StackCheckpoint:
    """Keeps a file up to date while a stack is trained.

    Parameters
    ----------
    folder : str or Path
        Where the file is.
    key : str
        Digest of the members, in their order.
    """

    def __init__(self, folder, key):
        self.file = CheckpointFile(folder, "stack", key)

    def epoch_ended(self, training, errors):
        """Save what the next epoch starts from, if it is time or there is none."""
        if not training.left or self.file.due():
            self.file.save(_state(training, errors))

    def resume(self, training):
        """Bring a training that has not begun to where the file tells; return the errors by net."""
        state = self.file.load()
        if state is None:
            return {}
        try:
            _check(training, state)
            histories = [unpack_history(rows) for rows in state["histories"]]
        except Exception as error:  # whatever it is that does not fit
            self.file.refuse(f"does not fit the stack ({first_line(error)})")
            return {}
        device = training.stack.weights.device
        errors = {}
        for i, net in enumerate(training.all_nets):
            net.history = histories[i]
            if i in state["ended"]:
                write_back(state["ended"][i].to(device), net.module_)
            elif i in state["errors"]:
                errors[net] = DivergenceError(state["errors"][i])
        training.keep(state["left"])
        if state["left"]:
            _go_on(training, state)
        return errors


def _state(training, errors):
    nets, left = training.all_nets, training.left
    messages = {i: str(errors[net]) for i, net in enumerate(nets) if net in errors}
    ended = [i for i in range(len(nets)) if i not in left and i not in messages]
    state = {
        "left": list(left),
        "histories": [pack_history(net.history) for net in nets],
        "ended": {i: flat(nets[i].module_) for i in ended},  # (P,)
        "errors": messages,
    }
    if not left:
        return state
    optimizer = training.optimizer
    return {
        **state,
        "weights": training.stack.weights,  # (L, P)
        "moments": list(optimizer.moments),
        "steps": list(optimizer.steps),
        "best": training.best,
        "watch": [(watch.misses, watch.to_beat) for watch in training.watch],
        "orders": [stream.generator.get_state() for stream in training.train.streams],
        "random": random_state(training.stack.weights.device),
    }


def _go_on(training, state):
    """Give back what the next epoch starts from, to the members that are left."""
    device = training.stack.weights.device
    training.stack.weights.copy_(state["weights"])
    training.optimizer.resume(state["moments"], state["steps"])
    training.best = [None if best is None else best.to(device) for best in state["best"]]
    for watch, (misses, to_beat) in zip(training.watch, state["watch"], strict=True):
        watch.misses, watch.to_beat = misses, to_beat
    for stream, order in zip(training.train.streams, state["orders"], strict=True):
        stream.generator.set_state(order)
    restore_random_state(state["random"], device)


def _check(training, state):
    """Raise an error if a state is not that of a training."""
    n, n_weights = training.stack.weights.shape
    left = state["left"]
    groups = [*left, *state["ended"], *state["errors"]]
    if left != sorted(left) or sorted(groups) != list(range(n)) or len(state["histories"]) != n:
        raise ValueError("its members are others")
    rows = [*state["ended"].values()]
    if left:
        rows += [best for best in state["best"] if best is not None]
        for table in (state["weights"], *state["moments"]):
            if table.shape != (len(left), n_weights) or table.dtype != training.stack.weights.dtype:
                raise ValueError("its weights have another shape or type")
        streams = {training.train.stream_of[i] for i in left}
        if len(state["orders"]) != len(streams) or len(state["moments"]) != 2:
            raise ValueError("its rows are others")
        for name in ("steps", "best", "watch"):
            if len(state[name]) != len(left):
                raise ValueError(f"{name} is of other members")
        for order in state["orders"]:
            torch.Generator().set_state(order)
        for misses, to_beat in state["watch"]:
            if type(misses) is not int or type(to_beat) is not float:
                raise ValueError("watch holds no numbers")
        if not all(type(step) is int for step in state["steps"]):
            raise ValueError("steps holds no numbers")
        torch.Generator().set_state(state["random"]["cpu"])
    if any(row.shape != (n_weights,) for row in rows):
        raise ValueError("its weights have another shape or type")
