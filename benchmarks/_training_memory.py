"""Memory that training and prediction take, as a multiple of the table's."""

import tempfile
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pandas as pd
from _process import _forget_peak, _peak

from sklearn_mmsent import FusionClassifier
from sklearn_mmsent.blocks import BlockLayout
from sklearn_mmsent.utils import _memory

TITLE = "Memory"
CASES = {
    "array": "array in memory",
    "DataFrame": "DataFrame in memory, by columns",
    "file": "memory-mapped file, told that it does not fit",
}

ABOUT = """\
Largest memory in use, the table itself included once, above what was in use after a small fit, in
a process of its own; as a multiple of the table's {mb:.0f} MB ({n_rows:,} rows of {n_columns}
float32 columns in two blocks). One epoch in batches of 512, early stopping's split included. Of
the file the process's own memory counts, and not the pages that the system keeps of it as long as
nobody needs the room."""


def run(shapes, n_rows):
    """Measure each case in a fresh process.

    Parameters
    ----------
    shapes : dict
        The blocks.
    n_rows : int
        Of the table.

    Returns
    -------
    str
        The section.
    """
    n_columns = BlockLayout.from_shapes(shapes).n_columns
    lines = ["| table | fit | predict |", "|---|---|---|"]
    for case, name in CASES.items():
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            fit, predict = pool.submit(_measure, case, shapes, n_rows).result()
        lines.append(f"| {name} | {fit:.2f} x | {predict:.2f} x |")
    about = ABOUT.format(mb=4e-6 * n_rows * n_columns, n_rows=n_rows, n_columns=n_columns)
    return about + "\n\n" + "\n".join(lines)


def _measure(case, shapes, n_rows):
    """Return the peaks of fit and predict in multiples of the table."""
    clf = FusionClassifier(modalities=shapes, max_epochs=1, batch_size=512, random_state=0)
    y = np.random.default_rng(0).integers(0, 3, n_rows)
    with tempfile.TemporaryDirectory() as folder:
        small = _table(case, shapes, 1000, folder)
        clf.fit(small, y[:1000]).predict(small)
        if case == "file":
            _memory.SMALL, _memory.SHARE = 0, {"cpu": 0}
            X = _table(case, shapes, n_rows, folder)
            before = _own()
            peaks = [_own_peak(work) for work in (lambda: clf.fit(X, y), lambda: clf.predict(X))]
        else:
            before = _forget_peak()
            X = _table(case, shapes, n_rows, folder)
            peaks = []
            for work in (lambda: clf.fit(X, y), lambda: clf.predict(X)):
                _forget_peak()
                work()
                peaks.append(_peak())
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


def _own():
    """Return the memory that belongs to the process alone, now."""
    status = Path("/proc/self/status").read_text()
    (line,) = [line for line in status.splitlines() if line.startswith("RssAnon")]
    return int(line.split()[1]) * 1024


def _own_peak(work):
    """Return the largest such memory while something runs."""
    seen, done = [_own()], threading.Event()

    def watch():
        while not done.is_set():
            seen.append(_own())
            time.sleep(0.001)

    watcher = threading.Thread(target=watch)
    watcher.start()
    work()
    done.set()
    watcher.join()
    return max(seen)
