"""TimelineDisplay."""

from sklearn_mmsent.inspection.displays._style import GREY, Display, legend_beside, look
from sklearn_mmsent.inspection.timeline import predict_timeline
from sklearn_mmsent.utils._documentation import document_shared_parameters


@document_shared_parameters(Display)
class TimelineDisplay(Display):
    """Intensity or class probabilities of a clip over time, with peaks and turning points.

    Parameters
    ----------
    timeline : Bunch
        Result of :func:`predict_timeline`.

    Attributes
    ----------
    lines_ : dict of str to Line2D
        Lines by curve.

    See Also
    --------
    predict_timeline : Computes the timeline.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from sklearn.linear_model import LinearRegression
    >>> from sklearn_mmsent import LogMel, make_extractor, make_pipeline
    >>> from sklearn_mmsent.inspection import TimelineDisplay
    >>> rng = np.random.default_rng(0)
    >>> levels = rng.uniform(0.1, 0.9, 20)
    >>> sounds = [(level * rng.normal(size=4000), 8000) for level in levels]
    >>> X = pd.DataFrame({"audio": pd.Series(sounds, dtype=object)})
    >>> extract = make_extractor(audio=LogMel(sample_rate=8000, n_mels=8))
    >>> model = make_pipeline(extract, LinearRegression()).fit(X, levels)
    >>> clip = rng.normal(size=32000), 8000
    >>> display = TimelineDisplay.from_estimator(model, clip, window=0.5, hop=0.5)
    >>> len(display.lines_["intensity"].get_xdata())
    8
    """

    def __init__(self, *, timeline):
        self.timeline = timeline

    @classmethod
    def from_estimator(cls, pipeline, clip, window, hop, *, curves=None, ax=None, **options):
        """Predict a clip and plot its timeline.

        Parameters
        ----------
        pipeline, clip, window, hop
            See :func:`predict_timeline`.
        curves : list of str or None, default=None
            Classes to plot; None plots all.
        ax : Axes or None, default=None
            Axes to plot on; None creates a figure.
        **options : dict
            Options of :func:`predict_timeline`.

        Returns
        -------
        TimelineDisplay
            The display.
        """
        timeline = predict_timeline(pipeline, clip, window, hop, **options)
        return cls.from_timeline(timeline, curves=curves, ax=ax)

    @classmethod
    def from_timeline(cls, timeline, *, curves=None, ax=None):
        """Plot a result of :func:`predict_timeline`.

        Parameters
        ----------
        timeline : Bunch
            Result of the function.
        curves : list of str or None, default=None
            Classes to plot; None plots all.
        ax : Axes or None, default=None
            Axes to plot on; None creates a figure.

        Returns
        -------
        TimelineDisplay
            The display.
        """
        return cls(timeline=timeline).plot(curves=curves, ax=ax)

    def plot(self, *, curves=None, ax=None):
        """Plot the display.

        Parameters
        ----------
        curves : list of str or None, default=None
            Classes to plot; None plots all.
        ax : Axes or None, default=None
            Axes to plot on; None creates a figure.

        Returns
        -------
        TimelineDisplay
            The display.
        """
        timeline, self.lines_ = self.timeline, {}
        curves = list(timeline.curves) if curves is None else list(curves)
        ax = self._new_axes(ax, (8.0, 3.4))
        middle = (timeline.table["start"] + timeline.table["stop"]) / 2
        for number, curve in enumerate(curves):
            colour, marker, line = look(number)
            (self.lines_[curve],) = ax.plot(
                middle,
                timeline.table[curve],
                ls=line,
                marker="" if len(middle) > 1 else "o",
                color=colour,
                lw=1.8,
                label=str(curve),
            )
            peaks = timeline.peaks[timeline.peaks["curve"] == curve]
            ax.plot(peaks["time"], peaks["value"], ls="", marker=marker, ms=8, color=colour)
        for number, time in enumerate(timeline.turning_points["time"]):
            label = "turning point" if number == 0 else None
            ax.axvline(time, color=GREY, lw=1.4, ls=(0, (4, 3)), zorder=0, label=label)
        intensity = curves == ["intensity"]
        ax.set(xlabel="Time (s)", xlim=(0, timeline.seconds))
        ax.set_ylabel("Intensity" if intensity else "Probability")
        if not intensity:
            ax.set_ylim(-0.03, 1.03)
        ax.grid(axis="y", alpha=0.3)
        legend_beside(ax, len(curves) + len(timeline.turning_points))
        return self
