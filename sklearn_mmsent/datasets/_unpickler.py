"""Safe reader for untrusted pickle files of numpy arrays and builtin types.

An allow-list of globals is not sufficient: ``dtype.__setstate__`` trusts the sizes and object
pointers in the file, and ``ndarray.__setstate__`` allocates any declared size. Therefore no numpy
function is called by the unpickler: each allowed global is replaced by a stand-in that validates
its arguments, and arrays are built from the stand-ins afterwards.
"""

import math
import os
import pickle
import struct
from contextlib import contextmanager

import numpy as np

from sklearn_mmsent.exceptions import DataFormatError

_KINDS = "biufcUSO"  # allowed dtypes; structured and void ones could hide pointers


def load_pickle(path):
    """Load a pickle of numpy arrays, numbers, strings and builtin containers.

    Any protocol, written with numpy 1 or 2; numpy scalars become Python scalars. Raises a
    DataFormatError that names the problem if the file is not a pickle or contains other types.
    """
    name = os.path.basename(path)
    with open(path, "rb") as file, _add_file_name(name):
        loaded = _Unpickler(_Bounded(file), encoding="latin1").load()
        return _finish(loaded, {})


@contextmanager
def _add_file_name(name):
    try:
        yield
    except DataFormatError as error:
        raise DataFormatError(f"{name!r} is not safe to read: {error}") from None
    except RecursionError:
        raise DataFormatError(f"{name!r} is nested too deeply to be a feature file.") from None
    except Exception as error:  # malformed pickles raise errors of any kind
        raise DataFormatError(
            f"{name!r} is not a readable pickle: {type(error).__name__}: {error}"
        ) from error


class _Bounded:
    """A file that does not read, and so does not allocate, more than its size."""

    def __init__(self, file):
        self._file = file
        self.size = os.fstat(file.fileno()).st_size
        self.readline = file.readline

    def read(self, n):
        self.check(n)
        return self._file.read(n)

    def readinto(self, buffer):
        return self._file.readinto(buffer)

    def check(self, n):
        if n > max(self.size, 8):  # the few bytes of an opcode fail as a truncated file
            raise DataFormatError(f"it declares {n} bytes, the whole file has {self.size}")


# The unpickler in Python instead of C, whose memo grows to any index that a pickle names; feature
# files have few opcodes, so it is fast enough.
class _Unpickler(pickle._Unpickler):
    dispatch = dict(pickle._Unpickler.dispatch)

    def __init__(self, file, **options):
        super().__init__(file, **options)
        self._bounded = file

    def find_class(self, module, name):
        try:
            return _ALLOWED[module, name]
        except KeyError:
            raise DataFormatError(
                f"it asks for {module}.{name}, which is not a numpy array or a builtin "
                "container, string or number; nothing was executed. If you trust the source, load "
                "it yourself and save plain arrays."
            ) from None

    def get_extension(self, code):
        raise DataFormatError(f"it asks for the registered extension {code}")

    def load_bytearray8(self):
        (n,) = struct.unpack("<Q", self.read(8))
        self._bounded.check(n)  # the inherited method allocates n bytes first
        self.append(bytearray(self.read(n)))

    dispatch[pickle.BYTEARRAY8[0]] = load_bytearray8


class _Global:
    """Stand-in for an allowed global: callable but immutable."""

    __slots__ = ("_function",)

    def __init__(self, function):
        self._function = function

    def __call__(self, *args):
        return self._function(*args)

    def __setstate__(self, state):
        raise DataFormatError("it sets attributes of a function or class")


class _Dtype:
    __slots__ = ("value",)

    def __init__(self, code, *_flags):
        value = np.dtype(code) if isinstance(code, str) and len(code) < 16 else None
        if value is None or value.kind not in _KINDS or value.names or value.subdtype:
            raise DataFormatError(f"it declares arrays of the dtype {code!r:.40}")
        self.value = value

    def __setstate__(self, state):
        plain = isinstance(state, tuple) and len(state) >= 5 and state[1] in ("<", ">", "|", "=")
        if not plain or any(part is not None for part in state[2:5]):
            raise DataFormatError("it declares a structured dtype")
        if state[1] in "<>":
            self.value = self.value.newbyteorder(state[1])


class _Array:
    __slots__ = ("cells", "value")

    def __init__(self):
        self.value = None  # an ndarray, empty at first if it holds objects
        self.cells = None  # the objects of an object array

    def __setstate__(self, state):
        _version, shape, dtype, fortran, raw = state
        self.fill(raw, dtype, shape, "F" if fortran else "C")

    def fill(self, raw, dtype, shape, order):
        if not isinstance(dtype, _Dtype):
            raise DataFormatError("it holds an array without a dtype")
        if not isinstance(shape, tuple) or not all(type(n) is int and n >= 0 for n in shape):
            raise DataFormatError(f"it holds an array of shape {shape!r:.40}")
        n_cells = math.prod(shape)
        if dtype.value.kind == "O":
            if not isinstance(raw, list) or len(raw) != n_cells:
                raise DataFormatError(f"it holds an object array {shape} with other contents")
            self.cells = raw
            self.value = np.empty(n_cells, dtype=object).reshape(shape, order=order)
            return
        if isinstance(raw, str):
            raw = raw.encode("latin1")  # written by Python 2
        if not isinstance(raw, bytes | bytearray) or len(raw) != n_cells * dtype.value.itemsize:
            size = len(raw) if isinstance(raw, bytes | bytearray) else "no"
            raise DataFormatError(
                f"it declares an array of shape {shape} and dtype {dtype.value}, with {size} "
                "bytes of content"
            )
        if n_cells == 0:
            self.value = np.empty(shape, dtype=dtype.value)
        else:
            self.value = np.frombuffer(raw, dtype=dtype.value).reshape(shape, order=order)


def _reconstruct(subtype, _shape, _code):
    if subtype is not _NDARRAY:
        raise DataFormatError("it holds a subclass of an array")
    return _Array()


def _frombuffer(raw, dtype, shape, order):
    array = _Array()
    array.fill(raw, dtype, shape, "F" if order == "F" else "C")
    return array


def _scalar(dtype, raw):
    array = _Array()
    array.fill(raw, dtype, (), "C")
    if array.cells is not None:
        raise DataFormatError("it holds a scalar object")
    return array.value.item()


def _latin1(text, encoding):
    """Stand-in for ``_codecs.encode``, which encodes bytes in protocol 2."""
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise DataFormatError(f"it asks for the codec {encoding!r:.40}")
    return text.encode("latin1")


def _empty_bytes(*args):
    """Stand-in for ``bytes``, which protocol 2 calls only for empty bytes."""
    if args:
        raise DataFormatError("it calls bytes in a way that no pickle of bytes does")
    return b""


def _no_direct_call(*_args):
    raise DataFormatError("it creates an array in an unsupported way")


_NDARRAY = _Global(_no_direct_call)
_ALLOWED = {
    ("numpy", "ndarray"): _NDARRAY,
    ("numpy", "dtype"): _Global(_Dtype),
    ("_codecs", "encode"): _Global(_latin1),
}
for _core in ("numpy.core", "numpy._core"):
    _ALLOWED[f"{_core}.multiarray", "_reconstruct"] = _Global(_reconstruct)
    _ALLOWED[f"{_core}.multiarray", "scalar"] = _Global(_scalar)
    _ALLOWED[f"{_core}.numeric", "_frombuffer"] = _Global(_frombuffer)
for _builtins in ("builtins", "__builtin__"):
    for _type in (set, frozenset, complex):
        _ALLOWED[_builtins, _type.__name__] = _Global(_type)
    _ALLOWED[_builtins, "bytes"] = _Global(_empty_bytes)


def _finish(item, done):
    """Replace stand-ins by arrays, each shared object once."""
    if isinstance(item, _Global | _Dtype):
        raise DataFormatError("it holds a function, a class or a dtype as a value")
    if not isinstance(item, dict | list | tuple | set | frozenset | _Array):
        return item
    if id(item) in done:
        if done[id(item)] is _UNFINISHED:
            raise DataFormatError("it holds a container that contains itself")
        return done[id(item)]
    done[id(item)] = _UNFINISHED
    if isinstance(item, dict):
        finished = {_finish(key, done): _finish(value, done) for key, value in item.items()}
    elif isinstance(item, _Array):
        if item.value is None:
            raise DataFormatError("it holds an array without content")
        finished = item.value
        if item.cells is not None:
            cells = [_finish(cell, done) for cell in item.cells]
            for index, cell in zip(np.ndindex(finished.shape), cells, strict=True):
                finished[index] = cell
    else:
        finished = type(item)(_finish(part, done) for part in item)
    done[id(item)] = finished
    return finished


_UNFINISHED = object()
