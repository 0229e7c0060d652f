"""Time and peak memory of a transform in a separate process."""

import contextlib
import resource
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from joblib.externals.loky import get_reusable_executor


@dataclass(frozen=True)
class Cost:
    """Cost of one transform.

    Parameters
    ----------
    seconds : float
        Wall time after a warm-up.
    n_bytes : int
        Increase of peak memory, output included.
    shape : tuple of int
        Shape of the output.
    """

    seconds: float
    n_bytes: int
    shape: tuple


def measure(transformer, cells, *, warm_up=2):
    """Fit and transform in a fresh process.

    Parameters
    ----------
    transformer : transformer
        Picklable transformer of `cells`.
    cells : list or DataFrame
        Input.
    warm_up : int, default=2
        Number of cells transformed before the measurement, which excludes the loading of models.

    Returns
    -------
    Cost
    """
    return run_in_process(_measure, transformer, cells, warm_up)


def run_in_process(function, *arguments):
    """Call a picklable function in a fresh process and return its result."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def _measure(transformer, cells, warm_up):
    transformer.fit(cells)
    if warm_up:
        transformer.transform(cells[:warm_up])
    before = reset_peak_memory()
    start = time.perf_counter()
    table = transformer.transform(cells)
    seconds = time.perf_counter() - start
    get_reusable_executor().shutdown()  # idle workers of joblib would keep this process alive
    return Cost(seconds, peak_memory() - before, table.shape)


def reset_peak_memory():
    """Reset the peak to the memory in use, where the system supports it, and return it."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    return peak_memory()


def peak_memory():
    """Return the peak resident memory of this process in bytes."""
    try:
        status = Path("/proc/self/status").read_text()
        (line,) = [line for line in status.splitlines() if line.startswith("VmHWM")]
        return int(line.split()[1]) * 1024
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
