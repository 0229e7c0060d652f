"""Base class and style of displays: colours safe for colour blindness, and a marker for each."""

from sklearn_mmsent.utils._optional import import_optional

#: Okabe and Ito (2008), Color universal design; without yellow, which is faint on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
LINES = ("-", "--", "-.", ":")
GREY = "#777777"


class Display:
    """Base class of displays, which draw themselves on axes in ``_draw``.

    Attributes
    ----------
    ax_ : Axes
        Axes of the plot.
    figure_ : Figure
        Figure of the plot.
    """

    def plot(self, ax=None):
        """Plot the display.

        Parameters
        ----------
        ax : Axes or None, default=None
            Axes to plot on; None creates a figure.

        Returns
        -------
        self : object
            The display.
        """
        self._draw(ax)
        return self

    def _new_axes(self, ax, figsize):
        """Return axes without upper and right spine, and store them.

        With `ax` None, they belong to a new figure of `figsize` inches.
        """
        plt = import_optional("matplotlib.pyplot", extra="report", needed_by=type(self).__name__)
        if ax is None:
            _, ax = plt.subplots(figsize=figsize, layout="constrained")
        ax.spines[["top", "right"]].set_visible(False)
        self.ax_, self.figure_ = ax, ax.figure
        return ax


def look(number):
    """Return colour, marker and line style of a numbered curve."""
    return (
        COLOURS[number % len(COLOURS)],
        MARKERS[number % len(MARKERS)],
        LINES[number % len(LINES)],
    )


def legend_beside(ax, n):
    """Add a legend to the right of the axes if there is more than one curve."""
    if n > 1:
        ax.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)
