"""scikit-learn's own ensembles over ours."""

import numpy as np
import pytest
from sklearn.ensemble import (
    BaggingClassifier,
    BaggingRegressor,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.linear_model import LogisticRegression, Ridge

from sklearn_mmsent import (
    DeepEnsembleClassifier,
    FusionClassifier,
    FusionRegressor,
    FusionStackingClassifier,
    FusionStackingRegressor,
    GreedyEnsembleClassifier,
    GreedyEnsembleRegressor,
    LateFusionClassifier,
    LateFusionRegressor,
)

CHEAP = {"hidden_size": 4, "max_epochs": 2, "random_state": 0}
LINEAR = LogisticRegression()
CLASSIFIERS = {
    "network": FusionClassifier(**CHEAP),
    "deep": DeepEnsembleClassifier(FusionClassifier(**CHEAP), 2, random_state=0),
    "late": LateFusionClassifier(LINEAR, weights="score", cv=2, random_state=0),
    "stacked": FusionStackingClassifier(LINEAR, cv=2, random_state=0),
    "greedy": GreedyEnsembleClassifier(LINEAR, cv=2, random_state=0),
}
REGRESSORS = {
    "network": FusionRegressor(**CHEAP),
    "late": LateFusionRegressor(Ridge(), weights="score", cv=2, random_state=0),
    "stacked": FusionStackingRegressor(Ridge(), cv=2, random_state=0),
    "greedy": GreedyEnsembleRegressor(Ridge(), cv=2, random_state=0),
}


@pytest.mark.parametrize("around", [StackingClassifier, VotingClassifier])
def test_all_classifiers_in_one_ensemble(table, around):
    X, y = table(80, missing=0.2)
    options = {"cv": 2} if around is StackingClassifier else {"voting": "soft"}
    clf = around(list(CLASSIFIERS.items()), **options).fit(X, y)
    assert clf.score(X, y) > 0.4
    np.testing.assert_allclose(clf.predict_proba(X).sum(axis=1), 1)


@pytest.mark.parametrize("around", [StackingRegressor, VotingRegressor])
def test_all_regressors_in_one_ensemble(table, scores, around):
    X, y = table(80, missing=0.2)
    # nearly collinear members need a larger penalty than scikit-learn's default
    options = {"cv": 2, "final_estimator": Ridge(10)} if around is StackingRegressor else {}
    assert around(list(REGRESSORS.items()), **options).fit(X, scores(y)).score(X, scores(y)) > 0.1


# BaggingClassifier turns a DataFrame into an array, in which blocks must be given
SHAPES = {"text": 2, "face": 1}


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_bagging_of_classifiers(table, name):
    X, y = table(60, missing=0.2)
    model = CLASSIFIERS[name]
    if name == "deep":
        model = DeepEnsembleClassifier(FusionClassifier(modalities=SHAPES, **CHEAP), 2)
    else:
        model = type(model)(**{**model.get_params(deep=False), "modalities": SHAPES})
    clf = BaggingClassifier(model, n_estimators=2, random_state=0).fit(X.to_numpy(), y)
    assert clf.score(X.to_numpy(), y) > 0.3


@pytest.mark.parametrize("name", REGRESSORS)
def test_bagging_of_regressors(table, scores, name):
    X, y = table(60, missing=0.2)
    model = REGRESSORS[name]
    model = type(model)(**{**model.get_params(deep=False), "modalities": SHAPES})
    bagged = BaggingRegressor(model, n_estimators=2, random_state=0).fit(X.to_numpy(), scores(y))
    assert np.isfinite(bagged.predict(X.to_numpy())).all()


def test_nested_ensembles(table):
    X, y = table(80, missing=0.2)
    inner = LateFusionClassifier(LINEAR)
    voting = VotingClassifier([("a", LINEAR), ("b", LINEAR)], voting="soft")
    outer = FusionStackingClassifier([("late", inner), ("vote", voting)], cv=2, random_state=0)
    assert outer.fit(X, y).score(X, y) > 0.4
    greedy = GreedyEnsembleClassifier([("stack", outer), ("late", inner)], cv=2, random_state=0)
    assert greedy.fit(X, y).score(X, y) > 0.4
