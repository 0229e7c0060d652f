"""fit_batched: shared steps and tables, batches of networks, errors."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.exceptions import FitFailedWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
)
from sklearn.pipeline import Pipeline as PlainPipeline
from sklearn.preprocessing import StandardScaler

from sklearn_mmsent import (
    BatchedGridSearchCV,
    FillBlocks,
    FusionClassifier,
    FusionRegressor,
    make_pipeline,
)
from sklearn_mmsent.model_selection import (
    batched_fit,
)

CHEAP = {"max_epochs": 4, "hidden_size": 8, "dropout": 0.0, "random_state": 0}
CLASSIFIER = FusionClassifier(**CHEAP)


@pytest.fixture
def table(named_table):
    return named_table(90, missing=0.2)[:2]


class Counting(TransformerMixin, BaseEstimator):
    """Record the fits."""

    fits = []

    def __init__(self, factor=1.0):
        self.factor = factor

    def fit(self, X, y=None):
        self.fits.append(self.factor)
        self.columns_ = np.asarray(X.columns)
        return self

    def transform(self, X):
        return X * self.factor

    def get_feature_names_out(self, input_features=None):
        return self.columns_


@pytest.mark.parametrize("plain", [False, True])
def test_earlier_steps_are_fitted_once_per_fold(table, plain):
    X, y = table
    steps = [("count", Counting()), ("scale", StandardScaler()), ("clf", CLASSIFIER)]
    pipe = (
        PlainPipeline(steps).set_output(transform="pandas")
        if plain
        else make_pipeline(*(step for _, step in steps))
    )
    count, clf = (name for name, _ in (pipe.steps[0], pipe.steps[-1]))
    grid = {f"{count}__factor": [1.0, 2.0], f"{clf}__lr": [1e-3, 1e-2], f"{clf}__fusion": ["sum"]}
    Counting.fits.clear()
    ours = BatchedGridSearchCV(pipe, grid, cv=2, batched=True, scoring="neg_log_loss").fit(X, y)
    assert len(Counting.fits) == 2 * 2 + 1  # factors, folds; and the best
    theirs = GridSearchCV(pipe, grid, cv=2, scoring="neg_log_loss").fit(X, y)
    scores = (search.cv_results_["mean_test_score"] for search in (ours, theirs))
    np.testing.assert_allclose(*scores, atol=1e-4)
    assert set(ours.training_) == {"stacked with 7 others"}
    assert ours.best_estimator_[clf].fit.__func__ is FusionClassifier.fit


def test_candidates_may_be_different_estimators(table):
    X, y = table
    pipe = make_pipeline(FillBlocks(), CLASSIFIER)
    final = "fusionclassifier"
    grid = [
        {f"{final}__lr": [1e-3, 1e-2], f"{final}__fusion": ["gated", "concat"]},
        {final: [LogisticRegression(max_iter=500)]},
    ]
    ours = BatchedGridSearchCV(pipe, grid, cv=2, batched=True).fit(X, y)
    theirs = GridSearchCV(pipe, grid, cv=2).fit(X, y)
    np.testing.assert_allclose(
        ours.cv_results_["mean_test_score"], theirs.cv_results_["mean_test_score"], atol=0.03
    )
    assert ours.training_ == ["stacked with 3 others"] * 8 + ["no network"] * 2


def test_candidates_share_tables_and_splits(table, monkeypatch):
    X, y = table
    opened, split, trained = [], [], []
    real_open, real_split = FusionClassifier.prepare, FusionClassifier.split
    real_train = batched_fit.train_members

    def train(members, **options):
        trained.extend(members)
        return real_train(members, **options)

    def open_(self, *args, **kwargs):
        opened.append(1)
        return real_open(self, *args, **kwargs)

    def split_(self, table):
        split.append(1)
        return real_split(self, table)

    monkeypatch.setattr(FusionClassifier, "prepare", open_)
    monkeypatch.setattr(FusionClassifier, "split", split_)
    monkeypatch.setattr(batched_fit, "train_members", train)
    grid = {"lr": [1e-3, 1e-2], "class_weight": [None, "balanced"], "fusion": ["sum", "mean"]}
    search = BatchedGridSearchCV(CLASSIFIER, grid, cv=2, refit=False, batched=True).fit(X, y)
    tables = {member.train.values[0].data_ptr() for member in trained}
    assert (len(opened), len(split), len(tables)) == (2, 2, 2)
    assert all(how.startswith("stacked") for how in search.training_)
    for change in ({"random_state": None}, {"validation_fraction": 0.3}):
        opened.clear(), split.clear()
        other = clone(CLASSIFIER).set_params(**change)
        BatchedGridSearchCV(other, {"lr": [1e-3, 1e-2]}, cv=2, refit=False).fit(X, y)
        assert len(opened) == 2
        assert len(split) == (4 if change == {"random_state": None} else 2)
    opened.clear(), split.clear()
    sizes = {"validation_fraction": [0.1, 0.3]}
    BatchedGridSearchCV(CLASSIFIER, sizes, cv=2, refit=False).fit(X, y)
    assert (len(opened), len(split)) == (2, 4)


def test_a_diverging_candidate_does_not_affect_others(table):
    X, y = table
    target = np.searchsorted(["neg", "neu", "pos"], y) * 1.0
    reg = FusionRegressor(**CHEAP)
    search = BatchedGridSearchCV(reg, {"lr": [1e-2, 1e30, 1e-3]}, cv=2, batched=True)
    with (
        pytest.warns(FitFailedWarning, match="DivergenceError: training diverged"),
        pytest.warns(UserWarning, match="One or more of the test scores are non-finite"),
    ):
        search.fit(X, target)
    scores = search.cv_results_["mean_test_score"]
    assert np.isfinite(scores).tolist() == [True, False, True]
    assert search.training_[0] == "stacked with 5 others"
    good = GridSearchCV(reg, {"lr": [1e-2, 1e-3]}, cv=2).fit(X, target)
    np.testing.assert_allclose(scores[[0, 2]], good.cv_results_["mean_test_score"], atol=1e-4)
