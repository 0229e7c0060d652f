"""Comparison: result of comparing models."""

import numpy as np
import pandas as pd

from sklearn_mmsent.model_selection.comparison import summary
from sklearn_mmsent.model_selection.comparison._breakdown import break_down
from sklearn_mmsent.model_selection.comparison._display import ComparisonDisplay
from sklearn_mmsent.model_selection.comparison._scoring import primary_of


class Comparison:
    """Result of :func:`compare`: scores, significance tests and predictions.

    Parameters
    ----------
    records : list of FitRecord
        Single fits, in the order of models, repeats, seeds and folds.
    y : ndarray of shape (n_samples,) or (n_samples, n_targets)
        True targets.
    groups : ndarray of shape (n_samples,) or None
        Groups of the rows.
    presence : ndarray of str of shape (n_samples,) or None
        Modalities that each row has; None where column names give none.
    scorer : callable
        Scorer of the fits.
    baseline : str
        Model that the others are tested against.
    test : {"nadeau-bengio", "wilcoxon"}
        Paired test.
    confidence_level : float
        Confidence level of the intervals.
    error_score : float or "raise"
        Score of failed fits.

    Attributes
    ----------
    table : DataFrame of shape (n_models, n_columns)
        For each score ``mean``, ``std`` (over fits), ``low`` and ``high`` (the interval of the
        mean), ``difference`` from the baseline, ``p`` and ``p_holm`` (corrected for the number of
        models); and the median ``seconds`` of ``fit`` and ``predict``. ``table["f1_macro"]``
        selects one score.
    results : DataFrame of shape (n_fits, n_columns)
        ``model``, ``repeat``, ``fold``, ``seed``, the scores, ``fit_seconds``,
        ``predict_seconds``, ``fit_rows``, ``test_rows`` and ``error`` (None if the fit succeeded).
    scores : list of str
        Names of the scores.
    primary : str
        Default score: macro-F1, mean absolute error, or the first one.
    chosen_ : DataFrame
        Parameters that searches among the models chose in each fit: ``model``, ``repeat``,
        ``fold``, ``seed``, ``best_score``, and a column per parameter. Empty without searches.
    best_model_ : str
        Model with the best mean of the primary score.
    best_score_ : float
        That mean.

    See Also
    --------
    compare : Fits the models, and returns this result.
    ComparisonDisplay : Plots one score of the result.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from sklearn_mmsent import compare
    >>> comparison = compare({"bayes": GaussianNB()}, *load_iris(return_X_y=True))
    >>> print(comparison.to_markdown(["accuracy"], digits=2))
    | model | accuracy | 95 % interval | p (Holm) | fit s | predict s |
    ...
    """

    def __init__(
        self,
        records,
        *,
        y,
        groups,
        presence,
        scorer,
        baseline,
        test,
        confidence_level,
        error_score,
    ):
        self.records, self.y, self.groups, self.presence = records, y, groups, presence
        self.scorer = scorer
        self.baseline, self.test, self.confidence_level = baseline, test, confidence_level
        self.scores = list(next(r.scores for r in records if r.scores is not None))
        self.primary = primary_of(self.scores)
        self.results = self._results(error_score)
        self.table = summary.summarize(
            self.results,
            self.scores,
            baseline=baseline,
            test=test,
            confidence_level=confidence_level,
        )
        self.chosen_ = self._chosen()
        means = self.table[self.primary, "mean"]
        self.best_model_ = summary.best_of(means, self.primary)
        self.best_score_ = float(means.get(self.best_model_, np.nan))

    def __repr__(self):
        models = ", ".join(self.table.index)
        return f"<Comparison of {models}; best by {self.primary}: {self.best_model_}>"

    def _repr_html_(self):
        return self.table.to_html(float_format="%.3g")

    @staticmethod
    def _keys(record):
        return {
            "model": record.model,
            "repeat": record.split.repeat,
            "fold": record.split.fold,
            "seed": record.seed,
        }

    def _results(self, error_score):
        failed = dict.fromkeys(self.scores, error_score)
        return pd.DataFrame(
            {
                **self._keys(record),
                **(failed if record.scores is None else record.scores),
                "fit_seconds": record.fit_seconds,
                "predict_seconds": record.predict_seconds,
                "fit_rows": len(record.split.train),
                "test_rows": len(record.split.test),
                "error": record.error,
            }
            for record in self.records
        )

    def _chosen(self):
        searched = [record for record in self.records if record.best_params is not None]
        rows = [{**self._keys(record), **record.best_params} for record in searched]
        columns = ["model", "repeat", "fold", "seed", "best_score"]
        table = pd.DataFrame(rows, columns=None if rows else columns)
        return table[columns + [name for name in table if name not in columns]]

    @property
    def n_splits(self):
        """Number of splits, over all repeats."""
        return summary.n_splits(self.results)

    def predictions(self, model=None):
        """Return the predictions of test rows.

        Parameters
        ----------
        model : str or None, default=None
            Model; None means the best.

        Returns
        -------
        DataFrame
            ``row``, ``repeat``, ``fold``, ``seed``, ``true`` and ``predicted``, sorted by repeat,
            seed and row.
        """
        records = self._records_of(self.best_model_ if model is None else model)
        table = pd.concat(
            pd.DataFrame(
                {
                    "row": record.split.test,
                    "repeat": record.split.repeat,
                    "fold": record.split.fold,
                    "seed": record.seed,
                    "true": list(self.y[record.split.test]),
                    "predicted": list(record.responses.responses["predict"]),
                }
            )
            for record in records
        )
        return table.sort_values(["repeat", "seed", "row"], ignore_index=True)

    def _records_of(self, model):
        if model not in self.table.index:
            raise ValueError(
                f"Comparison: unknown model {model!r}; there are {', '.join(self.table.index)}."
            )
        return [r for r in self.records if r.model == model and r.responses is not None]

    def breakdown(self, by="presence", *, models=None, scores=None):
        """Score models on subsets of the rows, from the stored predictions.

        Predictions of all repeats and seeds are pooled. Intervals are those of the delete-a-group
        jackknife over groups, or over rows without groups.

        Parameters
        ----------
        by : "presence", "group" or array-like of shape (n_samples,), default="presence"
            Subsets by the modalities that a row has, such as "text+audio", by its group, or by
            given labels.
        models : list of str or None, default=None
            Models; None means all.
        scores : list of str or None, default=None
            Scores; None means all.

        Returns
        -------
        DataFrame of shape (n_models * n_parts, 1 + 3 * n_scores)
            ``rows``, and for each score ``mean``, ``low`` and ``high``; indexed by model and part.

        Raises
        ------
        ValueError
            If `by` is invalid, or a model or a score is unknown.
        """
        parts, grouped = self._parts(by)
        names = list(self.table.index) if models is None else list(models)
        records = [record for name in names for record in self._records_of(name)]
        scores = self._check_scores(scores)
        if self.groups is None or grouped:
            units = np.arange(len(self.y))
        else:
            units = np.unique(self.groups, return_inverse=True)[1]
        return break_down(
            records,
            self.y,
            parts,
            units,
            self.scorer,
            scores,
            confidence_level=self.confidence_level,
        )

    def _parts(self, by):
        if not isinstance(by, str):
            parts = np.asarray(by)
            if parts.shape != (len(self.y),):
                raise ValueError(
                    f"Comparison.breakdown: by must have one label for each of the {len(self.y)} "
                    f"rows; got shape {parts.shape}."
                )
            return parts, False
        if by == "group":
            if self.groups is None:
                raise ValueError("Comparison.breakdown: by='group' needs groups given to compare.")
            return self.groups, True
        if by != "presence":
            raise ValueError(
                "Comparison.breakdown: by must be 'presence', 'group' or an array of labels; got "
                f"{by!r}."
            )
        if self.presence is None:
            raise ValueError(
                "Comparison.breakdown: by='presence' needs a DataFrame whose column names give the "
                "modalities: one column of raw cells for each, or blocks."
            )
        return self.presence, False

    def _check_scores(self, scores):
        chosen = self.scores if scores is None else list(scores)
        for name in chosen:
            if name not in self.scores:
                raise ValueError(
                    f"Comparison: unknown score {name!r}; there are {', '.join(self.scores)}."
                )
        return chosen

    def plot(self, score=None, *, ax=None):
        """Plot one score of all models.

        Parameters
        ----------
        score : str or None, default=None
            Score; None means the primary one.
        ax : Axes or None, default=None
            Axes to plot on; None creates a figure.

        Returns
        -------
        ComparisonDisplay
            The plot.
        """
        return ComparisonDisplay.from_comparison(self, score=score, ax=ax)

    def to_markdown(self, scores=None, *, digits=3):
        """Return the table in markdown.

        Parameters
        ----------
        scores : list of str or None, default=None
            Scores; None means all.
        digits : int, default=3
            Number of decimals.

        Returns
        -------
        str
            "mean ± std" of each score, the best in bold; interval and corrected p-value of the
            primary score, or of the only one; seconds. A note below names the test.
        """
        scores = self._check_scores(scores)
        tested = self.primary if self.primary in scores else scores[0]
        columns = {score: summary.mean_and_std(self.table, score, digits) for score in scores}
        suffix = "" if len(scores) == 1 else f" of {tested}"
        columns[f"{self.confidence_level:.0%} interval{suffix}".replace("%", " %")] = {
            name: "-"
            if np.isnan(row["low"])
            else f"{row['low']:.{digits}f} to {row['high']:.{digits}f}"
            for name, row in self.table[tested].iterrows()
        }
        columns["p (Holm)"] = {
            name: "-" if np.isnan(p) else f"{p:.2g}"
            for name, p in self.table[tested, "p_holm"].items()
        }
        for seconds in ("fit", "predict"):
            columns[f"{seconds} s"] = {
                name: f"{value:.2g}" for name, value in self.table["seconds", seconds].items()
            }
        return f"{summary.write_markdown(columns)}\n\n{self.note}"

    @property
    def note(self):
        """Meaning of the numbers in the table, in two sentences."""
        seeds = self.results["seed"].nunique()
        repeats = self.results["repeat"].nunique()
        if self.n_splits > 1:
            over = f"{self.n_splits} splits" + (f" in {repeats} repeats" if repeats > 1 else "")
            over += f" with {seeds} seeds each" if seeds > 1 else ""
            kind = "corrected for shared training rows (Nadeau-Bengio)"
        else:
            over = f"{seeds} seeds of one split" if seeds > 1 else "one split and one seed"
            kind = "over seeds only, which does not cover the choice of test rows"
        test = "Wilcoxon's signed ranks" if self.test == "wilcoxon" else "paired t-test"
        return (
            f"Mean ± standard deviation over {over}; interval {kind}. p: {test} against "
            f"{self.baseline!r}, corrected for the number of models (Holm)."
        )

    def to_csv(self, path):
        """Write the table to a CSV file with column names such as ``f1_macro_mean``.

        Parameters
        ----------
        path : path-like
            File to write.
        """
        flat = self.table.set_axis(["_".join(names) for names in self.table.columns], axis=1)
        flat.to_csv(path)
