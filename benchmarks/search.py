"""Time folds, candidates and seeds trained at once beside the same trained one after another.

Random numbers of realistic size: only times are measured here. Writes OUTPUT/search.md and
OUTPUT/search.csv, one row per repeat.

    python benchmarks/search.py
    python benchmarks/search.py --quick

What takes long is timed on some of its fits and scaled up to all of them; the page says on how
many.
"""

import argparse
import os
import platform
import statistics
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import sklearn
import skorch
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, ParameterGrid, StratifiedKFold
from skorch import NeuralNetClassifier
from skorch.dataset import ValidSplit
from torch import nn

from sklearn_mmsent import BatchedGridSearchCV, DeepEnsembleClassifier, FusionClassifier
from sklearn_mmsent.model_selection._replay import FrozenSplits, note_folds
from sklearn_mmsent.model_selection.batched_fit import fit_batched
from sklearn_mmsent.training.batched import train_members as train_module

BLOCKS = {"text": 300, "audio": 74, "face": 35}
GRID = {
    "lr": [1e-4, 3e-4, 1e-3, 3e-3, 1e-2],
    "weight_decay": [0.0, 1e-2],
    "dropout": [0.0, 0.1, 0.2, 0.4],
}
FOLDS, MEMBERS = 5, 32
WIDTH, CLASSES = 64, 3
SOME = 5  # fits of what is scaled up
AIMS = {  # the ratios that this project set itself, by batch size
    "members": {32: 2.5, 128: 1.5},
    "search": {32: 6.0, 128: 4.0},
    "ensemble": {32: 2.0},
}

ABOUT = """\
# Folds, candidates and seeds at once

How long a search and an ensemble take when their networks are trained together, beside the same
networks one after another. Written by `benchmarks/search.py`, which `--help` explains; each row
is the median of repeats in which both sides took turns. Higher is better for us: a ratio tells
how many times longer the other side takes.

- **members**: {fits} networks (5 folds of {rows} rows, {candidates} candidates of learning rate,
  weight decay and dropout; {features} features in three flat blocks, MLP encoders, width 64) by
  `train_members`, against this project's own `train_network`, timed on {some} of them.
- **search**: the whole `BatchedGridSearchCV.fit` over them, preparing and scoring included,
  against `GridSearchCV` over skorch's `NeuralNetClassifier` with a module of the same layers (but
  without masks for what is missing), timed on {some} of the {fits} fits.
- **ensemble**: `DeepEnsembleClassifier` of {members} members with seeds and internal splits of
  their own, against fits of `FusionClassifier`, timed on {some} of {members}.

All train for {epochs} epochs, with a tenth of the rows to validate on after each, in float32; the
measurement by which `batched="auto"` decides is part of the time. In a profile of a stack of 40 at
batch 32, about half of the time went into matrix products, which are as much work alone.
With one thread, times are those of the processor, in
which other work on the machine does not count; with more, those of the clock.

{machine}

"""


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
    X, y = _table(100)  # what is slow at its first time
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
        options.output.mkdir(parents=True, exist_ok=True)
        (options.output / "search.md").write_text(page.rstrip() + "\n", encoding="utf-8")
        table.to_csv(options.output / "search.csv", index=False, float_format="%.4g")


def _measure(options, threads, batch_size):
    X, y = _table(options.rows)
    ours = FusionClassifier(
        hidden_size=WIDTH, batch_size=batch_size, max_epochs=options.epochs, random_state=0
    )
    theirs = NeuralNetClassifier(
        Network,
        optimizer=torch.optim.AdamW,
        batch_size=batch_size,
        max_epochs=options.epochs,
        train_split=ValidSplit(10, stratified=True),
        verbose=0,
    )
    grid = {name: sorted({c[name] for c in options.candidates}) for name in GRID}
    their_grid = {
        "lr": [grid["lr"][0]],
        "optimizer__weight_decay": [grid["weight_decay"][0]],
        "module__dropout": [grid["dropout"][-1]],
    }
    cv = StratifiedKFold(FOLDS)
    n_fits = FOLDS * len(options.candidates)
    members = _members(ours, X, y, cv, options.candidates)
    some = members[:: max(1, len(members) // SOME)][:SOME]
    ensemble = DeepEnsembleClassifier(ours, options.members, random_state=0)
    array, numbers = X.to_numpy(), np.searchsorted(np.unique(y), y)
    sides = {
        "members": (
            lambda: train_module.train_members(members),
            lambda: [member.train_alone() for member in some],
            len(members) / len(some),
        ),
        "search": (
            lambda: BatchedGridSearchCV(ours, grid, cv=cv, refit=False).fit(X, y),
            lambda: GridSearchCV(theirs, their_grid, cv=cv, refit=False).fit(array, numbers),
            n_fits / FOLDS,
        ),
        "ensemble": (
            lambda: ensemble.fit(X, y),
            lambda: [clone(ours).set_params(random_state=i).fit(X, y) for i in range(SOME)],
            options.members / SOME,
        ),
    }
    rows = []
    for name, (together, one_by_one, scale) in sides.items():
        train_module._gains.clear()
        for repeat in range(options.repeats):
            seconds = _seconds(together, threads)
            others = _seconds(one_by_one, threads) * scale
            rows.append(
                {
                    "what": name,
                    "batch": batch_size,
                    "threads": threads,
                    "repeat": repeat,
                    "together_seconds": seconds,
                    "one_by_one_seconds": others,
                    "ratio": others / seconds,
                }
            )
            print(rows[-1], flush=True)
    return rows


def _members(estimator, X, y, cv, candidates):
    """Return the members that the search would train."""
    taken = []

    def take(members, **options):
        taken.extend(members)
        return [train_module.Trained() for _ in members]

    from sklearn_mmsent.model_selection import batched_fit

    real, batched_fit.train_members = batched_fit.train_members, take
    try:
        splits = FrozenSplits(cv, y, estimator)
        folds = note_folds(estimator, X, y, cv=splits, scoring=None, groups=None, params=None)
        fit_batched(estimator, candidates, folds)
    finally:
        batched_fit.train_members = real
    return taken


class Network(nn.Module):
    """The network that the estimator makes of these blocks, for skorch, on one array."""

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
            nn.Softmax(dim=1),  # of which skorch's classifier takes the logarithm
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
    # a single thread's own time does not count what else runs on the machine
    clock = time.process_time if threads == 1 else time.perf_counter
    start = clock()
    function()
    return clock() - start


def _summary(table):
    median = table.groupby(["what", "batch", "threads"], sort=False)
    median = median[["together_seconds", "one_by_one_seconds", "ratio"]].agg(statistics.median)
    median = median.reset_index()
    ratios = table.groupby(["what", "batch", "threads"], sort=False)["ratio"]
    median["ratio (least to most)"] = [
        f"{group.median():.2f} ({group.min():.2f} to {group.max():.2f})" for _, group in ratios
    ]
    for column in ("together_seconds", "one_by_one_seconds"):
        median[column] = [f"{value:.1f}" for value in median[column]]
    pairs = zip(median["what"], median["batch"], strict=True)
    median["aim"] = [AIMS[what].get(batch, "") for what, batch in pairs]
    median = median.drop(columns="ratio")
    return median.rename(columns=lambda name: name.replace("_seconds", ", s").replace("_", " "))


def _page(options, table):
    return ABOUT.format(
        fits=FOLDS * len(options.candidates),
        rows=options.rows,
        candidates=len(options.candidates),
        features=sum(BLOCKS.values()),
        some=SOME,
        members=options.members,
        epochs=options.epochs,
        machine=_machine(),
    ) + _markdown(_summary(table))


def _markdown(table):
    lines = [table.columns, ["---"] * len(table.columns), *table.astype(str).to_numpy()]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _machine():
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line for line in cpuinfo.read_text().splitlines() if "model name" in line]
        model = names[0].partition(":")[2].strip() if names else model

    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    return (
        f"Measured on {os.cpu_count()} cores of {model}{load} at the end (other work ran beside "
        f"it where the load is above the threads), torch {torch.__version__}, scikit-learn "
        f"{sklearn.__version__}, skorch {skorch.__version__}; no GPU."
    )


def _parse(arguments):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="small, and nothing is written")
    parser.add_argument("--rows", type=int, default=4000)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[32, 128])
    parser.add_argument("--members", type=int, default=MEMBERS)
    parser.add_argument(
        "--output",
        type=Path,
        default=Path(__file__).parents[1] / "docs" / "benchmarks",
        help="folder of the results (default: docs/benchmarks)",
    )
    options = parser.parse_args(arguments)
    options.candidates = list(ParameterGrid(GRID))
    if options.quick:
        options.rows, options.epochs, options.repeats, options.members = 300, 1, 1, 5
        options.threads, options.batch_sizes = options.threads[:1], options.batch_sizes[:1]
        options.candidates = options.candidates[:2]
    return options


if __name__ == "__main__":
    main()
