"""Prototypes of few rows: scikit-learn's checks, missing modalities, unlabelled rows."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.semi_supervised import SelfTrainingClassifier
from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearn_mmsent import FewShotClassifier, FillBlocks, FusionClassifier, make_pipeline
from sklearn_mmsent.estimators._prototypes import ShrunkPrototypes
from sklearn_mmsent.exceptions import BlockError


@pytest.mark.filterwarnings(
    # scikit-learn's checks pass tables without names, of which the estimator warns
    "ignore:.*columns name no modality:UserWarning",
    # and columns of shape (n, 1) as y
    "ignore:A column-vector y was passed:sklearn.exceptions.DataConversionWarning",
    # array API input is only checked where SCIPY_ARRAY_API is set
    "ignore:Skipping check_array_api_input:sklearn.exceptions.SkipTestWarning",
)
@parametrize_with_checks(
    [
        FewShotClassifier(),
        FewShotClassifier(projection="contrastive", n_components=8, n_steps=20, scaling="normal"),
    ]
)
def test_scikit_learns_checks(estimator, check):
    check(estimator)


def few(X, y, n, seed=0):
    """Choose n rows of each class."""
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.choice(np.flatnonzero(y == c), n, replace=False) for c in set(y)])


WAYS = {
    "blocks": {},
    "ranks": {"scaling": "normal"},
    "contrastive": {"projection": "contrastive", "n_steps": 30, "n_components": 8},
    "Euclidean": {"shrinkage": 1.0},
}


@pytest.mark.parametrize("way", WAYS)
def test_few_rows_of_several_modalities(named_table, global_states, way):
    X, y, _ = named_table(200, missing=0.2)
    chosen = few(X, y, 6)
    before, states = X.copy(), global_states()
    clf = FewShotClassifier(random_state=0, **WAYS[way]).fit(X.iloc[chosen], y[chosen])
    shares = clf.predict_proba(X)
    assert f1_score(y, clf.predict(X), average="macro") > 0.6
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    pd.testing.assert_frame_equal(X, before)
    assert global_states() == states
    # a row's prediction is its own, and a seed's the same
    order = np.random.default_rng(0).permutation(len(X))
    np.testing.assert_allclose(clf.predict_proba(X.iloc[order]), shares[order], atol=1e-12)
    again = clone(clf).fit(X.iloc[chosen], y[chosen])
    assert (again.predict_proba(X) == shares).all()
    assert (pickle.loads(pickle.dumps(clf)).predict_proba(X) == shares).all()


def test_a_row_is_compared_by_its_present_blocks(named_table):
    X, y, layout = named_table(150, {"text": 4, "audio": 3})
    chosen = few(X, y, 8)
    both = FewShotClassifier().fit(X.iloc[chosen], y[chosen])
    audio = X.columns[layout.blocks[1].columns]
    alone = FewShotClassifier(random_state=0).fit(X.iloc[chosen][audio], y[chosen])
    silent = X.copy()
    silent.iloc[:, layout.blocks[0].columns] = np.nan
    assert (both.predict(silent) == alone.predict(X[audio])).all()
    nothing = both.predict_proba(X.iloc[:1] * np.nan)
    np.testing.assert_allclose(nothing, 1 / 3)


def test_padding_of_sequences_is_ignored(named_table):
    X, y, layout = named_table(60, {"audio": (5, 3)})
    clf = FewShotClassifier(random_state=0).fit(X, y)
    means = [
        np.nanmean(X.iloc[:, start::3].to_numpy(np.float64), axis=1)
        for start in range(layout.blocks[0].shape[1])
    ]
    flat = pd.DataFrame(np.transpose(means), columns=["audio__a", "audio__b", "audio__c"])
    other = FewShotClassifier(random_state=0).fit(flat, y)
    np.testing.assert_allclose(clf.predict_proba(X), other.predict_proba(flat), atol=1e-9)


def test_a_filled_table_gives_the_same_predictions(named_table):
    X, y, _ = named_table(90, {"text": 4, "audio": 3}, missing=0.3)
    pipe = make_pipeline(FillBlocks(), FewShotClassifier(random_state=0)).fit(X, y)
    plain = FewShotClassifier(random_state=0).fit(X, y)
    np.testing.assert_allclose(pipe.predict_proba(X), plain.predict_proba(X), atol=1e-6)


def test_prototypes_without_spread_are_nearest_means():
    rng = np.random.default_rng(0)
    rows, shares = rng.normal(size=(12, 5)), np.eye(3)[np.arange(12) % 3]
    prototypes = ShrunkPrototypes([1.0]).fit(rows, shares)
    means = np.stack([rows[i::3].mean(axis=0) for i in range(3)])
    distances = ((rng.normal(size=(50, 5))[:, None] - means) ** 2).sum(axis=2)
    rng = np.random.default_rng(0)
    rng.normal(size=(12, 5))
    scores = prototypes.scores(rng.normal(size=(50, 5)))
    assert (scores.argmax(axis=1) == distances.argmin(axis=1)).all()
    gains, losses = scores - scores[:, :1], distances[:, :1] - distances
    np.testing.assert_allclose(gains * (losses[0, 1] / gains[0, 1]), losses, atol=1e-9)


@pytest.mark.parametrize("n_features", [3, 40])
def test_both_ways_to_shrink_the_covariance_agree(n_features):
    # few rows of many features go through a decomposition of rows, many through one of features
    rng = np.random.default_rng(1)
    rows, shares = rng.normal(size=(20, n_features)), np.eye(2)[np.arange(20) % 2]
    means = np.stack([rows[i::2].mean(axis=0) for i in range(2)])
    residuals = rows - means[np.arange(20) % 2]
    covariance = residuals.T @ residuals / 20
    sphere = np.trace(covariance) / min(19, n_features)
    shrunk = 0.7 * covariance + 0.3 * sphere * np.eye(n_features)
    direction = np.linalg.solve(shrunk, means[1] - means[0])
    prototypes = ShrunkPrototypes([0.3]).fit(rows, shares)
    found = prototypes._weights[1] - prototypes._weights[0]
    np.testing.assert_allclose(found / found[0], direction / direction[0], rtol=1e-6)


def test_covariance_matters():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 300)
    X = np.c_[y + rng.normal(size=300) * 0.2, np.zeros(300)] + rng.normal(size=(300, 1)) * [2, 2]
    X = pd.DataFrame(X, columns=["a__x", "a__y"])
    near = FewShotClassifier(shrinkage=0.01).fit(X[:32], y[:32]).score(X[32:], y[32:])
    round_ = FewShotClassifier(shrinkage=1.0).fit(X[:32], y[:32]).score(X[32:], y[32:])
    assert near > 0.9 > 0.75 > round_


def test_one_row_per_class_is_enough(named_table):
    X, y, _ = named_table(60)
    chosen = few(X, y, 1)
    clf = FewShotClassifier().fit(X.iloc[chosen], y[chosen])
    assert (clf.predict(X.iloc[chosen]) == y[chosen]).all()
    assert clf.sharpness_ == 1.0


def test_probabilities_are_calibrated(named_table):
    X, y, _ = named_table(400, {"text": 3, "audio": 3})
    chosen = few(X, y, 16)
    clf = FewShotClassifier(random_state=0).fit(X.iloc[chosen], y[chosen])
    confidence = clf.predict_proba(X).max(axis=1)
    assert abs(confidence.mean() - clf.score(X, y)) < 0.1


# -- rows without a label ------------------------------------------------------------------------


def clusters(n=300):
    rng = np.random.default_rng(3)
    y = rng.integers(0, 3, n)
    centers = rng.normal(size=(3, 10)) * 1.6
    X = centers[y] + rng.normal(size=(n, 10)) * np.linspace(0.3, 2, 10)
    return pd.DataFrame(X, columns=[f"text__{i}" for i in range(10)]), np.array(list("abc"))[y]


def test_unlabelled_rows_improve_separated_classes():
    X, y = clusters()
    without, with_them = [], []
    for seed in range(8):
        chosen = few(X, y, 2, seed)
        others = np.setdiff1d(np.arange(len(X)), chosen)
        clf = FewShotClassifier(unlabelled_weight=0.1)
        without.append(clf.fit(X.iloc[chosen], y[chosen]).score(X, y))
        clf.fit(X.iloc[chosen], y[chosen], X_unlabelled=X.iloc[others])
        with_them.append(clf.score(X, y))
    assert np.mean(with_them) > np.mean(without) + 0.05


def test_unlabelled_rows_of_weight_zero_only_affect_the_scaling(named_table):
    X, y, _ = named_table(120, missing=0.2)
    clf = FewShotClassifier(unlabelled_weight=0.0, n_components=200, random_state=0)
    clf.fit(X.iloc[:60], y[:60], X_unlabelled=X.iloc[:60])
    same = clone(clf).fit(X.iloc[:60], y[:60])
    whole = X.dropna().index
    assert (clf.predict(X.loc[whole]) == same.predict(X.loc[whole])).mean() > 0.9


@pytest.mark.parametrize(
    "base",
    [
        FewShotClassifier(modalities={"text": 10}, random_state=0),
        FusionClassifier(
            modalities={"text": 10}, max_epochs=30, early_stopping=False, random_state=0
        ),
    ],
)
def test_self_training(base):
    X, y = clusters()
    numbers = np.searchsorted(["a", "b", "c"], y)
    chosen = few(X, y, 4)
    partly = np.full(len(y), -1)
    partly[chosen] = numbers[chosen]
    X = X.to_numpy()  # self-training passes arrays, whose blocks are given by shapes
    taught = SelfTrainingClassifier(base, threshold=0.8).fit(X, partly)
    assert (taught.labeled_iter_ > 0).sum() > 100
    alone = clone(base).fit(X[chosen], numbers[chosen]).score(X, numbers)
    assert taught.score(X, numbers) > max(0.75, alone - 0.03)


# -- fused vectors -------------------------------------------------------------------------------


def test_vectors_of_a_network_trained_for_another_task():
    rng = np.random.default_rng(0)
    said, shown = rng.choice([-1.0, 1.0], (2, 400))
    X = pd.DataFrame({"text__tone": said, "face__smile": shown})
    X += rng.normal(size=X.shape) * 0.2
    agrees = np.where(said == shown, "sincere", "ironic")
    network = FusionClassifier(random_state=0, max_epochs=40).fit(X, agrees)
    y, chosen = np.where(said == shown, 1, 0), few(X, said == shown, 3)
    plain = FewShotClassifier().fit(X.iloc[chosen], y[chosen])
    fused = FewShotClassifier(network).fit(X.iloc[chosen], y[chosen])
    assert fused.score(X, y) > 0.95 > 0.8 > plain.score(X, y)
    assert fused.layout_ is network.layout_
    assert np.isfinite(fused.predict_proba(X.iloc[:2] * np.nan)).all()


# -- bad input -----------------------------------------------------------------------------------


def test_bad_input(named_table):
    X, y, _ = named_table(30)
    with pytest.raises(ValueError, match="y has one class only: 'pos'"):
        FewShotClassifier().fit(X, np.repeat("pos", 30))
    for wrong in (0.0, [0.5, 2.0], []):
        with pytest.raises(ValueError, match="shrinkage"):
            FewShotClassifier(shrinkage=wrong).fit(X, y)
    with pytest.raises(ValueError, match="not fitted"):
        FewShotClassifier(FusionClassifier()).fit(X, y)
    with pytest.raises(ValueError, match="feature names"):
        FewShotClassifier().fit(X, y, X_unlabelled=X.rename(columns=str.upper))
    with pytest.raises(BlockError, match="infinity"):
        FewShotClassifier().fit(X.replace(X.iloc[0, 0], np.inf), y)


def test_accuracy_compared_with_a_linear_model(named_table):
    X, y, _ = named_table(400, {"text": 30, "audio": 20})
    scores = []
    for seed in range(5):
        chosen = few(X, y, 4, seed)
        clf = FewShotClassifier().fit(X.iloc[chosen], y[chosen])
        linear = LogisticRegression().fit(X.iloc[chosen], y[chosen])
        scores.append(clf.score(X, y) - linear.score(X, y))
    assert np.mean(scores) > -0.02
