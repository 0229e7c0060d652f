"""Displays: what is plotted, and that it fits into the figure."""

import matplotlib

matplotlib.use("Agg")

import sys

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import ConfusionMatrixDisplay
from sklearn.utils import Bunch

from sklearn_mmsent import DeepEnsembleClassifier, FillBlocks, FusionClassifier, make_pipeline
from sklearn_mmsent.exceptions import MissingDependencyError
from sklearn_mmsent.inspection import (
    EmbeddingDisplay,
    FusionWeightsDisplay,
    ModalityImportanceDisplay,
    ReliabilityDisplay,
    TimelineDisplay,
    TrainingDisplay,
    fusion_weights,
)


@pytest.fixture(autouse=True)
def _close_all():
    yield
    plt.close("all")


@pytest.fixture(name="model", scope="module")
def _model():
    X, y = rows()
    return make_pipeline(
        FillBlocks(), FusionClassifier("reinforced", max_epochs=4, random_state=0)
    ).fit(X, y)


def rows():
    rng = np.random.default_rng(0)
    names = ["text__a", "text__b", *(f"a_long_modality_name__x@{t}" for t in range(5))]
    X = pd.DataFrame(rng.normal(size=(80, 7)), columns=names)
    X.iloc[::7, 2:] = np.nan
    return X, np.array(["negative", "neutral", "positive"])[np.arange(80) % 3]


def timeline(curves=("intensity",), n=20):
    """Return a result as of predict_timeline."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"start": np.arange(n) * 0.5, "stop": np.arange(n) * 0.5 + 1})
    for curve in curves:
        table[curve] = rng.random(n)
    return Bunch(
        table=table,
        peaks=pd.DataFrame({"curve": [curves[0]], "time": [3.0], "value": [0.9]}),
        turning_points=pd.DataFrame({"time": [2.0, 5.0]}),
        curves=list(curves),
        seconds=10.5,
    )


def assert_fits_the_figure(figure):
    figure.canvas.draw()
    box = figure.get_tightbbox()
    width, height = figure.get_size_inches()
    assert box.x0 >= -0.02
    assert box.y0 >= -0.02
    assert box.x1 <= width + 0.02
    assert box.y1 <= height + 0.02


def test_training_curves(model):
    display = TrainingDisplay.from_estimator(model)
    history = model[-1].net_.history
    np.testing.assert_array_equal(display.lines_[0].get_ydata(), history[:, "train_loss"])
    np.testing.assert_array_equal(display.lines_[1].get_ydata(), history[:, "valid_loss"])
    assert display.best == [1 + np.argmin(history[:, "valid_loss"])]
    assert_fits_the_figure(display.figure_)


def test_training_curves_of_members_and_without_validation():
    X, y = rows()
    base = FusionClassifier(max_epochs=3, early_stopping=False)
    ensemble = DeepEnsembleClassifier(base, n_members=2, random_state=0).fit(X, y)
    display = TrainingDisplay.from_estimator(ensemble)
    assert len(display.lines_) == 2
    assert display.valid is None
    assert display.ax_.get_legend() is None


def test_importance_bars_are_sorted(model):
    X, y = rows()
    display = ModalityImportanceDisplay.from_estimator(
        model, X, y, method="permutation", random_state=0
    )
    widths = [bar.get_width() for bar in display.bars_]
    assert widths == sorted(widths, reverse=True)
    names = {label.get_text() for label in display.ax_.get_yticklabels()}
    assert names == {"text", "a_long_modality_name"}
    assert_fits_the_figure(display.figure_)


@pytest.mark.parametrize("kind", ["rows", "time", "steps"])
def test_fusion_weights_are_drawn_by_modality_or_step(model, kind):
    X, _ = rows()
    display = FusionWeightsDisplay.from_estimator(model, X, kind=kind, times=np.arange(80) * 0.5)
    assert_fits_the_figure(display.figure_)
    if kind == "time":
        drawn = display.ax_.lines[1].get_ydata()
        np.testing.assert_array_equal(drawn, fusion_weights(model, X).modalities.iloc[:, 1])


def test_missing_fusion_weights_raise_an_error():
    X, y = rows()
    weighted = FusionClassifier("weighted", max_epochs=2, random_state=0).fit(X, y)
    with pytest.raises(ValueError, match="no block has weights of steps"):
        FusionWeightsDisplay.from_estimator(weighted, X, kind="steps")
    steps = FusionClassifier("mult", max_epochs=1, random_state=0).fit(X, y)
    with pytest.raises(ValueError, match="use kind='steps'"):
        FusionWeightsDisplay.from_estimator(steps, X)
    with pytest.raises(ValueError, match="'kind' parameter"):
        FusionWeightsDisplay.from_estimator(steps, X, kind="pie")


def test_timeline_draws_curves_and_turning_points():
    display = TimelineDisplay.from_timeline(timeline())
    assert display.lines_["intensity"].get_xdata()[0] == 0.5
    assert [line.get_xdata()[0] for line in display.ax_.lines[-2:]] == [2.0, 5.0]
    assert_fits_the_figure(display.figure_)
    moods = ("negative", "neutral", "positive")
    several = TimelineDisplay.from_timeline(timeline(moods), curves=["negative", "positive"])
    assert list(several.lines_) == ["negative", "positive"]
    # distinguishable without colours
    assert len({line.get_linestyle() for line in several.lines_.values()}) == 2
    assert_fits_the_figure(several.figure_)
    one = TimelineDisplay.from_timeline(timeline(n=1))
    assert one.lines_["intensity"].get_marker() == "o"


def test_reliability_of_a_calibrated_and_an_overconfident_classifier():
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet([1, 1, 1], 6000)
    y = np.array([rng.choice(3, p=p) for p in probabilities])
    calibrated = ReliabilityDisplay.from_predictions(y, probabilities)
    assert calibrated.error < 0.03
    assert calibrated.bins["rows"].sum() == 6000
    powers = probabilities**4
    overconfident = ReliabilityDisplay.from_predictions(
        y, powers / powers.sum(axis=1, keepdims=True)
    )
    assert overconfident.error > 0.15
    assert (overconfident.bins["confidence"] > overconfident.bins["accuracy"])[2:].all()
    assert_fits_the_figure(overconfident.figure_)
    with pytest.raises(ValueError, match=r"shape \(6000, 3\); expected one column for each"):
        ReliabilityDisplay.from_predictions(y % 2, probabilities)


def test_reliability_of_an_estimator(model):
    X, y = rows()
    display = ReliabilityDisplay.from_estimator(model, X, y, n_bins=4)
    right = np.average(display.bins["accuracy"], weights=display.bins["rows"])
    assert right == pytest.approx(model.score(X, y))


@pytest.mark.parametrize("method", ["pca", "tsne"])
def test_embedding_draws_each_row_by_class(model, method):
    X, y = rows()
    display = EmbeddingDisplay.from_estimator(model, X, y, method=method, random_state=0)
    assert display.points.shape == (80, 2)
    labels = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert labels == ["negative", "neutral", "positive"]
    assert_fits_the_figure(display.figure_)


def test_equal_rows_have_equal_points(model):
    X, _ = rows()
    same = pd.concat([X[:10], X[:10]], ignore_index=True)
    points = EmbeddingDisplay.from_estimator(model, same, np.arange(20) / 20).points
    np.testing.assert_allclose(points[:10], points[10:], atol=1e-8)
    with pytest.raises(ValueError, match="requires at least three vectors"):
        EmbeddingDisplay.from_vectors([[1.0, 2.0]])
    with pytest.raises(ValueError, match="'method' parameter"):
        EmbeddingDisplay.from_vectors(np.eye(4), method="umap")


def test_given_axes_are_used(model):
    X, y = rows()
    figure, axes = plt.subplots(1, 2)
    assert TrainingDisplay.from_estimator(model, ax=axes[0]).figure_ is figure
    EmbeddingDisplay.from_estimator(model, X, y, ax=axes[1])
    assert len(plt.get_fignums()) == 1


def test_confusion_matrix_display_of_scikit_learn(model):
    X, y = rows()
    display = ConfusionMatrixDisplay.from_estimator(model, X, y)
    assert display.confusion_matrix.sum() == 80


def test_other_estimators_raise_an_error():
    X, y = rows()
    plain = LogisticRegression().fit(X.fillna(0), y)
    with pytest.raises(TypeError, match="TrainingDisplay requires a fusion network"):
        TrainingDisplay.from_estimator(plain)


def test_without_matplotlib(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(MissingDependencyError, match=r"TimelineDisplay needs.*\[report\]"):
        TimelineDisplay.from_timeline(timeline())


def test_curves_in_tensorboard():
    """The callback of skorch accepts any object with the methods of a SummaryWriter."""
    from skorch.callbacks import TensorBoard

    class Writer:
        def __init__(self):
            self.written = {}

        def add_scalar(self, tag, scalar_value, global_step):
            self.written.setdefault(tag, []).append((global_step, scalar_value))

        def close(self):
            pass

    X, y = rows()
    writer = Writer()
    model = FusionClassifier(max_epochs=3, callbacks=[TensorBoard(writer)], random_state=0)
    model.fit(X, y)
    assert {"Loss/train_loss", "Loss/valid_loss"} <= set(writer.written)
    losses = [loss for _, loss in writer.written["Loss/train_loss"]]
    assert losses == pytest.approx(model.net_.history[:, "train_loss"])
