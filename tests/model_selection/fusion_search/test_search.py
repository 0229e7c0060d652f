"""FusionSearchCV: search over pipelines with batches of trials, and scikit-learn's interface."""

import pickle

import numpy as np
import optuna
import pytest
import sklearn
from scipy.stats import loguniform
from sklearn.base import BaseEstimator, TransformerMixin, clone, is_classifier, is_regressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import accuracy_score, make_scorer
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    cross_val_score,
    cross_validate,
)
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearn_mmsent import (
    BatchedGridSearchCV,
    FillBlocks,
    FusionClassifier,
    FusionRegressor,
    FusionSearchCV,
    make_pipeline,
)
from sklearn_mmsent.spaces import DependsOn

CHEAP = {"max_epochs": 5, "hidden_size": 8, "dropout": 0.0, "random_state": 0}
CLASSIFIER = FusionClassifier(**CHEAP)
SPACE = {"lr": loguniform(1e-4, 1e-1), "weight_decay": [0.0, 0.3]}
EXPECTED_FAILURES = {
    "check_sample_weight_equivalence_on_dense_data": (
        "a row of weight two is one row in one batch; two rows fall into two batches"
    )
}
QUICK = {"level": None, "n_trials": 6, "cv": 2, "random_state": 0, "batched": True}


@pytest.mark.slow
@pytest.mark.filterwarnings(
    "ignore:.*columns name no modality:UserWarning",
    "ignore:A column-vector y was passed:sklearn.exceptions.DataConversionWarning",
    "ignore:Skipping check_array_api_input:sklearn.exceptions.SkipTestWarning",
    # some folds of the checks lack a class
    "ignore:FusionSearchCV. the test part of:UserWarning",
    # the stratified splitter casts infinite targets before they raise an error
    "ignore:invalid value encountered in cast:RuntimeWarning",
)
@parametrize_with_checks(
    [
        FusionSearchCV(
            FusionClassifier(max_epochs=20, random_state=0),
            {"lr": [1e-2]},
            level=None,
            n_trials=1,
            cv=2,
            error_score="raise",
            random_state=0,
        )
    ],
    expected_failed_checks=lambda estimator: EXPECTED_FAILURES,
)
def test_scikit_learns_checks(estimator, check):
    check(estimator)


@pytest.fixture(name="table")
def _table(named_table):
    return named_table(90, {"text": 4, "audio": (3, 2)}, missing=0.2)[:2]


def test_scores_are_those_of_cross_validation(table):
    X, y = table
    search = FusionSearchCV(CLASSIFIER, SPACE, pruner=None, return_train_score=True, **QUICK)
    search.fit(X, y)
    results = search.cv_results_
    assert results["state"].tolist() == ["complete"] * 6
    for i in range(6):
        one = clone(CLASSIFIER).set_params(**results["params"][i])
        expected = cross_validate(one, X, y, cv=2, return_train_score=True)
        for f in range(2):
            for part in ("test", "train"):
                score = results[f"split{f}_{part}_score"][i]
                assert score == pytest.approx(expected[f"{part}_score"][f], abs=0.05)
    assert search.best_index_ == np.argmax(results["mean_test_score"])
    assert search.best_score_ == results["mean_test_score"].max() == search.study_.best_value
    assert search.best_params_ == results["params"][search.best_index_]
    again = clone(CLASSIFIER).set_params(**search.best_params_).fit(X, y)
    np.testing.assert_array_equal(search.predict_proba(X), again.predict_proba(X))
    assert (search.predict(X) == again.predict(X)).all()
    assert search.score(X, y) == again.score(X, y)
    assert (search.classes_ == np.unique(y)).all()
    assert search.n_features_in_ == X.shape[1]
    assert list(search.feature_names_in_) == list(X.columns)
    assert (search.n_splits_, search.multimetric_) == (2, False)
    assert search.refit_time_ > 0
    grid = BatchedGridSearchCV(CLASSIFIER, {"lr": [0.1]}, cv=2, return_train_score=True).fit(X, y)
    assert set(grid.cv_results_) - set(results) == set()
    assert [trial.value for trial in search.study_.trials] == list(results["mean_test_score"])


def test_equal_seeds_give_equal_searches(table, global_states):
    X, y = table
    states = global_states()
    first, second = (
        FusionSearchCV(CLASSIFIER, SPACE, n_batched=4, **QUICK).fit(X, y) for _ in range(2)
    )
    assert global_states() == states
    assert first.cv_results_["params"] == second.cv_results_["params"]
    np.testing.assert_array_equal(
        first.cv_results_["mean_test_score"], second.cv_results_["mean_test_score"]
    )
    # the first trials are random, and do not depend on the size of the batch
    other = FusionSearchCV(CLASSIFIER, SPACE, n_batched=2, **QUICK).fit(X, y)
    assert first.cv_results_["params"] == other.cv_results_["params"]
    seed = FusionSearchCV(CLASSIFIER, SPACE, **QUICK | {"random_state": 1}).fit(X, y)
    assert first.cv_results_["params"] != seed.cv_results_["params"]


def test_a_search_can_be_pickled_cloned_and_nested(table):
    X, y = table
    search = FusionSearchCV(CLASSIFIER, {"lr": [1e-3, 1e-2]}, **QUICK | {"n_trials": 2})
    assert is_classifier(search)
    assert is_regressor(FusionSearchCV(FusionRegressor()))
    assert search.__sklearn_tags__().input_tags.allow_nan
    assert cross_val_score(search, X, y, cv=2).shape == (2,)
    copy = pickle.loads(pickle.dumps(search.fit(X, y)))
    np.testing.assert_array_equal(copy.predict(X), search.predict(X))
    assert len(copy.study_.trials) == 2
    assert repr(clone(search)) == repr(search)


def test_the_space_extends_that_of_the_estimator(table):
    X, y = table
    search = FusionSearchCV(CLASSIFIER, {"fusion": ["sum"], "max_epochs": [1, 2]}, n_trials=3, cv=2)
    search.fit(X, y)
    assert set(search.space_) == {*FusionClassifier.search_space(), "max_epochs"}
    assert {params["fusion"] for params in search.cv_results_["params"]} == {"sum"}
    with pytest.raises(ValueError, match=r"the search space is empty\. Ridge has none"):
        FusionSearchCV(Ridge()).fit(X.fillna(0), np.arange(90))


class Counting(TransformerMixin, BaseEstimator):
    """Record the calls."""

    calls = []

    def __init__(self, factor=1.0):
        self.factor = factor

    def fit(self, X, y=None):
        self.calls.append(("fit", self.factor, len(X)))
        self.columns_ = np.asarray(X.columns)
        return self

    def transform(self, X):
        self.calls.append(("transform", self.factor, len(X)))
        return X * self.factor

    def get_feature_names_out(self, input_features=None):
        return self.columns_


@pytest.mark.parametrize("final", [CLASSIFIER, LogisticRegression(max_iter=300)])
def test_shared_steps_run_once_per_fold(table, final):
    X, y = table
    Counting.calls.clear()
    pipe = make_pipeline(Counting(), FillBlocks(), StandardScaler(), final)
    name = pipe.steps[-1][0]
    own = {"lr": [1e-3, 1e-2]} if final is CLASSIFIER else {"C": [0.1, 1.0]}
    space = {f"{name}__{k}": v for k, v in own.items()} | {"counting__factor": [1.0, 2.0]}
    search = FusionSearchCV(
        pipe, space, pruner=None, n_batched=2, refit=False, **QUICK | {"n_trials": 12}
    ).fit(X, y)
    tried = {params["counting__factor"] for params in search.cv_results_["params"]}
    assert tried == {1.0, 2.0}
    fits = [call for call in Counting.calls if call[0] == "fit"]
    transforms = [call for call in Counting.calls if call[0] == "transform"]
    assert len(fits) == 2 * 2  # factors, folds
    assert len(transforms) == 2 * 2 * 2  # training and test rows
    for params, score in zip(
        search.cv_results_["params"], search.cv_results_["mean_test_score"], strict=True
    ):
        expected = cross_val_score(clone(pipe).set_params(**params), X, y, cv=2).mean()
        assert score == pytest.approx(expected, abs=0.05)


def test_whole_pipelines_with_conditions(table):
    X, y = table
    pipe = make_pipeline(FillBlocks(), StandardScaler(), CLASSIFIER)
    space = {
        "standardscaler": {"no": "passthrough", "yes": StandardScaler()},
        "standardscaler__with_mean": DependsOn("standardscaler", {"yes": [True, False]}),
        "fusionclassifier": {"net": CLASSIFIER, "linear": LogisticRegression(max_iter=300)},
        "fusionclassifier__fusion": DependsOn("fusionclassifier", {"net": ["sum", "gated"]}),
        "fusionclassifier__C": DependsOn("fusionclassifier", {"linear": loguniform(0.1, 10)}),
    }
    search = FusionSearchCV(pipe, space, **QUICK | {"n_trials": 16, "pruner": None}).fit(X, y)
    assert search.cv_results_["state"].tolist() == ["complete"] * 16
    assert search.cv_results_["param_fusionclassifier__C"].mask.any()
    kinds = {type(p["fusionclassifier"]).__name__ for p in search.cv_results_["params"]}
    assert kinds == {"FusionClassifier", "LogisticRegression"}
    assert set(search.predict(X)) <= set(y)


# -- pruning ---------------------------------------------------------------------------------------


def test_bad_trials_are_pruned_after_folds(table):
    X, y = table
    clf = clone(CLASSIFIER).set_params(max_epochs=12, early_stopping=False)
    space = {"lr": loguniform(1e-6, 3e-2)}
    search = FusionSearchCV(clf, space, **QUICK | {"n_trials": 16, "cv": 3}).fit(X, y)
    states = search.cv_results_["state"]
    assert (states == "pruned").sum() >= 4
    complete = states == "complete"
    assert complete[search.best_index_]
    assert np.isfinite(search.cv_results_["mean_test_score"]).tolist() == complete.tolist()
    rates = np.array([params["lr"] for params in search.cv_results_["params"]])
    assert np.median(rates[complete]) > np.median(rates[~complete])
    folds = [len(t.user_attrs["fusion_search:record"]["test"]) for t in search.study_.trials]
    assert all((n == 3) == whole for n, whole in zip(folds, complete, strict=True))


@pytest.mark.parametrize("batched", [True, False])
def test_bad_trials_are_pruned_after_epochs(table, batched):
    X, y = table
    clf = clone(CLASSIFIER).set_params(max_epochs=16, early_stopping=False)
    options = {"pruner_params": {"keep_epochs": 0.3, "n_others": 2}, "scoring": "neg_log_loss"}
    search = FusionSearchCV(
        clf,
        {"lr": loguniform(1e-4, 3e-2)},
        **options,
        **QUICK | {"n_trials": 8, "batched": batched},
    ).fit(X, y)
    records = [t.user_attrs["fusion_search:record"] for t in search.study_.trials]
    stopped = [record for record in records if not record["test"]]
    assert len(stopped) >= 3
    assert {record["state"] for record in stopped} == {"pruned"}
    assert search.cv_results_["state"].tolist().count("complete") >= 1


def test_samplers_and_pruners_of_optuna(table):
    X, y = table
    search = FusionSearchCV(
        CLASSIFIER,
        SPACE,
        sampler=optuna.samplers.RandomSampler(seed=0),
        pruner=optuna.pruners.ThresholdPruner(lower=1.0),
        **QUICK,
    )
    with pytest.raises(ValueError, match="none of 6 trials was scored on all folds"):
        search.fit(X, y)
    assert (search.cv_results_["state"] == "pruned").all()
    options = {"sampler_params": {"n_startup_trials": 2, "n_ei_candidates": 4}}
    FusionSearchCV(CLASSIFIER, SPACE, **options, **QUICK).fit(X, y)
    with pytest.raises(TypeError, match="n_startups"):
        FusionSearchCV(CLASSIFIER, SPACE, sampler_params={"n_startups": 1}, **QUICK).fit(X, y)
    drawn = FusionSearchCV(CLASSIFIER, SPACE, sampler="random", **QUICK).fit(X, y)
    assert len(drawn.study_.trials) == 6


def test_a_search_starts_from_another(table):
    X, y = table
    first = FusionSearchCV(CLASSIFIER, SPACE, pruner=None, **QUICK).fit(X, y)
    best = sorted(first.study_.trials, key=lambda trial: -trial.value)[:2]
    for start in (first, first.study_):
        second = FusionSearchCV(
            CLASSIFIER,
            {"lr": loguniform(1e-6, 1.0), "clip_norm": [None, 0.1]},
            start_from=start,
            n_start=2,
            **QUICK | {"random_state": 5},
        ).fit(X, y)
        rates = [params["lr"] for params in second.cv_results_["params"]]
        assert rates[:2] == [trial.params["lr"] for trial in best]
    given = [{"lr": 0.02, "weight_decay": 0.3}, {"lr": 0.01, "unknown": 1}]
    third = FusionSearchCV(CLASSIFIER, SPACE, start_from=given, **QUICK).fit(X, y)
    assert third.cv_results_["params"][0] == given[0]
    assert third.cv_results_["params"][1]["lr"] == 0.01
    with pytest.raises(TypeError, match="start_from must be a fitted FusionSearchCV, a study"):
        FusionSearchCV(CLASSIFIER, SPACE, start_from=3, **QUICK).fit(X, y)


# -- scores and metadata ---------------------------------------------------------------------------


def test_several_scores_and_none_to_refit(table):
    X, y = table
    scoring = {"acc": "accuracy", "loss": "neg_log_loss"}
    search = FusionSearchCV(CLASSIFIER, SPACE, scoring=scoring, refit="loss", **QUICK).fit(X, y)
    assert search.multimetric_
    complete = search.cv_results_["state"] == "complete"
    best = np.nanmax(search.cv_results_["mean_test_loss"][complete])
    assert search.best_score_ == best == search.study_.best_value
    assert set(search.scorer_) == {"acc", "loss"}
    unfit = FusionSearchCV(CLASSIFIER, SPACE, scoring=scoring, refit=False, **QUICK).fit(X, y)
    assert not hasattr(unfit, "best_estimator_")
    accuracies = unfit.cv_results_["mean_test_acc"]
    assert unfit.study_.best_value == np.nanmax(accuracies)
    chosen = FusionSearchCV(CLASSIFIER, SPACE, refit=lambda results: 1, **QUICK).fit(X, y)
    assert chosen.best_params_ == chosen.cv_results_["params"][1]

    def both(estimator, X, y):
        return {"a": accuracy_score(y, estimator.predict(X)), "b": -1.0}

    of_a_function = FusionSearchCV(CLASSIFIER, SPACE, scoring=both, refit="a", **QUICK).fit(X, y)
    assert of_a_function.best_score_ == np.nanmax(of_a_function.cv_results_["mean_test_a"])


def test_weights_and_groups_are_routed(table):
    X, y = table
    weights, groups = np.linspace(0.1, 1, 90), np.arange(90) // 9
    options = QUICK | {"n_trials": 2, "pruner": None}
    search = FusionSearchCV(CLASSIFIER, SPACE, **options | {"cv": GroupKFold(2)})
    search.fit(X, y, groups=groups)
    with pytest.raises(ValueError, match="groups"):
        search.fit(X, y)
    FusionSearchCV(CLASSIFIER, SPACE, **options).fit(X, y, sample_weight=weights)
    with sklearn.config_context(enable_metadata_routing=True):
        clf = clone(CLASSIFIER).set_fit_request(sample_weight=True)
        scorer = make_scorer(accuracy_score).set_score_request(sample_weight=True)
        search = FusionSearchCV(clf, SPACE, scoring=scorer, **options)
        search.fit(X, y, sample_weight=weights, groups=groups)
        params = search.cv_results_["params"][0]
        expected = cross_validate(
            clone(clf).set_params(**params),
            X,
            y,
            cv=sklearn.model_selection.StratifiedGroupKFold(2),
            scoring=scorer,
            params={"sample_weight": weights, "groups": groups},
        )["test_score"]
        mine = [search.cv_results_[f"split{f}_test_score"][0] for f in range(2)]
        np.testing.assert_allclose(mine, expected, atol=0.05)


def test_a_number_of_folds_keeps_groups_together(table):
    X, y = table
    groups = np.arange(90) // 9
    seen = []

    def record(estimator, X, y):
        seen.append(set(X.index))
        return 0.5

    FusionSearchCV(CLASSIFIER, SPACE, scoring=record, **QUICK | {"n_trials": 1}).fit(
        X, y, groups=groups
    )
    for rows in seen:
        of = {groups[row] for row in rows}
        assert rows == {row for row in range(90) if groups[row] in of}


def test_regression_and_no_target_to_stratify(table):
    X, _ = table
    target = X["text__x000"].fillna(0).to_numpy()
    reg = FusionRegressor(**CHEAP)
    search = FusionSearchCV(reg, SPACE, **QUICK).fit(X, target, groups=np.arange(90) // 9)
    assert search.best_score_ == search.cv_results_["mean_test_score"][search.best_index_]


# -- errors ----------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:.*trials failed:sklearn.exceptions.FitFailedWarning")
def test_failed_trials_are_recorded(table):
    X, y = table
    space = {"lr": [1e-3, 1e30], "fusion": ["sum", "mag"], "fusion_params": [None, {"main": 9}]}
    search = FusionSearchCV(FusionRegressor(**CHEAP), space, **QUICK | {"n_trials": 14})
    search.fit(X, np.searchsorted(np.unique(y), y) * 1.0)
    results = search.cv_results_
    failed = results["state"] == "failed"
    assert 0 < failed.sum() < 14
    assert np.isnan(results["mean_test_score"][failed]).all()
    errors = " ".join(results["error"][failed])
    assert "DivergenceError: training diverged" in errors
    assert "TypeError" in errors or "main" in errors
    assert (results["error"][~failed] == "").all()
    states = {t.number: t.state.name for t in search.study_.trials}
    assert all((states[i] == "FAIL") == failed[i] for i in range(14))
    assert not failed[search.best_index_]


def test_a_failed_trial_raises_a_warning_or_an_error(table):
    X, y = table
    options = QUICK | {"n_trials": 4, "sampler": "random", "n_batched": 1}
    some = {"lr": [1e-3, -1.0]}
    with pytest.warns(sklearn.exceptions.FitFailedWarning, match=r"of 4 trials failed.*'lr'"):
        scored = FusionSearchCV(CLASSIFIER, some, error_score=-1.0, **options).fit(X, y)
    failed = scored.cv_results_["state"] == "failed"
    assert (scored.cv_results_["mean_test_score"][failed] == -1.0).all()
    with pytest.raises(ValueError, match="The 'lr' parameter"):
        FusionSearchCV(CLASSIFIER, some, error_score="raise", **options).fit(X, y)
    with pytest.raises(ValueError, match="All the 4 trials of FusionSearchCV have failed"):
        FusionSearchCV(CLASSIFIER, {"lr": [-1.0, -2.0]}, **options).fit(X, y)
    search = FusionSearchCV(CLASSIFIER, {"lr": [-1.0, -2.0]}, max_failures=2, **options)
    with pytest.raises(RuntimeError, match="2 of 2 trials have failed, which is max_failures"):
        search.fit(X, y)
    assert search.cv_results_["state"].tolist() == ["failed"] * 2


@pytest.mark.parametrize("bad", [float("nan"), "high"])
def test_invalid_scores_fail_the_trial(table, bad):
    X, y = table
    calls = []

    def score(estimator, X, y):
        calls.append(1)
        return bad if len(calls) == 1 else 0.5

    search = FusionSearchCV(
        CLASSIFIER, SPACE, scoring=score, **QUICK | {"pruner": None, "n_trials": 3}
    )
    with pytest.warns(sklearn.exceptions.FitFailedWarning, match="1 of 3 trials failed"):
        search.fit(X, y)
    assert search.cv_results_["state"].tolist() == ["failed", "complete", "complete"]


def test_a_memory_error_fails_the_trial(table, monkeypatch):
    X, y = table
    usual = FusionClassifier.split

    def full(self, table):
        if self.validation_fraction == 0.3:
            raise MemoryError("no room")
        return usual(self, table)

    monkeypatch.setattr(FusionClassifier, "split", full)
    space = {"validation_fraction": [0.1, 0.3]}
    with pytest.warns(sklearn.exceptions.FitFailedWarning, match="MemoryError: no room"):
        search = FusionSearchCV(CLASSIFIER, space, **QUICK).fit(X, y)
    assert search.best_params_ == {"validation_fraction": 0.1}


def check_error(table, words, space=SPACE, error=ValueError, groups=None, y=None, **options):
    X, labels = table
    search = FusionSearchCV(CLASSIFIER, space, **QUICK | options)
    metadata = {} if groups is None else {"groups": groups}
    with pytest.raises(error, match=words):
        search.fit(X, labels if y is None else y, **metadata)


def test_errors_are_raised_before_the_first_trial(table, monkeypatch):
    monkeypatch.setattr(FusionClassifier, "prepare", None)  # nothing may be fitted
    X, y = table
    check_error(table, "'learning_rate', which is no parameter", space={"learning_rate": [1]})
    check_error(table, "Did you mean 'dropout'", space={"droput": [0.1]})
    check_error(table, "4 folds cannot be made of 3 groups", groups=np.arange(90) % 3, cv=4)
    check_error(table, "4 folds cannot be made of 3", groups=np.arange(90) % 3, cv=GroupKFold(4))
    rare = np.where(np.arange(90) == 0, "rare", y)
    words = "training part of fold 0 has no row of class 'rare', which its test part has"
    check_error(table, words, y=rare, cv=KFold(3))
    check_error(table, "test part of fold 0 is empty", cv=[(np.arange(90), [])])
    check_error(table, "n_trials or timeout must be given", n_trials=None)
    check_error(table, "cv gave no splits", cv=[])
    pipe = make_pipeline(FillBlocks(), CLASSIFIER)
    with pytest.raises(ValueError, match="Did you mean 'fusionclassifier__lr'"):
        FusionSearchCV(pipe, {"lr": [0.1]}).fit(X, y)
    with pytest.raises(ValueError, match="'n_batched' parameter of FusionSearchCV"):
        FusionSearchCV(CLASSIFIER, SPACE, n_batched=0).fit(X, y)


def test_misleading_folds_raise_a_warning(table):
    X, y = table
    options = QUICK | {"n_trials": 1}
    with pytest.warns(UserWarning, match="each of the 90 groups has a single row"):
        FusionSearchCV(CLASSIFIER, SPACE, **options).fit(X, y, groups=np.arange(90))
    order = np.argsort(y, kind="stable")
    folds = [(np.arange(90), np.flatnonzero(y == y[order[0]]))]
    with pytest.warns(UserWarning, match=r"test part of 1 of 1 folds lacks a class \(fold 0"):
        FusionSearchCV(CLASSIFIER, SPACE, **options | {"cv": folds}).fit(X, y)


def test_the_timeout_is_respected(table):
    X, y = table
    options = QUICK | {"n_trials": None, "n_batched": 2}
    search = FusionSearchCV(CLASSIFIER, SPACE, timeout=1.0, **options).fit(X, y)
    assert len(search.study_.trials) >= 2
    with pytest.raises(ValueError, match="none of 0 trials was scored"):
        FusionSearchCV(CLASSIFIER, SPACE, timeout=1e-9, **options).fit(X, y)


def test_the_progress_bar_shows_the_best_score(table, capsys):
    X, y = table
    level = optuna.logging.get_verbosity()
    FusionSearchCV(CLASSIFIER, SPACE, verbose=1, **QUICK).fit(X, y)
    output = capsys.readouterr().err
    assert "6/6" in output
    assert "best=0." in output
    assert "[I " not in output
    FusionSearchCV(CLASSIFIER, SPACE, verbose=2, **QUICK | {"n_trials": 1}).fit(X, y)
    assert optuna.logging.get_verbosity() == level
    silent = FusionSearchCV(CLASSIFIER, SPACE, **QUICK | {"n_trials": 1}).fit(X, y)
    assert capsys.readouterr().err.count("trial/s") >= 1
    assert silent.verbose == 0
