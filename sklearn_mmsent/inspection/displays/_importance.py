"""ModalityImportanceDisplay."""

import numpy as np

from sklearn_mmsent.inspection._importance import modality_importance
from sklearn_mmsent.inspection.displays._style import COLOURS, GREY, new_axes

_WHAT = {
    "shapley": "Shapley value",
    "ablation": "loss of score without the modality",
    "permutation": "loss of score with the modality shuffled",
}


class ModalityImportanceDisplay:
    """How much of a score each modality brings, with intervals and single runs.

    Parameters
    ----------
    importances : DataFrame of shape (n_modalities, 4)
        ``mean``, ``std``, ``low`` and ``high``, indexed by modality.
    runs : DataFrame of shape (n_runs, n_modalities)
        Importances of single runs.
    method : {"shapley", "ablation", "permutation"}
        What was measured, for the axis.

    Attributes
    ----------
    ax_ : Axes
        Where it was drawn.
    figure_ : Figure
        The figure of that.
    bars_ : BarContainer
        Means, the largest on top.

    See Also
    --------
    modality_importance : Measures it.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from sklearn.linear_model import LinearRegression
    >>> from sklearn_mmsent.inspection import ModalityImportanceDisplay
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame(rng.normal(size=(100, 2)), columns=["text__tone", "voice__pitch"])
    >>> y = X["text__tone"] + 3 * X["voice__pitch"]
    >>> model = LinearRegression().fit(X, y)
    >>> display = ModalityImportanceDisplay.from_estimator(model, X, y, random_state=0)
    >>> [label.get_text() for label in display.ax_.get_yticklabels()]
    ['voice', 'text']
    """

    def __init__(self, *, importances, runs, method):
        self.importances = importances
        self.runs = runs
        self.method = method

    @classmethod
    def from_estimator(cls, estimator, X, y, *, ax=None, **options):
        """Measure and draw.

        Parameters
        ----------
        estimator, X, y
            See :func:`modality_importance`.
        ax : Axes or None, default=None
            Where; None makes a figure.
        **options : dict
            For :func:`modality_importance`.

        Returns
        -------
        ModalityImportanceDisplay
            The picture.
        """
        return cls.from_importance(modality_importance(estimator, X, y, **options), ax=ax)

    @classmethod
    def from_importance(cls, importance, *, ax=None):
        """Draw what :func:`modality_importance` gave.

        Parameters
        ----------
        importance : Bunch
            Its result.
        ax : Axes or None, default=None
            Where; None makes a figure.

        Returns
        -------
        ModalityImportanceDisplay
            The picture.
        """
        table = importance.importances
        runs = importance.runs[list(table.index)]
        return cls(importances=table, runs=runs, method=importance.method).plot(ax=ax)

    def plot(self, ax=None):
        """Draw it.

        Parameters
        ----------
        ax : Axes or None, default=None
            Where; None makes a figure.

        Returns
        -------
        ModalityImportanceDisplay
            Itself.
        """
        table = self.importances.sort_values("mean", ascending=False)
        places = np.arange(len(table))
        ax = new_axes(ax, self, (6.4, 0.5 * len(table) + 1.2))
        self.bars_ = ax.barh(places, table["mean"], color=COLOURS[0], height=0.6)
        if len(self.runs) > 1:
            half = table["mean"] - table["low"]
            ax.errorbar(table["mean"], places, xerr=half, fmt="none", color="black", capsize=4)
            for place, name in zip(places, table.index, strict=True):
                beside = place + np.linspace(-0.2, 0.2, len(self.runs))
                ax.scatter(
                    self.runs[name], beside, s=9, color="white", edgecolor=GREY, lw=0.7, zorder=3
                )
        ax.axvline(0, color="black", lw=0.8)
        ax.set(yticks=places, yticklabels=list(table.index), xlabel=_WHAT[self.method])
        ax.invert_yaxis()
        ax.grid(axis="x", alpha=0.3)
        ax.set_axisbelow(True)
        return self
