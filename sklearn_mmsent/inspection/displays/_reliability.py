"""ReliabilityDisplay."""

from numbers import Integral

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_consistent_length

from sklearn_mmsent.inspection.displays._style import COLOURS, GREY, Display
from sklearn_mmsent.utils._documentation import document_shared_parameters
from sklearn_mmsent.utils._sklearn import HasMethods, Interval, validate_params


@document_shared_parameters(Display)
class ReliabilityDisplay(Display):
    """Reliability diagram of a classifier, for any number of classes.

    The probability of the predicted class is compared with the accuracy [1]_. For one class of
    two, :class:`sklearn.calibration.CalibrationDisplay` shows the same;
    :class:`sklearn.metrics.ConfusionMatrixDisplay` shows which classes are confused.

    Parameters
    ----------
    bins : DataFrame of shape (n_bins, 3)
        `confidence` and `accuracy`, means over the `rows` of each bin.
    error : float
        Expected calibration error: the mean distance of the two, weighted by rows.
    name : str or None, default=None
        Title of the plot.

    Attributes
    ----------
    line_ : Line2D
        Accuracy by confidence.

    References
    ----------
    .. [1] Guo, Pleiss, Sun, Weinberger (2017), On calibration of modern neural networks, ICML.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_mmsent.inspection import ReliabilityDisplay
    >>> rng = np.random.default_rng(0)
    >>> sure = rng.uniform(0.5, 1, 4000)
    >>> y = rng.random(4000) < sure
    >>> display = ReliabilityDisplay.from_predictions(y, np.column_stack([1 - sure, sure]))
    >>> bool(display.error < 0.03)
    True
    """

    def __init__(self, *, bins, error, name=None):
        self.bins = bins
        self.error = error
        self.name = name

    @classmethod
    def from_estimator(cls, estimator, X, y, *, n_bins=10, ax=None):
        """Plot the reliability of a fitted classifier.

        Parameters
        ----------
        estimator : estimator
            Fitted classifier with ``predict_proba``.
        X : DataFrame or array-like of shape (n_samples, n_columns)
            Rows that it was not trained on.
        y : array-like of shape (n_samples,)
            True labels.
        n_bins : int, default=10
            Number of bins, with equal numbers of rows.
        ax : Axes or None, default=None
            Axes to plot on; None creates a figure.

        Returns
        -------
        ReliabilityDisplay
            The display.
        """
        return cls.from_predictions(
            y, estimator.predict_proba(X), classes=estimator.classes_, n_bins=n_bins, ax=ax
        )

    @classmethod
    @validate_params(
        {
            "cls": [HasMethods("plot")],
            "y": ["array-like"],
            "probabilities": ["array-like"],
            "n_bins": [Interval(Integral, 1, None, closed="left")],
        },
        prefer_skip_nested_validation=True,
    )
    def from_predictions(cls, y, probabilities, *, classes=None, n_bins=10, name=None, ax=None):
        """Plot the reliability of predictions.

        Parameters
        ----------
        y : array-like of shape (n_samples,)
            True labels.
        probabilities : array-like of shape (n_samples, n_classes)
            Predicted probabilities.
        classes : array-like of shape (n_classes,) or None, default=None
            Labels of the columns; None uses the sorted labels of `y`.
        n_bins : int, default=10
            Number of bins, with equal numbers of rows.
        name : str or None, default=None
            Title of the plot.
        ax : Axes or None, default=None
            Axes to plot on; None creates a figure.

        Returns
        -------
        ReliabilityDisplay
            The display.
        """
        y, probabilities = np.asarray(y), np.asarray(probabilities, dtype=float)
        check_consistent_length(y, probabilities)
        classes = np.unique(y) if classes is None else np.asarray(classes)
        if probabilities.ndim != 2 or probabilities.shape[1] != len(classes):
            raise ValueError(
                f"ReliabilityDisplay: probabilities have shape {probabilities.shape}; expected "
                f"one column for each of the classes {', '.join(map(repr, classes.tolist()))}."
            )
        rows = pd.DataFrame(
            {
                "confidence": probabilities.max(axis=1),
                "accuracy": (classes[probabilities.argmax(axis=1)] == y).astype(float),
            }
        ).sort_values("confidence", ignore_index=True)
        groups = rows.groupby(np.arange(len(rows)) * n_bins // len(rows))
        bins = groups.mean().assign(rows=groups.size())
        distance = (bins["confidence"] - bins["accuracy"]).abs()
        error = float(np.average(distance, weights=bins["rows"]))
        return cls(bins=bins, error=error, name=name).plot(ax=ax)

    def _draw(self, ax):
        ax = self._new_axes(ax, (4.6, 4.4))
        low = max(0.0, min(self.bins[["confidence", "accuracy"]].min()) - 0.05)
        ax.plot([low, 1], [low, 1], color=GREY, ls="--", lw=1.2, label="perfectly calibrated")
        (self.line_,) = ax.plot(
            self.bins["confidence"],
            self.bins["accuracy"],
            "o-",
            color=COLOURS[0],
            lw=1.8,
            ms=6,
            label=f"calibration error {self.error:.3f}",
        )
        ax.set(
            xlabel="Mean predicted probability",
            ylabel="Accuracy",
            xlim=(low, 1.02),
            ylim=(low, 1.02),
            title=self.name or "",
        )
        ax.set_aspect("equal")
        ax.grid(alpha=0.3)
        ax.legend(loc="upper left", frameon=False)
