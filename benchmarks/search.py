"""Time networks trained as a batch against the same networks trained one after another.

Rows are random numbers of realistic size; only times are measured. The slower sides are timed on
some of their fits and scaled up. Writes docs/benchmarks/search.md and search.csv, which has one row
per repeat.

    python benchmarks/search.py
    python benchmarks/search.py --quick
"""

import statistics
import time
import warnings
from functools import partial

import numpy as np
import pandas as pd
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, ParameterGrid, StratifiedKFold
from skorch import NeuralNetClassifier
from skorch.dataset import ValidSplit
from torch import nn

from common.command_line import make_parser, parse
from common.report import machine_and_load, markdown_table, versions, write_page
from sklearn_mmsent import BatchedGridSearchCV, DeepEnsembleClassifier, FusionClassifier

BLOCKS = {"text": 300, "audio": 74, "face": 35}
GRID = {
    "lr": [1e-4, 3e-4, 1e-3, 3e-3, 1e-2],
    "weight_decay": [0.0, 1e-2],
    "dropout": [0.0, 0.1, 0.2, 0.4],
}
FOLDS, MEMBERS = 5, 32
WIDTH, CLASSES = 64, 3
N_TIMED = 5  # fits of the slower sides
TARGETS = {  # ratios by batch size
    "batching": {32: 2.5, 128: 1.5},
    "search": {32: 6.0, 128: 4.0},
    "ensemble": {32: 2.0},
}

ABOUT = """\
# Batched training of folds, candidates and seeds

Time of a search and an ensemble whose networks are trained as a batch, compared with the same
networks trained one after another. Written by `benchmarks/search.py`. Each row is the median of
repeats in which both sides took turns; a ratio above 1 is a speed-up.

- **batching**: `BatchedGridSearchCV.fit` over {fits} networks (5 folds of {rows} rows, {candidates}
  candidates of learning rate, weight decay and dropout; {features} features in three flat blocks,
  MLP encoders, width 64) against the same search with `batched=False`, timed on {timed} of the
  {fits} fits.
- **search**: the same search against `GridSearchCV` over skorch's `NeuralNetClassifier` with a
  module of the same layers (but without masks for missing blocks), timed on {timed} of the {fits}
  fits.
- **ensemble**: `DeepEnsembleClassifier` of {members} members, each with its seed and internal
  split, against fits of `FusionClassifier`, timed on {timed} of {members}.

All train for {epochs} epochs in float32, with a tenth of the rows for validation after each epoch.
Times include the measurement by which `batched="auto"` decides. In a profile of 40 networks at
batch 32, about half of the time was spent on matrix products, which batching does not save. One
thread: processor time, which excludes other load; several threads: wall time.

{machine}"""


def main(arguments=None):
    """Run the benchmark.

    Parameters
    ----------
    arguments : list of str or None, default=None
        Command line; None takes the process's own.
    """
    options = _parse(arguments)
    warnings.filterwarnings("ignore", category=UserWarning)
    before = torch.get_num_threads()
    rows = []
    X, y = _table(100)  # warm-up
    DeepEnsembleClassifier(FusionClassifier(max_epochs=2), 3, batched=True).fit(X, y)
    try:
        for threads in options.threads:
            torch.set_num_threads(threads)
            for batch_size in options.batch_sizes:
                rows += _measure(options, threads, batch_size)
    finally:
        torch.set_num_threads(before)
    table = pd.DataFrame(rows)
    page = _page(options, table)
    print(page)
    if not options.quick:
        write_page(options.output / "search.md", page)
        table.to_csv(options.output / "search.csv", index=False, float_format="%.4g")


def _measure(options, threads, batch_size):
    rows = []
    for name, (batched, one_by_one, scale) in _sides(options, batch_size).items():
        for repeat in range(options.repeats):
            seconds = _seconds(batched, threads)
            others = _seconds(one_by_one, threads) * scale
            rows.append(
                {
                    "case": name,
                    "batch": batch_size,
                    "threads": threads,
                    "repeat": repeat,
                    "batched_seconds": seconds,
                    "one_by_one_seconds": others,
                    "ratio": others / seconds,
                }
            )
            print(rows[-1], flush=True)
    return rows


def _sides(options, batch_size):
    """Return by case the batched side, the other side, and the factor that scales the latter."""
    X, y = _table(options.rows)
    clf = FusionClassifier(
        hidden_size=WIDTH, batch_size=batch_size, max_epochs=options.epochs, random_state=0
    )
    net = NeuralNetClassifier(
        Network,
        optimizer=torch.optim.AdamW,
        batch_size=batch_size,
        max_epochs=options.epochs,
        train_split=ValidSplit(10, stratified=True),
        verbose=0,
    )
    grid = {name: sorted({c[name] for c in options.candidates}) for name in GRID}
    lr, weight_decay, dropout = grid["lr"][0], grid["weight_decay"][0], grid["dropout"][-1]
    one = {"lr": [lr], "weight_decay": [weight_decay], "dropout": [dropout]}
    one_of_net = {
        "lr": [lr],
        "optimizer__weight_decay": [weight_decay],
        "module__dropout": [dropout],
    }
    search = partial(BatchedGridSearchCV, clf, cv=StratifiedKFold(FOLDS), refit=False)
    peer = GridSearchCV(net, one_of_net, cv=StratifiedKFold(FOLDS), refit=False)
    ensemble = DeepEnsembleClassifier(clf, options.members, random_state=0)
    array, codes = X.to_numpy(), np.searchsorted(np.unique(y), y)
    n_candidates = len(options.candidates)
    return {
        "batching": (
            lambda: search(param_grid=grid).fit(X, y),
            lambda: search(param_grid=one, batched=False).fit(X, y),
            n_candidates,
        ),
        "search": (
            lambda: search(param_grid=grid).fit(X, y),
            lambda: peer.fit(array, codes),
            n_candidates,
        ),
        "ensemble": (
            lambda: ensemble.fit(X, y),
            lambda: [clone(clf).set_params(random_state=i).fit(X, y) for i in range(N_TIMED)],
            options.members / N_TIMED,
        ),
    }


class Network(nn.Module):
    """The network that the estimator builds for these blocks, for skorch, on one array."""

    def __init__(self, dropout=0.2):
        super().__init__()
        self.encoders = nn.ModuleList(
            nn.Sequential(
                nn.Linear(size, WIDTH),
                nn.ReLU(),
                nn.Dropout(dropout),
                nn.Linear(WIDTH, WIDTH),
                nn.ReLU(),
            )
            for size in BLOCKS.values()
        )
        self.head = nn.Sequential(
            nn.Linear(len(BLOCKS) * WIDTH, WIDTH),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(WIDTH, WIDTH),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(WIDTH, CLASSES),
            nn.Softmax(dim=1),  # skorch's classifier takes the logarithm
        )

    def forward(self, X):
        """Return the probabilities of the classes (B, C)."""
        parts = X.split(list(BLOCKS.values()), dim=1)
        vectors = [encode(part) for encode, part in zip(self.encoders, parts, strict=True)]
        return self.head(torch.cat(vectors, dim=1))


def _table(n_rows):
    rng = np.random.default_rng(0)
    names = [f"{block}__{i:03d}" for block, size in BLOCKS.items() for i in range(size)]
    y = rng.integers(0, CLASSES, n_rows)
    X = rng.normal(size=(n_rows, len(names))) + 0.1 * y[:, None]
    return pd.DataFrame(X.astype("float32"), columns=names), np.array(["neg", "neu", "pos"])[y]


def _seconds(function, threads):
    # the processor time of one thread excludes other load
    clock = time.process_time if threads == 1 else time.perf_counter
    start = clock()
    function()
    return clock() - start


def _page(options, table):
    about = ABOUT.format(
        fits=FOLDS * len(options.candidates),
        rows=options.rows,
        candidates=len(options.candidates),
        features=sum(BLOCKS.values()),
        timed=N_TIMED,
        members=options.members,
        epochs=options.epochs,
        machine=(
            f"Measured on {machine_and_load()} (other work ran where the load exceeds the "
            f"threads), {versions('torch', 'scikit-learn', 'skorch')}; no GPU."
        ),
    )
    rows = []
    for (case, batch, threads), runs in table.groupby(["case", "batch", "threads"], sort=False):
        medians = runs[["batched_seconds", "one_by_one_seconds"]].agg(statistics.median)
        ratio = runs["ratio"]
        spread = f"{ratio.median():.2f} ({ratio.min():.2f} to {ratio.max():.2f})"
        target = TARGETS[case].get(batch, "")
        rows.append([case, batch, threads, *(f"{s:.1f}" for s in medians), spread, target])
    heads = ["case", "batch", "threads", "batched, s", "one by one, s"]
    heads += ["ratio (lowest to highest)", "target"]
    return f"{about}\n\n{markdown_table(heads, rows)}"


def _parse(arguments):
    parser = make_parser(
        __doc__,
        repeats=3,
        quick="2 candidates, 5 members, 300 rows",
        writes="search.md and search.csv",
    )
    parser.add_argument("--rows", type=int, default=4000)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[32, 128])
    parser.add_argument("--members", type=int, default=MEMBERS)
    options = parse(parser, arguments)
    options.candidates = list(ParameterGrid(GRID))
    if options.quick:
        options.rows, options.epochs, options.members = 300, 1, 5
        options.threads, options.batch_sizes = options.threads[:1], options.batch_sizes[:1]
        options.candidates = options.candidates[:2]
    return options


if __name__ == "__main__":
    main()
