"""Loading of pretrained models of any modality, shared within a process."""

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

_MAX_MODELS = 3  # of a kind, since each may take hundreds of megabytes

_loaded = OrderedDict()  # (kind, source, fingerprint, *settings) -> model
_loading = threading.Lock()


def find_folder(model, owner, extra):
    """Return the folder of a local or already downloaded hub model, or None.

    Does not access the network. `extra` is the extra of this package that installs the hub
    library. Raises DataFormatError if the model can only be a path and is not a folder.
    """
    folder = Path(model).expanduser()
    if folder.is_dir():
        return folder
    name = str(model)
    if folder.exists() or isinstance(model, Path) or name.startswith((".", "~", os.sep)):
        problem = "is a file" if folder.exists() else "does not exist"
        raise DataFormatError(
            f"{owner}: the model folder {name!r} {problem}. Pass the folder that contains "
            "'modules.json' or 'config.json', or the name of a model on the Hugging Face hub."
        )
    hub = import_optional("huggingface_hub", extra=extra, needed_by=owner)
    home = os.environ.get("SENTENCE_TRANSFORMERS_HOME")  # the cache of sentence-transformers
    for repository in (name,) if "/" in name else (f"sentence-transformers/{name}", name):
        try:
            found = hub.try_to_load_from_cache(repository, "config.json", cache_dir=home)
        except ValueError:  # not a valid repository name
            continue
        if isinstance(found, str):
            folder = Path(found).parent
            if any(folder.glob("*.safetensors")) or any(folder.glob("*.bin")):
                return folder  # otherwise an incomplete download
    return None


def fingerprint(model, owner, extra):
    """Return a key that changes with the files of a model.

    It covers names, sizes and modification times of all files, or the commit of a downloaded hub
    model. Weights are not read. Parameters as in `find_folder`.
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
    """Return ``kind(source, *settings)`` from the cache of this process, or call it.

    At most three models of a kind are cached; the least recently used is dropped. `model` is a
    local folder or a name on the Hugging Face hub; `settings`, hashable, are further arguments
    that the model depends on, such as its device. For `extra`, see `find_folder`.
    """
    source = str(find_folder(model, owner, extra) or model)
    key = (kind, source, fingerprint(model, owner, extra), *settings)
    with _loading:
        if key not in _loaded:
            _loaded[key] = kind(source, *settings)
        _loaded.move_to_end(key)
        same_kind = [cached for cached in _loaded if cached[0] is kind]
        for cached in same_kind[:-_MAX_MODELS]:
            del _loaded[cached]
        return _loaded[key]


def select_layer(layers, layer, owner):
    """Return one of the hidden layers; raise a ValueError if `layer` is out of range."""
    if not -len(layers) <= layer < len(layers):
        raise ValueError(
            f"The 'layer' parameter of {owner} must lie between {-len(layers)} and "
            f"{len(layers) - 1} for this model. Got {layer} instead."
        )
    return layers[layer]


@contextmanager
def quiet():
    """Suppress progress bars, messages and deprecation warnings while a model loads."""
    from transformers.utils.logging import set_tqdm_hook

    def no_bar(factory, args, kwargs):
        return factory(*args, **{**kwargs, "disable": True})

    loggers = [logging.getLogger(name) for name in ("transformers", "sentence_transformers")]
    levels = [logger.level for logger in loggers]
    hook = set_tqdm_hook(no_bar)  # only for weights: downloads keep their progress bar
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
