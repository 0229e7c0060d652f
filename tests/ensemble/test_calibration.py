"""Calibrated probabilities: ours on grouped out-of-fold outputs, scikit-learn's around ours."""

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.calibration import CalibratedClassifierCV
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import GroupKFold
from sklearn.naive_bayes import GaussianNB
from sklearn.svm import LinearSVC

from sklearn_mmsent import FusionClassifier, FusionStackingClassifier, LateFusionClassifier
from sklearn_mmsent.ensemble.experts.calibration import Calibrator, calibrate

METHODS = ["sigmoid", "isotonic", "temperature"]


def overconfident(n=600, n_classes=3, seed=0):
    """Return true probabilities, and overconfident ones."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(n, n_classes))
    truth = np.array([rng.choice(n_classes, p=p) for p in softmax(logits, axis=1)])
    return softmax(4 * logits, axis=1), truth


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("margins", [False, True])
def test_calibration_improves_probabilities_of_unseen_rows(method, n_classes, margins):
    sure, truth = overconfident(n_classes=n_classes)
    unseen, unseen_truth = overconfident(n_classes=n_classes, seed=1)
    transform = (lambda p: np.log(p)) if margins else (lambda p: p)
    calibrator = Calibrator(method, margins=margins).fit(transform(sure), truth)
    proba = calibrator(transform(unseen))
    np.testing.assert_allclose(proba.sum(axis=1), 1)
    assert log_loss(unseen_truth, proba) < log_loss(unseen_truth, unseen) - 0.1


def test_each_fold_is_calibrated_on_the_others():
    sure, truth = overconfident(120)
    folds = np.arange(120) % 3
    splits = [(np.flatnonzero(folds != f), np.flatnonzero(folds == f)) for f in range(3)]
    sure[::10] = np.nan
    calibrated, whole = calibrate(sure, truth, splits, "sigmoid", margins=False)
    known = ~np.isnan(sure[:, 0])
    assert (np.isnan(calibrated[:, 0]) == ~known).all()
    rows = (folds != 1) & known
    by_others = Calibrator("sigmoid", margins=False).fit(sure[rows], truth[rows])
    asked = (folds == 1) & known
    np.testing.assert_array_equal(calibrated[asked], by_others(sure[asked]))
    assert (whole(sure[asked]) != calibrated[asked]).any()


def test_unseen_classes_get_probability_zero():
    sure, truth = overconfident(100)
    proba = Calibrator("sigmoid", margins=False).fit(sure, np.where(truth == 2, 1, truth))(sure)
    assert (proba[:, 2] == 0).all()
    np.testing.assert_allclose(proba.sum(axis=1), 1)
    proba = Calibrator("isotonic", margins=False).fit(sure, np.ones(100, int))(sure)
    assert (proba == [0, 1, 0]).all()
    certain = np.eye(3)[truth]
    assert np.isfinite(Calibrator("sigmoid", margins=False).fit(certain, truth)(certain)).all()


def doubled(table, n, seed):
    """A table in which naive Bayes counts the same evidence many times over."""
    X, y = table(n, seed=seed)
    for i in range(6):
        X.insert(2, f"text__copy{i}", X["text__a"])
    return X, y


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("ensemble", [LateFusionClassifier, FusionStackingClassifier])
def test_experts_are_calibrated(table, ensemble, method):
    X, y = doubled(table, 200, 0)
    unseen, truth = doubled(table, 500, 1)
    expert = [("text", GaussianNB(), "text")]
    plain = ensemble(expert, cv=3, random_state=0).fit(X, y)
    clf = ensemble(expert, calibration=method, cv=3, random_state=0).fit(X, y)
    loss, plain_loss = (log_loss(truth, c.predict_proba(unseen)) for c in (clf, plain))
    if ensemble is LateFusionClassifier:
        assert loss < plain_loss - 1
    else:
        assert loss < plain_loss + 0.05  # whose final estimator calibrates by itself
    for proba in clf.oof_predictions_.values():
        np.testing.assert_allclose(proba.sum(axis=1), 1)


@pytest.mark.parametrize("labels", [["no", "yes"], ["a", "b", "c"]])
def test_margins_become_probabilities(table, labels):
    X, y = table(120, missing=0.2, labels=np.array(labels))
    late = LateFusionClassifier(LinearSVC(), calibration="sigmoid", cv=3, random_state=0).fit(X, y)
    proba = late.predict_proba(X)
    np.testing.assert_allclose(proba.sum(axis=1), 1)
    shares = np.unique(y, return_counts=True)[1] / len(y)
    assert log_loss(y, proba) < log_loss(y, np.tile(shares, (120, 1)))


def test_one_expert_is_a_calibration_with_grouped_folds(table, recorder):
    X, y = table(90)
    groups = np.arange(90) // 6
    late = LateFusionClassifier([("all", recorder())], calibration="sigmoid", cv=3, random_state=0)
    late.fit(X, y, groups=groups)
    for fit in recorder.seen[:3]:
        left_out = set(range(90)) - set(fit["X"].index)
        assert not {groups[row] for row in left_out} & set(fit["groups"])


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("model", ["network", "late", "stacked"])
def test_scikit_learns_calibration_of_an_ensemble(table, model, method):
    X, y = table(100, missing=0.2)
    late = LateFusionClassifier(LogisticRegression())
    models = {
        "network": FusionClassifier(hidden_size=4, max_epochs=2, random_state=0),
        "late": late,
        "stacked": FusionStackingClassifier(LogisticRegression(), cv=2, random_state=0),
    }
    folds = list(GroupKFold(2).split(X, y, np.arange(100) // 5))  # groups, without routing
    clf = CalibratedClassifierCV(models[model], method=method, cv=folds).fit(X, y)
    proba = clf.predict_proba(X)
    np.testing.assert_allclose(proba.sum(axis=1), 1)
    if model == "late" and method != "isotonic":  # which learns too much from so few rows
        unseen, truth = table(400, missing=0.2, seed=1)
        plain = late.fit(X, y).predict_proba(unseen)
        assert log_loss(truth, clf.predict_proba(unseen)) < log_loss(truth, plain) + 0.1


def test_too_few_rows_for_calibration_raise_an_error(table):
    X, y = table(60)
    X.loc[2:, "face__a"] = np.nan
    splits = [(np.arange(30), np.arange(30, 60)), (np.arange(30, 60), np.arange(30))]
    y[0], y[1] = "neg", "pos"
    with pytest.raises(ValueError, match=r"'face' .* failed in calibration: it has no out-of-fold"):
        LateFusionClassifier(LogisticRegression(), calibration="sigmoid", cv=splits).fit(X, y)
