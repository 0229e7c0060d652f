"""Batches of streamed values are those of tensors."""

import numpy as np
import pytest
import torch

from sklearn_mmsent.blocks import BlockLayout
from sklearn_mmsent.blocks.memory_mapped import StoredValues
from sklearn_mmsent.training import BlockDataset, dataset, holdout_rows
from sklearn_mmsent.training.dataset import Batches
from sklearn_mmsent.training.out_of_core import StreamedValues, place
from sklearn_mmsent.utils import _memory

SHAPES = {"text": 6, "audio": (5, 3), "image": (2, 3, 3)}


@pytest.fixture(name="datasets")
def _datasets(named_table, mapped):
    """The same rows in memory and in a file."""
    X, _, layout = named_table(50, SHAPES, missing=0.3)
    X = X.to_numpy()
    targets = np.arange(50)
    return [BlockDataset(layout.read(table, stream=True), targets) for table in (X, mapped(X))]


def assert_equal(batch, other):
    if batch is None or isinstance(batch, (list, tuple)):
        assert type(batch) is type(other)
        for part, part_of_other in zip(batch or (), other or (), strict=True):
            assert_equal(part, part_of_other)
    else:
        assert batch.dtype == other.dtype
        torch.testing.assert_close(batch, other, rtol=0, atol=0, equal_nan=True)


def test_batches_are_the_same(datasets):
    held, streamed = datasets
    assert all(isinstance(values, torch.Tensor) for values in held.values)
    assert all(isinstance(values, StreamedValues) for values in streamed.values)
    chosen = np.array([40, 3, 3, 17, 21])
    for a, b in ((held, streamed), (held.view(chosen), streamed.view(chosen))):
        for seed in (None, 0):
            both = [
                list(Batches(data, 16, seed if seed is None else torch.Generator().manual_seed(1)))
                for data in (a, b)
            ]
            assert_equal(*both)


def test_streamed_values_have_the_interface_of_a_tensor(datasets):
    held, streamed = datasets
    for tensor, values in zip(held.values, streamed.values, strict=True):
        assert values.shape == tensor.shape
        assert (values.dtype, values.device) == (tensor.dtype, tensor.device)
        assert (len(values), values.numel()) == (len(tensor), tensor.numel())
        assert values.element_size() == tensor.element_size()
        assert values.is_floating_point()
    places = [values.data_ptr() for values in streamed.values]
    assert len(set(places)) == 3
    assert [values.data_ptr() for values in streamed.view(np.arange(3)).values] == places
    with pytest.raises(ValueError, match=r"only rows .* dim=0; got 1"):
        streamed.values[0].index_select(1, torch.arange(2))


def test_rows_may_go_to_a_device_many_batches_at_once(datasets, monkeypatch):
    held, streamed = datasets
    expected = list(Batches(held, 8, torch.Generator().manual_seed(1)))
    monkeypatch.setattr(BlockDataset, "batches_at_once", lambda self, size: 2)
    gathered = []
    select = StreamedValues.index_select

    def spy(self, dim, rows):
        gathered.append(len(rows))
        return select(self, dim, rows)

    monkeypatch.setattr(StreamedValues, "index_select", spy)
    batches = list(Batches(streamed, 8, torch.Generator().manual_seed(1)))
    assert gathered == [16] * 9 + [2] * 3
    assert_equal(batches, expected)


def test_number_of_batches_at_once(datasets, monkeypatch):
    held, streamed = datasets
    assert [data.batches_at_once(2) for data in datasets] == [1, 1]
    streamed.present = streamed.present.to("meta")  # in place of a device other than the CPU
    monkeypatch.setattr(dataset, "CHUNK", 39 * 4 * 2 * 5 + 1)
    assert [streamed.batches_at_once(size) for size in (1, 2, 100)] == [10, 5, 1]
    held.present = streamed.present
    assert held.batches_at_once(2) == 1


def test_another_device_holds_all_or_nothing(mapped, monkeypatch):
    X = np.ones((10, 6), np.float32)
    stored = StoredValues(mapped(X), (6,))
    # "meta" keeps shapes only, and is no CPU
    assert all(isinstance(v, StreamedValues) for v in place([X, stored], "meta"))
    assert isinstance(place([X], "cpu")[0], torch.Tensor)
    monkeypatch.setattr(_memory, "SMALL", 3 * X.nbytes)
    moved = place([X, stored], "meta")
    assert [(v.shape, v.dtype, v.device.type) for v in moved] == [
        ((10, 6), torch.float32, "meta")
    ] * 2


def test_held_out_rows_are_the_same_and_copies_stay_together(mapped):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 39)).repeat(4, axis=0)[rng.permutation(240)].astype(np.float32)
    layout = BlockLayout.from_shapes(SHAPES)
    held = [holdout_rows(layout.read(t, stream=True), 0.2, seed=0) for t in (X, mapped(X))]
    np.testing.assert_array_equal(*held)
    assert held[0].any()
    assert not {tuple(x) for x in X[held[0]]} & {tuple(x) for x in X[~held[0]]}


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU: no CUDA device here")
def test_a_gpu_is_given_the_same_batches(named_table, mapped, monkeypatch):
    X, _, layout = named_table(50, SHAPES, missing=0.3)
    held = BlockDataset(layout.read(X.to_numpy()), np.arange(50))
    lazy = layout.read(mapped(X.to_numpy()), stream=True)
    streamed = BlockDataset(lazy, np.arange(50), device="cuda")
    assert isinstance(streamed.values[0], StreamedValues)
    monkeypatch.setattr(_memory, "SMALL", 2**26)
    moved = BlockDataset(lazy, np.arange(50), device="cuda")
    assert moved.values[0].is_cuda
    for data in (streamed, moved):
        for batch, expected in zip(Batches(data, 16), Batches(held, 16), strict=True):
            assert batch[0][0][0].is_cuda
            assert_equal(dataset.map_tensors(batch, lambda x: x.cpu()), expected)
