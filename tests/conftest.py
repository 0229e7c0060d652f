"""What several folders of tests share: named tables of several modalities."""

import os
import random
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from sklearn_mmsent.blocks import BlockLayout
from sklearn_mmsent.utils import _memory


def named_table(n_samples=120, shapes=None, *, missing=0.0, seed=0, dtype="float32"):
    """A table in which every block tells the class a little, padding and missing blocks included.

    Returns the table, string labels of three classes and the layout.
    """
    shapes = shapes or {"text": 6, "audio": (5, 3), "image": (2, 3, 3)}
    rng = np.random.default_rng(seed)
    layout = BlockLayout.from_shapes(shapes)
    y = rng.integers(0, 3, n_samples)
    X = rng.normal(size=(n_samples, layout.n_columns)) + 0.9 * (y[:, None] - 1)
    for block in layout.blocks:
        if block.kind == "sequence":
            lengths = rng.integers(1, block.shape[0] + 1, n_samples)
            width = block.shape[1]
            for row, length in enumerate(lengths):
                X[row, block.start + length * width : block.stop] = np.nan
        X[rng.random(n_samples) < missing, block.columns] = np.nan
    names = [name for block in layout.blocks for name in block.column_names()]
    table = pd.DataFrame(X, columns=names).astype(dtype)
    return table, np.array(["neg", "neu", "pos"])[y], layout


@pytest.fixture(name="named_table")
def _named_table():
    return named_table


@pytest.fixture
def mapped(tmp_path, monkeypatch):
    """Map arrays from files, of which nothing fits into memory."""
    monkeypatch.setattr(_memory, "SMALL", 0)
    monkeypatch.setattr(_memory, "SHARE", {"cpu": 0, "cuda": 0})

    def from_file(array):
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.npy"
        np.save(path, array)
        return np.load(path, mmap_mode="r")

    return from_file


@pytest.fixture
def global_states():
    """Take a snapshot of every global random number generator."""

    def snapshot():
        numpy_state = np.random.get_state()  # noqa: NPY002 - the legacy state is the one to guard
        torch_state = torch.random.get_rng_state().numpy().tobytes()
        return random.getstate(), numpy_state[1].tobytes(), numpy_state[2], torch_state

    return snapshot


@pytest.fixture(scope="session")
def real_data():
    """The folder of real data; tests that need it are skipped where it is not."""
    folder = os.environ.get("MMSENT_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("real data not found: set MMSENT_DATA to its folder")
    return Path(folder)


def pytest_make_parametrize_id(config, val, argname):
    """Name bytes by their number: an encoder may write the time, on which no two workers agree."""
    return f"{len(val)}-bytes" if isinstance(val, bytes) else None
