"""Blocks in memory-mapped files equal those in memory."""

import mmap
import tracemalloc

import numpy as np
import pandas as pd
import pytest

from sklearn_mmsent.blocks import BlockLayout, memory_mapped
from sklearn_mmsent.blocks.memory_mapped import StoredValues, is_memory_mapped, pieces
from sklearn_mmsent.blocks.moments import statistics_of
from sklearn_mmsent.exceptions import BlockError
from sklearn_mmsent.utils import _memory

SHAPES = {"text": 6, "audio": (5, 3), "image": (2, 3, 3)}


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch):
    """Split small tables, too."""
    monkeypatch.setattr(memory_mapped, "PIECE", 200)


def read(X, modalities="auto"):
    layout = BlockLayout.of(X, modalities)
    return layout.read(X, stream=True)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", ">f4", "uint8", "int32"])
@pytest.mark.parametrize("named", [False, True])
def test_values_in_a_file_equal_those_in_memory(named_table, mapped, dtype, named):
    X, _, layout = named_table(90, SHAPES, missing=0.3)
    X = X.fillna(7.0) if np.dtype(dtype).kind in "ui" else X
    X = X.abs().to_numpy().astype(dtype)
    view = mapped(X)
    if named:
        names = [name for block in layout.blocks for name in block.column_names()]
        X, view = (pd.DataFrame(table, columns=names, copy=False) for table in (X, view))
    loaded = layout.read(X)
    lazy = layout.read(view, stream=True)
    rows = np.array([7, 3, 3, 88])
    for block, own, other in zip(layout.blocks, loaded, lazy, strict=True):
        assert isinstance(other.values, StoredValues)
        assert other.values.shape == own.values.shape == (90, *block.shape)
        assert (other.values.dtype, other.values.ndim) == (own.values.dtype, own.values.ndim)
        assert (other.values.nbytes, len(other.values)) == (own.values.nbytes, 90)
        for chosen in (rows, slice(2, 9), np.arange(90) % 7 == 0):
            part = other.values[chosen]
            assert part.flags.c_contiguous
            np.testing.assert_array_equal(part, own.values[chosen])
        np.testing.assert_array_equal(other.present, own.present)
        np.testing.assert_array_equal(other.take(rows).values, own.values[rows])
        if own.steps is not None:
            np.testing.assert_array_equal(other.steps, own.steps)
    chosen = np.arange(90) % 3 > 0
    for own, other in zip(statistics_of(loaded, chosen), statistics_of(lazy, chosen), strict=True):
        np.testing.assert_array_equal(own, other)
    taken = [block.take(chosen) for block in loaded]
    for own, other in zip(statistics_of(lazy, chosen), taken, strict=True):
        np.testing.assert_allclose(own, other.statistics(), rtol=1e-12)


def test_indicators_apply_to_values_in_a_file(mapped):
    names = ["a__x@0", "a__x@1", "a__present", "a__length", "b__x", "b__present"]
    X = np.array([[1, 2, 1, 1, 5, 1], [1, 2, 0, 2, 5, 0], [1, 2, 1, 2, 5, 1]], np.uint8)
    a, b = read(pd.DataFrame(mapped(X), columns=names, copy=False))
    assert isinstance(a.values, StoredValues)
    assert a.steps.tolist() == [[True, False], [False, False], [True, True]]
    assert a.present.tolist() == b.present.tolist() == [True, False, True]


def test_infinite_values_raise_as_in_memory(mapped):
    X = np.zeros((100, 39), np.float32)
    X[70, 20], X[90, 8], X[95, 3] = np.inf, -np.inf, np.inf
    messages = []
    for table in (X, mapped(X)):
        with pytest.raises(BlockError, match="Input X contains infinity") as error:
            read(table, SHAPES)
        messages.append(str(error.value))
    assert messages[0] == messages[1]
    assert "row 95, column 3 is inf (1 such values in the block 'text')" in messages[0]
    X[95, 3] = 0
    with pytest.raises(BlockError, match=r"row 70, column 20 is inf \(2 such .* 'audio'\)"):
        read(mapped(X), SHAPES)


def test_tables_that_fit_or_are_not_mapped_are_loaded(mapped, monkeypatch):
    X = np.zeros((10, 39), np.float32)
    view = mapped(X)
    assert isinstance(read(view, SHAPES)[0].values, StoredValues)
    for table in (X, view[np.arange(10)], view + 1):
        assert isinstance(read(table, SHAPES)[0].values, np.ndarray)
    layout = BlockLayout.from_shapes(SHAPES)
    assert isinstance(layout.read(view)[0].values, np.ndarray)
    monkeypatch.setattr(_memory, "SMALL", X.nbytes)
    assert isinstance(read(view, SHAPES)[0].values, np.ndarray)


def test_a_frame_of_copies_is_loaded(named_table, mapped):
    X, _, _ = named_table(30, SHAPES)
    view = pd.DataFrame(mapped(X.to_numpy()), columns=X.columns, copy=False)
    mixed = view.astype({X.columns[0]: "float64"})
    assert isinstance(read(view)[0].values, StoredValues)
    assert isinstance(read(mixed)[0].values, np.ndarray)
    for block, own in zip(read(mixed), read(X), strict=True):
        np.testing.assert_array_equal(block.values[np.arange(30)], own.values)


def test_memory_mapped_arrays_are_recognised(tmp_path):
    view = np.lib.format.open_memmap(tmp_path / "x.npy", "w+", np.float32, (4, 3))
    with open(tmp_path / "x.npy", "rb") as file:
        raw = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    assert all(map(is_memory_mapped, (view, view[1:], np.asarray(view).T, np.frombuffer(raw))))
    assert not any(map(is_memory_mapped, (np.zeros(3), view[[0, 1]], view * 2, np.array(view))))


def test_pieces_cover_all_rows():
    assert [(s.start, s.stop) for s in pieces(10, 60)] == [(0, 3), (3, 6), (6, 9), (9, 10)]
    assert len(pieces(3, 1000)) == 3
    assert pieces(0, 5) == []


def test_no_table_is_loaded_at_once(mapped, monkeypatch):
    monkeypatch.setattr(memory_mapped, "PIECE", 2**14)
    X = mapped(np.zeros((20_000, 100), np.float32))
    tracemalloc.start()
    blocks = read(X, {"a": 60, "b": (8, 5)})
    statistics_of(blocks)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < X.nbytes / 5


def test_a_wide_frame_is_copied_once(monkeypatch):
    """Pandas would join the columns of several arrays and then transpose them."""
    monkeypatch.setattr(_memory, "SMALL", 2**20)
    parts = [pd.DataFrame(np.random.default_rng(0).normal(size=(20_000, 50))) for _ in range(2)]
    X = pd.concat(parts, axis=1).set_axis([f"a__{i:02}" for i in range(100)], axis=1)
    tracemalloc.start()
    (block,) = read(X)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1.3 * block.values.nbytes
    np.testing.assert_array_equal(block.values, np.asarray(X))
