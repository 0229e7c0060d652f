import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.utils.estimator_checks import parametrize_with_checks
from skorch.callbacks import EpochTimer

from sklearn_mmsent import (
    DeepEnsembleClassifier,
    DeepEnsembleRegressor,
    FusionClassifier,
    FusionRegressor,
)
from sklearn_mmsent.exceptions import DivergenceError

CHEAP = {"max_epochs": 4, "hidden_size": 8}
CLASSIFIER, REGRESSOR = FusionClassifier(**CHEAP), FusionRegressor(**CHEAP)

EXPECTED_FAILURES = {
    "check_sample_weight_equivalence_on_dense_data": (
        "a row of weight two is one row in one batch; two rows fall into two batches"
    )
}


@pytest.mark.slow
@pytest.mark.filterwarnings(
    "ignore:.*columns name no modality:UserWarning",
    "ignore:A column-vector y was passed:sklearn.exceptions.DataConversionWarning",
    "ignore:Skipping check_array_api_input:sklearn.exceptions.SkipTestWarning",
)
@parametrize_with_checks(
    [
        DeepEnsembleClassifier(FusionClassifier(max_epochs=20, lr=1e-2), 2),
        DeepEnsembleRegressor(FusionRegressor(max_epochs=20, lr=1e-2), 2),
    ],
    expected_failed_checks=lambda estimator: EXPECTED_FAILURES,
)
def test_scikit_learns_checks(estimator, check):
    check(estimator)


def test_members_equal_single_estimators(named_table):
    X, y, _ = named_table(100, missing=0.2)
    base = FusionClassifier(dropout=0.0, **CHEAP)
    ensemble = DeepEnsembleClassifier(base, 3, batched=True, random_state=0).fit(X, y)
    assert ensemble.training_ == ["stacked with 2 others"] * 3
    each = [clone(member).fit(X, y).predict_proba(X) for member in ensemble.estimators_]
    np.testing.assert_allclose(ensemble.predict_proba(X), np.mean(each, axis=0), atol=1e-4)
    np.testing.assert_allclose(ensemble.predict_std(X), np.std(each, axis=0), atol=1e-4)
    assert (ensemble.predict(X) == ensemble.classes_[np.mean(each, axis=0).argmax(1)]).all()
    np.testing.assert_allclose(
        np.exp(ensemble.predict_log_proba(X)), ensemble.predict_proba(X), rtol=1e-9
    )
    assert ensemble.feature_names_in_.tolist() == X.columns.tolist()
    seeds = {member.random_state for member in ensemble.estimators_}
    assert len(seeds) == 3


def test_regressor_returns_mean_and_standard_deviation(named_table):
    X, y, _ = named_table(100)
    target = np.searchsorted(["neg", "neu", "pos"], y) * 100.0
    ensemble = DeepEnsembleRegressor(REGRESSOR, 3, random_state=0).fit(X, target)
    mean, std = ensemble.predict(X, return_std=True)
    each = [member.predict(X) for member in ensemble.estimators_]
    np.testing.assert_array_equal(mean, np.mean(each, axis=0))
    np.testing.assert_array_equal(std, np.std(each, axis=0))
    np.testing.assert_array_equal(ensemble.predict_std(X), std)
    np.testing.assert_array_equal(ensemble.predict(X), mean)
    assert ensemble.score(X, target) > 0


def test_members_agree_more_near_training_rows(named_table):
    X, y, _ = named_table(200)
    base = FusionClassifier(max_epochs=30)
    ensemble = DeepEnsembleClassifier(base, 5, random_state=0).fit(X, y)
    between = 0.1 * X  # where classes meet
    assert np.median(ensemble.predict_std(between)) > np.median(ensemble.predict_std(X))


def test_the_seed_determines_every_bit(named_table, global_states):
    X, y, _ = named_table(80, missing=0.2)
    states = global_states()
    ensemble = DeepEnsembleClassifier(CLASSIFIER, 2, batched=True, random_state=0).fit(X, y)
    result = ensemble.predict_proba(X)
    assert global_states() == states
    assert (clone(ensemble).fit(X, y).predict_proba(X) == result).all()
    other = clone(ensemble).set_params(random_state=1).fit(X, y)
    assert (other.predict_proba(X) != result).any()
    assert (pickle.loads(pickle.dumps(ensemble)).predict_proba(X) == result).all()
    a, b = (DeepEnsembleClassifier(CLASSIFIER, 2).fit(X, y).predict_proba(X) for _ in range(2))
    assert (a != b).any()


def test_bootstrap_draws_training_rows_only(named_table, monkeypatch):
    X, y, _ = named_table(100)
    seen = []

    def spy(members, **options):
        seen.extend(members)
        return train_members(members, **options)

    from sklearn_mmsent.ensemble import _deep

    train_members = _deep.train_members
    monkeypatch.setattr(_deep, "train_members", spy)
    DeepEnsembleClassifier(CLASSIFIER, 3, bootstrap=True, random_state=0).fit(X, y)
    DeepEnsembleClassifier(CLASSIFIER, 3, random_state=0).fit(X, y)
    drawn, whole = seen[:3], seen[3:]
    for one, other in zip(drawn, whole, strict=True):
        assert len(one.train) == len(other.train)
        assert set(one.train.rows.tolist()) < set(other.train.rows.tolist())
        assert not set(one.train.rows.tolist()) & set(one.valid.rows.tolist())
    tables = {member.train.values[0].data_ptr() for member in drawn}
    assert len(tables) == 1  # all members share the table
    assert len({tuple(member.train.rows.tolist()) for member in drawn}) == 3


def test_groups_and_weights_and_validation_rows_reach_the_members(named_table):
    X, y, _ = named_table(120)
    groups = np.arange(120) // 4
    ensemble = DeepEnsembleClassifier(CLASSIFIER, 2, random_state=0)
    plain = clone(ensemble).fit(X, y).predict_proba(X)
    grouped = clone(ensemble).fit(X, y, groups=groups).predict_proba(X)
    weighted = clone(ensemble).fit(X, y, np.linspace(0, 1, 120)).predict_proba(X)
    assert (plain != grouped).any()
    assert (plain != weighted).any()
    given = clone(ensemble).fit(X[:80], y[:80], X_val=X[80:], y_val=y[80:])
    assert given.predict_proba(X).shape == (120, 3)
    with pytest.raises(ValueError, match="groups has 7 entries"):
        ensemble.fit(X, y, groups=groups[:7])


def test_works_inside_scikit_learn(named_table):
    X, y, _ = named_table(100)
    ensemble = DeepEnsembleClassifier(CLASSIFIER, 2, random_state=0)
    assert cross_val_score(ensemble, X, y, cv=2).shape == (2,)
    search = GridSearchCV(ensemble, {"estimator__lr": [1e-3, 1e-2], "n_members": [1, 2]}, cv=2)
    assert search.fit(X, y).best_estimator_.predict(X).shape == (100,)


def test_diverged_members_are_ignored(named_table, monkeypatch):
    X, y, _ = named_table(60)
    from sklearn_mmsent.ensemble import _deep

    train_members = _deep.train_members

    def lossy(members, **options):
        results = train_members(members, **options)
        results[1].net, results[1].error = None, DivergenceError("training diverged: lr")
        return results

    monkeypatch.setattr(_deep, "train_members", lossy)
    ensemble = DeepEnsembleClassifier(CLASSIFIER, 3, random_state=0)
    with pytest.warns(UserWarning, match="1 of 3 members diverged and are ignored"):
        ensemble.fit(X, y)
    assert len(ensemble.estimators_) == 2
    assert np.isfinite(ensemble.predict_proba(X)).all()
    monkeypatch.undo()
    target = np.arange(60.0)
    with pytest.raises(DivergenceError, match="Lower lr"):
        DeepEnsembleRegressor(FusionRegressor(lr=1e30, **CHEAP), 2).fit(X, target)


def test_training_reports_why_members_are_trained_singly(named_table):
    X, y, _ = named_table(60)
    base = FusionClassifier(callbacks=[EpochTimer()], **CHEAP)
    ensemble = DeepEnsembleClassifier(base, 2, random_state=0).fit(X, y)
    assert ensemble.training_ == ["trained alone: it has callbacks"] * 2


def test_invalid_estimators_raise_an_error(named_table):
    X, y, _ = named_table(60)
    with pytest.raises(ValueError, match="The 'estimator' parameter of DeepEnsembleClassifier"):
        DeepEnsembleClassifier(REGRESSOR).fit(X, y)
    with pytest.raises(ValueError, match="The 'lr' parameter of FusionClassifier"):
        DeepEnsembleClassifier(FusionClassifier(lr=-1)).fit(X, y)
    with pytest.raises(ValueError, match="unknown encoder"):
        DeepEnsembleClassifier(FusionClassifier(encoders={"text": "none"})).fit(X, y)
