"""Score one fixed system on each real data set, beside single modalities, its members and papers.

All in `recipes/` was chosen on training and validation rows. A system is fitted on both once per
seed and scored on the test part, or by the folds that the protocol of the data set names;
`--part val` fits on training rows and scores validation rows, to choose by. `--differences` tests
the system against all others by repeated cross-validation, by groups, on all but the test rows.
Scores go to OUTPUT/accuracy.csv and accuracy_differences.csv, one row per fit, and accuracy.md
beside them is written anew; data sets that were not asked for keep their rows.

    python benchmarks/accuracy.py --data FOLDER --cache FOLDER --seeds 5
    python benchmarks/accuracy.py --data FOLDER --cache FOLDER --only hazumi --differences
    python benchmarks/accuracy.py --data FOLDER --cache FOLDER --only mosi --part val --seeds 1
"""

import argparse
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.model_selection import GroupKFold, StratifiedGroupKFold

from common.data import data_folder
from recipes import all_recipes
from sections import accuracy_page
from sklearn_mmsent import compare


def main(arguments=None):
    """Run the benchmark.

    Parameters
    ----------
    arguments : list of str or None, default=None
        Command line; None takes the process's own.
    """
    recipes = all_recipes()
    options = _parse(arguments, list(recipes))
    with tempfile.TemporaryDirectory() as scratch:
        for name in options.only:
            start = time.perf_counter()
            data = recipes[name].load(options.data, Path(options.cache or scratch))
            run = compare_on_folds if options.differences else compare_on_test
            comparison = run(recipes[name], data, options)
            print(f"\n{name}: {time.perf_counter() - start:.0f} s\n")
            print(comparison.to_markdown(), "\n", flush=True)
            if options.part == "test":
                kind = "accuracy_differences" if options.differences else "accuracy"
                put(options.output / f"{kind}.csv", comparison.results.assign(data=name))
    if options.part == "test":
        accuracy_page.write(options.output, recipes, options.machine)


def compare_on_test(recipe, data, options):
    """Fit the systems of a recipe with every seed and score what they predict.

    Parameters
    ----------
    recipe : Recipe
        What is fitted.
    data : Bunch
        As the recipe loads it.
    options : Namespace
        Command line.

    Returns
    -------
    Comparison
        One row per fit.
    """
    if options.part == "val":
        cv = [(np.flatnonzero(data.split == "train"), np.flatnonzero(data.split == "val"))]
    elif recipe.folds is not None:
        cv = recipe.folds(data)
    else:
        cv = [(np.flatnonzero(data.split != "test"), np.flatnonzero(data.split == "test"))]
    return _compare(recipe, data, options, cv=cv, seeds=range(options.seeds))


def compare_on_folds(recipe, data, options):
    """Cross-validate the systems of a recipe, by groups and again and again.

    Parameters
    ----------
    recipe : Recipe
        What is fitted.
    data : Bunch
        As the recipe loads it; its test rows are left out, where it has some.
    options : Namespace
        Command line.

    Returns
    -------
    Comparison
        One row per fit, tested against the system.
    """
    rows = np.flatnonzero(data.split != "test") if recipe.folds is None else np.arange(len(data.y))
    data.X = data.X.iloc[rows]  # keeps its index, by which some estimators find more of a row
    for key in ("y", "groups", "split"):
        data[key] = data[key][rows]
    splitter = StratifiedGroupKFold if data.task == "classification" else GroupKFold
    cv = splitter(options.folds, shuffle=True)
    return _compare(recipe, data, options, cv=cv, n_repeats=options.repeats)


def _compare(recipe, data, options, **options_of_compare):
    systems = recipe.systems(data)
    with warnings.catch_warnings():
        # published splits have near-duplicates on both sides; the page tells so
        warnings.filterwarnings("ignore", message="compare: .*group", category=UserWarning)
        return compare(
            systems,
            data.X,
            data.y,
            groups=data.groups,
            scoring=_Score(recipe.score),
            baseline=next(iter(systems)),
            batched=False,  # the same seed, the same result
            error_score="raise",
            n_jobs=options.jobs,
            verbose=1,
            **options_of_compare,
        )


class _Score:
    """Score an estimator by a function of true and predicted targets."""

    def __init__(self, score):
        self.score = score

    def __call__(self, estimator, X, y):
        return self.score(y, estimator.predict(X))


def put(path, table):
    """Put the rows of data sets in the place of their old ones.

    Parameters
    ----------
    path : Path
        Of a csv file.
    table : DataFrame
        Rows with a column ``data``.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists():
        old = pd.read_csv(path)
        table = pd.concat([old[~old["data"].isin(table["data"])], table], ignore_index=True)
    front = ["data", "model", "seed", "repeat", "fold"]
    table = table[[*front, *(c for c in table if c not in [*front, "error"])]]
    table.to_csv(path, index=False, float_format="%.5g")


def _parse(arguments, names):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", metavar="FOLDER", help="of all data (default: $MMSENT_DATA)")
    parser.add_argument("--only", nargs="+", metavar="NAME", choices=names, default=names)
    parser.add_argument("--seeds", type=int, default=5, help="fits of each system (default: 5)")
    parser.add_argument("--jobs", type=int, default=1, help="fits at once (default: 1)")
    parser.add_argument("--part", choices=["test", "val"], default="test")
    parser.add_argument("--differences", action="store_true", help="by repeated cross-validation")
    parser.add_argument("--folds", type=int, default=5, help="of a repeat (default: 5)")
    parser.add_argument("--repeats", type=int, default=2, help="of the folds (default: 2)")
    parser.add_argument("--cache", metavar="FOLDER", help="keeps features and tuned encoders")
    parser.add_argument("--machine", help="name of the processor, for the page")
    parser.add_argument(
        "--output",
        metavar="FOLDER",
        type=Path,
        default=Path(__file__).parents[1] / "docs" / "benchmarks",
        help="where accuracy.md and the csv files are (default: docs/benchmarks)",
    )
    options = parser.parse_args(arguments)
    if min(options.seeds, options.jobs, options.repeats) < 1 or options.folds < 2:
        parser.error("--seeds, --jobs and --repeats must be at least 1, --folds at least 2")
    try:
        options.data = data_folder(options.data)
    except FileNotFoundError as error:
        parser.error(str(error))
    return options


if __name__ == "__main__":
    main()
