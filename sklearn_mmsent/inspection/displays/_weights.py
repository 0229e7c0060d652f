"""FusionWeightsDisplay."""

import numpy as np

from sklearn_mmsent.inspection._fusion_weights import fusion_weights
from sklearn_mmsent.inspection.displays._style import COLOURS, Display, legend_beside, look
from sklearn_mmsent.utils._documentation import document_shared_parameters
from sklearn_mmsent.utils._optional import import_optional
from sklearn_mmsent.utils._sklearn import InvalidParameterError

_KINDS = ("rows", "time", "steps")


@document_shared_parameters(Display)
class FusionWeightsDisplay(Display):
    """Gates or attention weights of a fusion network, by row, over time, or by step.

    Parameters
    ----------
    weights : Bunch
        Result of :func:`fusion_weights`.

    See Also
    --------
    fusion_weights : Computes them, and explains them for each fusion.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from sklearn_mmsent import FusionClassifier
    >>> from sklearn_mmsent.inspection import FusionWeightsDisplay
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame(rng.normal(size=(60, 2)), columns=["text__tone", "voice__pitch"])
    >>> model = FusionClassifier("gated", max_epochs=3, random_state=0)
    >>> display = FusionWeightsDisplay.from_estimator(model.fit(X, X["text__tone"] > 0), X)
    >>> display.ax_.get_ylabel()
    'Gate'
    """

    def __init__(self, *, weights):
        self.weights = weights

    @classmethod
    def from_estimator(cls, estimator, X, *, kind="rows", times=None, row=0, ax=None):
        """Plot the weights of a fitted network.

        Parameters
        ----------
        estimator, X
            See :func:`fusion_weights`.
        kind : {"rows", "time", "steps"}, default="rows"
            Kind of plot; see :meth:`plot`.
        times : array-like of shape (n_samples,) or None, default=None
            Times of the rows, for "time".
        row : int, default=0
            Row to plot, for "steps".
        ax : Axes or None, default=None
            Axes to plot on; None creates a figure.

        Returns
        -------
        FusionWeightsDisplay
            The display.
        """
        display = cls(weights=fusion_weights(estimator, X))
        return display.plot(kind=kind, times=times, row=row, ax=ax)

    def plot(self, *, kind="rows", times=None, row=0, ax=None):
        """Plot the display.

        Parameters
        ----------
        kind : {"rows", "time", "steps"}, default="rows"
            "rows": distribution of the weight of each modality over the rows that have it
            (median, quartiles, 5 and 95 %). "time": weights of each row, such as a window of a
            clip, at its time. "steps": weights of the steps of one row, by block.
        times : array-like of shape (n_samples,) or None, default=None
            Times of the rows in seconds, for "time"; None numbers the rows.
        row : int, default=0
            Row to plot, for "steps".
        ax : Axes or None, default=None
            Axes to plot on; None creates a figure.

        Returns
        -------
        FusionWeightsDisplay
            The display.
        """
        if kind not in _KINDS:
            raise InvalidParameterError(
                f"The 'kind' parameter of FusionWeightsDisplay must be one of {_KINDS}. "
                f"Got {kind!r} instead."
            )
        if kind == "steps":
            return self._plot_steps(row, ax)
        if self.weights.modalities is None:
            raise ValueError(
                "FusionWeightsDisplay: this fusion only weights steps; use kind='steps'."
            )
        return self._plot_rows(ax) if kind == "rows" else self._plot_time(times, ax)

    def _plot_rows(self, ax):
        table = self.weights.modalities
        ax = self._new_axes(ax, (1.1 * table.shape[1] + 1.6, 3.4))
        present = [column[column > 0] for column in table.to_numpy().T]
        boxes = ax.boxplot(
            present,
            whis=(5, 95),
            showfliers=False,
            patch_artist=True,
            widths=0.55,
            medianprops={"color": "black", "lw": 1.5},
        )
        for box in boxes["boxes"]:
            box.set(facecolor=COLOURS[5], edgecolor=COLOURS[0])
        ax.set_xticks(np.arange(table.shape[1]) + 1, list(table.columns))
        ax.set(ylabel=self._unit(), ylim=(0, None))
        ax.grid(axis="y", alpha=0.3)
        return self

    def _plot_time(self, times, ax):
        table = self.weights.modalities
        ax = self._new_axes(ax, (7.5, 3.2))
        places = np.arange(len(table)) if times is None else np.asarray(times)
        for number, name in enumerate(table):
            colour, marker, line = look(number)
            ax.plot(
                places,
                table[name],
                ls=line,
                color=colour,
                marker=marker,
                markevery=max(1, len(table) // 12),
                lw=1.8,
                ms=5,
                label=name,
            )
        ax.set(
            xlabel="Row" if times is None else "Time (s)",
            ylabel=self._unit(),
            ylim=(0, None),
        )
        ax.grid(axis="y", alpha=0.3)
        legend_beside(ax, table.shape[1])
        return self

    def _plot_steps(self, row, ax):
        steps = self.weights.steps
        if not steps:
            raise ValueError(
                "FusionWeightsDisplay: no block has weights of steps; use kind='rows' or 'time'."
            )
        width = max(table.shape[1] for table in steps.values())
        image = np.full((len(steps), width), np.nan)
        for place, table in enumerate(steps.values()):
            image[place, : table.shape[1]] = table.iloc[row]
        ax = self._new_axes(ax, (7.5, 0.55 * len(steps) + 1.4))
        plt = import_optional("matplotlib.pyplot", extra="report", needed_by=type(self).__name__)
        colours = plt.get_cmap("cividis").with_extremes(bad="white")
        drawn = ax.imshow(image, aspect="auto", cmap=colours, vmin=0, interpolation="nearest")
        ax.set_yticks(np.arange(len(steps)), list(steps))
        ax.set(xlabel="Step")
        ax.xaxis.get_major_locator().set_params(integer=True)
        self.figure_.colorbar(drawn, ax=ax, label=self._unit())
        return self

    def _unit(self):
        return "Gate" if self.weights.kind == "gates" else "Share"
