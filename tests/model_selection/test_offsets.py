"""Offsets per class, tuned on out-of-fold predictions."""

import numpy as np
import pandas as pd
import pytest
from imblearn.over_sampling import RandomOverSampler
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score, f1_score, make_scorer
from sklearn.model_selection import GroupKFold, KFold, StratifiedKFold, cross_val_predict
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearn_mmsent import FillBlocks, FusionClassifier, make_pipeline
from sklearn_mmsent.model_selection import TunedOffsetsClassifierCV
from sklearn_mmsent.model_selection._offsets import find_offsets

NAMES = np.array(["calm", "glad", "sad"])


def lopsided(n=400, seed=0):
    """Three classes of 80, 15 and 5 % that overlap."""
    rng = np.random.default_rng(seed)
    y = rng.choice(NAMES, size=n, p=[0.15, 0.8, 0.05])
    centres = pd.DataFrame({"calm": [1.2, 0, 0, 0], "glad": [0] * 4, "sad": [0, 0, 1.2, 1.0]})
    X = pd.DataFrame(
        centres[y].to_numpy().T + rng.normal(size=(n, 4)),
        columns=["text__a", "text__b", "face__a", "face__b"],
    )
    return X, y


# enough for tests that are not about the quality of offsets
FEW = {"thresholds": 8}


@parametrize_with_checks(
    [TunedOffsetsClassifierCV(LogisticRegression(), cv=2, random_state=0, **FEW)]
)
def test_scikit_learns_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize("scoring", ["f1_macro", "balanced_accuracy", "accuracy"])
def test_offsets_improve_the_score(scoring):
    X, y = lopsided()
    options = {"scoring": scoring, "random_state": 0, **FEW}
    clf = TunedOffsetsClassifierCV(LogisticRegression(), **options).fit(X, y)
    assert clf.best_score_ >= clf.plain_score_
    if scoring != "accuracy":
        assert clf.best_score_ > clf.plain_score_ + 0.05
        unseen, truth = lopsided(4000, seed=1)
        plain = LogisticRegression().fit(X, y).predict(unseen)
        assert balanced_accuracy_score(truth, clf.predict(unseen)) > (
            balanced_accuracy_score(truth, plain) + 0.05
        )
    assert abs(clf.offsets_.mean()) < 1e-9


def test_offsets_are_added_to_log_probabilities():
    X, y = lopsided()
    cv = StratifiedKFold(4, shuffle=True, random_state=3)
    clf = TunedOffsetsClassifierCV(LogisticRegression(), cv=cv, **FEW).fit(X, y)
    proba = cross_val_predict(LogisticRegression(), X, y, cv=cv, method="predict_proba")
    moved = NAMES[(np.log(proba) + clf.offsets_).argmax(axis=1)]
    assert clf.plain_score_ == f1_score(y, NAMES[proba.argmax(axis=1)], average="macro")
    assert clf.best_score_ == f1_score(y, moved, average="macro")
    whole = LogisticRegression().fit(X, y)
    shifted = whole.predict_proba(X) * np.exp(clf.offsets_)
    assert np.allclose(clf.predict_proba(X), shifted / shifted.sum(axis=1, keepdims=True))
    expected = NAMES[(whole.predict_log_proba(X) + clf.offsets_).argmax(axis=1)]
    assert np.array_equal(clf.predict(X), expected)


def test_offsets_are_zero_for_perfect_predictions():
    proba = np.eye(3)[[0, 1, 2, 0, 1, 2]] * 0.8 + 0.2 / 3
    y = NAMES[[0, 1, 2, 0, 1, 2]]
    offsets = find_offsets(proba, y, NAMES, score=lambda a, b: (a == b).mean())
    assert np.array_equal(offsets, np.zeros(3))


def macro_f1(y, y_pred):
    """Compute macro-F1, faster than scikit-learn."""
    y_pred, labels = y_pred == np.unique(y)[:, None], y == np.unique(y)[:, None]
    return np.mean(2 * (y_pred & labels).sum(axis=1) / (y_pred.sum(axis=1) + labels.sum(axis=1)))


def test_offsets_are_as_good_as_a_fine_grid():
    rng = np.random.default_rng(0)
    proba = rng.dirichlet([6, 2, 1], 150)
    y = NAMES[[rng.choice(3, p=p) for p in proba]]

    score = macro_f1
    offsets = find_offsets(proba, y, NAMES, score=score)
    reached = score(y, NAMES[(np.log(proba) + offsets).argmax(axis=1)])
    grid = np.linspace(-3, 4, 29)
    pairs = np.column_stack([np.zeros(29**2), *map(np.ravel, np.meshgrid(grid, grid))])
    best = max(score(y, NAMES[(np.log(proba) + pair).argmax(axis=1)]) for pair in pairs)
    assert reached >= best - 0.02


def test_offsets_of_two_classes_equal_a_threshold():
    rng = np.random.default_rng(0)
    p = rng.beta(1, 4, 300)
    y = np.where(rng.random(300) < p, "yes", "no")
    proba, names = np.column_stack([1 - p, p]), np.array(["no", "yes"])

    score = macro_f1
    offsets = find_offsets(proba, y, names, score=score, n_thresholds=1000)
    reached = score(y, names[(np.log(proba) + offsets).argmax(axis=1)])
    best = max(score(y, np.where(p > t, "yes", "no")) for t in np.unique(p))
    assert reached == pytest.approx(best)


@pytest.mark.parametrize(
    "model",
    [
        FusionClassifier(hidden_size=8, max_epochs=4, random_state=0),
        FusionClassifier(
            hidden_size=8, max_epochs=4, sampler=RandomOverSampler(random_state=0), random_state=0
        ),
        make_pipeline(FillBlocks(), LogisticRegression()),
    ],
    ids=["network", "sampler inside", "pipeline"],
)
def test_networks_and_pipelines_with_missing_values(model):
    X, y = lopsided(300)
    X.loc[::7, ["face__a", "face__b"]] = np.nan
    clf = TunedOffsetsClassifierCV(model, cv=3, random_state=0, **FEW).fit(X, y)
    again = TunedOffsetsClassifierCV(model, cv=3, random_state=0, **FEW).fit(X, y)
    assert np.array_equal(clf.offsets_, again.offsets_)
    assert np.array_equal(clf.predict(X), again.predict(X))
    assert list(clf.feature_names_in_) == list(X)


class Recorder(ClassifierMixin, BaseEstimator):
    """Record the arguments of fit."""

    seen: list = []

    def fit(self, X, y, sample_weight=None, groups=None):
        self.classes_ = np.unique(y)
        self.seen.append((set(np.asarray(X)[:, 0].astype(int)), sample_weight))
        return self

    def predict(self, X):
        return np.full(len(X), self.classes_[0])

    def predict_proba(self, X):
        return np.full((len(X), len(self.classes_)), 1 / len(self.classes_))


def test_groups_and_weights_reach_each_fold():
    y = np.tile(NAMES, 8)
    X = np.column_stack([np.arange(24.0), np.ones(24)])
    groups, weights = np.arange(24) // 6, np.arange(24.0)
    Recorder.seen.clear()
    TunedOffsetsClassifierCV(Recorder(), cv=GroupKFold(4)).fit(
        X, y, groups=groups, sample_weight=weights
    )
    assert len(Recorder.seen) == 5
    for rows, weight in Recorder.seen[:4]:
        left_out = set(range(24)) - rows
        assert len({groups[row] for row in left_out}) == 1
        assert sorted(rows) == weight.astype(int).tolist()


def test_metadata_routing():
    X, y = lopsided(200)
    groups = np.arange(200) // 10
    with config_context(enable_metadata_routing=True):
        model = FusionClassifier(hidden_size=4, max_epochs=2, random_state=0)
        routed = TunedOffsetsClassifierCV(model, cv=GroupKFold(3), **FEW).fit(X, y, groups=groups)
    plain = TunedOffsetsClassifierCV(model, cv=GroupKFold(3), **FEW).fit(X, y, groups=groups)
    assert np.array_equal(routed.offsets_, plain.offsets_)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scoring": "roc_auc_ovr"}, "'roc_auc_ovr' does not use predicted labels"),
        ({"scoring": "neg_log_loss"}, "does not use predicted labels"),
        ({"thresholds": 1}, "thresholds"),
        ({"cv": 30}, r"class 'sad' has .* fewer than the 30 folds"),
        ({"cv": KFold(2)}, None),
        ({"scoring": make_scorer(f1_score, average="weighted")}, None),
    ],
)
def test_invalid_parameters_raise_an_error(options, message):
    X, y = lopsided()
    clf = TunedOffsetsClassifierCV(LogisticRegression(), **FEW | options)
    if message is None:
        assert clf.fit(X, y).offsets_.shape == (3,)
    else:
        with pytest.raises(ValueError, match=message):
            clf.fit(X, y)


def test_one_class_raises_an_error():
    X, y = lopsided()
    with pytest.raises(ValueError, match="at least two classes"):
        TunedOffsetsClassifierCV(LogisticRegression()).fit(X, np.full(len(y), "glad"))


def test_rows_of_weight_zero_do_not_affect_the_offsets():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(120, 2))
    y = np.where(X[:, 0] + rng.normal(size=120) > 1, "rare", "usual")
    wrong = np.r_[y, np.where(y == "rare", "usual", "rare")]  # as many rows with wrong labels
    weight = np.repeat([1.0, 0.0], 120)
    cv = [(np.r_[a, a + 120], np.r_[b, b + 120]) for a, b in KFold(3).split(X)]
    model = TunedOffsetsClassifierCV(LogisticRegression(), cv=cv, **FEW)
    both = clone(model).fit(np.vstack([X, X]), wrong, sample_weight=weight)
    single = clone(model).set_params(cv=list(KFold(3).split(X))).fit(X, y)
    np.testing.assert_allclose(both.offsets_, single.offsets_, rtol=1e-3)
    assert both.best_score_ == single.best_score_


def test_groups_reach_the_end_of_a_pipeline():
    rng = np.random.default_rng(0)
    y = np.arange(60) % 2
    X = rng.normal(size=(60, 3)) + y[:, None]
    model = make_pipeline(
        StandardScaler(), FusionClassifier(modalities=None, max_epochs=2, random_state=0)
    )
    clf = TunedOffsetsClassifierCV(model, cv=GroupKFold(2))
    assert clf.fit(X, y, groups=np.arange(60) // 6).offsets_.shape == (2,)
