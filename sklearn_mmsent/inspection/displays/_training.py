"""TrainingDisplay."""

import numpy as np

from sklearn_mmsent.compose.parts import final_step
from sklearn_mmsent.inspection._networks import networks_of
from sklearn_mmsent.inspection.displays._style import COLOURS, GREY, Display, legend_beside
from sklearn_mmsent.utils._documentation import document_shared_parameters


@document_shared_parameters(Display)
class TrainingDisplay(Display):
    """Training and validation loss of a fusion network by epoch.

    Parameters
    ----------
    train : list of ndarray of shape (n_epochs,)
        Training loss by epoch, for one network or for the members of an ensemble.
    valid : list of ndarray of shape (n_epochs,) or None
        Validation loss; None without validation.
    best : list of int or None, default=None
        Epoch, from 1, whose weights each network has; None marks no epoch.

    Attributes
    ----------
    lines_ : list of Line2D
        Training losses, then validation losses.

    See Also
    --------
    FusionClassifier : Its ``net_.history`` also has other values by epoch.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from sklearn_mmsent import FusionClassifier
    >>> from sklearn_mmsent.inspection import TrainingDisplay
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame(rng.normal(size=(100, 2)), columns=["text__tone", "voice__pitch"])
    >>> model = FusionClassifier(max_epochs=5, random_state=0).fit(X, X["text__tone"] > 0)
    >>> display = TrainingDisplay.from_estimator(model)
    >>> [len(line.get_xdata()) for line in display.lines_]
    [5, 5]
    """

    def __init__(self, *, train, valid, best=None):
        self.train = train
        self.valid = valid
        self.best = best

    @classmethod
    def from_estimator(cls, estimator, *, ax=None):
        """Plot the history of a fitted network, or of the members of an ensemble.

        Parameters
        ----------
        estimator : estimator
            Fusion estimator, deep ensemble, or pipeline that ends in one.
        ax : Axes or None, default=None
            Axes to plot on; None creates a figure.

        Returns
        -------
        TrainingDisplay
            The display.
        """
        final = final_step(getattr(estimator, "best_estimator_", estimator))
        networks, _ = networks_of(final, None, owner=cls.__name__)
        histories = [network.net_.history for network in networks]
        train = [np.array(history[:, "train_loss"], dtype=float) for history in histories]
        valid = best = None
        if all("valid_loss" in history[0] for history in histories):
            valid = [np.array(history[:, "valid_loss"], dtype=float) for history in histories]
            best = [1 + int(losses.argmin()) for losses in valid]
        return cls(train=train, valid=valid, best=best).plot(ax=ax)

    def _draw(self, ax):
        ax = self._new_axes(ax, (6.4, 3.6))
        self.lines_ = []
        parts = [("training", self.train, "-"), ("validation", self.valid or [], "--")]
        for (label, curves, style), colour in zip(parts, COLOURS, strict=False):
            for number, losses in enumerate(curves):
                epochs = np.arange(1, len(losses) + 1)
                (line,) = ax.plot(
                    epochs,
                    losses,
                    style,
                    color=colour,
                    lw=1.8,
                    alpha=1.0 if len(curves) == 1 else 0.6,
                    label=label if number == 0 else None,
                )
                self.lines_.append(line)
        for number, epoch in enumerate(self.best or []):
            ax.plot(
                epoch,
                self.valid[number][epoch - 1],
                "o",
                color=COLOURS[1],
                ms=7,
                label="best epoch" if number == 0 else None,
            )
            ax.axvline(epoch, color=GREY, lw=0.8, ls=":", zorder=0)
        ax.set(xlabel="Epoch", ylabel="Loss")
        ax.grid(axis="y", alpha=0.3)
        ax.xaxis.get_major_locator().set_params(integer=True)
        legend_beside(ax, 2 if self.valid else 1)
