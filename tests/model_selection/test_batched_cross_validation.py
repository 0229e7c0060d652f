"""Batched cross-validation gives the results of scikit-learn's functions."""

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import (
    ShuffleSplit,
    StratifiedKFold,
    cross_val_predict,
    cross_validate,
)
from sklearn.preprocessing import StandardScaler

from sklearn_mmsent import (
    BatchedGridSearchCV,
    FillBlocks,
    FusionClassifier,
    batched_cross_validate,
    make_pipeline,
)
from sklearn_mmsent.model_selection import (
    _batched_cross_validation,
    batched_cross_val_predict,
    batched_fit,
)

CHEAP = {"max_epochs": 4, "hidden_size": 8, "dropout": 0.0, "random_state": 0}
CLASSIFIER = FusionClassifier(**CHEAP)


@pytest.fixture
def table(named_table):
    return named_table(90, missing=0.2)[:2]


def test_random_splits_are_drawn_once(table, monkeypatch):
    X, y = table
    fitted = []

    def spy(estimator, candidates, folds, **options):
        fitted.extend(fold.X.index for fold in folds)
        return fit_batched(estimator, candidates, folds, **options)

    fit_batched = batched_fit.fit_batched
    monkeypatch.setattr(_batched_cross_validation, "fit_batched", spy)
    splitter = ShuffleSplit(2, test_size=0.4)
    result = batched_cross_validate(CLASSIFIER, X, y, cv=splitter, return_indices=True)
    for rows, train in zip(fitted, result["indices"]["train"], strict=True):
        assert rows.tolist() == X.index[train].tolist()
    search = BatchedGridSearchCV(CLASSIFIER, {"lr": [1e-2]}, cv=splitter)
    assert search.fit(X, y).n_splits_ == 2
    state = np.random.RandomState(0)
    splits = StratifiedKFold(3, shuffle=True, random_state=state)
    result = batched_cross_validate(CLASSIFIER, X, y, cv=splits, return_indices=True)
    tests = np.concatenate(result["indices"]["test"])
    assert sorted(tests) == list(range(90))


def test_equals_cross_validate(table):
    X, y = table
    options = {
        "cv": 3,
        "scoring": ["accuracy", "neg_log_loss"],
        "return_train_score": True,
        "return_indices": True,
        "return_estimator": True,
    }
    ours = batched_cross_validate(CLASSIFIER, X, y, batched=True, **options)
    theirs = cross_validate(CLASSIFIER, X, y, **options)
    assert ours.keys() == theirs.keys()
    for key in theirs:
        if key.startswith(("test", "train")):
            np.testing.assert_allclose(ours[key], theirs[key], atol=0.03)
    assert (ours["fit_time"] > 0).all()
    for one, other in zip(ours["estimator"], theirs["estimator"], strict=True):
        assert type(one) is FusionClassifier
        np.testing.assert_allclose(one.predict_proba(X), other.predict_proba(X), atol=1e-4)
        assert (ours["indices"]["test"][0] == theirs["indices"]["test"][0]).all()
    assert len({id(estimator) for estimator in ours["estimator"]}) == 3


def test_equals_cross_val_predict(table):
    X, y = table
    options = {"cv": 3, "method": "predict_proba"}
    ours = batched_cross_val_predict(CLASSIFIER, X, y, batched=True, **options)
    theirs = cross_val_predict(CLASSIFIER, X, y, **options)
    np.testing.assert_allclose(ours, theirs, atol=1e-4)
    labels = batched_cross_val_predict(CLASSIFIER, X, y, cv=3)
    assert set(labels) <= set(y)
    assert (labels == np.unique(y)[ours.argmax(1)]).mean() > 0.97
    pipe = make_pipeline(FillBlocks(), StandardScaler(), CLASSIFIER)
    piped = batched_cross_val_predict(pipe, X, y, **options)
    np.testing.assert_allclose(piped, cross_val_predict(pipe, X, y, **options), atol=1e-4)


def test_errors_of_folds_are_raised(table):
    X, y = table
    bad = FusionClassifier(lr=-1.0)
    with pytest.raises(ValueError, match="All the 3 fits failed"):
        batched_cross_validate(bad, X, y, cv=3)
    with pytest.raises(ValueError, match="The 'lr' parameter"):
        batched_cross_val_predict(bad, X, y, cv=3)
    with pytest.raises(ValueError, match="'nothing'"):
        batched_cross_validate(CLASSIFIER, X, y, scoring="nothing")


def test_global_states_do_not_change(table, global_states):
    X, y = table
    before, states = X.copy(), global_states()
    first = batched_cross_val_predict(CLASSIFIER, X, y, cv=2, method="predict_proba", batched=True)
    assert global_states() == states
    pd.testing.assert_frame_equal(X, before)
    again = batched_cross_val_predict(CLASSIFIER, X, y, cv=2, method="predict_proba", batched=True)
    np.testing.assert_array_equal(first, again)
