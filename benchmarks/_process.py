"""Time and memory of a transform, measured in a process of its own."""

import contextlib
import resource
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from joblib.externals.loky import get_reusable_executor


@dataclass(frozen=True)
class Measured:
    """What one transform cost.

    Parameters
    ----------
    seconds : float
        From call to return, after a warm-up.
    n_bytes : int
        Largest memory in use above what was in use before, the table that comes out included.
    shape : tuple of int
        Of the table that comes out.
    """

    seconds: float
    n_bytes: int
    shape: tuple


def measure(transformer, cells, *, warm_up=2):
    """Fit and transform in a fresh process.

    Parameters
    ----------
    transformer : transformer
        Reads `cells`; must pickle.
    cells : list or DataFrame
        What is transformed, and measured.
    warm_up : int, default=2
        Cells that are transformed before, so that loading of models is not measured.

    Returns
    -------
    Measured
    """
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_measure, transformer, cells, warm_up).result()


def _measure(transformer, cells, warm_up):
    transformer.fit(cells)
    if warm_up:
        transformer.transform(cells[:warm_up])
    before = _forget_peak()
    start = time.perf_counter()
    table = transformer.transform(cells)
    seconds = time.perf_counter() - start
    # joblib's workers would keep this process from ending, and it does not end them itself
    get_reusable_executor().shutdown()
    return Measured(seconds, _peak() - before, table.shape)


def _forget_peak():
    """Let the peak start anew from what is in use now, where the system can; return it."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    return _peak()


def _peak():
    try:
        status = Path("/proc/self/status").read_text()
        (line,) = [line for line in status.splitlines() if line.startswith("VmHWM")]
        return int(line.split()[1]) * 1024
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
