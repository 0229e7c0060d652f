"""Score one fixed system per real data set against its parts and published results.

The systems of `recipes/` were chosen on training and validation rows. Each is fitted on both once
per seed and scored on the test part, or on the folds of the data set's protocol. `--part val` fits
on training rows and scores validation rows, to choose settings. `--differences` compares the system
with all other models by repeated grouped cross-validation without the test rows. Writes
docs/benchmarks/accuracy.md from accuracy.csv and accuracy_differences.csv, which have one row per
fit; other data sets keep their rows.

    python benchmarks/accuracy.py --data FOLDER --cache FOLDER --seeds 5
    python benchmarks/accuracy.py --data FOLDER --cache FOLDER --only hazumi --differences
    python benchmarks/accuracy.py --data FOLDER --cache FOLDER --only mosi --part val --seeds 1
"""

import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
from sklearn.model_selection import GroupKFold, StratifiedGroupKFold

from common.command_line import make_parser, parse
from common.report import update_csv
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
                write_scores(options.output / f"{kind}.csv", name, comparison.results)
    if options.part == "test":
        accuracy_page.write(options.output, recipes, options.machine)


def compare_on_test(recipe, data, options):
    """Fit the models of a recipe with every seed and score their predictions.

    Parameters
    ----------
    recipe : Recipe
        Recipe.
    data : Bunch
        Data set from `recipe.load`.
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
    """Compare the models of a recipe by repeated grouped cross-validation.

    Parameters
    ----------
    recipe : Recipe
        Recipe.
    data : Bunch
        Data set from `recipe.load`; rows of a fixed test part are left out.
    options : Namespace
        Command line.

    Returns
    -------
    Comparison
        One row per fit, with tests against the system.
    """
    rows = np.flatnonzero(data.split != "test") if recipe.folds is None else np.arange(len(data.y))
    data.X = data.X.iloc[rows]  # keeps its index, which some estimators look rows up by
    for key in ("y", "groups", "split"):
        data[key] = data[key][rows]
    splitter = StratifiedGroupKFold if data.task == "classification" else GroupKFold
    cv = splitter(options.folds, shuffle=True)
    return _compare(recipe, data, options, cv=cv, n_repeats=options.repeats)


def _compare(recipe, data, options, **options_of_compare):
    systems = recipe.systems(data)
    with warnings.catch_warnings():
        # published splits have near-duplicates in both parts, as the page says
        warnings.filterwarnings("ignore", message="compare: .*group", category=UserWarning)
        return compare(
            systems,
            data.X,
            data.y,
            groups=data.groups,
            scoring=_Score(recipe.score),
            baseline=next(iter(systems)),
            batched=False,  # reproducible for a seed
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


def write_scores(path, name, results):
    """Write the fits of a data set to a csv file, in place of its earlier ones."""
    results = results.assign(data=name)
    front = ["data", "model", "seed", "repeat", "fold"]
    columns = [*front, *(c for c in results if c not in [*front, "error"])]
    update_csv(path, results[columns], keys=["data"])


def _parse(arguments, names):
    parser = make_parser(
        __doc__,
        data=True,
        only=names,
        seeds=5,
        jobs=1,
        repeats=2,
        part=True,
        cache=True,
        machine=True,
        writes="accuracy.md and its csv files",
    )
    parser.add_argument("--differences", action="store_true", help="repeated cross-validation")
    parser.add_argument("--folds", type=int, default=5, help="number of folds (5)")
    options = parse(parser, arguments)
    if options.folds < 2:
        parser.error(f"--folds must be at least 2; got {options.folds}.")
    return options


if __name__ == "__main__":
    main()
