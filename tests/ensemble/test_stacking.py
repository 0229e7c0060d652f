"""Stacking: out-of-fold predictions made once and grouped, and what learns from them."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.metrics import log_loss
from sklearn.model_selection import GroupKFold, KFold, cross_val_predict
from sklearn.svm import LinearSVC
from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearn_mmsent import (
    FillBlocks,
    FusionClassifier,
    FusionRegressor,
    FusionStackingClassifier,
    FusionStackingRegressor,
    TfidfEmbedder,
    make_extractor,
    make_pipeline,
)
from sklearn_mmsent.ensemble.experts import fitting
from sklearn_mmsent.exceptions import BlockError

LINEAR = LogisticRegression()
NETWORK = FusionClassifier(hidden_size=4, max_epochs=2, random_state=0)
EXPERTS = [("text", LINEAR, "text"), ("face", LINEAR, "face"), ("net", NETWORK)]


@pytest.mark.slow
@parametrize_with_checks(
    [
        FusionStackingClassifier(LINEAR, modalities=None, cv=2, random_state=0),
        FusionStackingRegressor(Ridge(), modalities=None, cv=2, random_state=0),
    ]
)
def test_scikit_learns_checks(estimator, check):
    check(estimator)


def test_out_of_fold_predictions_equal_those_of_each_fold(table):
    X, y = table(90)
    cv = KFold(3)
    stacked = FusionStackingClassifier([("text", LINEAR, "text"), ("all", LINEAR)], cv=cv).fit(X, y)
    assert stacked.fold_.tolist() == [0] * 30 + [1] * 30 + [2] * 30
    expected = cross_val_predict(
        LINEAR, FillBlocks().fit_transform(X), y, cv=cv, method="predict_proba"
    )
    np.testing.assert_allclose(stacked.oof_predictions_["all"], expected, atol=1e-3)
    final = stacked.final_estimator_[-1]
    assert final.feature_names_in_.tolist() == [
        *(f"text_expert__{label}" for label in ("neg", "neu", "pos")),
        *(f"all_expert__{label}" for label in ("neg", "neu", "pos")),
        "text_expert__present",
        "all_expert__present",
    ]


def test_networks_of_all_folds_are_trained_in_one_batch(table, monkeypatch):
    X, y = table(60)
    calls = []

    def spy(estimator, candidates, folds, **options):
        calls.append((type(estimator).__name__, len(folds)))
        return fit_batched(estimator, candidates, folds, **options)

    fit_batched = fitting.fit_batched
    monkeypatch.setattr(fitting, "fit_batched", spy)
    FusionStackingClassifier(EXPERTS, cv=3, batched=True, random_state=0).fit(X, y)
    assert calls == [("Pipeline", 4), ("Pipeline", 4), ("FusionClassifier", 4)]  # and all rows


def test_missing_modalities(table):
    X, y = table(200, missing=0.3)
    stacked = FusionStackingClassifier(EXPERTS, cv=3, random_state=0).fit(X, y)
    no_text = X["text__a"].isna().to_numpy()
    assert (np.isnan(stacked.oof_predictions_["text"][:, 0]) == no_text).all()
    proba = stacked.predict_proba(X)
    assert np.isfinite(proba).all()
    nothing = X.isna().all(axis=1).to_numpy()
    shares = pd.Series(y).value_counts(normalize=True).sort_index().to_numpy()
    np.testing.assert_allclose(proba[nothing], np.tile(shares, (nothing.sum(), 1)))
    unseen, truth = table(600, missing=0.3, seed=5)
    assert log_loss(truth, stacked.predict_proba(unseen)) < log_loss(
        truth, np.tile(shares, (600, 1))
    )
    gone = X.assign(face__a=np.nan)
    assert np.isfinite(stacked.predict_proba(gone)).all()


def test_groups_and_weights_reach_the_experts(table, recorder):
    X, y = table(60)
    groups, weights = np.arange(60) // 6, np.arange(1.0, 61)
    FusionStackingClassifier(
        [("a", recorder())], final_estimator=recorder(), cv=3, random_state=0
    ).fit(X, y, sample_weight=weights, groups=groups)
    *folds, whole, final = recorder.seen
    for fold in folds:
        rows = fold["X"].index
        assert (fold["weights"] == weights[rows]).all()
        assert not set(fold["groups"]) & set(groups[np.setdiff1d(np.arange(60), rows)])
    assert len(whole["X"]) == 60
    assert (final["groups"] == groups).all()
    assert (final["weights"] == weights).all()


@pytest.mark.parametrize("final", [None, NETWORK, HistGradientBoostingClassifier(max_iter=3)])
@pytest.mark.parametrize("passthrough", [False, True])
def test_final_estimators(table, final, passthrough):
    X, y = table(90, missing=0.2)
    stacked = FusionStackingClassifier(
        EXPERTS[:2], final_estimator=final, passthrough=passthrough, cv=2, random_state=0
    ).fit(X, y)
    names = list(stacked.final_estimator_.feature_names_in_)
    assert ("text__a" in names) == passthrough
    assert stacked.predict(X).shape == (90,)
    reads_gaps = final is not None
    assert isinstance(stacked.final_estimator_, type(final)) == reads_gaps


def test_two_classes_give_one_column(table):
    X, y = table(60, labels=np.array(["no", "yes"]))
    stacked = FusionStackingClassifier(EXPERTS[:2], cv=2, random_state=0).fit(X, y)
    assert "text_expert__yes" in stacked.final_estimator_.feature_names_in_
    assert "text_expert__no" not in stacked.final_estimator_.feature_names_in_
    odd = np.where(y == "yes", "a__b", "@")
    again = FusionStackingClassifier(EXPERTS[:2], cv=2, random_state=0).fit(X, odd)
    np.testing.assert_allclose(again.predict_proba(X), stacked.predict_proba(X), atol=1e-6)


def test_intensities(table, scores):
    X, y = table(120, missing=0.2)
    target = scores(y)
    experts = [
        ("text", Ridge(), "text"),
        ("net", FusionRegressor(hidden_size=4, max_epochs=3, random_state=0)),
    ]
    stacked = FusionStackingRegressor(experts, cv=3, random_state=0).fit(X, target)
    assert stacked.oof_predictions_["net"].shape == (120,)
    assert stacked.score(X, target) > 0.3
    assert stacked.predict(X[X.isna().all(axis=1)]) == pytest.approx(target.mean())
    late = FusionStackingRegressor(experts, final_estimator=LinearRegression(), cv=3).fit(X, target)
    assert late.final_estimator_[-1].coef_.shape == (4,)


def test_pipelines_over_raw_cells():
    raw = pd.DataFrame({"text": ["so good", "so bad", "good fun", "bad thing"] * 8})
    y = np.array(["up", "down", "up", "down"] * 8)
    extract = make_extractor(text=TfidfEmbedder(n_components=3))
    experts = [
        ("linear", make_pipeline(extract, FillBlocks(), LINEAR)),
        ("net", make_pipeline(extract, NETWORK)),
    ]
    stacked = FusionStackingClassifier(experts, cv=2, random_state=0).fit(raw, y)
    assert stacked.score(raw, y) == 1
    assert stacked.predict(raw.iloc[[1]]).tolist() == ["down"]
    with pytest.raises(BlockError, match="passthrough needs a numeric table"):
        stacked.set_params(passthrough=True).fit(raw, y)


def test_the_seed_determines_the_predictions(table):
    X, y = table(60, missing=0.2)
    experts = [("text", LINEAR, "text"), ("net", FusionClassifier(hidden_size=4, max_epochs=2))]
    stacked = FusionStackingClassifier(experts, cv=2, batched=False, random_state=0).fit(X, y)
    proba = stacked.predict_proba(X)
    np.testing.assert_array_equal(clone(stacked).fit(X, y).predict_proba(X), proba)
    np.testing.assert_array_equal(
        pickle.loads(pickle.dumps(stacked)).predict_proba(X[::-1])[::-1], proba
    )
    other = clone(stacked).set_params(random_state=1).fit(X, y)
    assert (other.predict_proba(X) != proba).any()


def test_metadata_routing(table):
    X, y = table(60)
    groups = np.arange(60) // 6
    stacked = FusionStackingClassifier(EXPERTS[1:], cv=GroupKFold(2), batched=False)
    with config_context(enable_metadata_routing=True):
        routed = clone(stacked).fit(X, y, groups=groups).predict_proba(X)
    np.testing.assert_array_equal(clone(stacked).fit(X, y, groups=groups).predict_proba(X), routed)


# -- errors ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "groups", "message"),
    [
        ({"cv": 50}, None, r"50 folds cannot be made of 40 rows"),
        ({"cv": 30}, None, r"no class has more than \d+ rows, so that 30 stratified folds"),
        ({"cv": 5}, np.arange(40) // 14, r"5 folds cannot be made of 3 groups\. Use at most 3"),
        ({"cv": 2}, np.zeros(40), r"2 folds cannot be made of 1 groups\. Get more"),
        (
            {"cv": KFold(4)},
            np.arange(40) // 15,
            r"splits have groups in both parts .* group 0\)",
        ),
        ({"cv": [([0, 1], [2, 3])]}, None, "tests row 0 0 times"),
        ({"cv": [(range(40), range(40))]}, None, "fold 0 has 40 rows in both parts"),
        ({"cv": []}, None, "cv gave no splits"),
        ({"final_estimator": LinearSVC()}, None, "final estimator .* has no predict_proba"),
    ],
)
def test_errors_are_raised_before_anything_is_fitted(table, recorder, options, groups, message):
    X, y = table(40)
    with pytest.raises(ValueError, match=message):
        FusionStackingClassifier(recorder(), **options).fit(X, y, groups=groups)
    assert not recorder.seen


def test_groups_of_one_row_equal_rows_without_groups(table):
    X, y = table(40)
    stacked = FusionStackingClassifier(EXPERTS[:1], cv=4, random_state=0)
    assert stacked.fit(X, y, groups=np.arange(40)).score(X, y) > 0.4


def test_a_class_missing_in_a_fold_raises_a_warning(table):
    X, y = table(60)
    y[0] = "odd"
    stacked = FusionStackingClassifier(EXPERTS[:2], cv=3, random_state=0)
    with pytest.warns(UserWarning, match="fold . has no row of class 'odd'.* probability is 0"):
        stacked.fit(X, y)
    assert stacked.classes_.tolist() == ["neg", "neu", "odd", "pos"]
    assert (stacked.oof_predictions_["text"][0, 2] == 0).all()
    assert stacked.predict_proba(X).shape == (60, 4)


def test_the_error_of_the_final_estimator_has_its_name(table):
    class Broken(LogisticRegression):
        def fit(self, X, y, sample_weight=None):
            raise ValueError("no")

    X, y = table(40)
    stacked = FusionStackingClassifier(EXPERTS[:1], final_estimator=Broken(), cv=2)
    with pytest.raises(ValueError, match=r"'final_estimator' \(Broken\) failed in fit: no"):
        stacked.fit(X, y)
