"""ComparisonDisplay: the plot of a comparison."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB

from sklearn_mmsent import compare
from sklearn_mmsent.model_selection import ComparisonDisplay

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 2))
Y = np.where(X[:, 0] + 0.5 * RNG.normal(size=60) > 0, "glad", "sad")
MODELS = {"line": LogisticRegression(), "bayes": GaussianNB()}
SCORING = ["accuracy", "f1_macro"]


@pytest.fixture(name="comparison", scope="module")
def _comparison():
    return compare(MODELS, X, Y, cv=3, n_repeats=2, baseline="line", scoring=SCORING)


def test_plot(comparison):
    ax = Figure().subplots()
    display = comparison.plot("accuracy", ax=ax)
    assert isinstance(display, ComparisonDisplay)
    assert display.ax_ is ax
    assert display.figure_ is ax.figure
    assert [t.get_text() for t in ax.get_yticklabels()] == ["bayes", "line", "constant"]
    assert ax.get_xlabel() == "accuracy: mean, 95 % interval, single fits"
    means = [point.lines[0].get_xdata()[0] for point in display.points_]
    np.testing.assert_allclose(means, comparison.table["accuracy", "mean"])
    for drawn, (_, fits) in zip(
        display.fits_, comparison.results.groupby("model", sort=False), strict=True
    ):
        np.testing.assert_allclose(drawn.get_offsets()[:, 0], fits["accuracy"])
    with pytest.raises(ValueError, match="unknown score 'r2'"):
        comparison.plot("r2", ax=ax)


def test_plot_without_intervals():
    comparison = compare(MODELS, X, Y, cv=[(np.arange(40), np.arange(40, 60))], scoring=SCORING)
    display = comparison.plot(ax=Figure().subplots())
    assert all(point.lines[2] == () for point in display.points_)
    display.figure_.canvas.draw()
