"""How all pictures look: colours that everybody tells apart, and marks beside colours."""

from sklearn_mmsent.utils._optional import import_optional

#: Okabe and Ito (2008), Color universal design; without yellow, which is faint on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
LINES = ("-", "--", "-.", ":")
GREY = "#777777"


def new_axes(ax, display, figsize):
    """Give axes to draw on, and note them in a display.

    Parameters
    ----------
    ax : Axes or None
        The caller's; None makes a figure.
    display : object
        Gets ``ax_`` and ``figure_``.
    figsize : tuple of float
        Of a new figure, in inches.

    Returns
    -------
    Axes
        Without the upper and the right spine.
    """
    plt = import_optional("matplotlib.pyplot", extra="report", needed_by=type(display).__name__)
    if ax is None:
        _, ax = plt.subplots(figsize=figsize, layout="constrained")
    ax.spines[["top", "right"]].set_visible(False)
    display.ax_, display.figure_ = ax, ax.figure
    return ax


def look(number):
    """Return colour, marker and line style of the curve with a number."""
    return (
        COLOURS[number % len(COLOURS)],
        MARKERS[number % len(MARKERS)],
        LINES[number % len(LINES)],
    )


def legend_beside(ax, n):
    """Put a legend where no curve can be: to the right, for two curves or more."""
    if n > 1:
        ax.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)
