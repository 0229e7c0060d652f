"""ModalityImportanceDisplay."""

import numpy as np

from sklearn_mmsent.inspection._importance import modality_importance
from sklearn_mmsent.inspection.displays._style import COLOURS, GREY, Display
from sklearn_mmsent.utils._documentation import document_shared_parameters

_LABELS = {
    "shapley": "Shapley value of the score",
    "ablation": "Decrease in score without the modality",
    "permutation": "Decrease in score with the modality shuffled",
}


@document_shared_parameters(Display)
class ModalityImportanceDisplay(Display):
    """Modality importance, with confidence intervals and single runs.

    Parameters
    ----------
    importances : DataFrame of shape (n_modalities, 4)
        ``mean``, ``std``, ``low`` and ``high``, indexed by modality.
    runs : DataFrame of shape (n_runs, n_modalities)
        Importances of single runs.
    method : {"shapley", "ablation", "permutation"}
        Method of the importance, for the axis label.

    Attributes
    ----------
    bars_ : BarContainer
        Means in descending order.

    See Also
    --------
    modality_importance : Computes the importance.

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
        """Compute modality importance and plot it.

        Parameters
        ----------
        estimator, X, y
            See :func:`modality_importance`.
        ax : Axes or None, default=None
            Axes to plot on; None creates a figure.
        **options : dict
            Options of :func:`modality_importance`.

        Returns
        -------
        ModalityImportanceDisplay
            The display.
        """
        return cls.from_importance(modality_importance(estimator, X, y, **options), ax=ax)

    @classmethod
    def from_importance(cls, importance, *, ax=None):
        """Plot a result of :func:`modality_importance`.

        Parameters
        ----------
        importance : Bunch
            Result of the function.
        ax : Axes or None, default=None
            Axes to plot on; None creates a figure.

        Returns
        -------
        ModalityImportanceDisplay
            The display.
        """
        table = importance.importances
        runs = importance.runs[list(table.index)]
        return cls(importances=table, runs=runs, method=importance.method).plot(ax=ax)

    def _draw(self, ax):
        table = self.importances.sort_values("mean", ascending=False)
        places = np.arange(len(table))
        ax = self._new_axes(ax, (6.4, 0.5 * len(table) + 1.2))
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
        ax.set(yticks=places, yticklabels=list(table.index), xlabel=_LABELS[self.method])
        ax.invert_yaxis()
        ax.grid(axis="x", alpha=0.3)
        ax.set_axisbelow(True)
