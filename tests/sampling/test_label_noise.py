"""LabelNoiseFilter: detection, weights and invalid input."""

import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB

from sklearn_mmsent import (
    FillBlocks,
    FusionClassifier,
    TfidfEmbedder,
    make_extractor,
    make_pipeline,
)
from sklearn_mmsent.sampling import LabelNoiseFilter
from sklearn_mmsent.sampling._label_noise import estimate_joint, find_label_issues, relative_proba

SIZES = {"angry": 200, "calm": 200, "sad": 40}


def noisy(flips=0.0, seed=0, distance=3.0):
    """Three classes, one of them rare, in two modalities; some labels are flipped."""
    rng = np.random.default_rng(seed)
    true = np.repeat(list(SIZES), list(SIZES.values()))
    places = pd.Series({"angry": 0.0, "calm": distance, "sad": 2 * distance})[true].to_numpy()
    X = pd.DataFrame(
        places[:, None] + rng.normal(size=(len(true), 4)),
        columns=["text__a", "text__b", "face__a", "face__b"],
    )
    X.loc[::9, ["face__a", "face__b"]] = np.nan
    y = true.copy()
    for row in np.flatnonzero(rng.random(len(y)) < flips):
        y[row] = rng.choice([name for name in SIZES if name != y[row]])
    return X, y, true


def found(X, y, **options):
    noise = LabelNoiseFilter(**{"random_state": 0, "cv": 4, **options})
    noise.fit_resample(X, y)
    return noise


@pytest.mark.parametrize("prune", ["noise_rate", "class", "both"])
@pytest.mark.parametrize("flips", [0.1, 0.3])
def test_precision_and_recall_of_flipped_labels(flips, prune):
    X, y, true = noisy(flips)
    rows = found(X, y, estimator=_line(), prune=prune).report_["row"].to_numpy()
    hit = np.isin(np.flatnonzero(y != true), rows).mean()
    assert hit > 0.7
    assert (y[rows] != true[rows]).mean() > 0.8


def test_suggested_class_and_joint():
    X, y, true = noisy(0.1)
    noise = found(X, y, estimator=_line())
    flipped = noise.report_[y[noise.report_["row"]] != true[noise.report_["row"]]]
    assert (flipped["suggested"].to_numpy() == true[flipped["row"]]).mean() > 0.9
    truth = pd.crosstab(y, true, normalize=True)
    assert np.abs(noise.joint_.to_numpy() - truth.to_numpy()).max() < 0.03
    assert np.allclose(
        noise.joint_.sum(axis=1), pd.Series(y).value_counts(normalize=True)[list(SIZES)]
    )
    assert noise.report_["weight"].is_monotonic_increasing
    assert noise.report_["weight"].between(0, 1).all()
    assert (noise.report_["label_proba"] < noise.report_["suggested_proba"]).all()


def test_rare_class_is_kept():
    X, y, _ = noisy(distance=1.5)
    kept = np.delete(y, found(X, y).report_["row"])
    assert (kept == "sad").sum() > 30


def test_uninformative_classifier_finds_nothing():
    X, y, _ = noisy(0.3)
    noise = found(X, y, estimator=DummyClassifier(strategy="uniform"))
    assert noise.report_.empty
    assert np.array_equal(noise.sample_indices_, np.arange(len(y)))


def test_many_flips_with_many_features():
    # a fixed, weaker regularisation would fit the flipped labels, with a precision of two thirds
    precision, recall = [], []
    for seed in range(3):
        rng = np.random.default_rng(seed)
        true = np.repeat(["angry", "calm"], 150)
        X = pd.DataFrame(rng.normal(size=(300, 200)), columns=[f"text__{i}" for i in range(200)])
        X.iloc[:, :20] += np.where(true == "calm", 0.5, -0.5)[:, None]
        flipped = rng.random(300) < 0.3
        y = np.where(flipped, np.where(true == "calm", "angry", "calm"), true)
        rows = found(X, y, cv=5).report_["row"].to_numpy()
        precision.append(flipped[rows].mean())
        recall.append(np.isin(np.flatnonzero(flipped), rows).mean())
    assert np.mean(precision) > 0.75
    assert np.mean(recall) > 0.65


def test_class_with_few_rows():
    X, y, _ = noisy()
    kept = np.flatnonzero((y != "sad") | (np.cumsum(y == "sad") <= 3))
    noise = found(X.iloc[kept], y[kept], cv=3, how="weight")  # two training rows
    assert set(noise.joint_) == set(SIZES)


def test_kept_rows_and_weights():
    X, y, _ = noisy(0.2)
    noise = LabelNoiseFilter(random_state=0)
    X_new, y_new = noise.fit_resample(X, y)
    kept = np.setdiff1d(np.arange(len(y)), noise.report_["row"])
    assert np.array_equal(noise.sample_indices_, kept)
    pd.testing.assert_frame_equal(X_new, X.iloc[kept].reset_index(drop=True))
    assert np.array_equal(y_new, y[kept])
    assert np.array_equal(noise.sample_weight_, np.ones(len(kept)))


def test_weights_instead_of_removal():
    X, y, _ = noisy(0.2)
    removing, weighing = found(X, y), LabelNoiseFilter(how="weight", cv=4, random_state=0)
    X_new, y_new = weighing.fit_resample(X, y)
    pd.testing.assert_frame_equal(X_new, X)
    assert np.array_equal(y_new, y)
    pd.testing.assert_frame_equal(weighing.report_, removing.report_)
    expected = np.ones(len(y))
    expected[removing.report_["row"]] = removing.report_["weight"]
    assert (expected < 1).sum() == len(removing.report_)
    assert np.allclose(weighing.sample_weight_, expected)


def test_random_state_controls_folds():
    X, y, _ = noisy(0.2, distance=1.0)
    first, again, other = (found(X, y, random_state=seed).report_ for seed in (0, 0, 1))
    pd.testing.assert_frame_equal(first, again)
    assert not first.equals(other)


def test_same_rows_before_and_after_filling():
    X, y, _ = noisy(0.2)
    before, after = found(X, y), found(FillBlocks().fit_transform(X), y)
    shared = np.intersect1d(before.report_["row"], after.report_["row"])
    assert len(shared) > 0.9 * len(before.report_)


@pytest.mark.parametrize("labels", [[0, 1, 2], [-1.0, 0.0, 1.0], ["a", "b", "c"]])
def test_label_types(labels):
    X, y, _ = noisy(0.1)
    named = np.array(labels)[np.searchsorted(list(SIZES), y)]
    plain, other = found(X, y), found(X, named)
    assert np.array_equal(plain.report_["row"], other.report_["row"])
    assert set(other.report_["suggested"].tolist()) <= set(labels)


def test_pipeline_from_raw_cells():
    texts = pd.DataFrame({"text": ["what a joy", "so sad"] * 20})
    y = np.array(["glad", "low"] * 20)
    y[6] = "low"
    model = make_pipeline(make_extractor(text=TfidfEmbedder(2)), GaussianNB(var_smoothing=0.1))
    noise = LabelNoiseFilter(model, random_state=0)
    X_new, _ = noise.fit_resample(texts, y)
    assert noise.report_["row"].tolist() == [6]
    pd.testing.assert_frame_equal(X_new, texts.drop(6).reset_index(drop=True))


# -- with a network --------------------------------------------------------------------------


def _network(**params):
    return FusionClassifier(
        hidden_size=8, max_epochs=3, early_stopping=False, random_state=0, device="cpu", **params
    )


def test_weights_reach_the_network():
    X, y, _ = noisy(0.2)
    noise = found(X, y, how="weight", cv=5)
    by_hand = _network().fit(X, y, sample_weight=noise.sample_weight_)
    inside = _network(sampler=LabelNoiseFilter(how="weight", random_state=0)).fit(X, y)
    ignored = _network().fit(X, y)
    # the inner filter sees filled rows, so a few weights differ
    near = np.abs(inside.predict_proba(X) - by_hand.predict_proba(X)).mean()
    assert near < 0.2 * np.abs(ignored.predict_proba(X) - by_hand.predict_proba(X)).mean()


def test_weights_multiply_sample_weight():
    X, y, _ = noisy(0.2)
    X = X.fillna(0.0)
    weights = np.random.default_rng(0).uniform(0.5, 2, len(y))
    sampler = LabelNoiseFilter(_line(), how="weight", random_state=0)
    sampler.fit_resample(X, y)
    inside = _network(sampler=sampler).fit(X, y, sample_weight=weights)
    by_hand = _network().fit(X, y, sample_weight=weights * sampler.sample_weight_)
    assert np.allclose(inside.predict_proba(X), by_hand.predict_proba(X), atol=1e-6)


def test_pipeline_that_would_drop_weights_error():
    X, y, _ = noisy()
    pipe = make_pipeline(LabelNoiseFilter(how="weight"), FillBlocks(), LogisticRegression())
    with pytest.raises(ValueError, match=r"'labelnoisefilter'.*weights.*sampler=.*how='remove'"):
        pipe.fit(X, y)
    pipe.set_params(labelnoisefilter__how="remove").fit(X, y)


# -- joint distribution ----------------------------------------------------------------------


def test_joint_of_a_small_example():
    given = np.array([0, 0, 0, 1, 1])
    proba = np.array([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.3, 0.7], [0.1, 0.9]])
    # averages .6 and .8: rows 0, 1 count as 0; rows 2, 4 as 1; row 3 is not counted
    standing = relative_proba(proba, given)
    joint = estimate_joint(standing, given)
    assert np.allclose(joint, [[0.4, 0.2], [0.0, 0.4]])
    wrong, suggested = find_label_issues(proba, standing, given, joint)
    assert (wrong.tolist(), suggested[wrong].tolist()) == ([2], [1])


def test_ties_are_resolved_for_the_label():
    given = np.repeat([0, 1, 2], [5, 3, 2])
    standing = relative_proba(np.full((10, 3), 1 / 3), given)
    assert np.allclose(estimate_joint(standing, given), np.diag([0.5, 0.3, 0.2]))


def test_rows_with_the_most_probable_label_are_kept():
    given = np.repeat([0, 1], 50)
    proba = np.random.default_rng(0).dirichlet([1, 1], 100)
    standing = relative_proba(proba, given)
    rows, _ = find_label_issues(proba, standing, given, np.full((2, 2), 0.25))
    assert len(rows)
    for values in (proba, standing):
        assert (values[rows].argmax(axis=1) != given[rows]).all()


# -- bad input -------------------------------------------------------------------------------


def test_class_smaller_than_the_number_of_folds_error():
    X, y, _ = noisy()
    few = np.flatnonzero((y != "sad") | (np.cumsum(y == "sad") <= 3))
    with pytest.raises(ValueError, match=r"class 'sad' has 3 row.*fewer than the 5 folds"):
        LabelNoiseFilter().fit_resample(X.iloc[few], y[few])


def test_class_that_would_vanish_error():
    X, y, _ = noisy()

    class Blind(LogisticRegression):
        """Never predicts the last class."""

        def predict_proba(self, X):
            proba = super().predict_proba(X)
            proba[:, -1] = 0
            return proba / proba.sum(axis=1, keepdims=True)

    with pytest.raises(ValueError, match="no row of the class 'sad' is left"):
        LabelNoiseFilter(Blind(), prune="class").fit_resample(X.fillna(0), y)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"how": "relabel"}, "how"),
        ({"prune": "all"}, "prune"),
        ({"cv": 1}, "cv"),
        ({"estimator": FillBlocks()}, "estimator"),
    ],
)
def test_invalid_parameters(options, message):
    X, y, _ = noisy()
    with pytest.raises(ValueError, match=message):
        LabelNoiseFilter(**options).fit_resample(X, y)


def test_nan_probabilities_error():
    X, y, _ = noisy()

    class Broken(LogisticRegression):
        def predict_proba(self, X):
            return np.full((len(X), 3), np.nan)

    with pytest.raises(ValueError, match="Broken gave no probability for row 0"):
        LabelNoiseFilter(Broken(), cv=3).fit_resample(X.fillna(0), y)


def _line():
    return make_pipeline(FillBlocks(), LogisticRegression())
