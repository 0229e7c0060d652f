"""Fit many models on the same splits and put their scores side by side."""

import time

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from scipy.stats import t as student_t
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import has_fit_parameter


def evaluate_models(models, X, y, splits, *, score, groups=None, seeds=(0,), n_jobs=None):
    """Fit each model on each split with each seed, and score its predictions.

    Parameters
    ----------
    models : mapping of str to estimator
        Names and unfitted models.
    X : DataFrame or ndarray of shape (n_samples, ...)
        Rows as the models take them.
    y : ndarray of shape (n_samples,)
        Targets.
    splits : iterable of (train, test) pairs of ndarray of int
        Row numbers, as scikit-learn's splitters give them.
    score : callable
        Maps true and predicted targets to a dict of named scores.
    groups : ndarray of shape (n_samples,) or None, default=None
        Handed to every model that takes groups in ``fit``.
    seeds : iterable of int, default=(0,)
        Each model is fitted once per seed; all its ``random_state`` parameters
        are set to it.
    n_jobs : int or None, default=None
        Number of fits at once; None means 1.

    Yields
    ------
    dict
        Of one fit, as they finish: ``model``, ``fold``, ``seed``, the scores,
        ``fit_seconds``, ``predict_seconds``, ``rows`` (the test rows) and
        ``predicted``.
    """
    tasks = [
        delayed(_evaluate)(name, clone(model), X, y, groups, fold, split, seed, score)
        for seed in seeds
        for fold, split in enumerate(splits)
        for name, model in models.items()
    ]
    yield from Parallel(n_jobs=n_jobs, return_as="generator_unordered")(tasks)


def _evaluate(name, model, X, y, groups, fold, split, seed, score):
    train, test = split
    seed_everywhere(model, seed)
    fit_params = {}
    if groups is not None and (parameter := _groups_parameter(model)):
        fit_params[parameter] = groups[train]
    start = time.perf_counter()
    model.fit(_safe_indexing(X, train), y[train], **fit_params)
    fitted = time.perf_counter()
    predicted = model.predict(_safe_indexing(X, test))
    done = time.perf_counter()
    return {
        "model": name,
        "fold": fold,
        "seed": seed,
        **score(y[test], predicted),
        "fit_seconds": fitted - start,
        "predict_seconds": done - fitted,
        "rows": test,
        "predicted": predicted,
    }


def _groups_parameter(model):
    """What the model calls the groups in ``fit``; None if it takes none."""
    if isinstance(model, Pipeline):
        step, final = model.steps[-1]
        return f"{step}__groups" if has_fit_parameter(final, "groups") else None
    return "groups" if has_fit_parameter(model, "groups") else None


def seed_everywhere(model, seed):
    """Set every ``random_state`` of a model and its parts, and return the model."""
    names = [name for name in model.get_params() if name.split("__")[-1] == "random_state"]
    return model.set_params(**dict.fromkeys(names, seed))


def summarize(results, metrics, *, confidence=0.95):
    """Average the fits of each model.

    Parameters
    ----------
    results : iterable of dict
        What ``evaluate_models`` yields.
    metrics : sequence of str
        Names of the scores to summarise.
    confidence : float, default=0.95
        Of the interval of the mean, by Student's t over the fits. Fits share
        training rows, so it is narrower than the truth.

    Returns
    -------
    DataFrame of shape (n_models, 3 * n_metrics + 1)
        For each metric its mean, ``_std`` (with n - 1) and ``_half_interval``
        (NaN for a single fit), and ``fit_seconds`` (median); indexed by model,
        in order of first appearance.
    """
    table = pd.DataFrame(results)
    summary = {}
    for name, fits in table.groupby("model", sort=False):
        n = len(fits)
        row = {}
        for metric in metrics:
            std = fits[metric].std(ddof=1)
            row[metric] = fits[metric].mean()
            row[f"{metric}_std"] = std
            row[f"{metric}_half_interval"] = (
                student_t.ppf((1 + confidence) / 2, n - 1) * std / np.sqrt(n) if n > 1 else np.nan
            )
        summary[name] = {**row, "fit_seconds": fits["fit_seconds"].median()}
    return pd.DataFrame.from_dict(summary, orient="index").rename_axis("model")


def to_markdown(summary, metrics, *, digits=3):
    """Write a summary as a markdown table of "mean ± std".

    Parameters
    ----------
    summary : DataFrame
        What ``summarize`` gives.
    metrics : sequence of str
        Names of the scores, one column each.
    digits : int, default=3
        Digits after the point.

    Returns
    -------
    str
        The table, its best mean in each column in bold (the lowest where the
        metric is an error: ``mae``); undefined scores are a dash.
    """
    lines = ["| model | " + " | ".join(metrics) + " |", "|---|" + "---|" * len(metrics)]
    best = {m: summary[m].min() if m == "mae" else summary[m].max() for m in metrics}
    for name, row in summary.iterrows():
        cells = []
        for metric in metrics:
            cell = "-" if np.isnan(row[metric]) else f"{row[metric]:.{digits}f}"
            cell = f"**{cell}**" if row[metric] == best[metric] else cell
            std = row[f"{metric}_std"]
            cells.append(cell if np.isnan(std) else f"{cell} ± {std:.{digits}f}")
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)
