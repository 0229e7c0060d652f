"""Digests of everything that determines a trained network, which name its checkpoints.

Equal digests mean equal training. What cannot be identified in another process, such as a function
defined inside another, raises an error.
"""

import functools
import hashlib
import inspect
import types

import numpy as np
import skorch
import torch

from sklearn_mmsent import __version__
from sklearn_mmsent.training.encoder_start import EncoderStart

FORMAT = 1  # of the files; another number finds none of the old ones
CHUNK = 2**24  # bytes of a tensor that are on the CPU at once

#: Packages whose code is identified by their version.
_VERSIONED = {
    "sklearn_mmsent": __version__,
    "torch": torch.__version__,
    "skorch": skorch.__version__,
}
_NAMED = {*_VERSIONED, "numpy", "builtins", "functools", "copyreg", "collections", "_operator"}
_PLAIN = (bool, int, float, complex, str, bytes, types.NoneType, types.EllipsisType)
_FUNCTIONS = (types.FunctionType, types.BuiltinFunctionType, np.ufunc)


def digest_of_network(plan, train, valid, settings, known=None):
    """Return the digest of everything that determines a trained network.

    Parameters
    ----------
    plan : NetworkPlan
        Architecture.
    train, valid : BlockDataset or None
        Training and validation rows.
    settings : dict
        Other fields of `Member`.
    known : dict or None, default=None
        Digests of large tensors that datasets share; filled here.

    Returns
    -------
    str
        32 hexadecimal digits.

    Raises
    ------
    ValueError
        If a part has no digest.
    """
    known = {} if known is None else known
    parts = {**vars(plan), "kind of plan": type(plan), **settings}
    for side, data in (("train", train), ("valid", valid)):
        parts[side] = None if data is None else _dataset_digest(data, known)
    digests = {}
    for name, value in parts.items():
        try:
            digests[name] = digest(value)
        except _NoDigest as error:
            raise ValueError(
                f"checkpoint_dir: {name} holds {error}. Another run could not identify it, and "
                "must not resume a different training. Define it at module level, or train with "
                "checkpoint_dir=None."
            ) from None
    return digest(("network", FORMAT, _VERSIONED, digests))


def digest(value):
    """Return the digest of a value, 32 hexadecimal digits."""
    hasher = hashlib.blake2b(digest_size=16)
    try:
        _add(hasher, value)
    except RecursionError:
        raise _NoDigest(f"{_kind(value)} that contains itself") from None
    return hasher.hexdigest()


def parameters_of(thing):
    """Return the parameters of an estimator or a callback, without fitted attributes."""
    names = inspect.signature(type(thing)).parameters
    if any(p.kind is p.VAR_KEYWORD for p in names.values()) and hasattr(thing, "get_params"):
        return thing.get_params(deep=False)
    # skorch regards every attribute of a callback as a parameter
    return {name: getattr(thing, name) for name in names if hasattr(thing, name)}


class _NoDigest(ValueError):
    """Names the value that has no digest."""


def _add(hasher, value):
    """Add a value to a hasher, type and length first, so that the encoding is unique."""
    if isinstance(value, np.generic) and not isinstance(value, np.void):
        value = value.item()
    if isinstance(value, _PLAIN):
        _write(hasher, type(value).__name__, repr(value).encode("utf-8", "surrogatepass"))
    elif isinstance(value, (type, *_FUNCTIONS)):
        _write(hasher, "named", _named(value).encode())
    elif isinstance(value, torch.Tensor):
        _write(hasher, "tensor", _tensor_digest(value).encode())
    elif isinstance(value, np.ndarray) and value.dtype.kind not in "OV":
        _write(hasher, "array", f"{value.dtype.str}{value.shape}".encode())
        hasher.update(np.ascontiguousarray(value).tobytes())
    elif isinstance(value, dict | set | frozenset):
        items = value.items() if isinstance(value, dict) else value
        _add_all(hasher, type(value).__name__, sorted(map(digest, items)))  # in any order
    elif isinstance(value, list | tuple):
        _add_all(hasher, type(value).__name__, value)
    elif isinstance(value, EncoderStart):  # without the name used in messages
        _add_all(hasher, "start", (value.encoder, value.standardizer, value.frozen))
    elif hasattr(value, "get_params") or hasattr(value, "on_train_begin"):
        _add_all(hasher, "parameters", (type(value), parameters_of(value)))
    else:
        _add_all(hasher, "object", _reduced(value))


def _add_all(hasher, kind, values):
    _write(hasher, kind, str(len(values)).encode())
    for value in values:
        _add(hasher, value)


def _write(hasher, kind, content):
    hasher.update(f"{kind} {len(content)}:".encode() + content)


def _reduced(value):
    """Return the parts of an object that pickle would write."""
    _named(type(value))
    try:
        reduced = value.__reduce_ex__(4)
    except Exception:
        raise _NoDigest(_kind(value)) from None
    if isinstance(reduced, str):
        return type(value), reduced
    function, arguments, *rest = reduced
    return function, arguments, *(list(r) if hasattr(r, "__next__") else r for r in rest)


@functools.lru_cache(maxsize=1024)
def _named(thing):
    """Return the name of a class or function, and its source unless a version identifies it."""
    module = getattr(thing, "__module__", None) or "builtins"
    name = getattr(thing, "__qualname__", thing.__name__)
    if "<" in name:
        raise _NoDigest(f"{name} of {module}, which is a lambda or defined inside a function")
    if module.partition(".")[0] in _NAMED or isinstance(thing, types.BuiltinFunctionType):
        return f"{module}.{name}"
    try:
        source = inspect.getsource(thing)
    except (OSError, TypeError):
        if module == "__main__":
            raise _NoDigest(f"{name} of {module}, which has no source file") from None
        source = ""  # compiled
    if isinstance(thing, type):
        source += "".join(map(_named, thing.__bases__))
    return f"{module}.{name}\n{source}"


def _kind(value):
    return f"an object of type {type(value).__module__}.{type(value).__qualname__}"


def _dataset_digest(data, known):
    """Return digests of a dataset's tensors; the large ones may be shared by datasets."""
    shared = [*data.values, data.present, *data.steps]
    for tensor in shared:
        if tensor is not None and id(tensor) not in known:
            # with the tensor, or its id may be reused
            known[id(tensor)] = _tensor_digest(tensor), tensor
    digests = [None if tensor is None else known[id(tensor)][0] for tensor in shared]
    return digests, data.rows, data.targets, data.weights, data.classes


def _tensor_digest(tensor):
    """Return the digest of a tensor on any device."""
    hasher = hashlib.blake2b(f"{tensor.dtype} {tuple(tensor.shape)}".encode(), digest_size=16)
    for part in _parts(tensor):
        hasher.update(part.cpu().contiguous().view(torch.uint8).numpy())
    return hasher.hexdigest()


def _parts(tensor):
    """Yield the values of a tensor, or of streamed values, part by part."""
    if isinstance(tensor, torch.Tensor):
        flat = tensor.detach().reshape(-1)
        yield from flat.split(max(1, CHUNK // max(1, tensor.element_size())))
        return
    n_rows = max(1, CHUNK * len(tensor) // max(1, tensor.numel() * tensor.element_size()))
    for rows in torch.arange(len(tensor)).split(n_rows):
        yield tensor.index_select(0, rows).reshape(-1)
