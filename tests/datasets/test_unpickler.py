"""Safe unpickler: supported content, and content that must not be executed."""

import builtins
import collections
import decimal
import io
import os
import pickle
import pickletools
import struct

import numpy as np
import pandas as pd
import pytest

from sklearn_mmsent.datasets._unpickler import load_pickle
from sklearn_mmsent.exceptions import DataFormatError

PROTOCOLS = range(2, pickle.HIGHEST_PROTOCOL + 1)


@pytest.fixture
def load(tmp_path):
    def load(content):
        path = tmp_path / "file.pkl"
        path.write_bytes(content)
        return load_pickle(path)

    return load


class Reduces:
    """Pickles as a call of any function."""

    def __init__(self, function, *args, state=None):
        self.parts = (function, args) if state is None else (function, args, state)

    def __reduce__(self):
        return self.parts


# -- supported content ---------------------------------------------------------------------


ARRAYS = [
    np.arange(24, dtype=np.float32).reshape(2, 3, 4),
    np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    np.arange(12).reshape(3, 4)[:, ::2],
    np.arange(3, dtype=">i2"),
    np.array([True, False]),
    np.array([1 + 2j]),
    np.array(["a", "böse"]),
    np.array([b"xy", b"z"]),
    np.float64([]).reshape(0, 3),
    np.array(1.5),
    np.float16([0.5]),
    np.array(["text", None, 3], dtype=object),
    np.asfortranarray(np.array([["a", "b"], ["c", "d"]], dtype=object)),
]


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("array", ARRAYS, ids=lambda a: f"{a.dtype}-{a.shape}")
def test_arrays_are_loaded_unchanged(load, array, protocol):
    loaded = load(pickle.dumps(array, protocol))
    assert type(loaded) is np.ndarray
    assert (loaded.dtype, loaded.shape) == (array.dtype, array.shape)
    np.testing.assert_array_equal(loaded, array)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_builtins_and_scalars(load, protocol):
    item = {
        "a": [1, 2.5, None, True, 1 << 80, "ü", b"raw"],
        ("k", 1): {1, 2},
        "frozen": frozenset("ab"),
        "complex": 2j,
        "scalars": (np.float32(0.5), np.int64(7), np.str_("s"), np.bool_(True)),
    }
    loaded = load(pickle.dumps(item, protocol))
    assert loaded == item
    assert [type(value) for value in loaded["scalars"]] == [float, int, str, bool]


@pytest.mark.parametrize("protocol", [2, 4])
def test_numpy_1_module_names(load, protocol):
    content = pickle.dumps(ARRAYS[0], protocol)
    assert b"numpy._core.multiarray" in content
    if protocol == 2:  # other protocols store names with their lengths
        loaded = load(content.replace(b"numpy._core.multiarray", b"numpy.core.multiarray"))
    else:
        old = content.replace(b"\x8c\x16numpy._core.multiarray", b"\x8c\x15numpy.core.multiarray")
        frame = struct.pack("<Q", len(content) - 11)
        loaded = load(old.replace(frame, struct.pack("<Q", len(content) - 12), 1))
    np.testing.assert_array_equal(loaded, ARRAYS[0])


def test_shared_and_nested_arrays(load):
    shared = np.arange(3)
    cells = np.empty(2, dtype=object)
    cells[:] = [shared, [shared, {"k": shared}]]
    loaded = load(pickle.dumps({"a": shared, "b": cells}))
    assert loaded["b"][0] is loaded["a"] is loaded["b"][1][1]["k"]


def test_shared_lists_are_fast(load):
    item = []
    for _ in range(60):
        item = [item, item]
    loaded = load(pickle.dumps(item))
    assert loaded[0] is loaded[1]


# -- content that must not be executed -----------------------------------------------------


FORBIDDEN = [
    (Reduces(os.system, "touch pwned"), r"(posix|nt)\.system"),
    (Reduces(builtins.eval, "1 + 1"), r"builtin(s|__)\.eval"),
    (Reduces(builtins.getattr, "a", "upper"), r"builtin(s|__)\.getattr"),
    (Reduces(builtins.bytes, 10**12), r"calls bytes"),
    (Reduces(builtins.bytearray, 10**12), r"builtin(s|__)\.bytearray"),
    (Reduces(np.frombuffer, b"12345678"), r"numpy.*frombuffer"),
    (Reduces(np.load, "x.npy"), r"numpy.*load"),
    (np.add, r"numpy.*(add|_ufunc_reconstruct)"),
    (np.ma.array([1, 2], mask=[0, 1]), r"numpy\.ma"),
    (np.datetime64("2020-01-01"), "dtype"),
    (np.zeros(2, dtype=[("a", "i4"), ("b", "O")]), "dtype"),
    (np.rec.array([(1, 2.0)]), r"recarray|numpy\.rec"),
    (pd.DataFrame({"a": [1]}), r"pandas|_reconstructor"),
    (collections.OrderedDict(a=1), r"collections\.OrderedDict"),
    (decimal.Decimal(1), r"decimal\.Decimal"),
    (load_pickle, r"_unpickler\.load_pickle"),
]


@pytest.mark.parametrize("protocol", [0, *PROTOCOLS])
@pytest.mark.parametrize(("item", "name"), FORBIDDEN, ids=[name for _, name in FORBIDDEN])
def test_forbidden_globals(load, tmp_path, monkeypatch, item, name, protocol):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataFormatError, match=name):
        load(pickle.dumps(item, protocol))
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_forbidden_inside_of_object_arrays(load, protocol):
    cells = np.empty(2, dtype=object)
    cells[:] = ["fine", Reduces(os.system, "true")]
    nested = {"train": {"raw_text": [cells]}}
    with pytest.raises(DataFormatError, match=r"system, which is not.*nothing was executed"):
        load(pickle.dumps(nested, protocol))


def test_dotted_names_are_rejected(load):
    content = b"\x80\x04\x8c\x05numpy\x8c\x0endarray.tofile\x93."
    with pytest.raises(DataFormatError, match=r"numpy\.ndarray\.tofile"):
        load(content)
    with pytest.raises(DataFormatError, match="registered extension 1"):
        load(b"\x80\x02\x82\x01.")
    with pytest.raises(DataFormatError, match="persistent"):
        load(b"\x80\x02X\x01\x00\x00\x00aQ.")


def test_allowed_globals_cannot_be_misused(load):
    """They cannot be kept as values, called otherwise, or changed for the next load."""
    get = b"cnumpy\nndarray\n"
    with pytest.raises(DataFormatError, match="a function, a class or a dtype as a value"):
        load(b"\x80\x02" + get + b".")
    with pytest.raises(DataFormatError, match="in an unsupported way"):
        load(b"\x80\x02" + get + b")R.")
    with pytest.raises(DataFormatError, match="sets attributes"):
        load(b"\x80\x02" + get + b"}X\x01\x00\x00\x00aK\x01sb.")
    with pytest.raises(DataFormatError):
        load(b"\x80\x02" + get + b")\x81.")  # NEWOBJ
    np.testing.assert_array_equal(load(pickle.dumps(ARRAYS[0])), ARRAYS[0])


def array_pickle(shape, dtype, raw, *, dtype_state=None, subtype="numpy ndarray"):
    """Handmade pickle of an array, with any content."""
    module, name = subtype.split()
    out = io.BytesIO()
    pickler = pickle._Pickler(out, 2)
    out.write(b"\x80\x02cnumpy.core.multiarray\n_reconstruct\n")
    out.write(f"c{module}\n{name}\n".encode())
    pickler.save((0,))
    pickler.save(b"b")
    out.write(b"\x87R(K\x01")
    pickler.save(shape)
    out.write(b"cnumpy\ndtype\n")
    pickler.save(dtype)
    out.write(b"\x89\x88\x87R")
    pickler.save(dtype_state or (3, "<", None, None, None, -1, -1, 0))
    out.write(b"b\x89")
    pickler.save(raw)
    out.write(b"tb.")
    return out.getvalue()


def test_handmade_array(load):
    content = array_pickle((2,), "f4", np.float32([1, 2]).tobytes())
    assert pickle.loads(content).tolist() == load(content).tolist() == [1, 2]


@pytest.mark.parametrize(
    ("shape", "dtype", "raw", "message"),
    [
        ((10**12,), "f8", b"12345678", "with 8 bytes of content"),
        ((2**40, 2**40), "f8", b"", "with 0 bytes of content"),
        ((-1, -8), "i1", b"12345678", "array of shape"),
        ((1.0,), "f8", b"12345678", "array of shape"),
        ([1], "f8", b"12345678", "array of shape"),
        ((1,), "O", b"12345678", "object array"),
        ((10**9,), "O", ["a"], "object array"),
        ((1,), "f8", [1.0], "with no bytes"),
        ((1,), "V8", b"12345678", "the dtype 'V8'"),
        ((1,), "i4,O", b"12345678", "the dtype 'i4,O'"),
        ((1,), "no such", b"12345678", "not a readable pickle"),
    ],
)
def test_declared_and_actual_content_must_agree(load, shape, dtype, raw, message):
    with pytest.raises(DataFormatError, match=message):
        load(array_pickle(shape, dtype, raw))


def test_dtype_states_are_validated(load):
    # sizes and flags that would let numpy read bytes as pointers to objects
    state = (3, "|", None, None, None, 8, 8, 63)
    loaded = load(array_pickle((1,), "i8", b"12345678", dtype_state=state))
    assert (loaded.dtype, loaded.nbytes) == (np.dtype("i8"), 8)
    fields = (3, "|", None, ("a",), {"a": ("O", 0)}, 8, 8, 63)
    with pytest.raises(DataFormatError, match="a structured dtype"):
        load(array_pickle((1,), "i8", b"12345678", dtype_state=fields))


def test_subclasses_of_arrays(load):
    with pytest.raises(DataFormatError, match=r"numpy\.matrix"):
        load(array_pickle((1,), "f4", b"1234", subtype="numpy matrix"))
    with pytest.raises(DataFormatError, match="a subclass of an array"):
        load(array_pickle((1,), "f4", b"1234", subtype="builtins set"))


@pytest.mark.parametrize(
    "content",
    [
        b"\x80\x05\x96" + struct.pack("<Q", 1 << 40) + b"x.",  # BYTEARRAY8
        b"\x80\x05\x8e" + struct.pack("<Q", 1 << 40) + b"x.",  # BINBYTES8
        b"\x80\x04\x95" + struct.pack("<Q", 1 << 40) + b"x.",  # FRAME
        b"\x80\x04\x8b" + struct.pack("<i", 1 << 30) + b"x.",  # LONG4
    ],
)
def test_declared_sizes_are_not_allocated(load, content):
    assert pickletools.code2op[chr(content[2])].arg is not None
    with pytest.raises(DataFormatError, match=r"declares \d+ bytes"):
        load(content)


def test_large_memo_index_is_not_allocated(load):
    assert load(b"\x80\x02K\x01r\xff\xff\xff\x7f.") == 1


@pytest.mark.parametrize(
    "content",
    [b"", b"nonsense", b"PK\x03\x04", pickle.dumps([1, 2, 3])[:-4], b"\x80\x09.", b"\x80\x02."],
)
def test_not_a_pickle(load, content):
    with pytest.raises(DataFormatError, match=r"'file\.pkl' is not a readable pickle"):
        load(content)


def test_containers_that_contain_themselves(load):
    item = []
    item.append(item)
    with pytest.raises(DataFormatError, match="contains itself"):
        load(pickle.dumps(item))


def test_deep_nesting(load):
    with pytest.raises(DataFormatError, match="nested too deeply"):
        load(b"\x80\x02" + b"]" * 20_000 + b"a" * 19_999 + b".")


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        load_pickle(tmp_path / "absent.pkl")
