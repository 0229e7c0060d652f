"""Checkpoints of a network that is trained alone."""

import contextlib
import copy
import signal
import threading
import warnings

import torch

from sklearn_mmsent.nn.auxiliary import AuxiliaryModule
from sklearn_mmsent.training.checkpoint.file import CheckpointFile
from sklearn_mmsent.training.checkpoint.state import (
    callback_states,
    check_callbacks,
    pack_history,
    random_state,
    restore_callbacks,
    restore_random_state,
    unpack_history,
)
from sklearn_mmsent.training.net import Interrupted, StopTraining
from sklearn_mmsent.utils._messages import first_line


class NetworkCheckpoint:
    """Trains a net, from where its file tells that it was; keeps the file up to date.

    Parameters
    ----------
    folder : str or Path
        Where the file is.
    key : str
        Digest of what is trained.
    """

    def __init__(self, folder, key):
        self.file = CheckpointFile(folder, "network", key)
        self.generator = self.order = None

    def run(self, net, train):
        """Train an initialised net to its end, inside `torch_seed`."""
        state = self._load(net)
        net.checkpoint_ = self
        try:
            with distinguish_sigint():
                if state is not None:  # from which some callbacks learn where they are
                    net.history = state["history"]
                net.notify("on_train_begin", X=train, y=None)
                ended = state is not None and state["ended"]
                if state is not None:
                    self._go_on(net, state)
                if not ended:
                    with contextlib.suppress(StopTraining):
                        net.fit_loop(train, epochs=net.max_epochs - len(net.history))
                net.notify("on_train_end", X=train, y=None)
                if not ended:
                    self.file.save(self._ended(net))
        finally:
            del net.checkpoint_

    def watch(self, generator):
        """Take note of what shuffles the rows; let it go on where it was."""
        if self.order is not None:
            generator.set_state(self.order)
        self.generator = generator

    def epoch_ended(self, net):
        """Save what the next epoch starts from, if it is time."""
        if self.file.due():
            self.file.save(self._running(net))

    def _running(self, net):
        return {
            **_networks(net),
            "ended": False,
            "history": pack_history(net.history),
            "callbacks": callback_states(net),
            "optimizer": net.optimizer_.state_dict(),
            "order": self.generator.get_state(),
            "random": random_state(net.device),
        }

    def _ended(self, net):
        """Return what is left at the end, which is a third of what there is on the way."""
        callbacks = callback_states(net)
        for state in callbacks.values():
            if "best_model_weights_" in state:  # the network has them now
                state["best_model_weights_"] = None
        history = pack_history(net.history)
        return {**_networks(net), "ended": True, "history": history, "callbacks": callbacks}

    def _load(self, net):
        """Return the state in the file, with which the net is filled; None to start anew."""
        state = self.file.load()
        if state is None:
            return None
        fresh = copy.deepcopy(self._of_net(net))
        fresh_random = random_state(net.device)
        try:
            state = {**state, "history": unpack_history(state["history"])}
            check_callbacks(net, state["callbacks"])
            if state["ended"] is not True:
                torch.Generator().set_state(state["order"])
                restore_random_state(state["random"], net.device)
                net.optimizer_.load_state_dict(state["optimizer"])
            _fill(net, state)
        except Exception as error:  # whatever it is that does not fit
            restore_random_state(fresh_random, net.device)
            net.optimizer_.load_state_dict(fresh["optimizer"])
            _fill(net, fresh)
            return self.file.refuse(f"does not fit the network ({first_line(error)})")
        return state

    def _of_net(self, net):
        return {**_networks(net), "optimizer": net.optimizer_.state_dict()}

    def _go_on(self, net, state):
        """Give the rest back, after callbacks have begun as they always do."""
        anew = restore_callbacks(net, state["callbacks"])
        if anew:
            warnings.warn(
                f"checkpoint_dir: training goes on after {len(net.history)} epochs, of which these "
                f"callbacks know nothing: {', '.join(anew)}. Give them state_dict() and "
                "load_state_dict(state), and what they have learned is saved, too.",
                UserWarning,
                stacklevel=2,
            )
        if not state["ended"]:
            net.optimizer_.load_state_dict(state["optimizer"])  # schedules begin by changing it
            restore_random_state(state["random"], net.device)
            self.order = state["order"]


def _networks(net):
    """Return the states of the network, of its loss, and of parts that remember training rows."""
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
    """Let Ctrl-C raise an error of its own: a callback that asks for a stop raises skorch's.

    Taken for such a request, it would leave half a training behind as a whole one.
    """
    usual = signal.default_int_handler
    here = threading.current_thread() is threading.main_thread()
    if not here or signal.getsignal(signal.SIGINT) is not usual:
        yield
        return

    def handler(*_):
        raise Interrupted

    signal.signal(signal.SIGINT, handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, usual)
