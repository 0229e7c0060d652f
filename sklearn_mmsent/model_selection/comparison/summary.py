"""From the scores of single fits to one row per model."""

import numpy as np
import pandas as pd

from sklearn_mmsent.model_selection.comparison._significance import (
    corrected_interval,
    holm,
    paired_p,
)

#: Scores of which less is better; all others follow scikit-learn's "more is better".
ERRORS = {"mae", "mae_sims"}
STATISTICS = ("mean", "std", "low", "high", "difference", "p", "p_holm")


def best_of(means, score):
    """Return the label of the best of some means; None where all are NaN."""
    if means.isna().all():
        return None
    return means.idxmin() if score in ERRORS else means.idxmax()


def summarize(results, scores, *, baseline=None, test="nadeau-bengio", confidence_level=0.95):
    """Summarise the fits of each model.

    Splits that were scored with several seeds count once, with the mean over their seeds; only
    where there is a single split, seeds take the place of splits.

    Parameters
    ----------
    results : DataFrame or iterable of dict
        One row per fit: ``model``, the scores, and, where there are several, ``repeat``, ``fold``
        and ``seed``; ``fit_rows`` and ``test_rows`` for the correction, ``fit_seconds`` and
        ``predict_seconds``.
    scores : sequence of str
        Names of the scores to summarise.
    baseline : str or None, default=None
        Model that the others are tested against; None tests nothing.
    test : {"nadeau-bengio", "wilcoxon"}, default="nadeau-bengio"
        The test.
    confidence_level : float, default=0.95
        Of the interval of the mean.

    Returns
    -------
    DataFrame of shape (n_models, n_columns)
        For each score ``mean``, ``std`` (of single fits, with n - 1), ``low`` and ``high`` (the
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
    """Count the splits that models were scored on."""
    keys = [key for key in ("repeat", "fold") if key in results]
    return len(results[keys].drop_duplicates()) if keys else 1


def test_share(results):
    """Return test rows by training rows, on average; 0 for seeds of one split."""
    if n_splits(results) == 1 or "fit_rows" not in results:
        return 0.0
    return float(results["test_rows"].mean() / results["fit_rows"].mean())


def by_unit(results, score):
    """Return what is compared in pairs: the score of each split, or of each seed of a single one.

    Parameters
    ----------
    results : DataFrame
        One row per fit.
    score : str
        Its name.

    Returns
    -------
    dict of str to ndarray
        By model; of one value where a model that has no use for seeds was fitted once.
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
    """Write a summary as a markdown table of "mean ± std".

    Parameters
    ----------
    table : DataFrame
        What `summarize` gives.
    scores : sequence of str
        Names of the scores, one column each.
    digits : int, default=3
        Digits after the point.

    Returns
    -------
    str
        The table, its best mean in each column in bold (the lowest where the score is an error);
        undefined scores are a dash.
    """
    return write_markdown({score: mean_and_std(table, score, digits) for score in scores})


def mean_and_std(table, score, digits):
    """Return cells such as "**0.700** ± 0.010", the best in bold."""
    means, stds = table[score, "mean"], table[score, "std"]
    best = means.get(best_of(means, score))
    cells = {}
    for name, mean in means.items():
        cell = "-" if np.isnan(mean) else f"{mean:.{digits}f}"
        cell = f"**{cell}**" if mean == best else cell
        cells[name] = cell if np.isnan(stds[name]) else f"{cell} ± {stds[name]:.{digits}f}"
    return cells


def write_markdown(columns):
    """Write columns of cells, dicts by model, as a markdown table."""
    lines = ["| model | " + " | ".join(columns) + " |", "|---|" + "---|" * len(columns)]
    for name in next(iter(columns.values())):
        cells = (cells[name] for cells in columns.values())
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)
