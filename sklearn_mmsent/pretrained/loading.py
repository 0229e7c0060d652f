"""Pretrained models of any modality: found, loaded once per process, and kept quiet."""

import hashlib
import json
import logging
import os
import threading
import warnings
from collections import OrderedDict
from contextlib import contextmanager
from pathlib import Path

from sklearn_mmsent.exceptions import DataFormatError
from sklearn_mmsent.utils._optional import import_optional

_MAX_MODELS = 3  # of a kind; each may hold hundreds of megabytes

_loaded = OrderedDict()  # (kind, source, fingerprint, *settings) -> model
_loading = threading.Lock()


def find_folder(model, owner, extra):
    """Return the folder of a local model, or of a hub model already downloaded, or None.

    Asks no network. Raises DataFormatError for what can only be a path and is no folder.

    Parameters
    ----------
    model : str or Path
        Local folder or name on the Hugging Face hub.
    owner : str
        Name used in error messages.
    extra : str
        The extra of this package that brings the hub's library.

    Returns
    -------
    Path or None
    """
    folder = Path(model).expanduser()
    if folder.is_dir():
        return folder
    name = str(model)
    if folder.exists() or isinstance(model, Path) or name.startswith((".", "~", os.sep)):
        what = "is a file" if folder.exists() else "does not exist"
        raise DataFormatError(
            f"{owner}: the model folder {name!r} {what}. Give the folder that holds the model's "
            "'modules.json' or 'config.json', or the name of a model on the Hugging Face hub."
        )
    hub = import_optional("huggingface_hub", extra=extra, needed_by=owner)
    home = os.environ.get("SENTENCE_TRANSFORMERS_HOME")  # where sentence-transformers would look
    for repository in (name,) if "/" in name else (f"sentence-transformers/{name}", name):
        try:
            found = hub.try_to_load_from_cache(repository, "config.json", cache_dir=home)
        except ValueError:  # no possible name of a repository
            continue
        if isinstance(found, str):
            folder = Path(found).parent
            if any(folder.glob("*.safetensors")) or any(folder.glob("*.bin")):
                return folder  # and not what a broken download left
    return None


def fingerprint(model, owner, extra):
    """Return what tells a changed model folder from the old one, cheaply.

    Names, sizes and modification times of all files, and for a downloaded hub model the
    commit. No weights are read. Parameters as in `find_folder`.
    """
    folder = find_folder(model, owner, extra)
    if folder is None:
        return ""
    if folder.parent.name == "snapshots":
        return folder.name
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    state = [
        (str(path.relative_to(folder)), path.stat().st_size, path.stat().st_mtime_ns)
        for path in files
    ]
    return hashlib.blake2b(json.dumps(state).encode(), digest_size=16).hexdigest()


def load(kind, model, *settings, owner, extra):
    """Return a model from this process's memory, or load it.

    The least recently used of more than three models of a kind is forgotten.

    Parameters
    ----------
    kind : callable
        Called as ``kind(source, *settings)``; gives the loaded model.
    model : str or Path
        Local folder or name on the Hugging Face hub.
    *settings : hashable
        What else the model depends on, such as its device.
    owner, extra : str
        As in `find_folder`.

    Returns
    -------
    object
        What `kind` gave.
    """
    source = str(find_folder(model, owner, extra) or model)
    key = (kind, source, fingerprint(model, owner, extra), *settings)
    with _loading:
        if key not in _loaded:
            _loaded[key] = kind(source, *settings)
        _loaded.move_to_end(key)
        same_kind = [known for known in _loaded if known[0] is kind]
        for known in same_kind[:-_MAX_MODELS]:
            del _loaded[known]
        return _loaded[key]


@contextmanager
def quiet():
    """Hold back the libraries' bars, notes and deprecations while a model loads."""
    from transformers.utils.logging import set_tqdm_hook

    def no_bar(factory, args, kwargs):
        return factory(*args, **{**kwargs, "disable": True})

    loggers = [logging.getLogger(name) for name in ("transformers", "sentence_transformers")]
    levels = [logger.level for logger in loggers]
    hook = set_tqdm_hook(no_bar)  # of the weights only: a download keeps its bar
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            warnings.simplefilter("ignore", DeprecationWarning)
            yield
    finally:
        set_tqdm_hook(hook)
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
