"""FusionWeightsDisplay."""

import numpy as np

from sklearn_mmsent.inspection._fusion_weights import fusion_weights
from sklearn_mmsent.inspection.displays._style import COLOURS, legend_beside, look, new_axes
from sklearn_mmsent.utils._optional import import_optional
from sklearn_mmsent.utils._sklearn import InvalidParameterError

_KINDS = ("rows", "time", "steps")


class FusionWeightsDisplay:
    """Gates and attention of a fusion network: over rows, over time, or over one row's steps.

    Parameters
    ----------
    weights : Bunch
        What :func:`fusion_weights` gave.

    Attributes
    ----------
    ax_ : Axes
        Where it was drawn.
    figure_ : Figure
        The figure of that.

    See Also
    --------
    fusion_weights : Reads them, and tells what they are under each fusion.

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
    'gate'
    """

    def __init__(self, *, weights):
        self.weights = weights

    @classmethod
    def from_estimator(cls, estimator, X, *, kind="rows", times=None, row=0, ax=None):
        """Read and draw the weights of a fitted network.

        Parameters
        ----------
        estimator, X
            See :func:`fusion_weights`.
        kind : {"rows", "time", "steps"}, default="rows"
            How it is drawn: see :meth:`plot`.
        times : array-like of shape (n_samples,) or None, default=None
            Of the rows, for "time".
        row : int, default=0
            Which row, for "steps".
        ax : Axes or None, default=None
            Where; None makes a figure.

        Returns
        -------
        FusionWeightsDisplay
            The picture.
        """
        display = cls(weights=fusion_weights(estimator, X))
        return display.plot(kind=kind, times=times, row=row, ax=ax)

    def plot(self, *, kind="rows", times=None, row=0, ax=None):
        """Draw it.

        Parameters
        ----------
        kind : {"rows", "time", "steps"}, default="rows"
            "rows": how the weight of each modality is distributed over the rows that have it
            (median, quartiles, 5 and 95 %). "time": the weights of each row, such as a window of
            a clip, at its time. "steps": the weights of the steps of one row, by block.
        times : array-like of shape (n_samples,) or None, default=None
            Of the rows, for "time", in seconds; None numbers them.
        row : int, default=0
            Which row, for "steps".
        ax : Axes or None, default=None
            Where; None makes a figure.

        Returns
        -------
        FusionWeightsDisplay
            Itself.
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
                "FusionWeightsDisplay: this fusion has weights of steps only; take kind='steps'."
            )
        return self._plot_rows(ax) if kind == "rows" else self._plot_time(times, ax)

    def _plot_rows(self, ax):
        table = self.weights.modalities
        ax = new_axes(ax, self, (1.1 * table.shape[1] + 1.6, 3.4))
        there = [column[column > 0] for column in table.to_numpy().T]
        boxes = ax.boxplot(
            there,
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
        ax = new_axes(ax, self, (7.5, 3.2))
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
            xlabel="row" if times is None else "time in seconds",
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
                "FusionWeightsDisplay: no block has weights of steps; take kind='rows' or 'time'."
            )
        width = max(table.shape[1] for table in steps.values())
        image = np.full((len(steps), width), np.nan)
        for place, table in enumerate(steps.values()):
            image[place, : table.shape[1]] = table.iloc[row]
        ax = new_axes(ax, self, (7.5, 0.55 * len(steps) + 1.4))
        plt = import_optional("matplotlib.pyplot", extra="report", needed_by=type(self).__name__)
        colours = plt.get_cmap("cividis").with_extremes(bad="white")
        drawn = ax.imshow(image, aspect="auto", cmap=colours, vmin=0, interpolation="nearest")
        ax.set_yticks(np.arange(len(steps)), list(steps))
        ax.set(xlabel="step")
        ax.xaxis.get_major_locator().set_params(integer=True)
        self.figure_.colorbar(drawn, ax=ax, label=self._unit())
        return self

    def _unit(self):
        return "gate" if self.weights.kind == "gates" else "share"
