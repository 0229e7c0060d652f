"""Time and memory of the samplers of blocks, beside imbalanced-learn's on the same table.

A table of 1000 columns in three modalities, a tenth of each missing, in three classes as lopsided
as mvsa_single (59 / 30 / 10 %). Ours read it as it is; imbalanced-learn's need `FillBlocks` first,
which is measured apart. Each measurement is a fresh process.

    python benchmarks/sampling.py
    python benchmarks/sampling.py --rows 2000 4000 --repeats 1
"""

import argparse
import platform
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter

import numpy as np
import pandas as pd
from imblearn.over_sampling import SMOTE, RandomOverSampler
from imblearn.under_sampling import RandomUnderSampler

from common.process import peak_memory, reset_peak_memory
from sklearn_mmsent import FillBlocks
from sklearn_mmsent.sampling import ModalityBalancer, ModalityMixup, ModalitySMOTE

SHAPES = {"text": 400, "image": 350, "audio": 250}
SHARES = [0.1, 0.3, 0.6]
PAIRS = {  # ours, and what imbalanced-learn has for the same purpose
    "ModalitySMOTE": (ModalitySMOTE, SMOTE),
    "ModalityMixup": (ModalityMixup, None),
    "ModalityBalancer, over": (ModalityBalancer, RandomOverSampler),
    "ModalityBalancer, under": (lambda: ModalityBalancer(how="under"), RandomUnderSampler),
}

PAGE = """\
# Sampling

Seconds and memory to balance three classes of 10, 30 and 60 % in a table of 1000 float32 columns,
of three modalities of which a tenth is missing. imbalanced-learn's samplers read the same table
behind `FillBlocks`, whose own time is not counted. Memory is the largest in use during the call,
the result included and the table that came in not, as a multiple of the larger of the two tables.
`ModalityBalancer` evens out the {patterns} patterns of what is missing as well, so it ends with
many more rows than its peer, or with many fewer: compare the seconds with the rows that come out.
Medians of {repeats} runs, each in a fresh process. Written by `benchmarks/sampling.py` on
{machine}, {versions}.

{table}

Growth is the time as a multiple of that of the line above, with twice the rows: 2 is linear. The
search for neighbours, scikit-learn's `NearestNeighbors` in both SMOTEs, is quadratic in the rows of
a class at this width; ours searches once for each pair of patterns of what is missing, for the
neighbours of those rows alone that are drawn.
"""


def main(arguments=None):
    """Run the benchmark.

    Parameters
    ----------
    arguments : list of str or None, default=None
        Command line; None takes the process's own.
    """
    options = _parse(arguments)
    rows = []
    for name, pair in PAIRS.items():
        for side, kind in zip(("ours", "imbalanced-learn"), pair, strict=True):
            if kind is None:
                continue
            for n_rows in options.rows:
                runs = [_apart(name, side, n_rows, seed) for seed in range(options.repeats)]
                rows.append((name, side, n_rows, *np.median(runs, axis=0)))
                print(*rows[-1], flush=True)
    measured = pd.DataFrame(rows, columns=["sampler", "side", "rows", "seconds", "memory", "out"])
    page = PAGE.format(
        patterns=2 ** len(SHAPES) - 1,
        repeats=options.repeats,
        machine=f"{options.machine or platform.processor() or platform.machine()}, one thread",
        versions=", ".join(f"{n} {version(n)}" for n in ("imbalanced-learn", "scikit-learn")),
        table=_table(measured, options.rows),
    )
    print(page)
    if options.output is not None:
        (options.output / "sampling.md").write_text(page, encoding="utf-8")


def make_table(n_rows, seed):
    """Make a table of blocks, some missing, and its labels.

    Parameters
    ----------
    n_rows : int
        Rows.
    seed : int
        Decides the values.

    Returns
    -------
    X : DataFrame of shape (n_rows, 1000)
    y : ndarray of shape (n_rows,)
    """
    rng = np.random.default_rng(seed)
    y = rng.choice(["negative", "neutral", "positive"], n_rows, p=SHARES)
    values = rng.standard_normal((n_rows, sum(SHAPES.values())), dtype=np.float32)
    missing = rng.random((n_rows, len(SHAPES))) < 0.1
    missing[missing.all(axis=1), 0] = False  # a row says something
    ends = np.cumsum(list(SHAPES.values()))
    for rows, width, end in zip(missing.T, SHAPES.values(), ends, strict=True):
        values[rows, end - width : end] = np.nan
    names = [f"{name}__{i}" for name, width in SHAPES.items() for i in range(width)]
    return pd.DataFrame(values, columns=names), y


def _apart(name, side, n_rows, seed):
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_measure, name, side, n_rows, seed).result()


def _measure(name, side, n_rows, seed):
    kind = PAIRS[name][side != "ours"]
    warm, labels = make_table(300, seed)
    X, y = make_table(n_rows, seed)
    if side != "ours":
        warm, X = FillBlocks().fit_transform(warm), FillBlocks().fit_transform(X)
    kind().fit_resample(warm, labels)
    sampler = kind().set_params(random_state=seed)
    before = reset_peak_memory()
    start = perf_counter()
    made, _ = sampler.fit_resample(X, y)
    seconds = perf_counter() - start
    larger = max(len(made), len(X)) * sum(SHAPES.values()) * 4
    return seconds, (peak_memory() - before) / larger, len(made)


def _table(measured, sizes):
    head = "seconds | growth | memory | rows out"
    lines = [
        f"| sampler | rows | {head} | imbalanced-learn: {head} | ours / theirs, seconds |",
        "|---|---|" + "---|" * 9,
    ]
    of = measured.set_index(["sampler", "side", "rows"])
    for name, (_, peer) in PAIRS.items():
        for i, n_rows in enumerate(sizes):
            cells = [name, f"{n_rows:,}"]
            for side in ("ours", "imbalanced-learn"):
                if side != "ours" and peer is None:
                    cells += [""] * 5
                    continue
                now = of.loc[(name, side, n_rows)]
                growth = ""
                if i:
                    before = of.loc[(name, side, sizes[i - 1]), "seconds"]
                    growth = f"{now['seconds'] / before:.1f}"
                cells += [f"{now['seconds']:.2f}", growth, f"{now['memory']:.1f}"]
                cells.append(f"{now['out']:,.0f}")
                if side != "ours":
                    ratio = of.loc[(name, "ours", n_rows), "seconds"] / now["seconds"]
                    cells.append(f"{ratio:.2f}")
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _parse(arguments):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", nargs="+", type=int, default=[25_000, 50_000, 100_000])
    parser.add_argument("--repeats", type=int, default=3, help="runs of each (default: 3)")
    parser.add_argument("--machine", help="name of the processor, for the page")
    parser.add_argument("--output", type=Path, help="folder of sampling.md (default: print)")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
