"""Late fusion: means over the experts that can read a row, and the weights in them."""

import pickle

import numpy as np
import pandas as pd
import pytest
from joblib import parallel_config
from sklearn import config_context
from sklearn.base import clone
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearn_mmsent import FillBlocks, FusionClassifier, LateFusionClassifier, LateFusionRegressor
from sklearn_mmsent.exceptions import BlockError
from sklearn_mmsent.model_selection import TunedOffsetsClassifierCV

LINEAR = LogisticRegression()
EXACT = LogisticRegression(tol=1e-9)
NETWORK = FusionClassifier(hidden_size=4, max_epochs=2, random_state=0)


@parametrize_with_checks(
    [LateFusionClassifier(LINEAR, modalities=None), LateFusionRegressor(Ridge(), modalities=None)]
)
def test_scikit_learns_checks(estimator, check):
    check(estimator)


# -- means -----------------------------------------------------------------------------------------


def by_hand(X, y, rows):
    """Return probabilities of a linear model per modality, NaN for missing modalities."""
    outputs = []
    for columns in (["text__a", "text__b"], ["face__a"]):
        known, asked = X[columns].notna().all(axis=1), rows[columns].notna().all(axis=1)
        model = clone(EXACT).fit(X.loc[known, columns], y[known])
        proba = np.full((len(rows), 3), np.nan)
        if asked.any():
            proba[asked] = model.predict_proba(rows.loc[asked, columns])
        outputs.append(proba)
    return outputs


def test_the_mean_is_over_present_modalities(table):
    X, y = table(missing=0.3)
    late = LateFusionClassifier(EXACT, weights=[3.0, 1.0]).fit(X, y)
    text, face = by_hand(X, y, X)
    expected = np.where(
        np.isnan(text), face, np.where(np.isnan(face), text, 0.75 * text + face / 4)
    )
    nothing = X.isna().all(axis=1)
    assert 0 < nothing.sum() < len(X)
    shares = pd.Series(y).value_counts(normalize=True).sort_index()
    expected[nothing] = shares
    np.testing.assert_allclose(late.predict_proba(X), expected, atol=1e-6)
    assert (late.predict(X) == late.classes_[expected.argmax(axis=1)]).all()
    np.testing.assert_allclose(late.predict_log_proba(X), np.log(expected), atol=1e-5)
    assert late.weights_ == {"text": 0.75, "face": 0.25}
    assert late.oof_predictions_ is None


def test_the_product_is_a_geometric_mean(table):
    X, y = table()
    late = LateFusionClassifier(EXACT, combine="product").fit(X, y)
    text, face = by_hand(X, y, X)
    expected = np.sqrt(text * face)
    expected /= expected.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(late.predict_proba(X), expected, atol=1e-6)


def test_intensities(table, scores):
    X, y = table(missing=0.3)
    target = scores(y)
    late = LateFusionRegressor(LinearRegression(), weights={"face": 1, "text": 3}).fit(X, target)
    lone_text = X["face__a"].isna() & X["text__a"].notna()
    known = X["text__a"].notna()
    columns = ["text__a", "text__b"]
    single = LinearRegression().fit(X.loc[known, columns], target[known])
    np.testing.assert_allclose(
        late.predict(X)[lone_text], single.predict(X.loc[lone_text, columns]), atol=1e-6
    )
    assert late.predict(X[X.isna().all(axis=1)]) == pytest.approx(target.mean())


def test_weights_are_renormalised_over_present_modalities(table):
    X, y = table()
    late = LateFusionClassifier(EXACT, weights={"text": 1.0, "face": 0.0}).fit(X, y)
    only_face = X.assign(text__a=np.nan, text__b=np.nan)
    _, face = by_hand(X, y, only_face)
    np.testing.assert_allclose(late.predict_proba(only_face), face, atol=1e-6)


# -- learned weights -------------------------------------------------------------------------------


@pytest.mark.parametrize("weights", ["score", "learned"])
@pytest.mark.parametrize("combine", ["mean", "product"])
def test_noise_gets_little_weight(table, weights, combine):
    X, y = table(300, missing=0.1)
    X["image__noise"] = np.random.default_rng(3).normal(size=len(X))
    late = LateFusionClassifier(LINEAR, weights=weights, combine=combine, random_state=0).fit(X, y)
    assert sum(late.weights_.values()) == pytest.approx(1)
    assert late.weights_["image"] < 0.15
    assert late.weights_["image"] < min(late.weights_["text"], late.weights_["face"])
    unseen, truth = table(600, missing=0.1, seed=9)
    unseen["image__noise"] = np.random.default_rng(4).normal(size=len(unseen))
    even = LateFusionClassifier(LINEAR, combine=combine).fit(X, y)
    assert log_loss(truth, late.predict_proba(unseen)) < log_loss(truth, even.predict_proba(unseen))


def test_learned_weights_minimise_the_loss(table):
    X, y = table(300, missing=0.2)
    late = LateFusionClassifier(LINEAR, weights="learned", random_state=0).fit(X, y)
    text, face = late.oof_predictions_["text"], late.oof_predictions_["face"]
    both = ~np.isnan(text[:, 0]) & ~np.isnan(face[:, 0])
    truth = np.searchsorted(late.classes_, y)[both]

    def loss(w):
        mixed = (w * text + (1 - w) * face)[both]
        return -np.log(mixed[np.arange(len(mixed)), truth]).mean()

    grid = np.linspace(0.01, 0.99, 99)
    assert abs(late.weights_["text"] - grid[np.argmin([loss(w) for w in grid])]) < 0.05


@pytest.mark.parametrize("weights", ["score", "learned"])
def test_weights_of_regressors(table, scores, weights):
    X, y = table()
    X["image__noise"] = np.random.default_rng(3).normal(size=len(X))
    late = LateFusionRegressor(Ridge(), weights=weights, random_state=0).fit(X, scores(y))
    assert max(late.weights_, key=late.weights_.get) == "text"
    assert late.oof_predictions_["text"].shape == (len(X),)


def test_scores_by_name(table):
    X, y = table()
    late = LateFusionClassifier(LINEAR, weights="score", scoring="f1_macro", random_state=0)
    assert late.fit(X, y).weights_["text"] > 0
    with pytest.raises(ValueError, match="Did you mean 'f1_macro'"):
        late.set_params(scoring="f1_makro").fit(X, y)


def test_uninformative_experts_get_equal_weights(table):
    X, y = table(60)
    late = LateFusionClassifier(DummyClassifier(), weights="score", cv=2, random_state=0)
    assert set(late.fit(X, y).weights_.values()) == {0.5}


# -- experts ---------------------------------------------------------------------------------------


def test_named_experts_of_one_or_several_modalities(table):
    X, y = table(missing=0.2)
    experts = [
        ("words", make_pipeline(StandardScaler(), LINEAR), "text"),
        ("both", HistGradientBoostingClassifier(max_iter=5), ["text", "face"]),
        ("network", NETWORK),
    ]
    late = LateFusionClassifier(experts).fit(X, y)
    assert list(late.experts_) == list(late.weights_) == ["words", "both", "network"]
    assert isinstance(late.experts_["words"][0], FillBlocks)  # a scaler lets NaN through
    assert isinstance(late.experts_["both"], HistGradientBoostingClassifier)
    assert late.experts_["both"].n_features_in_ == 3
    assert isinstance(late.experts_["network"], FusionClassifier)
    params = late.get_params()
    assert params["words"] is experts[0][1]
    assert params["both__max_iter"] == 5
    late.set_params(both__max_iter=3, words=LINEAR)
    assert late.experts[0] == ("words", LINEAR, "text")
    assert late.experts[1][1].max_iter == 3
    grid = {"words__C": [0.1, 1.0], "weights": [None, [1, 2, 3]]}
    assert GridSearchCV(late, grid, cv=2).fit(X, y).best_params_["words__C"] in (0.1, 1.0)


def test_an_expert_is_fitted_on_rows_with_its_modality(table, recorder):
    X, y = table(missing=0.3)
    weights, groups = np.arange(1.0, len(X) + 1), np.arange(len(X)) // 5
    late = LateFusionClassifier([("text", recorder(), "text"), ("all", recorder())])
    late.fit(X, y, sample_weight=weights, groups=groups)
    text, both = recorder.seen
    known = X["text__a"].notna().to_numpy()
    assert (text["X"].index == X.index[known]).all()
    assert not text["X"].isna().any(axis=None)
    assert (text["weights"] == weights[known]).all()
    assert (text["groups"] == groups[known]).all()
    assert len(both["X"]) == X.notna().any(axis=1).sum()
    assert not both["X"].isna().any(axis=None)  # it reads no NaN
    assert "text__present" in both["X"]


def test_groups_are_never_in_both_parts(table, recorder):
    X, y = table(60)
    groups = np.arange(60) // 6
    LateFusionClassifier(recorder(), weights="score", cv=3, random_state=0).fit(X, y, groups=groups)
    assert len(recorder.seen) == 8
    for k in range(2):
        folds = [set(fit["groups"]) for fit in recorder.seen[4 * k : 4 * k + 3]]
        assert all(len(fold) < 10 for fold in folds)
        left_out = [set(groups) - fold for fold in folds]
        assert sorted(g for part in left_out for g in part) == list(range(10))


def test_inner_folds_of_an_expert_keep_groups_together(table, recorder):
    X, y = table(60)
    groups = np.arange(60) // 6
    search = GridSearchCV(recorder(), {"random_state": [1, 2]}, cv=2)
    piped = make_pipeline(FillBlocks(), GridSearchCV(recorder(), {"random_state": [1]}, cv=3))
    tuned = TunedOffsetsClassifierCV(recorder(), cv=2, random_state=0)
    late = LateFusionClassifier([("grid", search), ("pipe", piped), ("tuned", tuned)])
    late.fit(X, y, groups=groups)
    assert search.cv == 2
    assert len(recorder.seen) == 5 + 4 + 3
    for fit in recorder.seen:
        rows = set(fit["X"].index)
        assert all(set(np.flatnonzero(groups == g)) <= rows for g in groups[list(rows)])


def test_random_states_of_experts_differ(table, recorder):
    X, y = table(40)
    experts = [("a", recorder()), ("b", recorder()), ("c", recorder(7))]

    def seeds(random_state):
        late = LateFusionClassifier(experts, random_state=random_state).fit(X, y)
        return [expert[-1].random_state for expert in late.experts_.values()]

    first = seeds(0)
    assert first == seeds(0)
    assert first[:2] != seeds(1)[:2]
    assert len(set(first)) == 3
    assert first[2] == 7
    assert seeds(None)[:2] == [None, None]


@pytest.mark.filterwarnings("ignore:.*columns name no modality:UserWarning")
@pytest.mark.parametrize("modalities", ["auto", None, {"text": 2, "face": 1}])
def test_tables_without_names(table, modalities):
    X, y = table(missing=0.2)
    late = LateFusionClassifier(LINEAR, modalities=modalities).fit(X.to_numpy(), y)
    assert list(late.experts_) == (["text", "face"] if modalities else ["features"]) or (
        modalities == "auto" and list(late.experts_) == ["features"]
    )
    assert (late.predict(X.to_numpy()) == late.predict(X.to_numpy()[::-1])[::-1]).all()


@pytest.mark.parametrize("labels", [[3, 5, 9], [False, True], [1.0, 2.0, 3.0], ["a__b", "@", "c"]])
def test_labels_of_any_type(table, labels):
    X, y = table(labels=np.array(labels))
    late = LateFusionClassifier(LINEAR, weights="learned", cv=2, random_state=0).fit(X, y)
    assert late.classes_.tolist() == sorted(labels)
    assert set(late.predict(X).tolist()) <= set(labels)
    assert late.score(X, y) > 0.4


def test_predictions_do_not_depend_on_other_rows(table):
    X, y = table(missing=0.3)
    late = LateFusionClassifier(LINEAR, weights="learned", random_state=0).fit(X, y)
    proba = late.predict_proba(X)
    order = np.random.default_rng(0).permutation(len(X))
    np.testing.assert_array_equal(late.predict_proba(X.iloc[order]), proba[order])
    np.testing.assert_allclose(late.predict_proba(X.iloc[3:4]), proba[3:4], rtol=1e-12)
    again = pickle.loads(pickle.dumps(late))
    np.testing.assert_array_equal(again.predict_proba(X), proba)
    np.testing.assert_array_equal(clone(late).fit(X, y).predict_proba(X), proba)
    with parallel_config("threading"):
        jobs = clone(late).set_params(n_jobs=2).fit(X, y)
    np.testing.assert_array_equal(jobs.predict_proba(X), proba)


def test_metadata_routing(table):
    X, y = table(60)
    groups = np.arange(60) // 6
    late = LateFusionClassifier(
        [("text", LINEAR, "text"), ("net", NETWORK)],
        weights="score",
        cv=GroupKFold(2),
        batched=True,
    )
    with config_context(enable_metadata_routing=True):
        routed = clone(late).fit(X, y, groups=groups)
        cross_val_score(late, X, y, cv=GroupKFold(2), params={"groups": groups})
    assert routed.weights_ == clone(late).fit(X, y, groups=groups).weights_


# -- errors ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("experts", "message"),
    [
        ([("t", LINEAR, "txt")], "'txt', which is not in the table.*Did you mean 'text'"),
        ([("t", LINEAR, [])], "'t' reads no modality"),
        ([("t", LINEAR), ("t", LINEAR)], "two experts have the name 't'"),
        ([("t__1", LINEAR)], "must not be empty or contain '__'"),
        ([LINEAR], "invalid expert .* Pass one estimator"),
        ([("t", "svm")], "invalid expert"),
        ([], "list of experts is empty"),
        ([("t", Ridge())], "the expert 't' \\(Ridge\\) is a regressor; it must be a classifier"),
        (LinearSVC(), "'text' \\(LinearSVC\\) has no predict_proba.*calibration='sigmoid'"),
    ],
)
def test_invalid_experts_raise_an_error(table, experts, message):
    X, y = table(40)
    with pytest.raises(ValueError, match=message):
        LateFusionClassifier(experts).fit(X, y)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1, 2, 3], "must be 2 non-negative numbers"),
        ([-1, 2], "must be 2 non-negative numbers"),
        ([0, 0], "at least one of them positive"),
        ({"text": 1, "fase": 2}, "unknown expert 'fase'.*Did you mean 'face'"),
        ({"text": 1}, "lacks the expert 'face'"),
        ("best", "'weights' parameter of LateFusionClassifier"),
    ],
)
def test_invalid_weights_raise_an_error(table, weights, message):
    X, y = table(40)
    with pytest.raises(ValueError, match=message):
        LateFusionClassifier(LINEAR, weights=weights).fit(X, y)


def test_the_error_of_an_expert_has_its_name(table):
    class Broken(LogisticRegression):
        def fit(self, X, y, sample_weight=None):
            raise KeyError("lost") if self.C == 1 else ValueError("too few")

    X, y = table(40)
    with pytest.raises(ValueError, match=r"the expert 'face' \(Broken\) failed in fit: too few"):
        LateFusionClassifier([("ok", LINEAR), ("face", Broken(C=2), "face")]).fit(X, y)
    with pytest.raises(KeyError) as caught:
        LateFusionClassifier([("face", Broken(), "face")]).fit(X, y)
    assert "the expert 'face' (Broken) failed in fit" in caught.value.__notes__[0]


def test_an_expert_without_training_rows_is_ignored(table):
    X, y = table(40)
    gone = X.assign(face__a=np.nan)
    with pytest.warns(UserWarning, match=r"no training row has a modality of the expert 'face'"):
        late = LateFusionClassifier(LINEAR, weights={"text": 1, "face": 1}).fit(gone, y)
    assert list(late.weights_) == ["text"]
    np.testing.assert_array_equal(late.predict_proba(X), late.predict_proba(gone))
    with pytest.raises(BlockError, match="all modalities are missing in all training rows"):
        LateFusionClassifier(LINEAR).fit(X * np.nan, y)


def test_a_single_expert(table):
    X, y = table(60)
    late = LateFusionClassifier([("text", LINEAR, "text")], weights="learned", cv=2).fit(X, y)
    assert late.weights_ == {"text": 1.0}


def test_raw_cells_raise_an_error(table):
    raw, y = pd.DataFrame({"text": ["good", "bad"] * 10}), np.arange(20) % 2
    with pytest.raises(BlockError, match="has raw cells"):
        LateFusionClassifier(LINEAR).fit(raw, y)
    with pytest.raises(BlockError, match="'t' reads text, but the table has raw cells"):
        LateFusionClassifier([("t", LINEAR, "text")]).fit(raw, y)


def test_invalid_targets_and_groups_raise_an_error(table):
    X, y = table(40)
    late = LateFusionClassifier(LINEAR)
    holes = y.astype(object)
    holes[3] = None
    with pytest.raises(ValueError, match="NaN in 1 rows, first in row 3"):
        late.fit(X, holes)
    with pytest.raises(ValueError, match="one entry, and no NaN, for each of the 40 rows"):
        late.fit(X, y, groups=np.arange(39))
    with pytest.raises(ValueError, match="one class only: 'neg'"):
        late.fit(X, np.full(40, "neg"))
    with pytest.raises(ValueError, match="y must be numeric; got"):
        LateFusionRegressor(Ridge()).fit(X, y)
    with pytest.raises(BlockError, match="found 0 sample"):
        late.fit(X, y).predict(X[:0])
