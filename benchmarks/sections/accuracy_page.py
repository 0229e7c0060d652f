"""The page of accuracy.py: what was to be reached, and what was, from one row per fit."""

import operator
import platform
from importlib.metadata import version

import numpy as np
import pandas as pd

from sklearn_mmsent.model_selection.comparison.summary import ERRORS, summarize, to_markdown

REACHED = {">=": operator.ge, ">": operator.gt, "<=": operator.le, "<": operator.lt}
SCORES = (
    *("accuracy", "precision_macro", "recall_macro", "f1_macro", "f1_weighted"),
    *("acc2_has0", "acc2_non0", "f1_weighted_non0", "acc7", "mae", "corr", "r2"),
)
LIBRARIES = ("sklearn-mmsent", "scikit-learn", "torch", "transformers")


def write(folder, recipes, machine):
    """Write accuracy.md from the csv files beside it.

    Parameters
    ----------
    folder : Path
        Of the page.
    recipes : dict of str to Recipe
        By name, in the order of the page.
    machine : str or None
        Name of the processor; None asks the machine.
    """
    path, others = folder / "accuracy.csv", folder / "accuracy_differences.csv"
    scores = dict(list(pd.read_csv(path).groupby("data"))) if path.exists() else {}
    folds = dict(list(pd.read_csv(others).groupby("data"))) if others.exists() else {}
    chosen = {name: recipe for name, recipe in recipes.items() if name in scores}
    sections = [write_section(r, scores[n], folds.get(n)) for n, r in chosen.items()]
    about = ABOUT.format(
        targets=write_targets(chosen, scores),
        seeds=max((s["seed"].nunique() for s in scores.values()), default=0),
        machine=machine or platform.processor() or platform.machine(),
        versions=", ".join(f"{name} {version(name)}" for name in LIBRARIES),
    )
    (folder / "accuracy.md").write_text("\n\n".join([about, *sections]) + "\n", encoding="utf-8")


def write_targets(recipes, scores):
    """Write the table of what was to be reached, and what a single part of the system reaches.

    Parameters
    ----------
    recipes : dict of str to Recipe
        By name.
    scores : dict of str to DataFrame
        Fits by name.

    Returns
    -------
    str
        Markdown.
    """
    lines = ["| data | score | target | system | reached | best other |", "|---" * 6 + "|"]
    for name, recipe in recipes.items():
        table = by_seed(scores[name])
        system = table[table["model"] == system_of(table)]
        others = table[[is_rival(model, system_of(table)) for model in table["model"]]]
        for score, (sign, number) in recipe.targets.items():
            mean, std = system[score].mean(), system[score].std(ddof=1)
            reached = REACHED[sign](mean, number)
            told = "yes" if reached else f"no, by {abs(mean - number):.2g}"
            spread = "" if np.isnan(std) else f" ± {std:.3f}"
            means = others.groupby("model", sort=False)[score].mean()
            best = means.idxmin() if score in ERRORS else means.idxmax()
            cells = [name, score, f"{sign} {number:g}", f"{mean:.3f}{spread}", told]
            lines.append(f"| {' | '.join(cells)} | {means[best]:.3f} {best} |")
    return "\n".join(lines)


def scores_of(results):
    """Return the names of the scores that a data set has, in the order of the page."""
    return [name for name in SCORES if name in results and results[name].notna().any()]


def system_of(results):
    """Return the name of the first model that is no constant: that of the system."""
    return next(name for name in results["model"] if name != "constant")


def is_rival(model, system):
    """Tell whether a model is another than the system, no constant, and on the same terms."""
    return model not in ("constant", system) and not model.endswith("(transductive)")


def by_seed(results):
    """Average the folds of each seed."""
    shown = scores_of(results)
    kept = [*shown, "fit_seconds", "predict_seconds"]
    table = results.groupby(["model", "seed"], sort=False)[kept].mean().reset_index()
    order = {name: i for i, name in enumerate(dict.fromkeys(results["model"]))}
    return table.sort_values("model", key=lambda m: m.map(order), kind="stable")


def write_section(recipe, results, folds):
    """Write what is told of one data set.

    Parameters
    ----------
    recipe : Recipe
        Of the data set.
    results : DataFrame
        Fits that were scored on the test part, or on the folds of the protocol.
    folds : DataFrame or None
        Fits of the repeated cross-validation.

    Returns
    -------
    str
        Markdown.
    """
    shown = scores_of(results)
    parts = [f"## {recipe.name}", to_markdown(summarize(by_seed(results), shown), shown)]
    if recipe.published:
        others = [
            f"- {name}: {', '.join(f'{score} {number:g}' for score, number in own.items())}"
            for name, own in recipe.published.items()
        ]
        parts.append("For comparison, on the same rows:\n\n" + "\n".join(others))
    if folds is not None:
        parts.append(write_differences(folds, shown))
    return "\n\n".join([*parts, recipe.tried.strip()] if recipe.tried else parts)


def write_differences(folds, shown):
    """Write what the system gains over all others in repeated cross-validation.

    Parameters
    ----------
    folds : DataFrame
        One row per fit.
    shown : list of str
        Names of the scores.

    Returns
    -------
    str
        Markdown.
    """
    system = system_of(folds)
    table = summarize(folds, shown, baseline=system)
    n_folds, n_repeats = folds["fold"].nunique(), folds["repeat"].nunique()
    heads = [f"{score} ({'less' if score in ERRORS else 'more'} is better)" for score in shown]
    lines = [f"| less the system | {' | '.join(heads)} |", "|---" * (len(shown) + 1) + "|"]
    for name in table.index.drop(system):
        cells = [
            f"{table.loc[name, (score, 'difference')]:+.3f} (p {table.loc[name, (score, 'p')]:.2g})"
            for score in shown
        ]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return (
        f"Differences in {n_repeats} x {n_folds} folds by group, without the test rows; p of the "
        "paired t-test, corrected for training rows that folds share (Nadeau, Bengio):\n\n"
        + "\n".join(lines)
    )


ABOUT = """\
# Accuracy on real data

One fixed system for each data set, chosen on training and validation rows, beside single
modalities, its own members, and what others report. `benchmarks/accuracy.py` fits, scores and
writes this page; the systems, and what was tried on the way, are in `benchmarks/recipes/`.
What networks with default settings reach is told in [defaults.md](defaults.md).

- A test part is scored once for each of {seeds} seeds, after fitting on training and validation
  rows; mean ± standard deviation over the seeds. Where the protocol is a cross-validation by
  speaker, each seed counts with its mean over the folds.
- Pretrained models: all-MiniLM-L6-v2 for texts, tuned further on the training parts of SemEval-2017
  4A and SST-2 (`recipes/_sentiment_text.py`), and EfficientNet-Lite0 of ImageNet for pictures
  (`recipes/_imagenet.py`), both out of packages of PyPI. Published systems of the same rows use
  BERT-base and a ResNet.
- Test parts were scored with encoders tuned in bfloat16, on a processor that is quick at
  it. Another took more than ten times as long as in float32, so that precision is now left to the
  package (float32 on a CPU). The differences of mosi are of float32.

{targets}

**Best other** is the single modality or the part of the system that has the best score of all
there. Which was to be the system was decided before, on other rows, so that a part may well be
ahead here. Why, where one is, and how sure the system's lead is, is told with its data.

On {machine}, one thread; {versions}.
"""
