"""Training on a table in a file gives the same result as on the table in memory."""

import gc
import pickle
import tracemalloc
import weakref

import numpy as np
import pandas as pd
import pytest
from imblearn.over_sampling import RandomOverSampler
from sklearn.base import clone
from sklearn.model_selection import cross_val_score

from sklearn_mmsent import (
    BatchedGridSearchCV,
    DeepEnsembleClassifier,
    FusionClassifier,
    FusionMultitask,
    FusionRegressor,
)
from sklearn_mmsent.blocks import BlockLayout, memory_mapped
from sklearn_mmsent.estimators import _resampling
from sklearn_mmsent.exceptions import TooLargeError
from sklearn_mmsent.training import BlockDataset
from sklearn_mmsent.training.out_of_core import StreamedValues

SHAPES = {"text": 6, "audio": (5, 3), "image": (2, 3, 3)}
CHEAP = {"max_epochs": 2, "hidden_size": 8, "modalities": SHAPES, "random_state": 0}


@pytest.fixture(name="streams", autouse=True)
def _streams(monkeypatch):
    """Note whether each table was streamed."""
    seen = []
    init = BlockDataset.__init__

    def spy(self, *args, **kwargs):
        init(self, *args, **kwargs)
        seen.append([isinstance(values, StreamedValues) for values in self.values])

    monkeypatch.setattr(BlockDataset, "__init__", spy)
    return seen


@pytest.fixture(name="tables")
def _tables(named_table, mapped):
    """The table in memory, the same in a file, and labels."""
    X, y, _ = named_table(90, SHAPES, missing=0.2)
    X = X.to_numpy()
    return X, mapped(X), y


def numbers(y):
    return np.searchsorted(["neg", "neu", "pos"], y).astype(float)


def outputs(estimator, X):
    predict = getattr(estimator, "predict_proba", estimator.predict)
    return np.asarray(predict(X), dtype=float)


def assert_same(own, other, X, view, streams):
    """The estimators predict the same, wherever the rows are; the second streamed them."""
    assert not any(map(any, streams[:1]))
    assert all(streams[-1])
    expected = outputs(own, X)
    np.testing.assert_array_equal(outputs(other, X), expected)
    np.testing.assert_array_equal(outputs(other, view), expected)
    assert all(streams[-1])


@pytest.mark.parametrize(
    ("cls", "fusion"), [(FusionClassifier, "concat"), (FusionRegressor, "bottleneck")]
)
def test_one_network(tables, streams, cls, fusion):
    X, view, y = tables
    y = y if cls is FusionClassifier else numbers(y)
    own, other = (cls(fusion, **CHEAP).fit(table, y) for table in (X, view))
    assert other.net_.history[:, "valid_loss"] == own.net_.history[:, "valid_loss"]
    assert_same(own, other, X, view, streams)


def test_metadata_and_given_validation_rows(tables, named_table, mapped, streams):
    X, view, y = tables
    rng = np.random.default_rng(0)
    options = {"sample_weight": rng.random(90), "groups": rng.integers(0, 20, 90)}
    own, other = (FusionClassifier(**CHEAP).fit(table, y, **options) for table in (X, view))
    assert_same(own, other, X, view, streams)
    X_val, y_val, _ = named_table(40, SHAPES, seed=1)
    X_val = X_val.to_numpy()
    streams.clear()
    own = FusionClassifier(**CHEAP).fit(X, y, X_val=X_val, y_val=y_val)
    other = FusionClassifier(**CHEAP).fit(view, y, X_val=mapped(X_val), y_val=y_val)
    assert [any(dataset) for dataset in streams] == [False, False, True, True]
    assert other.net_.history[:, "valid_loss"] == own.net_.history[:, "valid_loss"]
    assert_same(own, other, X, view, streams)


@pytest.mark.parametrize("dtype", ["float16", "float64"])
def test_dtypes(tables, mapped, streams, dtype):
    X, _, y = tables
    X = X.astype(dtype)
    own, other = (FusionClassifier(**CHEAP).fit(table, y) for table in (X, mapped(X)))
    assert_same(own, other, X, mapped(X), streams)


def test_pixels_in_a_frame_that_views_a_file(mapped, streams):
    rng = np.random.default_rng(0)
    image = BlockLayout.from_shapes({"image": (3, 4, 4)}).blocks[0]
    names = [*image.column_names(), "image__present", "text__a", "text__b"]
    y = rng.integers(0, 2, 80)
    X = rng.integers(0, 100, (80, len(names))).astype(np.uint8) + 100 * y[:, None].astype(np.uint8)
    X[:, 48] = rng.random(80) < 0.8
    frame, view = (pd.DataFrame(t, columns=names, copy=False) for t in (X, mapped(X)))
    params = {**CHEAP, "modalities": "auto", "encoders": {"image": "conv2d"}}
    own, other = (FusionClassifier(**params).fit(table, y) for table in (frame, view))
    assert other.layout_.blocks[0].present_column == 48
    assert other.feature_names_in_.tolist() == names
    assert_same(own, other, frame, view, streams)


def test_several_targets(tables, streams):
    X, view, y = tables
    y = pd.DataFrame({"label": y, "intensity": numbers(y)})
    y.loc[::3, "label"] = None
    params = {**CHEAP, "self_supervised": "intensity"}
    own, other = (FusionMultitask(**params).fit(table, y) for table in (X, view))
    expected = own.predict(X), own.predict_unimodal(X)
    for table in (X, view):
        predicted = other.predict(table), other.predict_unimodal(table)
        for frame, of_own in zip(predicted, expected, strict=True):
            pd.testing.assert_frame_equal(frame, of_own, check_exact=True)
    assert all(streams[-1])


@pytest.mark.parametrize("stack", [True, False])
def test_ensembles(tables, streams, stack):
    X, view, y = tables
    ensemble = DeepEnsembleClassifier(
        FusionClassifier(**{**CHEAP, "dropout": 0.0}), 3, batched=stack, random_state=0
    )
    own, other = (clone(ensemble).fit(table, y) for table in (X, view))
    assert own.training_ == other.training_
    assert ("stacked" in other.training_[0]) == stack
    assert_same(own, other, X, view, streams)


def test_searches_read_folds_into_memory(tables, streams):
    X, view, y = tables
    search = BatchedGridSearchCV(FusionClassifier(**CHEAP), {"lr": [1e-3, 1e-2]}, cv=2)
    own, other = (clone(search).fit(table, y) for table in (X, view))
    scores = [s.cv_results_["mean_test_score"] for s in (own, other)]
    np.testing.assert_array_equal(*scores)
    assert_same(own, other, X, view, streams)  # refitted on all rows, in the file
    scores = [cross_val_score(FusionClassifier(**CHEAP), table, y, cv=2) for table in (X, view)]
    np.testing.assert_array_equal(*scores)


def test_a_sampler_loads_its_rows_or_reports_that_memory_is_short(tables, monkeypatch):
    X, view, y = tables
    clf = FusionClassifier(sampler=RandomOverSampler(random_state=0), **CHEAP)
    own, other = (clone(clf).fit(table, y) for table in (X, view))
    np.testing.assert_array_equal(outputs(other, X), outputs(own, X))
    monkeypatch.setattr(_resampling, "free_bytes", lambda: 1000)
    clone(clf).fit(X, y)  # is in memory already
    with pytest.raises(TooLargeError, match="FusionClassifier: the sampler RandomOverSampler need"):
        clone(clf).fit(view, y)


def test_a_fitted_estimator_keeps_no_reference_to_the_table(tables, streams):
    X, view, y = tables
    clf = FusionClassifier(**CHEAP).fit(view, y)
    expected = clf.predict_proba(X)
    table = weakref.ref(view)
    again = pickle.loads(pickle.dumps(clf))
    assert np.array_equal(again.predict_proba(view), expected)
    assert np.array_equal(clone(clf).fit(view, y).predict_proba(view), expected)
    own = FusionClassifier(**CHEAP).fit(X, y)
    assert len(pickle.dumps(clf)) == pytest.approx(len(pickle.dumps(own)), rel=0.01)
    assert all(streams[0])
    del view, tables
    gc.collect()
    # the fixture still holds the table: what else does is not the estimator
    holders = [h for h in gc.get_referrers(table()) if isinstance(h, np.ndarray | StreamedValues)]
    assert not holders


@pytest.mark.parametrize("where", ["file", "frame of a file", "memory", "frame"])
def test_memory_use(mapped, monkeypatch, where):
    """Beside the table itself: next to nothing, or one copy of it, cut into blocks."""
    monkeypatch.setattr(memory_mapped, "PIECE", 2**15)
    rng = np.random.default_rng(0)
    X = rng.normal(size=(7_000, 300)).astype(np.float32)
    X = mapped(X) if "file" in where else X
    y = rng.integers(0, 2, len(X))
    layout = BlockLayout.from_shapes({"a": 200, "b": (10, 10)})
    named = "frame" in where
    if named:
        names = [name for block in layout.blocks for name in block.column_names()]
        X = pd.DataFrame(X, columns=names, copy=False)
    params = {**CHEAP, "modalities": "auto" if named else {"a": 200, "b": (10, 10)}}
    params |= {"max_epochs": 1, "batch_size": 512}
    clf = FusionClassifier(**params).fit(X[:300], y[:300])  # allocations of the first fit
    n_bytes = 7_000 * 300 * 4
    peaks = []
    for work in (lambda: clf.fit(X, y), lambda: clf.predict(X)):
        tracemalloc.start()
        work()
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert max(peaks) < (0.5 if "file" in where else 1.4) * n_bytes


def test_tables_in_memory_and_in_a_file_share_checkpoints(tables, tmp_path):
    X, in_file, y = tables
    folder = tmp_path / "checkpoints"
    clf = FusionClassifier(**CHEAP, checkpoint_dir=folder)
    expected = outputs(clf.fit(X, y), X)
    written = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    np.testing.assert_array_equal(outputs(clone(clf).fit(in_file, y), X), expected)
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == written
