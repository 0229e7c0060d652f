"""Peak memory of training and prediction, relative to the size of the table."""

import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import pandas as pd

from common.process import peak_memory, reset_peak_memory, run_in_process
from common.report import markdown_table
from sklearn_mmsent import FusionClassifier
from sklearn_mmsent.blocks import BlockLayout
from sklearn_mmsent.utils import _memory

TITLE = "Memory"
CASES = {
    "array": "array in memory",
    "DataFrame": "DataFrame in memory, by columns",
    "file": "memory-mapped file, treated as larger than memory",
}

ABOUT = """\
Peak memory, including one copy of the table, above that after a small fit in a separate process;
relative to the {mb:.0f} MB of the table ({n_rows:,} rows of {n_columns} float32 columns in two
blocks). One epoch in batches of 512, including the split for early stopping. For the file, private
memory counts, without the page cache of the system."""


def run(shapes, n_rows):
    """Measure each kind of table in a separate process.

    Parameters
    ----------
    shapes : dict
        Shapes of the blocks.
    n_rows : int
        Number of rows.

    Returns
    -------
    str
        Markdown.
    """
    n_columns = BlockLayout.from_shapes(shapes).n_columns
    lines = []
    for case, name in CASES.items():
        fit, predict = run_in_process(_measure, case, shapes, n_rows)
        lines.append([name, f"{fit:.2f} x", f"{predict:.2f} x"])
    about = ABOUT.format(mb=4e-6 * n_rows * n_columns, n_rows=n_rows, n_columns=n_columns)
    return f"{about}\n\n{markdown_table(['table', 'fit', 'predict'], lines)}"


def _measure(case, shapes, n_rows):
    """Return the peaks of fit and predict, relative to the size of the table."""
    clf = FusionClassifier(modalities=shapes, max_epochs=1, batch_size=512, random_state=0)
    y = np.random.default_rng(0).integers(0, 3, n_rows)
    with tempfile.TemporaryDirectory() as folder:
        small = _table(case, shapes, 1000, folder)
        clf.fit(small, y[:1000]).predict(small)
        if case == "file":
            # no public setting makes a table that fits be read out of core
            _memory.SMALL, _memory.SHARE = 0, {"cpu": 0}
            X = _table(case, shapes, n_rows, folder)
            before = _private_memory()
            peaks = [
                _private_peak(work) for work in (lambda: clf.fit(X, y), lambda: clf.predict(X))
            ]
        else:
            before = reset_peak_memory()
            X = _table(case, shapes, n_rows, folder)
            peaks = []
            for work in (lambda: clf.fit(X, y), lambda: clf.predict(X)):
                reset_peak_memory()
                work()
                peaks.append(peak_memory())
    return [(peak - before) / (4 * X.size) for peak in peaks]


def _table(case, shapes, n_rows, folder):
    layout = BlockLayout.from_shapes(shapes)
    rng = np.random.default_rng(1)
    if case == "DataFrame":
        columns = rng.standard_normal((layout.n_columns, n_rows), dtype=np.float32)
        names = [name for block in layout.blocks for name in block.column_names()]
        return pd.DataFrame(columns.T, columns=names, copy=False)
    if case == "array":
        return rng.standard_normal((n_rows, layout.n_columns), dtype=np.float32)
    path = Path(folder) / f"{n_rows}.npy"
    shape = (n_rows, layout.n_columns)
    table = np.lib.format.open_memmap(path, "w+", np.float32, shape)
    for start in range(0, n_rows, 1000):
        rows = table[start : start + 1000]
        rows[:] = rng.standard_normal(rows.shape, dtype=np.float32)
    del table, rows
    return np.load(path, mmap_mode="r")


def _private_memory():
    """Return the private memory of this process in bytes."""
    status = Path("/proc/self/status").read_text()
    (line,) = [line for line in status.splitlines() if line.startswith("RssAnon")]
    return int(line.split()[1]) * 1024


def _private_peak(work):
    """Call a function and return the peak of the private memory meanwhile."""
    sizes, done = [_private_memory()], threading.Event()

    def sample():
        while not done.is_set():
            sizes.append(_private_memory())
            time.sleep(0.001)

    sampler = threading.Thread(target=sample)
    sampler.start()
    work()
    done.set()
    sampler.join()
    return max(sizes)
