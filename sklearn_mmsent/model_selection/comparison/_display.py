"""ComparisonDisplay: plot of one score of all models."""

import numpy as np

from sklearn_mmsent.utils._optional import import_optional

#: Blue and vermilion, distinguishable for colour-blind readers (Okabe and Ito, 2008); grey: fits.
MODEL, BASELINE, FITS = "#0072B2", "#D55E00", "#777777"


class ComparisonDisplay:
    """Plot of one score of all models: means with intervals, and single fits.

    Parameters
    ----------
    table : DataFrame of shape (n_models, n_statistics)
        ``mean``, ``low`` and ``high``, indexed by model.
    fits : dict of str to ndarray of shape (n_fits,)
        Scores of single fits, by model.
    score : str
        Name of the score.
    baseline : str or None, default=None
        Model whose mean is marked by a line.
    confidence_level : float, default=0.95
        Confidence level of the intervals, for the axis label.

    Attributes
    ----------
    ax_ : Axes
        The axes.
    figure_ : Figure
        The figure of the axes.
    points_ : list of ErrorbarContainer
        Means with intervals, from top to bottom.
    fits_ : list of PathCollection
        Single fits, from top to bottom.

    See Also
    --------
    Comparison.plot : Creates it from a comparison.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from sklearn_mmsent import compare
    >>> from sklearn_mmsent.model_selection import ComparisonDisplay
    >>> comparison = compare({"bayes": GaussianNB()}, *load_iris(return_X_y=True))
    >>> display = ComparisonDisplay.from_comparison(comparison, score="accuracy")
    >>> [label.get_text() for label in display.ax_.get_yticklabels()]
    ['bayes', 'constant']
    """

    def __init__(self, *, table, fits, score, baseline=None, confidence_level=0.95):
        self.table = table
        self.fits = fits
        self.score = score
        self.baseline = baseline
        self.confidence_level = confidence_level

    @classmethod
    def from_comparison(cls, comparison, *, score=None, ax=None):
        """Plot a comparison.

        Parameters
        ----------
        comparison : Comparison
            Result of :func:`compare`.
        score : str or None, default=None
            Score to plot; None plots the primary one.
        ax : Axes or None, default=None
            Axes to plot on; None creates a figure.

        Returns
        -------
        ComparisonDisplay
            The plot.
        """
        score = comparison.primary if score is None else comparison._check_scores([score])[0]
        fits = comparison.results.groupby("model", sort=False)[score]
        display = cls(
            table=comparison.table[score],
            fits={name: values.to_numpy() for name, values in fits},
            score=score,
            baseline=comparison.baseline,
            confidence_level=comparison.confidence_level,
        )
        return display.plot(ax=ax)

    def plot(self, ax=None):
        """Plot the score.

        Parameters
        ----------
        ax : Axes or None, default=None
            Axes to plot on; None creates a figure.

        Returns
        -------
        ComparisonDisplay
            The display itself.
        """
        import_optional("matplotlib", extra="report", needed_by="ComparisonDisplay")
        if ax is None:
            import matplotlib.pyplot as plt

            _, ax = plt.subplots(figsize=(7.5, 0.45 * len(self.table) + 1.4), layout="constrained")
        self.ax_, self.figure_ = ax, ax.figure
        if self.baseline is not None:
            ax.axvline(
                self.table.loc[self.baseline, "mean"], color=BASELINE, lw=1, ls="--", zorder=0
            )
        self.points_, self.fits_ = [], []
        rng = np.random.default_rng(0)
        places = np.arange(len(self.table))[::-1]
        for place, name in zip(places, self.table.index, strict=True):
            heights = place + rng.uniform(-0.18, 0.18, len(self.fits[name]))
            self.fits_.append(
                ax.scatter(self.fits[name], heights, s=10, color=FITS, alpha=0.45, lw=0, zorder=1)
            )
            self.points_.append(self._plot_mean(name, place))
        ax.set(
            yticks=places[::-1],
            yticklabels=list(self.table.index)[::-1],
            ylim=(-0.6, len(self.table) - 0.4),
            xlabel=f"{self.score}: mean, {self.confidence_level * 100:g} % interval, single fits",
        )
        ax.grid(axis="x", alpha=0.3)
        ax.spines[["top", "right"]].set_visible(False)
        return self

    def _plot_mean(self, name, place):
        row = self.table.loc[name]
        half = np.array([[row["mean"] - row["low"]], [row["high"] - row["mean"]]])
        is_baseline = name == self.baseline
        return self.ax_.errorbar(
            row["mean"],
            place,
            xerr=None if np.isnan(half).any() else half,
            fmt="D" if is_baseline else "o",
            color=BASELINE if is_baseline else MODEL,
            **{"ms": 7, "lw": 2, "capsize": 4, "zorder": 2},
        )
