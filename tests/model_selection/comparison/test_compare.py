"""compare: every model on every split with every seed."""

import pickle

import numpy as np
import pandas as pd
import pytest
from joblib import parallel_config
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import FitFailedWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import accuracy_score
from sklearn.model_selection import (
    GroupKFold,
    RepeatedKFold,
    StratifiedGroupKFold,
    StratifiedKFold,
    cross_validate,
)
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from sklearn_mmsent import (
    FusionClassifier,
    FusionMultitask,
    classification_scores,
    compare,
    intensity_scores,
)
from sklearn_mmsent.utils._random import set_seeds

N = 60
RNG = np.random.default_rng(0)
X = pd.DataFrame(RNG.normal(size=(N, 4)), columns=["text__a", "text__b", "face__a", "face__b"])
Y = np.where(X["text__a"] + 0.5 * RNG.normal(size=N) > 0, "glad", "sad")
GROUPS = np.arange(N) // 4
BAYES = {"bayes": GaussianNB()}


class Spy(ClassifierMixin, BaseEstimator):
    """Predict one class, and record the arguments of fit."""

    seen: list = []

    def __init__(self, random_state=None):
        self.random_state = random_state

    def fit(self, X, y, groups=None, sample_weight=None):
        self.classes_ = np.unique(y)
        Spy.seen.append((self.random_state, X.index.to_numpy(), groups, sample_weight))
        return self

    def predict(self, X):
        return np.full(len(X), self.classes_[0])


@pytest.fixture(autouse=True)
def _forget():
    Spy.seen.clear()


class Fails(ClassifierMixin, BaseEstimator):
    """Fail if the first row is in the training part."""

    def fit(self, X, y):
        if 0 in X.index:
            raise RuntimeError("no room")
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return np.full(len(X), self.classes_[0])


# -- fits ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_each_model_on_each_split_with_each_seed(n_jobs):
    forest = RandomForestClassifier(3)
    models = {"forest": forest, "bayes": GaussianNB()}
    with parallel_config("threading"):
        results = compare(models, X, Y, cv=3, n_repeats=2, seeds=(0, 7), n_jobs=n_jobs).results
    keys = list(results[["model", "repeat", "seed", "fold"]].itertuples(index=False, name=None))
    all_splits = [(r, f) for r in range(2) for f in range(3)]
    # deterministic models are fitted once
    assert keys == [
        *(("constant", r, 0, f) for r, f in all_splits),
        *(("forest", r, s, f) for r in range(2) for s in (0, 7) for f in range(3)),
        *(("bayes", r, 0, f) for r, f in all_splits),
    ]
    assert (results["fit_rows"] + results["test_rows"] == N).all()
    assert results["error"].isna().all()
    assert (results[["fit_seconds", "predict_seconds"]] > 0).all(axis=None)
    assert not hasattr(forest, "estimators_")


@pytest.mark.parametrize("seeds", [(0,), (3, 4)])
def test_scores_are_those_of_cross_validate(seeds):
    cv = StratifiedGroupKFold(4, shuffle=True, random_state=0)
    pipe = make_pipeline(StandardScaler(), RandomForestClassifier(4))
    results = compare({"pipe": pipe}, X, Y, groups=GROUPS, cv=4, seeds=seeds).results
    for seed in seeds:
        seeded = set_seeds(pipe, seed)
        scoring = ["accuracy", "f1_macro", "f1_weighted", "recall_macro"]
        expected = cross_validate(seeded, X, Y, groups=GROUPS, cv=cv, scoring=scoring)
        own = results[(results["model"] == "pipe") & (results["seed"] == seed)]
        for score in scoring:
            np.testing.assert_allclose(own[score], expected[f"test_{score}"])


def test_batched_networks_score_like_single_networks():
    net = FusionClassifier(max_epochs=3, hidden_size=8, dropout=0.0)
    pipe = make_pipeline(StandardScaler().set_output(transform="pandas"), net)
    together, alone = (
        compare({"net": net, "pipe": pipe}, X, Y, groups=GROUPS, cv=3, seeds=(0, 1), batched=fused)
        for fused in (True, False)
    )
    timed = ["fit_seconds", "predict_seconds"]
    pd.testing.assert_frame_equal(
        together.results.drop(columns=timed), alone.results.drop(columns=timed), atol=0.06
    )
    for model in ("net", "pipe"):
        tables = together.predictions(model), alone.predictions(model)
        assert tables[0][["row", "seed", "true"]].equals(tables[1][["row", "seed", "true"]])
        assert (tables[0]["predicted"] == tables[1]["predicted"]).mean() > 0.98


def test_groups_and_weights_reach_models_that_take_them():
    weight = np.arange(1.0, N + 1)
    models = {
        "alone": Spy(),
        "piped": make_pipeline(StandardScaler().set_output(transform="pandas"), Spy()),
        "other": GaussianNB(),
    }
    for cv in (3, GroupKFold(3)):
        compare(models, X, Y, groups=GROUPS, cv=cv, params={"sample_weight": weight})
    assert len(Spy.seen) == 12
    for _, rows, groups, weights in Spy.seen:
        np.testing.assert_array_equal(groups, GROUPS[rows])
        np.testing.assert_array_equal(weights, weight[rows])
        assert not set(GROUPS[rows]) & set(np.delete(GROUPS, rows))


def test_metadata_routing():
    weight = np.arange(1.0, N + 1)
    with config_context(enable_metadata_routing=True):
        asks = Spy().set_fit_request(sample_weight=True, groups=False)
        compare(asks, X, Y, groups=GROUPS, cv=3, params={"sample_weight": weight})
    for _, rows, groups, weights in Spy.seen:
        assert groups is None
        np.testing.assert_array_equal(weights, weight[rows])


def test_seeds_are_set_at_every_depth():
    pipe = make_pipeline(StandardScaler(), RandomForestClassifier())
    assert set_seeds(pipe, 7)[-1].random_state == 7
    compare(Spy(), X, Y, cv=2, seeds=[5, 6])
    assert sorted(seed for seed, *_ in Spy.seen) == [5, 5, 6, 6]


def test_each_repeat_shuffles_again_and_keeps_groups_together():
    compare(Spy(), X, Y, groups=GROUPS, cv=3, n_repeats=3)
    parts = [frozenset(rows) for _, rows, *_ in Spy.seen]
    assert len(set(parts)) > 6
    assert all(len(rows) in range(36, 45) for rows in parts)
    again = compare(BAYES, X, Y, groups=GROUPS, cv=3, n_repeats=3).results["f1_macro"]
    other = compare(BAYES, X, Y, groups=GROUPS, cv=3, n_repeats=3, random_state=9)
    first = compare(BAYES, X, Y, groups=GROUPS, cv=3, n_repeats=3).results["f1_macro"]
    assert first.equals(again)
    assert not first.equals(other.results["f1_macro"])


def test_a_given_splitter_is_shuffled_or_raises_an_error():
    comparison = compare(BAYES, X, Y, groups=GROUPS, cv=GroupKFold(3), n_repeats=2)
    assert comparison.n_splits == 6
    tests = comparison.predictions("bayes").groupby(["repeat", "fold"])["row"].agg(tuple)
    assert len(set(tests)) == 6
    with pytest.raises(ValueError, match="returns the same splits each time"):
        compare(BAYES, X, Y, cv=[(np.arange(30), np.arange(30, N))], n_repeats=2)


# -- results -------------------------------------------------------------------------------------


def test_a_constant_predictor_is_the_default_baseline():
    comparison = compare(BAYES, X, Y)
    assert comparison.table.index.tolist() == ["constant", "bayes"]
    assert comparison.baseline == "constant"
    assert comparison.best_model_ == "bayes"
    assert comparison.best_score_ == comparison.table.loc["bayes", ("f1_macro", "mean")]
    own = compare({"bayes": GaussianNB(), "most": DummyClassifier()}, X, Y)
    assert own.table.index.tolist() == ["bayes", "most"]
    assert own.baseline == "most"
    y = X["text__a"].to_numpy()
    assert compare(Ridge(), X, y).table.index.tolist() == ["constant", "Ridge"]


def test_default_scores_of_classes_and_intensities():
    y = X["text__a"].to_numpy()
    by_target = {
        "corr": 3 * y / np.abs(y).max(),
        "corr_sims": y / np.abs(y).max(),
        "r2": 5 + y,
    }
    for score, target in by_target.items():
        assert score in compare({"ridge": Ridge()}, X, target).scores
    assert compare({"ridge": Ridge()}, X, by_target["corr"]).scores == list(
        intensity_scores([0, 1], [0, 1])
    )
    ridge = compare({"ridge": Ridge()}, X, by_target["r2"])
    assert ridge.scores == ["mae", "corr", "r2"]
    assert ridge.primary == "mae"
    assert ridge.best_model_ == "ridge"
    assert ridge.table.loc["ridge", ("mae", "mean")] == ridge.table["mae", "mean"].min()
    assert compare(BAYES, X, Y).scores == list(classification_scores(Y, Y))


@pytest.mark.parametrize(
    ("scoring", "scores"),
    [
        ("roc_auc", ["roc_auc"]),
        (["accuracy", "roc_auc", "neg_log_loss"], ["accuracy", "roc_auc", "neg_log_loss"]),
        ({"auc": "roc_auc"}, ["auc"]),
        (lambda model, X, y: accuracy_score(y, model.predict(X)), ["score"]),
        (lambda model, X, y: {"right": accuracy_score(y, model.predict(X))}, ["right"]),
    ],
)
def test_custom_scores(scoring, scores):
    comparison = compare(BAYES, X, Y, cv=3, scoring=scoring)
    assert comparison.scores == scores
    assert comparison.primary == scores[0]
    if isinstance(scoring, str):
        cv = StratifiedKFold(3, shuffle=True, random_state=0)
        expected = cross_validate(GaussianNB(), X, Y, cv=cv, scoring=scoring)["test_score"]
        own = comparison.results.query("model == 'bayes'")["roc_auc"]
        np.testing.assert_allclose(own, expected)


def test_scores_by_name():
    y = np.clip(3 * X["text__a"].to_numpy(), -3, 3)
    assert compare(Ridge(), X, y, scoring=["acc7", "neg_mae"]).scores == ["acc7", "neg_mae"]


def test_default_names_of_models():
    assert compare([GaussianNB(), LinearSVC()], X, Y).table.index.tolist() == [
        *("constant", "GaussianNB", "LinearSVC")
    ]


def test_predictions_are_out_of_fold():
    comparison = compare(BAYES, X, Y, groups=GROUPS, cv=3, n_repeats=2)
    table = comparison.predictions()
    assert table["row"].tolist() == [*range(N), *range(N)]
    assert (table["true"] == Y[table["row"]]).all()
    folds = table.groupby(["repeat", "fold"])
    right = folds.apply(lambda part: (part["true"] == part["predicted"]).mean())
    own = comparison.results.query("model == 'bayes'").set_index(["repeat", "fold"])["accuracy"]
    np.testing.assert_allclose(right, own)


def test_a_comparison_can_be_pickled():
    comparison = compare(BAYES, X, Y, scoring=["roc_auc"], groups=GROUPS)
    again = pickle.loads(pickle.dumps(comparison))
    pd.testing.assert_frame_equal(again.table, comparison.table)
    pd.testing.assert_frame_equal(again.breakdown("group"), comparison.breakdown("group"))


def test_global_states_do_not_change(global_states):
    before = global_states()
    compare({"net": FusionClassifier(max_epochs=1)}, X, Y, cv=2).breakdown()
    assert global_states() == before


# -- errors --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"y": Y[1:]}, "X has 60, y has 59"),
        ({"y": np.append(Y[1:].astype(object), None)}, "y is missing .* first in row 59"),
        ({"groups": GROUPS[1:]}, "groups has 59"),
        ({"groups": GROUPS, "cv": 20}, "20 folds cannot be made of 15 groups"),
        ({"groups": np.where(Y == "sad", 0, GROUPS + 1)}, "class 'sad' occurs in a single group"),
        ({"baseline": "best"}, "baseline 'best' is not among the models: constant, bayes"),
        ({"estimators": [("a", GaussianNB()), ("a", LinearSVC())]}, "'a' names several models"),
        ({"estimators": {"constant": GaussianNB()}}, "'constant' is the name of the constant"),
        ({"estimators": {}}, "estimators is empty"),
        ({"estimators": {"a": GaussianNB(), "b": Ridge()}}, "'a' is a classifier and 'b' a regr"),
        ({"estimators": FusionMultitask()}, "neither a classifier nor a regressor"),
        ({"estimators": {"svm": LinearSVC()}, "scoring": "neg_log_loss"}, "'neg_log_loss' needs"),
        ({"scoring": "f1_makro"}, "Did you mean 'f1_macro'"),
        ({"scoring": ["accuracy", "accuracy"]}, "list of unique score names"),
        ({"seeds": (1, 1)}, "unique integers"),
        ({"seeds": (0.5,)}, "must be unique integers"),
        ({"params": {"weights": np.ones(N)}}, "no model takes 'weights'"),
        ({"nested": {"tree": {}}}, "nested searches 'tree', which is not among"),
        ({"n_repeats": 0}, "'n_repeats' parameter of compare must be an int"),
    ],
)
def test_errors_are_raised_before_anything_is_fitted(change, message, monkeypatch):
    def fail(*args, **kwargs):
        raise AssertionError("something was fitted")

    monkeypatch.setattr(GaussianNB, "fit", fail)
    arguments = {"estimators": BAYES, "X": X, "y": Y} | change
    with pytest.raises(ValueError, match=message):
        compare(**arguments, error_score="raise")


def test_invalid_estimators_raise_an_error():
    with pytest.raises(TypeError, match=r"must map names, which are strings, .*'a': 3"):
        compare({"a": 3}, X, Y)


def test_failed_fits_are_recorded():
    models = {"fails": Fails(), "bayes": GaussianNB()}
    with pytest.warns(FitFailedWarning, match="2 of 9 fits failed, 'fails' on fold .*no room"):
        comparison = compare(models, X, Y, cv=3)
    failed = comparison.results[comparison.results["error"].notna()]
    assert failed["model"].eq("fails").all()
    assert failed["error"].eq("RuntimeError: no room").all()
    assert failed["accuracy"].isna().all()
    assert np.isnan(comparison.table.loc["fails", ("accuracy", "mean")])
    assert comparison.table.loc["bayes", ("f1_macro", "p")] < 1
    with pytest.warns(FitFailedWarning):
        zeros = compare(models, X, Y, cv=3, error_score=0.0)
    assert zeros.table.loc["fails", ("accuracy", "mean")] > 0
    with pytest.raises(RuntimeError, match="no room"):
        compare(models, X, Y, cv=3, error_score="raise")


@pytest.mark.parametrize("fused", [True, False])
def test_a_diverging_network_does_not_affect_others(fused):
    models = {"net": FusionClassifier(max_epochs=2, lr=1e30, clip_norm=None)}
    with pytest.warns(FitFailedWarning, match="DivergenceError"):
        comparison = compare(models, X, Y, cv=2, batched=fused)
    assert comparison.results.query("model == 'constant'")["error"].isna().all()


def test_wilcoxon_with_too_few_pairs_raises_a_warning():
    with pytest.warns(UserWarning, match="a Wilcoxon test of 5 pairs cannot reach p < .05"):
        compare(BAYES, X, Y, test="wilcoxon")
    compare(BAYES, X, Y, cv=3, n_repeats=2, test="wilcoxon")


def test_a_single_split():
    split = [(np.arange(40), np.arange(40, N))]
    models = {"forest": RandomForestClassifier(3), "bayes": GaussianNB()}
    table = compare(models, X, Y, cv=split, seeds=range(5), baseline="bayes").table["accuracy"]
    assert 0 <= table.loc["forest", "p"] <= 1
    assert np.isnan(table.loc["bayes", "low"])
    note = compare(models, X, Y, cv=split, seeds=range(5)).note
    assert "5 seeds of one split; interval over seeds only" in note


def test_splits_that_test_a_row_twice():
    comparison = compare(BAYES, X, Y, cv=RepeatedKFold(n_splits=3, n_repeats=2, random_state=0))
    assert comparison.n_splits == 6
    assert len(comparison.predictions()) == 2 * N
    assert comparison.breakdown()["rows"].eq(N).all(axis=None)


def test_the_baseline_of_regressors_is_the_mean():
    y = X["text__a"].to_numpy()
    comparison = compare({"mean": DummyRegressor(), "ridge": Ridge()}, X, y)
    assert comparison.baseline == "mean"
    assert comparison.table.loc["ridge", ("mae", "p_holm")] < 0.01


def test_the_correlation_of_a_constant_is_undefined():
    y = X["text__a"].to_numpy()
    table = compare({"ridge": Ridge()}, X, y).table
    assert np.isnan(table.loc["constant", ("corr", "mean")])
    assert np.isnan(table.loc["ridge", ("corr", "p")])


def test_sparse_and_array_rows():
    from scipy.sparse import csr_array

    for rows in (X.to_numpy(), csr_array(X.to_numpy())):
        assert compare({"line": LogisticRegression()}, rows, Y).best_model_ == "line"
