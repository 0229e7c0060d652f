"""Comparison: what came of comparing models."""

import numpy as np
import pandas as pd

from sklearn_mmsent.model_selection.comparison import summary
from sklearn_mmsent.model_selection.comparison._breakdown import break_down
from sklearn_mmsent.model_selection.comparison._display import ComparisonDisplay
from sklearn_mmsent.model_selection.comparison._scoring import primary_of


class Comparison:
    """What came of comparing models; :func:`compare` makes it.

    Parameters
    ----------
    runs : list of Run
        Single fits, in the order of models, repeats, seeds and folds.
    y : ndarray of shape (n_samples,) or (n_samples, n_targets)
        True targets.
    groups : ndarray of shape (n_samples,) or None
        Of the rows.
    presence : ndarray of str of shape (n_samples,) or None
        Which modalities each row has; None where columns do not tell.
    scorer : callable
        What fits were scored by.
    baseline : str
        Model that the others were tested against.
    test : {"nadeau-bengio", "wilcoxon"}
        The test.
    confidence_level : float
        Of the intervals.
    error_score : float or "raise"
        Score of fits that failed.

    Attributes
    ----------
    table : DataFrame of shape (n_models, n_columns)
        For each score ``mean``, ``std`` (of single fits), ``low`` and ``high`` (the interval of
        the mean), ``difference`` to the baseline, ``p`` and ``p_holm`` (corrected for the number
        of models), and the median ``seconds`` of ``fit`` and ``predict``:
        ``table["f1_macro"]`` is all about one score.
    results : DataFrame of shape (n_fits, n_columns)
        ``model``, ``repeat``, ``fold``, ``seed``, the scores, ``fit_seconds``,
        ``predict_seconds``, ``fit_rows``, ``test_rows`` and ``error`` (None where all went well).
    scores : list of str
        Names of the scores.
    primary : str
        The score that is meant where none is named: macro-F1, mean absolute error, or the first.
    chosen_ : DataFrame
        What searches among the models chose on each training part: ``model``, ``repeat``,
        ``fold``, ``seed``, ``best_score``, and a column per parameter. Empty without searches.
    best_model_ : str
        The best mean of the primary score.
    best_score_ : float
        That mean.

    See Also
    --------
    compare : Makes it.
    ComparisonDisplay : Draws it.

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
        runs,
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
        self.runs, self.y, self.groups, self.presence = runs, y, groups, presence
        self.scorer = scorer
        self.baseline, self.test, self.confidence_level = baseline, test, confidence_level
        self.scores = list(next(run.scores for run in runs if run.scores is not None))
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
    def _keys(run):
        return {
            "model": run.model,
            "repeat": run.split.repeat,
            "fold": run.split.fold,
            "seed": run.seed,
        }

    def _results(self, error_score):
        failed = dict.fromkeys(self.scores, error_score)
        return pd.DataFrame(
            {
                **self._keys(run),
                **(failed if run.scores is None else run.scores),
                "fit_seconds": run.fit_seconds,
                "predict_seconds": run.predict_seconds,
                "fit_rows": len(run.split.train),
                "test_rows": len(run.split.test),
                "error": run.error,
            }
            for run in self.runs
        )

    def _chosen(self):
        rows = [{**self._keys(run), **run.chosen} for run in self.runs if run.chosen is not None]
        columns = ["model", "repeat", "fold", "seed", "best_score"]
        table = pd.DataFrame(rows, columns=None if rows else columns)
        return table[columns + [name for name in table if name not in columns]]

    @property
    def n_splits(self):
        """Number of splits that models were scored on, of all repeats."""
        return summary.n_splits(self.results)

    def predictions(self, model=None):
        """Return what was predicted for test rows.

        Parameters
        ----------
        model : str or None, default=None
            Which model; None takes the best.

        Returns
        -------
        DataFrame
            ``row``, ``repeat``, ``fold``, ``seed``, ``true`` and ``predicted``, by row within each
            repeat and seed.
        """
        runs = self._runs_of(self.best_model_ if model is None else model)
        table = pd.concat(
            pd.DataFrame(
                {
                    "row": run.split.test,
                    "repeat": run.split.repeat,
                    "fold": run.split.fold,
                    "seed": run.seed,
                    "true": list(self.y[run.split.test]),
                    "predicted": list(run.kept.responses["predict"]),
                }
            )
            for run in runs
        )
        return table.sort_values(["repeat", "seed", "row"], ignore_index=True)

    def _runs_of(self, model):
        if model not in self.table.index:
            raise ValueError(
                f"Comparison: {model!r} is not among the models: {', '.join(self.table.index)}."
            )
        return [run for run in self.runs if run.model == model and run.kept is not None]

    def breakdown(self, by="presence", *, models=None, scores=None):
        """Score models on parts of the rows, from the predictions that were kept.

        Predictions of all repeats and seeds are pooled. Intervals come from leaving out parts of
        the rows in turn (the delete-a-group jackknife), groups as a whole.

        Parameters
        ----------
        by : "presence", "group" or array-like of shape (n_samples,), default="presence"
            By the modalities that a row has, such as "text+audio"; by its group; or by labels of
            one's own.
        models : list of str or None, default=None
            Which models; None means all.
        scores : list of str or None, default=None
            Which scores; None means all.

        Returns
        -------
        DataFrame of shape (n_models * n_parts, 1 + 3 * n_scores)
            ``rows``, and for each score ``mean``, ``low`` and ``high``; indexed by model and part.
        """
        parts, grouped = self._parts(by)
        names = list(self.table.index) if models is None else list(models)
        runs = [run for name in names for run in self._runs_of(name)]
        scores = self._check_scores(scores)
        if self.groups is None or grouped:
            units = np.arange(len(self.y))
        else:
            units = np.unique(self.groups, return_inverse=True)[1]
        return break_down(
            runs,
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
                "Comparison.breakdown: by='presence' needs a DataFrame with a column per modality "
                "or blocks, whose column names tell the modalities."
            )
        return self.presence, False

    def _check_scores(self, scores):
        chosen = self.scores if scores is None else list(scores)
        for name in chosen:
            if name not in self.scores:
                raise ValueError(
                    f"Comparison: {name!r} was not scored; there are {', '.join(self.scores)}."
                )
        return chosen

    def plot(self, score=None, *, ax=None):
        """Draw one score of all models.

        Parameters
        ----------
        score : str or None, default=None
            Which; None takes the primary one.
        ax : Axes or None, default=None
            Where; None makes a figure.

        Returns
        -------
        ComparisonDisplay
            The picture.
        """
        return ComparisonDisplay.from_comparison(self, score=score, ax=ax)

    def to_markdown(self, scores=None, *, digits=3):
        """Write the table in markdown.

        Parameters
        ----------
        scores : list of str or None, default=None
            Which; None means all.
        digits : int, default=3
            Digits after the point.

        Returns
        -------
        str
            "mean ± std" of each score, the best in bold; interval and corrected p-value of the
            primary score, or of the only one; seconds. Below, what was tested.
        """
        scores = self._check_scores(scores)
        told = self.primary if self.primary in scores else scores[0]
        columns = {score: summary.mean_and_std(self.table, score, digits) for score in scores}
        of = "" if len(scores) == 1 else f" of {told}"
        columns[f"{self.confidence_level:.0%} interval{of}".replace("%", " %")] = {
            name: "-"
            if np.isnan(row["low"])
            else f"{row['low']:.{digits}f} to {row['high']:.{digits}f}"
            for name, row in self.table[told].iterrows()
        }
        columns["p (Holm)"] = {
            name: "-" if np.isnan(p) else f"{p:.2g}"
            for name, p in self.table[told, "p_holm"].items()
        }
        for seconds in ("fit", "predict"):
            columns[f"{seconds} s"] = {
                name: f"{value:.2g}" for name, value in self.table["seconds", seconds].items()
            }
        return f"{summary.write_markdown(columns)}\n\n{self.note}"

    @property
    def note(self):
        """What the numbers of the table mean, in two sentences."""
        seeds = self.results["seed"].nunique()
        repeats = self.results["repeat"].nunique()
        if self.n_splits > 1:
            over = f"{self.n_splits} splits" + (f" in {repeats} repeats" if repeats > 1 else "")
            over += f" with {seeds} seeds each" if seeds > 1 else ""
            kind = "corrected for shared training rows (Nadeau-Bengio)"
        else:
            over = f"{seeds} seeds of one split" if seeds > 1 else "one split and one seed"
            kind = "over seeds alone: it tells nothing about other test rows"
        test = "Wilcoxon's signed ranks" if self.test == "wilcoxon" else "paired t-test"
        return (
            f"Mean ± standard deviation over {over}; interval {kind}. p: {test} against "
            f"{self.baseline!r}, corrected for the number of models (Holm)."
        )

    def to_csv(self, path):
        """Write the table to a csv file, columns named like ``f1_macro_mean``.

        Parameters
        ----------
        path : path-like
            File to write.
        """
        flat = self.table.set_axis(["_".join(names) for names in self.table.columns], axis=1)
        flat.to_csv(path)
