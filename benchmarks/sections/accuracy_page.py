"""The page of accuracy.py: targets and scores, from one row per fit."""

import operator

import numpy as np
import pandas as pd

from common.report import machine_name, markdown_table, versions, write_page
from sklearn_mmsent.model_selection.comparison.summary import ERRORS, summarize, to_markdown

REACHED = {">=": operator.ge, ">": operator.gt, "<=": operator.le, "<": operator.lt}
SCORES = (
    *("accuracy", "precision_macro", "recall_macro", "f1_macro", "f1_weighted"),
    *("acc2_has0", "acc2_non0", "f1_weighted_non0", "acc7", "mae", "corr", "r2"),
)


def write(folder, recipes, machine):
    """Write accuracy.md from the csv files beside it.

    Parameters
    ----------
    folder : Path
        Folder of the page.
    recipes : dict of str to Recipe
        Recipes by name, in the order of the page.
    machine : str or None
        Name of the processor; None reads it from the system.
    """
    path, others = folder / "accuracy.csv", folder / "accuracy_differences.csv"
    scores = dict(list(pd.read_csv(path).groupby("data"))) if path.exists() else {}
    folds = dict(list(pd.read_csv(others).groupby("data"))) if others.exists() else {}
    chosen = {name: recipe for name, recipe in recipes.items() if name in scores}
    sections = [write_section(r, scores[n], folds.get(n)) for n, r in chosen.items()]
    about = ABOUT.format(
        targets=write_targets(chosen, scores),
        seeds=max((s["seed"].nunique() for s in scores.values()), default=0),
        machine=machine_name(machine),
        versions=versions("sklearn-mmsent", "scikit-learn", "torch", "transformers"),
    )
    write_page(folder / "accuracy.md", "\n\n".join([about.strip(), *sections]))


def write_targets(recipes, scores):
    """Write the table of targets, with the scores of the system and of the best other model.

    Parameters
    ----------
    recipes : dict of str to Recipe
        Recipes by name.
    scores : dict of str to DataFrame
        Fits by name of the recipe.

    Returns
    -------
    str
        Markdown.
    """
    rows = []
    for name, recipe in recipes.items():
        table = by_seed(scores[name])
        system = table[table["model"] == system_of(table)]
        others = table[[is_rival(model, system_of(table)) for model in table["model"]]]
        for score, (sign, number) in recipe.targets.items():
            mean, std = system[score].mean(), system[score].std(ddof=1)
            reached = "yes" if REACHED[sign](mean, number) else f"no, by {abs(mean - number):.2g}"
            spread = "" if np.isnan(std) else f" ± {std:.3f}"
            means = others.groupby("model", sort=False)[score].mean()
            best = means.idxmin() if score in ERRORS else means.idxmax()
            cells = [name, score, f"{sign} {number:g}", f"{mean:.3f}{spread}", reached]
            rows.append([*cells, f"{means[best]:.3f} {best}"])
    return markdown_table(["data", "score", "target", "system", "reached", "best other"], rows)


def scores_of(results):
    """Return the names of the scores of a data set, in the order of the page."""
    return [name for name in SCORES if name in results and results[name].notna().any()]


def system_of(results):
    """Return the name of the system, the first model after the constant."""
    return next(name for name in results["model"] if name != "constant")


def is_rival(model, system):
    """Return whether a model competes with the system: no constant, the same information."""
    return model not in ("constant", system) and not model.endswith("(transductive)")


def by_seed(results):
    """Average the folds of each seed."""
    shown = scores_of(results)
    kept = [*shown, "fit_seconds", "predict_seconds"]
    table = results.groupby(["model", "seed"], sort=False)[kept].mean().reset_index()
    order = {name: i for i, name in enumerate(dict.fromkeys(results["model"]))}
    return table.sort_values("model", key=lambda m: m.map(order), kind="stable")


def write_section(recipe, results, folds):
    """Write the section of one data set.

    Parameters
    ----------
    recipe : Recipe
        Recipe of the data set.
    results : DataFrame
        Fits scored on the test part or on the folds of the protocol.
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
            f"- {name}: {', '.join(f'{score} {number:g}' for score, number in reported.items())}"
            for name, reported in recipe.published.items()
        ]
        parts.append("Reported by others on the same rows:\n\n" + "\n".join(others))
    if folds is not None:
        parts.append(write_differences(folds, shown))
    return "\n\n".join([*parts, recipe.tried.strip()] if recipe.tried else parts)


def write_differences(folds, shown):
    """Write the differences between the other models and the system in cross-validation.

    Parameters
    ----------
    folds : DataFrame
        One row per fit.
    shown : list of str
        Names of scores.

    Returns
    -------
    str
        Markdown.
    """
    system = system_of(folds)
    table = summarize(folds, shown, baseline=system)
    n_folds, n_repeats = folds["fold"].nunique(), folds["repeat"].nunique()
    heads = [f"{score} ({'lower' if score in ERRORS else 'higher'} is better)" for score in shown]
    rows = []
    for name in table.index.drop(system):
        difference, p = (table.loc[name].xs(key, level="statistic") for key in ("difference", "p"))
        rows.append([name, *(f"{difference[s]:+.3f} (p {p[s]:.2g})" for s in shown)])
    about = (
        f"Differences from the system in {n_repeats} x {n_folds} folds by group, without the test "
        "rows; p of the paired t-test, corrected for shared training rows (Nadeau and Bengio):"
    )
    return f"{about}\n\n{markdown_table(['model', *heads], rows)}"


ABOUT = """\
# Accuracy on real data

One fixed system per data set, chosen on training and validation rows, compared with single
modalities, its own members and published results. Written by `benchmarks/accuracy.py`; the systems,
and the alternatives that were tried, are in `benchmarks/recipes/`. For networks with default
settings see [defaults.md](defaults.md).

- A test part is scored once for each of {seeds} seeds, after fitting on training and validation
  rows; mean ± standard deviation over the seeds. In a cross-validation by speaker, the score of a
  seed is its mean over the folds.
- Pretrained models: all-MiniLM-L6-v2 for texts, fine-tuned on the training parts of SemEval-2017
  4A and SST-2 (`recipes/_sentiment_text.py`), and EfficientNet-Lite0, trained on ImageNet, for
  images (`recipes/_imagenet.py`), both from packages on PyPI. Published systems on the same rows
  use BERT-base and a ResNet.
- Test parts were scored with encoders tuned in bfloat16, on a processor with fast bfloat16. Since
  another processor took more than ten times as long as in float32, recipes now use the default
  precision (float32 on a CPU). The differences of mosi are from float32.

{targets}

**Best other** is the single modality or part of the system with the best score. The system was
fixed beforehand on other rows, so a part may score higher here; the section of each data set
discusses such cases and the significance of the system's lead.

On {machine}, one thread; {versions}.
"""
