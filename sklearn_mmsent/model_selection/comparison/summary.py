"""Summaries of the scores of single fits: one row per model."""

import numpy as np
import pandas as pd

from sklearn_mmsent.model_selection.comparison._significance import (
    corrected_interval,
    holm,
    paired_p,
)

#: Scores where lower is better; for all others higher is better.
ERRORS = {"mae", "mae_sims"}


def best_of(means, score):
    """Return the label of the best mean; None if all are NaN."""
    if means.isna().all():
        return None
    return means.idxmin() if score in ERRORS else means.idxmax()


def summarize(results, scores, *, baseline=None, test="nadeau-bengio", confidence_level=0.95):
    """Summarise the fits of each model.

    A split that was scored with several seeds counts once, with the mean over its seeds. With a
    single split, seeds are compared instead of splits.

    Parameters
    ----------
    results : DataFrame or iterable of dict
        One row per fit: ``model``, the scores and, where there are several, ``repeat``, ``fold``
        and ``seed``; ``fit_rows`` and ``test_rows`` for the correction; ``fit_seconds`` and
        ``predict_seconds``.
    scores : sequence of str
        Names of the scores to summarise.
    baseline : str or None, default=None
        Model that the others are tested against; None for no tests.
    test : {"nadeau-bengio", "wilcoxon"}, default="nadeau-bengio"
        Paired test.
    confidence_level : float, default=0.95
        Confidence level of the intervals.

    Returns
    -------
    DataFrame of shape (n_models, n_columns)
        For each score ``mean``, ``std`` (over fits, with n - 1), ``low`` and ``high`` (the
        interval) and, with a baseline, ``difference``, ``p`` and ``p_holm``; then the median
        seconds of ``fit`` and ``predict``. Indexed by model, in order of first appearance.
    """
    results = pd.DataFrame(results)
    models = list(dict.fromkeys(results["model"]))
    share = test_share(results)
    columns = {}
    for score in scores:
        fits = results.groupby("model", sort=False)[score]
        columns[score, "mean"] = fits.agg(lambda s: s.mean(skipna=False))
        columns[score, "std"] = fits.agg(lambda s: s.std(ddof=1, skipna=False))
        units = by_unit(results, score)
        intervals = [corrected_interval(u, share, confidence_level) for u in units.values()]
        columns[score, "low"], columns[score, "high"] = _named(intervals, models)
        if baseline is not None:
            differences = {name: units[name] - units[baseline] for name in models}
            p = [
                np.nan if name == baseline else paired_p(d, share, test)
                for name, d in differences.items()
            ]
            columns[score, "difference"] = pd.Series({n: d.mean() for n, d in differences.items()})
            columns[score, "p"] = pd.Series(p, models)
            columns[score, "p_holm"] = pd.Series(holm(np.array(p)), models)
    for seconds in ("fit", "predict"):
        if f"{seconds}_seconds" in results:
            medians = results.groupby("model", sort=False)[f"{seconds}_seconds"].median()
            columns["seconds", seconds] = medians
    table = pd.DataFrame(columns).loc[models]
    table.columns = pd.MultiIndex.from_tuples(table.columns, names=["score", "statistic"])
    return table.rename_axis("model")


def _named(intervals, models):
    return (pd.Series(ends, models) for ends in zip(*intervals, strict=True))


def n_splits(results):
    """Return the number of splits."""
    keys = [key for key in ("repeat", "fold") if key in results]
    return len(results[keys].drop_duplicates()) if keys else 1


def test_share(results):
    """Return the mean ratio of test to training rows; 0 for seeds of one split."""
    if n_splits(results) == 1 or "fit_rows" not in results:
        return 0.0
    return float(results["test_rows"].mean() / results["fit_rows"].mean())


def by_unit(results, score):
    """Return the values that are compared in pairs: one per split, or per seed of a single split.

    By model; a single value for a deterministic model on a single split.
    """
    if n_splits(results) > 1:
        unit = [key for key in ("repeat", "fold") if key in results]
    elif "seed" in results:
        unit = ["seed"]
    else:
        unit = [results.groupby("model").cumcount().rename("seed")]
    means = results.groupby(["model", *unit], sort=False)[score].agg(lambda s: s.mean(skipna=False))
    return {name: means[name].sort_index().to_numpy() for name in dict.fromkeys(results["model"])}


def to_markdown(table, scores, *, digits=3):
    """Return a summary as a markdown table of "mean ± std".

    Parameters
    ----------
    table : DataFrame
        Result of `summarize`.
    scores : sequence of str
        Names of the scores, one column each.
    digits : int, default=3
        Number of decimals.

    Returns
    -------
    str
        The table, with the best mean of each column in bold and a dash for undefined scores.
    """
    return write_markdown({score: mean_and_std(table, score, digits) for score in scores})


def mean_and_std(table, score, digits):
    """Return cells such as "**0.700** ± 0.010", with the best mean in bold."""
    means, stds = table[score, "mean"], table[score, "std"]
    best = means.get(best_of(means, score))
    cells = {}
    for name, mean in means.items():
        cell = "-" if np.isnan(mean) else f"{mean:.{digits}f}"
        cell = f"**{cell}**" if mean == best else cell
        cells[name] = cell if np.isnan(stds[name]) else f"{cell} ± {stds[name]:.{digits}f}"
    return cells


def write_markdown(columns):
    """Return a markdown table from columns, each a dict of cells by model."""
    lines = ["| model | " + " | ".join(columns) + " |", "|---|" + "---|" * len(columns)]
    for name in next(iter(columns.values())):
        cells = (cells[name] for cells in columns.values())
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)
