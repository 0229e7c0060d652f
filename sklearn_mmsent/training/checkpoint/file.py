"""Files of checkpoints: written atomically, read without executing code."""

import json
import time
import warnings
from pathlib import Path

import torch

from sklearn_mmsent.exceptions import MMSentError
from sklearn_mmsent.utils._files import write_atomically
from sklearn_mmsent.utils._messages import first_line

#: Seconds between two saves. A kill costs at most these and an epoch; a save takes milliseconds.
SECONDS = 1.0

_MARK = "sklearn_mmsent checkpoint"


class CheckpointError(MMSentError, OSError):
    """A checkpoint cannot be written."""


class CheckpointFile:
    """File that holds the state of a training, named by its digest.

    Parameters
    ----------
    folder : str or Path
        Folder of the file; created if it does not exist.
    kind : str
        "network" or "stack".
    key : str
        Digest of the training.
    """

    def __init__(self, folder, kind, key):
        self.path = Path(folder).expanduser() / f"{kind}-{key}.pt"
        self.mark = {"what": _MARK, "kind": kind, "key": key}
        self.last = time.monotonic()

    def due(self):
        """Return whether it is time to save."""
        return time.monotonic() - self.last >= SECONDS

    def save(self, state):
        """Write a state of dicts, lists, tensors, numbers and strings."""

        def write(path):
            torch.save({**self.mark, "state": plain(state, "the state")}, path)

        write_whole(self.path, write)
        self.last = time.monotonic()

    def load(self):
        """Return the state; None if there is no file or, with a warning, an invalid one."""
        if not self.path.exists():
            return None
        try:
            read = torch.load(self.path, map_location="cpu", weights_only=True)
        except Exception as error:  # the kind depends on where the file is broken
            return self.reject(f"is broken ({first_line(error)})")
        if not isinstance(read, dict) or {k: read.get(k) for k in self.mark} != self.mark:
            return self.reject("was not written for this training")
        if not isinstance(read.get("state"), dict):
            return self.reject("holds no state")
        return read["state"]

    def reject(self, why):
        """Warn that the file is not used; return None."""
        warnings.warn(
            f"checkpoint_dir: the file {str(self.path)!r} {why}. It is replaced, and training "
            "starts from scratch, with the same result.",
            UserWarning,
            stacklevel=2,
        )


class Decisions:
    """Results of measurements, which must be the same when training is resumed.

    Parameters
    ----------
    folder : str or Path
        Folder of the file.
    kind : str
        First part of the file's name.
    key : str
        Digest of the members concerned.
    """

    def __init__(self, folder, kind, key):
        self.path = Path(folder).expanduser() / f"{kind}-{key}.json"

    def get(self, name, kinds):
        """Return a decision if it is of one of the given types, else None."""
        value = self._read().get(name)
        return value if type(value) in kinds else None

    def set(self, name, value):
        """Save a decision."""
        text = json.dumps({**self._read(), "what": _MARK, name: value})
        write_whole(self.path, lambda path: path.write_text(text))

    def _read(self):
        try:
            decisions = json.loads(self.path.read_text())
        except OSError:  # it does not exist, or writing it will raise the error
            return {}
        except (ValueError, RecursionError):
            decisions = None
        if isinstance(decisions, dict) and decisions.get("what") == _MARK:
            return decisions
        warnings.warn(
            f"checkpoint_dir: the file {str(self.path)!r} is broken or not a checkpoint. It is "
            "replaced, and its measurements are repeated.",
            UserWarning,
            stacklevel=3,
        )
        return {}


class NoDecisions:
    """Replaces Decisions where nothing is saved."""

    def get(self, name, kinds):
        """Return None."""

    def set(self, name, value):
        """Do nothing."""


def write_whole(path, write):
    """Write a file completely or not at all; raise CheckpointError if it cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, write)
    except (OSError, RuntimeError) as error:  # torch raises RuntimeError
        raise CheckpointError(
            f"checkpoint_dir: {str(path)!r} cannot be written ({first_line(error)}). Choose a "
            "writable folder with free space; earlier checkpoints remain usable."
        ) from error


def plain(value, where):
    """Convert a value for the safe reader: tensors on the CPU, Python's numbers."""
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu()
        # a view would be written with its whole storage
        return value.clone() if value.untyped_storage().nbytes() != value.nbytes else value
    if isinstance(value, dict):
        return {plain(k, where): plain(v, f"{where}, {k}") for k, v in value.items()}
    if isinstance(value, list | tuple):
        return type(value)([plain(v, where) for v in value])
    if value is None or isinstance(value, str) or type(value) in (bool, int, float):
        return str(value) if isinstance(value, str) else value
    if hasattr(value, "item") and getattr(value, "shape", None) == ():
        return plain(value.item(), where)  # a NumPy scalar
    raise ValueError(
        f"checkpoint_dir: {where}, holds an object of type {type(value).__name__}, which cannot "
        "be saved. Use tensors, numbers, strings, and lists and dicts of them, or train with "
        "checkpoint_dir=None."
    )
