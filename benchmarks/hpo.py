"""Compare FusionSearchCV with OptunaSearchCV and RandomizedSearchCV at equal time.

All search the small space of FusionClassifier with two processes of one thread each, on the
training part, by macro-F1 on the same folds. The time in which RandomizedSearchCV tries a fixed
number of candidates is the budget of the others. Features are extracted beforehand; test parts are
not read. Writes docs/benchmarks/hpo.md and hpo.csv, which has one row per search and seed.

    python benchmarks/hpo.py --data FOLDER
    python benchmarks/hpo.py --quick
"""

import os
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

from common.command_line import make_parser, parse
from common.data import load_dataset
from common.features import extract, find_text_model
from common.report import machine_and_load, markdown_table, versions, write_page
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
TARGET = 1 / 3  # of the time of random search
RANDOM, OPTUNA, FUSION = "RandomizedSearchCV", "OptunaSearchCV", "FusionSearchCV"

ABOUT = """\
# Searches at equal time

Results of three searches in the same time. Written by `benchmarks/hpo.py`. All maximise macro-F1 on
the same {folds} folds (grouped and stratified) of the training part, in the small space of
`FusionClassifier` ({parameters}), with two processes of one thread; features are extracted
beforehand.

- **RandomizedSearchCV** (`n_jobs=2`) tries {candidates} candidates. Its time is the budget.
- **OptunaSearchCV** (TPE) runs in two processes that share a study.
- **FusionSearchCV** (`n_jobs=2`) has default settings: TPE, batches of 16 trials, and pruning.

All three train the same networks for a candidate, except that dropout masks differ in batched
training. **f1** is the best mean over the folds; **validation f1** the score of the best candidate,
refitted on the training part, on the validation part, which no search uses. **time to random's
best**: time until a candidate as good as the best of random search was found, relative to the time
of random search with the same seed; median (lowest to highest) over the seeds, target {target:.2f}
or less. A search that finds none counts as more than 1. Mean ± standard deviation over {seeds}
seeds of the searches.

Another seed of the same network changes the mean over the folds by about .03, so a search that
tries more candidates also finds luckier ones: **f1** grows with their number, **validation f1** not
necessarily.

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
    os.environ["OMP_NUM_THREADS"] = "1"  # for worker processes
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
        write_page(options.output / "hpo.md", page)
        table.to_csv(options.output / "hpo.csv", index=False, float_format="%.5g")


def _load(name, options, scratch):
    """Return numeric rows of the training and validation parts."""
    if name == GENERATED:
        rows = make_interactions(n_samples=360, random_state=0)
        numbers = np.arange(360)
        part = np.where(numbers // 2 % 4 == 0, "val", "train")  # groups are pairs of rows
        return Bunch(X=rows.X, y=rows.y, groups=numbers // 2, split=part)
    data = load_dataset(name, options.data)
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
    """Run all searches with one seed; return one row per search."""
    train, val = (np.flatnonzero(data.split == part) for part in ("train", "val"))
    X, y, groups = data.X.iloc[train].reset_index(drop=True), data.y[train], data.groups[train]
    folds = list(StratifiedGroupKFold(options.folds).split(X, y, groups))
    clf = FusionClassifier(max_epochs=options.epochs, random_state=0)
    results = {RANDOM: _random(clf, X, y, folds, seed, options.candidates)}
    budget = results[RANDOM]["seconds"][-1]
    results[OPTUNA] = _optuna(clf, X, y, folds, seed, budget)
    results[FUSION] = _fusion(clf, X, y, folds, seed, budget)
    to_beat = max(results[RANDOM]["scores"])
    rows = []
    for search, result in results.items():
        in_time = [i for i, second in enumerate(result["seconds"]) if second <= budget]
        scores = [result["scores"][i] for i in in_time]
        reached = [result["seconds"][i] for i in in_time if result["scores"][i] >= to_beat]
        best = result["params"][in_time[int(np.argmax(scores))]] if scores else {}
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
                "tried": result["tried"],
                "reached_seconds": min(reached, default=np.inf),
                "share": min(reached, default=np.inf) / budget,
            }
        )
    return rows


def _random(clf, X, y, folds, seed, n_candidates):
    with tempfile.TemporaryDirectory() as folder:
        scorer = TimedScorer(SCORING, Path(folder) / "times")
        search = RandomizedSearchCV(
            clf,
            clf.search_space("small").for_random(),
            n_iter=n_candidates,
            scoring=scorer,
            cv=folds,
            refit=False,
            n_jobs=JOBS,
            random_state=seed,
        )
        started = time.time()
        search.fit(X, y)
        ended = time.time()
        times = sorted(float(line) for line in scorer.path.read_text().split())
    # candidates are fitted in order, so a candidate ends with the last of its folds
    seconds = [times[(i + 1) * len(folds) - 1] - started for i in range(n_candidates)]
    seconds[-1] = ended - started
    results = search.cv_results_
    return {
        "seconds": seconds,
        "scores": results["mean_test_score"].tolist(),
        "params": results["params"],
        "tried": n_candidates,
    }


class TimedScorer:
    """Scorer that appends the time of each call to a file.

    Parameters
    ----------
    scoring : str
        Name of the scorer.
    path : Path
        File of the times.
    """

    def __init__(self, scoring, path):
        self.scoring, self.path = scoring, path

    def __call__(self, estimator, X, y):
        """Score the estimator and record the time."""
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
            delayed(_optuna_worker)(clf, space, X, y, folds, 1000 * worker + seed, path, budget)
            for worker in range(JOBS)
        ]
        Parallel(JOBS)(jobs)
        return _read_study(study, space, started)


def _optuna_worker(clf, space, X, y, folds, seed, path, budget):
    # the class is experimental, and imports deprecated names
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
    return _read_study(search.study_, search.space_, started)


def _read_study(study, space, started):
    """Return the complete trials of a study in the order of completion."""
    trials = [trial for trial in study.trials if trial.state.name == "COMPLETE"]
    trials.sort(key=lambda trial: trial.datetime_complete)
    return {
        "seconds": [trial.datetime_complete.timestamp() - started for trial in trials],
        "scores": [trial.value for trial in trials],
        "params": [space.decode(trial.params) for trial in trials],
        "tried": len(study.trials),
    }


def _page(table, options):
    lines = []
    for (name, search), rows in table.groupby(["data", "search"], sort=False):
        share = rows["share"]
        cells = [
            _mean(rows["f1"]),
            _mean(rows["validation_f1"]),
            f"{rows['scored'].mean():.0f} ({rows['tried'].mean():.0f})",
            f"{_share(share.median())} ({_share(share.min())} to {_share(share.max())})",
        ]
        lines.append([name, search, *cells])
    budgets = table.groupby("data", sort=False)["budget_seconds"].mean()
    budgets = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in budgets.items())
    about = ABOUT.format(
        folds=options.folds,
        parameters=", ".join(f"`{name}`" for name in FusionClassifier.search_space("small")),
        candidates=options.candidates,
        seeds=options.seeds,
        target=TARGET,
        machine=(
            f"Measured on {machine_and_load()}, {versions('torch', 'scikit-learn', 'optuna')}; no "
            f"GPU. Mean budget: {budgets}."
        ),
    )
    heads = ["data", "search", "f1", "validation f1", "scored on all folds (tried)"]
    table = markdown_table([*heads, "time to random's best"], lines)
    return f"{about}\n{table}"


def _mean(values):
    return f"{values.mean():.4f} ± {values.std(ddof=0):.4f}"


def _share(value):
    return f"{value:.2f}" if value <= 1 else "> 1"


def _parse(arguments):
    parser = make_parser(
        __doc__,
        data=True,
        only=[*DATA, GENERATED],
        seeds=5,
        cache=True,
        quick="generated rows, 4 candidates, 2 folds, 4 epochs, one seed",
        writes="hpo.md and hpo.csv",
    )
    parser.add_argument("--candidates", type=int, default=64, help="candidates of random search")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=200, help="maximum per fit")
    quick = parser.parse_args(arguments).quick
    parser.set_defaults(only=[GENERATED] if quick else list(DATA))
    options = parse(parser, arguments, without_data=[GENERATED])
    if quick:
        options.candidates, options.folds, options.epochs = 4, 2, 4
    return options


if __name__ == "__main__":
    main()
