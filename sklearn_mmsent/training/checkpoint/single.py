"""Checkpoints of a network that is trained alone."""

import contextlib
import copy
import signal
import threading

import torch

from sklearn_mmsent.nn.auxiliary import AuxiliaryModule
from sklearn_mmsent.training.checkpoint.file import CheckpointFile
from sklearn_mmsent.training.checkpoint.state import (
    can_resume,
    check_early_stopping,
    early_stopping_state,
    pack_history,
    random_state,
    restore_early_stopping,
    restore_random_state,
    unpack_history,
)
from sklearn_mmsent.training.net import Interrupted, StopTraining
from sklearn_mmsent.utils._messages import first_line


class NetworkCheckpoint:
    """Trains a net from the state in a file, and keeps the file up to date.

    Parameters
    ----------
    folder : str or Path
        Folder of the file.
    key : str
        Digest of the network and its training.
    """

    def __init__(self, folder, key):
        self.file = CheckpointFile(folder, "network", key)
        self.generator = self.order = None

    def run(self, net, train):
        """Train an initialised net to its end, inside `torch_seed`."""
        state = self._load(net)
        if state is not None:
            net.history = state["history"]  # in which some callbacks find their state
            if state["ended"]:
                return
        net.checkpoint_ = self
        try:
            with distinguish_sigint():
                net.notify("on_train_begin", X=train, y=None)
                if state is not None:
                    self._resume(net, state)
                with contextlib.suppress(StopTraining):
                    net.fit_loop(train, epochs=net.max_epochs - len(net.history))
                net.notify("on_train_end", X=train, y=None)
            self.file.save({**_networks(net), "ended": True, "history": pack_history(net.history)})
        finally:
            del net.checkpoint_

    def watch(self, generator):
        """Keep the generator that shuffles the rows; restore its state when resuming."""
        if self.order is not None:
            generator.set_state(self.order)
        self.generator = generator

    def epoch_ended(self, net):
        """Save the state from which the next epoch starts, if it is due and complete."""
        if self.file.due() and can_resume(net):
            self.file.save(self._running(net))

    def _running(self, net):
        return {
            **_networks(net),
            "ended": False,
            "history": pack_history(net.history),
            "early_stopping": early_stopping_state(net),
            "optimizer": net.optimizer_.state_dict(),
            "order": self.generator.get_state(),
            "random": random_state(net.device),
        }

    def _load(self, net):
        """Fill the net with the state in the file and return the state, or None."""
        state = self.file.load()
        if state is None:
            return None
        fresh = copy.deepcopy({**_networks(net), "optimizer": net.optimizer_.state_dict()})
        fresh_random = random_state(net.device)
        try:
            state = {**state, "history": unpack_history(state["history"])}
            if state["ended"] is not True:
                check_early_stopping(net, state["early_stopping"])
                torch.Generator().set_state(state["order"])
                restore_random_state(state["random"], net.device)
                net.optimizer_.load_state_dict(state["optimizer"])
            _fill(net, state)
        except Exception as error:  # of any kind: the file is not from this code
            restore_random_state(fresh_random, net.device)
            net.optimizer_.load_state_dict(fresh["optimizer"])
            _fill(net, fresh)
            return self.file.reject(f"does not fit the network ({first_line(error)})")
        return state

    def _resume(self, net, state):
        """Restore the rest of the state, after callbacks have begun as they always do."""
        restore_early_stopping(net, state["early_stopping"])
        net.optimizer_.load_state_dict(state["optimizer"])  # schedules begin by changing it
        restore_random_state(state["random"], net.device)
        self.order = state["order"]


def _networks(net):
    """Return the state of the objective, and the memories of the training rows by part."""
    remembering = {
        name: part.training_state()
        for name, part in net.module_.named_modules()
        if isinstance(part, AuxiliaryModule)
    }
    return {"objective": net.criterion_.state_dict(), "remembering": remembering}


def _fill(net, state):
    net.criterion_.load_state_dict(state["objective"])
    for name, remembered in state["remembering"].items():
        net.module_.get_submodule(name).load_training_state(remembered)


@contextlib.contextmanager
def distinguish_sigint():
    """Raise `Interrupted` on Ctrl-C, since callbacks request a stop by KeyboardInterrupt.

    Taken for such a request, Ctrl-C would save an interrupted training as a finished one.
    """
    default = signal.default_int_handler
    in_main = threading.current_thread() is threading.main_thread()
    if not in_main or signal.getsignal(signal.SIGINT) is not default:
        yield
        return

    def handler(*_):
        raise Interrupted

    signal.signal(signal.SIGINT, handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, default)
