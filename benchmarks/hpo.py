"""Give FusionSearchCV, OptunaSearchCV and RandomizedSearchCV the same time, and see what they find.

All search the small space of FusionClassifier with two processes of one thread each, on the
training part, by the macro-F1 of the same folds. RandomizedSearchCV tries a number of candidates;
the time that it takes is what the others get. Writes OUTPUT/hpo.md and OUTPUT/hpo.csv, one row for
each search of each seed.

    python benchmarks/hpo.py --data FOLDER
    python benchmarks/hpo.py --quick

Features come from a store that is filled first (--cache keeps it), and test parts are not read.
"""

import argparse
import os
import platform
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import optuna
import pandas as pd
import sklearn
import torch
from joblib import Parallel, delayed
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from sklearn.base import clone
from sklearn.metrics import f1_score
from sklearn.model_selection import RandomizedSearchCV, StratifiedGroupKFold
from sklearn.utils import Bunch

from common.data import data_folder, load_dataset
from common.features import extract, find_text_model
from sklearn_mmsent import (
    MFCC,
    Cached,
    ColorTexture,
    FusionClassifier,
    FusionSearchCV,
    LogMel,
    TextEmbedder,
    TfidfEmbedder,
)
from sklearn_mmsent.datasets import make_interactions

DATA = ("mvsa_single", "ravdess_speech")
GENERATED = "generated"
SCORING = "f1_macro"
JOBS = 2
AIM = 1 / 3  # of the time of random search
RANDOM, OPTUNA, FUSION = "RandomizedSearchCV", "OptunaSearchCV", "FusionSearchCV"

ABOUT = """\
# Searches with equal time

What three searches find in the same time, written by `benchmarks/hpo.py`, which `--help` explains,
from `hpo.csv`. All look for the macro-F1 of the same {folds} folds (grouped and stratified) of the
training part, in the small space of `FusionClassifier` ({parameters}), with two processes of one
thread; features are extracted before.

- **RandomizedSearchCV** (`n_jobs=2`) tries {candidates} candidates. Its time is the budget.
- **OptunaSearchCV** (TPE) is run in two processes that share a study.
- **FusionSearchCV** (`n_jobs=2`) has its defaults: TPE, batches of 16 trials, and races.

The networks of a candidate are the same in all three, but for what dropout draws where they are
trained together. **f1** is the best mean over the folds; **validation f1** that of the best
candidate, fitted on the training part, on the validation part, which no search has seen. **time
to random's best**: how long until a candidate was known that is as good as the best of random
search, as a share of its time, of the same seed, median (least to most) over the seeds; the aim is
{aim:.2f} or less. A search that did not get there counts as more than 1. Mean ± standard deviation
over {seeds} seeds of what is tried.

Another seed of the same network changes the mean of the folds by some .03 here, so that a search
that tries more also finds luckier candidates: **f1** grows with what is tried, **validation f1**
need not.

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
    os.environ["OMP_NUM_THREADS"] = "1"  # of the processes to come
    torch.set_num_threads(1)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        for name in options.only:
            data = _load(name, options, scratch)
            for seed in range(options.seeds):
                rows += _compare(name, data, seed, options)
                for row in rows[-3:]:
                    print(row, flush=True)
    table = pd.DataFrame(rows)
    page = _page(table, options)
    print(f"\n{page}")
    if not options.quick:
        options.output.mkdir(parents=True, exist_ok=True)
        (options.output / "hpo.md").write_text(page.rstrip() + "\n", encoding="utf-8")
        table.to_csv(options.output / "hpo.csv", index=False, float_format="%.5g")


def _load(name, options, scratch):
    """Return numeric rows of the training and validation parts."""
    if name == GENERATED:
        rows = make_interactions(n_samples=360, random_state=0)
        numbers = np.arange(360)
        part = np.where(numbers // 2 % 4 == 0, "val", "train")  # both rows of a group
        return Bunch(X=rows.X, y=rows.y, groups=numbers // 2, split=part)
    data = load_dataset(name, data_folder(options.data))
    kept = np.flatnonzero(np.isin(data.split, ["train", "val"]))
    if options.quick:
        kept = kept[:: max(1, len(kept) // 300)]
    cache = options.cache or scratch
    _, model = find_text_model(None)
    text = TfidfEmbedder() if model is None else TextEmbedder(model)
    extractors = {
        "image": Cached(ColorTexture(), cache),
        "audio": {"mfcc": Cached(MFCC(), cache), "logmel": Cached(LogMel(), cache)},
        "text": Cached(text, cache),
    }
    X = extract(data.X.iloc[kept].reset_index(drop=True), extractors)
    return Bunch(X=X, **{key: data[key][kept] for key in ("y", "groups", "split")})


def _compare(name, data, seed, options):
    """Run all searches with one seed; return a row of each."""
    train, val = (np.flatnonzero(data.split == part) for part in ("train", "val"))
    X, y, groups = data.X.iloc[train].reset_index(drop=True), data.y[train], data.groups[train]
    folds = list(StratifiedGroupKFold(options.folds).split(X, y, groups))
    clf = FusionClassifier(max_epochs=options.epochs, random_state=0)
    found = {RANDOM: _random(clf, X, y, folds, seed, options.candidates)}
    budget = found[RANDOM]["seconds"][-1]
    found[OPTUNA] = _optuna(clf, X, y, folds, seed, budget)
    found[FUSION] = _fusion(clf, X, y, folds, seed, budget)
    to_beat = max(found[RANDOM]["scores"])
    rows = []
    for search, got in found.items():
        inside = [i for i, second in enumerate(got["seconds"]) if second <= budget]
        scores = [got["scores"][i] for i in inside]
        reached = [got["seconds"][i] for i in inside if got["scores"][i] >= to_beat]
        best = got["params"][inside[int(np.argmax(scores))]] if scores else {}
        fitted = clone(clf).set_params(**best).fit(X, y)
        predicted = fitted.predict(data.X.iloc[val])
        rows.append(
            {
                "data": name,
                "search": search,
                "seed": seed,
                "budget_seconds": budget,
                "f1": max(scores, default=np.nan),
                "validation_f1": f1_score(data.y[val], predicted, average="macro"),
                "scored": len(scores),
                "tried": got["tried"],
                "reached_seconds": min(reached, default=np.inf),
                "share": min(reached, default=np.inf) / budget,
            }
        )
    return rows


def _random(clf, X, y, folds, seed, n_candidates):
    with tempfile.TemporaryDirectory() as folder:
        clock = Stamped(SCORING, Path(folder) / "stamps")
        search = RandomizedSearchCV(
            clf,
            clf.search_space("small").for_random(),
            n_iter=n_candidates,
            scoring=clock,
            cv=folds,
            refit=False,
            n_jobs=JOBS,
            random_state=seed,
        )
        started = time.time()
        search.fit(X, y)
        ended = time.time()
        stamps = sorted(float(line) for line in clock.path.read_text().split())
    # folds are fitted in the order of the candidates: the last of a candidate's ends it
    seconds = [stamps[(i + 1) * len(folds) - 1] - started for i in range(n_candidates)]
    seconds[-1] = ended - started
    results = search.cv_results_
    return {
        "seconds": seconds,
        "scores": results["mean_test_score"].tolist(),
        "params": results["params"],
        "tried": n_candidates,
    }


class Stamped:
    """A scorer that writes down when it was called.

    Parameters
    ----------
    scoring : str
        Name of the scorer.
    path : Path
        Of the file.
    """

    def __init__(self, scoring, path):
        self.scoring, self.path = scoring, path

    def __call__(self, estimator, X, y):
        """Score, then write down the time."""
        score = sklearn.metrics.get_scorer(self.scoring)(estimator, X, y)
        with self.path.open("a") as file:
            file.write(f"{time.time()!r}\n")
        return score


def _optuna(clf, X, y, folds, seed, budget):
    space = clf.search_space("small")
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "study.log")
        started = time.time()
        study = optuna.create_study(storage=_journal(path), study_name="peer", direction="maximize")
        jobs = [
            delayed(_optuna_apart)(clf, space, X, y, folds, 1000 * worker + seed, path, budget)
            for worker in range(JOBS)
        ]
        Parallel(JOBS)(jobs)
        return _of_study(study, space, started)


def _optuna_apart(clf, space, X, y, folds, seed, path, budget):
    # the class is experimental, and imports what is deprecated
    for category in (optuna.exceptions.ExperimentalWarning, FutureWarning):
        warnings.simplefilter("ignore", category)
    from optuna_integration import OptunaSearchCV

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    sampler = optuna.samplers.TPESampler(seed=seed)
    study = optuna.load_study(storage=_journal(path), study_name="peer", sampler=sampler)
    OptunaSearchCV(
        clf,
        space.for_optuna(),
        scoring=SCORING,
        cv=folds,
        n_trials=None,
        timeout=budget,
        refit=False,
        study=study,
        enable_pruning=False,
        random_state=seed,
    ).fit(X, y)


def _journal(path):
    return JournalStorage(JournalFileBackend(path))


def _fusion(clf, X, y, folds, seed, budget):
    search = FusionSearchCV(
        clf,
        scoring=SCORING,
        cv=folds,
        n_trials=None,
        timeout=budget,
        n_jobs=JOBS,
        random_state=seed,
        refit=False,
    )
    started = time.time()
    search.fit(X, y)
    return _of_study(search.study_, search.space_, started)


def _of_study(study, space, started):
    """Return what a study has scored on all folds, in the order in which it was known."""
    trials = [trial for trial in study.trials if trial.state.name == "COMPLETE"]
    trials.sort(key=lambda trial: trial.datetime_complete)
    return {
        "seconds": [trial.datetime_complete.timestamp() - started for trial in trials],
        "scores": [trial.value for trial in trials],
        "params": [space.decode(trial.params) for trial in trials],
        "tried": len(study.trials),
    }


def _page(table, options):
    lines = [
        "| data | search | f1 | validation f1 | scored on all folds (tried) | "
        "time to random's best |",
        "|---|---|---|---|---|---|",
    ]
    for (name, search), rows in table.groupby(["data", "search"], sort=False):
        share = rows["share"]
        told = [
            name,
            search,
            _mean(rows["f1"]),
            _mean(rows["validation_f1"]),
            f"{rows['scored'].mean():.0f} ({rows['tried'].mean():.0f})",
            f"{_share(share.median())} ({_share(share.min())} to {_share(share.max())})",
        ]
        lines.append(f"| {' | '.join(told)} |")
    budgets = table.groupby("data", sort=False)["budget_seconds"].mean()
    told = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in budgets.items())
    about = ABOUT.format(
        folds=options.folds,
        parameters=", ".join(f"`{name}`" for name in FusionClassifier.search_space("small")),
        candidates=options.candidates,
        seeds=options.seeds,
        aim=AIM,
        machine=f"{_machine()} Mean budget: {told}.",
    )
    return "\n".join([about, *lines])


def _mean(values):
    return f"{values.mean():.4f} ± {values.std(ddof=0):.4f}"


def _share(value):
    return f"{value:.2f}" if value <= 1 else "> 1"


def _machine():
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line for line in cpuinfo.read_text().splitlines() if "model name" in line]
        model = names[0].partition(":")[2].strip() if names else model
    load = f", load {os.getloadavg()[0]:.1f} at the end" if hasattr(os, "getloadavg") else ""
    return (
        f"Measured on {os.cpu_count()} cores of {model}{load}, torch {torch.__version__}, "
        f"scikit-learn {sklearn.__version__}, optuna {optuna.__version__}; no GPU."
    )


def _parse(arguments):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="small, and nothing is written")
    parser.add_argument("--data", help="folder of the real data (default: MMSENT_DATA)")
    parser.add_argument("--cache", type=Path, help="file or folder that keeps extracted features")
    parser.add_argument("--only", nargs="+", choices=[*DATA, GENERATED])
    parser.add_argument("--seeds", type=int, default=5, help="of what is tried (default: 5)")
    parser.add_argument("--candidates", type=int, default=64, help="of random search (default: 64)")
    parser.add_argument("--folds", type=int, default=5, help="(default: 5)")
    parser.add_argument("--epochs", type=int, default=200, help="at most (default: 200)")
    parser.add_argument(
        "--output",
        type=Path,
        default=Path(__file__).parents[1] / "docs" / "benchmarks",
        help="folder of the results (default: docs/benchmarks)",
    )
    options = parser.parse_args(arguments)
    if options.quick:
        options.only = options.only or [GENERATED]
        options.seeds, options.candidates, options.folds, options.epochs = 1, 4, 2, 4
    options.only = options.only or list(DATA)
    return options


if __name__ == "__main__":
    main()
