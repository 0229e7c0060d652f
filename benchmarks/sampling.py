"""Compare time and memory of the samplers of blocks with imbalanced-learn's.

Both resample a table of 1000 columns in three modalities, a tenth of each missing, and of three
classes as imbalanced as in mvsa_single (59 / 30 / 10 %). Ours accept missing blocks;
imbalanced-learn's run after `FillBlocks`, which is not timed. Each measurement runs in a separate
process. Prints docs/benchmarks/sampling.md, and writes it to the folder of `--output`.

    python benchmarks/sampling.py --output docs/benchmarks
    python benchmarks/sampling.py --rows 2000 4000 --repeats 1
"""

from time import perf_counter

import numpy as np
import pandas as pd
from imblearn.over_sampling import SMOTE, RandomOverSampler
from imblearn.under_sampling import RandomUnderSampler

from common.command_line import make_parser, parse
from common.process import peak_memory, reset_peak_memory, run_in_process
from common.report import machine_name, markdown_table, versions, write_page
from sklearn_mmsent import FillBlocks
from sklearn_mmsent.sampling import ModalityBalancer, ModalityMixup, ModalitySMOTE

SHAPES = {"text": 400, "image": 350, "audio": 250}
SHARES = [0.1, 0.3, 0.6]
PAIRS = {  # ours, and imbalanced-learn's for the same purpose
    "ModalitySMOTE": (ModalitySMOTE, SMOTE),
    "ModalityMixup": (ModalityMixup, None),
    "ModalityBalancer, over": (ModalityBalancer, RandomOverSampler),
    "ModalityBalancer, under": (lambda: ModalityBalancer(how="under"), RandomUnderSampler),
}

PAGE = """\
# Sampling

Seconds and memory to balance three classes of 10, 30 and 60 % in a table of 1000 float32 columns
in three modalities, a tenth of each missing. imbalanced-learn's samplers run on the output of
`FillBlocks`, which is not timed. Memory is the peak during the call, including the result but not
the input, relative to the larger of the two tables. `ModalityBalancer` also balances the {patterns}
patterns of missing modalities, so its output has many more rows than imbalanced-learn's, or many
fewer: relate its seconds to the rows out. Medians of {repeats} runs, each in a separate process.
Written by `benchmarks/sampling.py` on {machine}, {versions}.

{table}

Growth is the time relative to the line above, which has half the rows: 2 is linear. The neighbour
search, scikit-learn's `NearestNeighbors` in both SMOTEs, is quadratic in the rows of a class at
this width; ours searches once per pair of patterns of missing modalities, and only for the rows
that are drawn.
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
                runs = [
                    run_in_process(_measure, name, side, n_rows, seed)
                    for seed in range(options.repeats)
                ]
                rows.append((name, side, n_rows, *np.median(runs, axis=0)))
                print(*rows[-1], flush=True)
    measured = pd.DataFrame(rows, columns=["sampler", "side", "rows", "seconds", "memory", "out"])
    page = PAGE.format(
        patterns=2 ** len(SHAPES) - 1,
        repeats=options.repeats,
        machine=f"{machine_name(options.machine)}, one thread",
        versions=versions("imbalanced-learn", "scikit-learn"),
        table=_table(measured, options.rows),
    )
    print(page)
    if options.output is not None:
        write_page(options.output / "sampling.md", page)


def make_table(n_rows, seed):
    """Generate a table of blocks, some missing, and its labels.

    Parameters
    ----------
    n_rows : int
        Number of rows.
    seed : int
        Random seed.

    Returns
    -------
    X : DataFrame of shape (n_rows, 1000)
    y : ndarray of shape (n_rows,)
    """
    rng = np.random.default_rng(seed)
    y = rng.choice(["negative", "neutral", "positive"], n_rows, p=SHARES)
    values = rng.standard_normal((n_rows, sum(SHAPES.values())), dtype=np.float32)
    missing = rng.random((n_rows, len(SHAPES))) < 0.1
    missing[missing.all(axis=1), 0] = False  # no row without any modality
    ends = np.cumsum(list(SHAPES.values()))
    for rows, width, end in zip(missing.T, SHAPES.values(), ends, strict=True):
        values[rows, end - width : end] = np.nan
    names = [f"{name}__{i}" for name, width in SHAPES.items() for i in range(width)]
    return pd.DataFrame(values, columns=names), y


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
    heads = ["seconds", "growth", "memory", "rows out"]
    heads = ["sampler", "rows", *heads, f"imbalanced-learn: {heads[0]}", *heads[1:]]
    lines = []
    costs = measured.set_index(["sampler", "side", "rows"])
    for name, (_, peer) in PAIRS.items():
        for i, n_rows in enumerate(sizes):
            cells = [name, f"{n_rows:,}"]
            for side in ("ours", "imbalanced-learn"):
                if side != "ours" and peer is None:
                    cells += [""] * 5
                    continue
                cost = costs.loc[(name, side, n_rows)]
                growth = ""
                if i:
                    before = costs.loc[(name, side, sizes[i - 1]), "seconds"]
                    growth = f"{cost['seconds'] / before:.1f}"
                cells += [f"{cost['seconds']:.2f}", growth, f"{cost['memory']:.1f}"]
                cells.append(f"{cost['out']:,.0f}")
                if side != "ours":
                    ratio = costs.loc[(name, "ours", n_rows), "seconds"] / cost["seconds"]
                    cells.append(f"{ratio:.2f}")
            lines.append(cells)
    return markdown_table([*heads, "ours / theirs, seconds"], lines)


def _parse(arguments):
    parser = make_parser(__doc__, repeats=3, machine=True, writes="sampling.md", output=None)
    parser.add_argument("--rows", nargs="+", type=int, default=[25_000, 50_000, 100_000])
    return parse(parser, arguments)


if __name__ == "__main__":
    main()
