"""Files of checkpoints: written whole or not at all, read without running what is in them."""

import json
import time
import warnings
from pathlib import Path

import torch

from sklearn_mmsent.exceptions import MMSentError
from sklearn_mmsent.utils._files import write_atomically
from sklearn_mmsent.utils._messages import first_line

#: Seconds from one save in training to the next. A kill costs at most these and an epoch; a save
#: takes some thousandths, so that training feels nothing of it.
SECONDS = 1.0

_MARK = "sklearn_mmsent checkpoint"


class CheckpointError(MMSentError, OSError):
    """A checkpoint cannot be written."""


class CheckpointFile:
    """The state of some training, in a file named after what is trained.

    Parameters
    ----------
    folder : str or Path
        Where; made if it is not there.
    kind : str
        "network" or "stack".
    key : str
        Digest of what is trained.
    """

    def __init__(self, folder, kind, key):
        self.path = Path(folder).expanduser() / f"{kind}-{key}.pt"
        self.mark = {"what": _MARK, "kind": kind, "key": key}
        self.last = time.monotonic()

    def due(self):
        """Tell whether it is time to save."""
        return time.monotonic() - self.last >= SECONDS

    def save(self, state):
        """Write a state of dicts, lists, tensors, numbers and strings."""

        def write(path):
            torch.save({**self.mark, "state": plain(state, "the state")}, path)

        write_whole(self.path, write)
        self.last = time.monotonic()

    def load(self):
        """Return the state, or None: there is no file, or (with a warning) it is another's."""
        if not self.path.exists():
            return None
        try:
            read = torch.load(self.path, map_location="cpu", weights_only=True)
        except Exception as error:  # of half a dozen kinds, by where the file is broken
            return self.refuse(f"is broken ({first_line(error)})")
        if not isinstance(read, dict) or {k: read.get(k) for k in self.mark} != self.mark:
            return self.refuse("was not written for this training")
        if not isinstance(read.get("state"), dict):
            return self.refuse("holds no state")
        return read["state"]

    def refuse(self, why):
        """Warn that the file is not used; return None."""
        warnings.warn(
            f"checkpoint_dir: the file {str(self.path)!r} {why}. It is replaced, and training "
            "starts anew, to the same end.",
            UserWarning,
            stacklevel=2,
        )


class Decisions:
    """What was measured or tried once, and must be the same when training goes on.

    Parameters
    ----------
    folder : str or Path
        Where.
    kind : str
        First part of the file's name.
    key : str
        Digest of what is decided about.
    """

    def __init__(self, folder, kind, key):
        self.path = Path(folder).expanduser() / f"{kind}-{key}.json"

    def get(self, name, kinds):
        """Return a decision of some types, or None."""
        value = self._read().get(name)
        return value if type(value) in kinds else None

    def set(self, name, value):
        """Write a decision down."""
        told = json.dumps({**self._read(), "what": _MARK, name: value})
        write_whole(self.path, lambda path: path.write_text(told))

    def _read(self):
        try:
            told = json.loads(self.path.read_text())
        except OSError:  # it is not there, or whoever writes it will tell why not
            return {}
        except (ValueError, RecursionError):
            told = None
        if isinstance(told, dict) and told.get("what") == _MARK:
            return told
        warnings.warn(
            f"checkpoint_dir: the file {str(self.path)!r} is broken, or another's. It is replaced, "
            "and what it told is decided anew.",
            UserWarning,
            stacklevel=3,
        )
        return {}


class NoDecisions:
    """Stands where nothing is kept."""

    def get(self, name, kinds):
        """Return None: nothing has been decided."""

    def set(self, name, value):
        """Forget it."""


def write_whole(path, write):
    """Write a file completely or not at all; raise CheckpointError if it cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, write)
    except (OSError, RuntimeError) as error:  # torch raises RuntimeError
        raise CheckpointError(
            f"checkpoint_dir: {str(path)!r} cannot be written ({first_line(error)}). Choose a "
            "folder with free space that you may write to; what was saved there stays usable."
        ) from error


def plain(value, where):
    """Return a value as the safe reader takes it: tensors on the CPU, Python's numbers."""
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu()
        # a view would be written with all that it is a view of
        return value.clone() if value.untyped_storage().nbytes() != value.nbytes else value
    if isinstance(value, dict):
        return {plain(k, where): plain(v, f"{where}, {k}") for k, v in value.items()}
    if isinstance(value, list | tuple):
        told = [plain(v, where) for v in value]
        return told if isinstance(value, list) else tuple(told)
    if value is None or isinstance(value, str) or type(value) in (bool, int, float):
        return str(value) if isinstance(value, str) else value
    if hasattr(value, "item") and getattr(value, "shape", None) == ():
        return plain(value.item(), where)  # one of numpy's numbers
    raise ValueError(
        f"checkpoint_dir: {where}, holds an object of type {type(value).__name__}, which a "
        "checkpoint cannot. Keep tensors, numbers, strings, and lists and dicts of them there, or "
        "train with checkpoint_dir=None."
    )
