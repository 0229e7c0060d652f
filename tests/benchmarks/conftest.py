"""Scripts as modules, one thread, and data in the layout of the real data sets."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_limits

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(autouse=True)
def one_thread():
    """Tiny networks train faster in one thread."""
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with threadpool_limits(1):
        yield
    torch.set_num_threads(n_threads)


@pytest.fixture
def script(monkeypatch):
    """Return a function that loads a script as a module, with its packages importable."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))

    def load(name):
        spec = importlib.util.spec_from_file_location(name, BENCHMARKS / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, name, module)
        spec.loader.exec_module(module)
        return module

    return load


@pytest.fixture
def utterances(tmp_path):
    """Folder of data sets with thirty utterances in the layout of MOSI."""
    rng = np.random.default_rng(0)
    write_utterances(tmp_path / "data" / "mosi", rng)
    return tmp_path / "data"


def write_utterances(folder, rng, n=10):
    """Write three parts of `n` utterances with text and audio that depend on the intensity."""
    folder.mkdir(parents=True)
    arrays = {}
    for part in ("train", "valid", "test"):
        label = rng.uniform(-3, 3, n)
        arrays |= {
            f"{part}_id": np.array([f"{part}{i}" for i in range(n)]),
            f"{part}_video": np.array([f"{part}{i // 2}" for i in range(n)]),
            f"{part}_label": label.astype(np.float32),
            f"{part}_text_raw": np.array(["FINE FILM" if y > 0 else "A BORE" for y in label]),
            f"{part}_audio": rng.normal(size=(n, 4)).astype(np.float32) + label[:, None],
        }
    np.savez(folder / "mosi_utt.npz", **arrays)
