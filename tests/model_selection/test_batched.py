"""Folds and candidates trained at once give what scikit-learn gives one by one."""

import numpy as np
import pandas as pd
import pytest
import sklearn
from imblearn.over_sampling import RandomOverSampler
from scipy.stats import loguniform
from sklearn.base import BaseEstimator, TransformerMixin, clone, is_classifier
from sklearn.exceptions import FitFailedWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, make_scorer
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    RandomizedSearchCV,
    ShuffleSplit,
    StratifiedKFold,
    cross_val_predict,
    cross_val_score,
    cross_validate,
)
from sklearn.pipeline import Pipeline as PlainPipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearn_mmsent import (
    BatchedGridSearchCV,
    FillBlocks,
    FusionClassifier,
    FusionRegressor,
    batched_cross_validate,
    make_pipeline,
)
from sklearn_mmsent.model_selection import (
    BatchedRandomizedSearchCV,
    _batched_cross_validation,
    batched_cross_val_predict,
    batched_fit,
)

CHEAP = {"max_epochs": 4, "hidden_size": 8, "dropout": 0.0, "random_state": 0}
CLASSIFIER = FusionClassifier(**CHEAP)
GRID = {"lr": [1e-4, 1e-2], "weight_decay": [0.0, 0.1], "hidden_size": [8, 12]}
EXPECTED_FAILURES = {
    "check_sample_weight_equivalence_on_dense_data": (
        "a row of weight two is one row in one batch; two rows fall into two batches"
    )
}
TIMES = ["mean_fit_time", "std_fit_time", "mean_score_time", "std_score_time"]


@pytest.fixture
def table(named_table):
    return named_table(90, missing=0.2)[:2]


@pytest.mark.slow
@pytest.mark.filterwarnings(
    "ignore:.*columns name no modality:UserWarning",
    "ignore:A column-vector y was passed:sklearn.exceptions.DataConversionWarning",
    "ignore:Skipping check_array_api_input:sklearn.exceptions.SkipTestWarning",
    # the stratified splitter looks at the infinite targets that are then refused
    "ignore:invalid value encountered in cast:RuntimeWarning",
)
@parametrize_with_checks(
    [
        BatchedGridSearchCV(
            FusionClassifier(max_epochs=20, random_state=0),
            {"lr": [1e-2]},
            cv=2,
            error_score="raise",
        ),
        BatchedRandomizedSearchCV(
            FusionRegressor(max_epochs=20, random_state=0),
            {"lr": [1e-2]},
            n_iter=1,
            cv=2,
            error_score="raise",
        ),
    ],
    expected_failed_checks=lambda estimator: EXPECTED_FAILURES,
)
def test_scikit_learns_checks(estimator, check):
    check(estimator)


def check_equal_results(ours, theirs, atol=1e-4):
    """Compare all but times."""
    ours, theirs = ours.cv_results_, theirs.cv_results_
    assert list(ours) == list(theirs)
    for key in theirs:
        if key in TIMES:
            assert (ours[key] >= 0).all()
        elif key.startswith("param"):
            assert list(ours[key]) == list(theirs[key])
            assert type(ours[key]) is type(theirs[key])
        else:
            np.testing.assert_allclose(ours[key], theirs[key], atol=atol, err_msg=key)


def test_equals_grid_search(table):
    X, y = table
    options = {"cv": 3, "scoring": "neg_log_loss", "return_train_score": True}
    ours = BatchedGridSearchCV(CLASSIFIER, GRID, batched=True, **options).fit(X, y)
    theirs = GridSearchCV(CLASSIFIER, GRID, **options).fit(X, y)
    check_equal_results(ours, theirs)
    assert ours.best_params_ == theirs.best_params_
    assert ours.best_index_ == theirs.best_index_
    assert ours.best_score_ == pytest.approx(theirs.best_score_, abs=1e-4)
    assert vars(ours).keys() >= {n for n in vars(theirs) if n.endswith("_")}
    assert type(ours.best_estimator_) is FusionClassifier
    np.testing.assert_array_equal(ours.predict_proba(X), theirs.predict_proba(X))
    assert ours.score(X, y) == pytest.approx(theirs.score(X, y))
    assert (ours.classes_ == theirs.classes_).all()
    assert ours.n_features_in_ == theirs.n_features_in_
    assert ours.feature_names_in_.tolist() == X.columns.tolist()
    assert len(ours.training_) == 24
    assert set(ours.training_) == {"stacked with 3 others"}  # two widths, and fold by fold
    assert ours.estimator is CLASSIFIER
    assert not hasattr(CLASSIFIER, "net_")
    assert is_classifier(ours)


def test_equals_randomized_search(table):
    X, y = table
    rates = {"lr": loguniform(1e-4, 1e-1), "clip_norm": [None, 0.1]}
    options = {"n_iter": 4, "cv": 2, "random_state": 3}
    ours = BatchedRandomizedSearchCV(CLASSIFIER, rates, batched=True, **options).fit(X, y)
    theirs = RandomizedSearchCV(CLASSIFIER, rates, **options).fit(X, y)
    check_equal_results(ours, theirs, atol=0.03)  # one row more or less is right
    assert ours.best_params_ in ours.cv_results_["params"]


def test_several_scores_and_none_to_refit(table):
    X, y = table
    scoring = {"acc": "accuracy", "loss": "neg_log_loss"}
    grid = {"lr": [1e-4, 1e-2]}
    ours = BatchedGridSearchCV(CLASSIFIER, grid, scoring=scoring, refit="loss", cv=2).fit(X, y)
    theirs = GridSearchCV(CLASSIFIER, grid, scoring=scoring, refit="loss", cv=2).fit(X, y)
    check_equal_results(ours, theirs, atol=0.03)
    assert ours.multimetric_
    assert ours.best_score_ == pytest.approx(theirs.best_score_, abs=1e-4)
    unfit = BatchedGridSearchCV(CLASSIFIER, grid, scoring=scoring, refit=False, cv=2).fit(X, y)
    assert not hasattr(unfit, "best_estimator_")
    chosen = BatchedGridSearchCV(CLASSIFIER, grid, refit=lambda results: 1, cv=2).fit(X, y)
    assert chosen.best_params_ == {"lr": 1e-2}
    with pytest.raises(ValueError, match="refit must be set to a scorer key"):
        BatchedGridSearchCV(CLASSIFIER, grid, scoring=scoring, cv=2).fit(X, y)


def test_groups_split_the_rows(table):
    X, y = table
    groups = np.arange(90) // 9
    search = BatchedGridSearchCV(CLASSIFIER, {"lr": [1e-2]}, cv=GroupKFold(2))
    search.fit(X, y, groups=groups)
    theirs = GridSearchCV(CLASSIFIER, {"lr": [1e-2]}, cv=GroupKFold(2)).fit(X, y, groups=groups)
    check_equal_results(search, theirs, atol=0.03)
    with pytest.raises(ValueError, match="groups"):
        search.fit(X, y)


def test_random_splits_are_drawn_once(table, monkeypatch):
    X, y = table
    fitted = []

    def spy(estimator, candidates, folds, **options):
        fitted.extend(fold.X.index for fold in folds)
        return fit_batched(estimator, candidates, folds, **options)

    fit_batched = batched_fit.fit_batched
    monkeypatch.setattr(_batched_cross_validation, "fit_batched", spy)
    anew = ShuffleSplit(2, test_size=0.4)
    result = batched_cross_validate(CLASSIFIER, X, y, cv=anew, return_indices=True)
    for rows, train in zip(fitted, result["indices"]["train"], strict=True):
        assert rows.tolist() == X.index[train].tolist()
    search = BatchedGridSearchCV(CLASSIFIER, {"lr": [1e-2]}, cv=anew)
    assert search.fit(X, y).n_splits_ == 2
    state = np.random.RandomState(0)
    splits = StratifiedKFold(3, shuffle=True, random_state=state)
    result = batched_cross_validate(CLASSIFIER, X, y, cv=splits, return_indices=True)
    tests = np.concatenate(result["indices"]["test"])
    assert sorted(tests) == list(range(90))


class Counting(TransformerMixin, BaseEstimator):
    """Counts its fits."""

    fits = []

    def __init__(self, factor=1.0):
        self.factor = factor

    def fit(self, X, y=None):
        self.fits.append(self.factor)
        self.columns_ = np.asarray(X.columns)
        return self

    def transform(self, X):
        return X * self.factor

    def get_feature_names_out(self, input_features=None):
        return self.columns_


@pytest.mark.parametrize("plain", [False, True])
def test_earlier_steps_are_fitted_once_per_fold(table, plain):
    X, y = table
    steps = [("count", Counting()), ("scale", StandardScaler()), ("clf", CLASSIFIER)]
    pipe = (
        PlainPipeline(steps).set_output(transform="pandas")
        if plain
        else make_pipeline(*(step for _, step in steps))
    )
    count, clf = (name for name, _ in (pipe.steps[0], pipe.steps[-1]))
    grid = {f"{count}__factor": [1.0, 2.0], f"{clf}__lr": [1e-3, 1e-2], f"{clf}__fusion": ["sum"]}
    Counting.fits.clear()
    ours = BatchedGridSearchCV(pipe, grid, cv=2, batched=True, scoring="neg_log_loss").fit(X, y)
    assert len(Counting.fits) == 2 * 2 + 1  # factors, folds; and the best
    theirs = GridSearchCV(pipe, grid, cv=2, scoring="neg_log_loss").fit(X, y)
    scores = (search.cv_results_["mean_test_score"] for search in (ours, theirs))
    np.testing.assert_allclose(*scores, atol=1e-4)
    assert set(ours.training_) == {"stacked with 7 others"}
    assert ours.best_estimator_[clf].fit.__func__ is FusionClassifier.fit


def test_samplers_act_before_the_network(table):
    X, y = table
    pipe = make_pipeline(FillBlocks(), RandomOverSampler(random_state=0),
                         clone(CLASSIFIER).set_params(early_stopping=False))  # fmt: skip
    grid = {"fusionclassifier__lr": [1e-3, 1e-2]}
    ours = BatchedGridSearchCV(pipe, grid, cv=2, scoring="neg_log_loss").fit(X, y)
    theirs = GridSearchCV(pipe, grid, cv=2, scoring="neg_log_loss").fit(X, y)
    check_equal_results(ours, theirs)


def test_candidates_may_be_of_any_kind(table):
    X, y = table
    pipe = make_pipeline(FillBlocks(), CLASSIFIER)
    final = "fusionclassifier"
    grid = [
        {f"{final}__lr": [1e-3, 1e-2], f"{final}__fusion": ["gated", "concat"]},
        {final: [LogisticRegression(max_iter=500)]},
    ]
    ours = BatchedGridSearchCV(pipe, grid, cv=2, batched=True).fit(X, y)
    theirs = GridSearchCV(pipe, grid, cv=2).fit(X, y)
    np.testing.assert_allclose(
        ours.cv_results_["mean_test_score"], theirs.cv_results_["mean_test_score"], atol=0.03
    )
    assert ours.training_ == ["stacked with 3 others"] * 8 + ["no network"] * 2


def test_candidates_share_what_they_read(table, monkeypatch):
    X, y = table
    opened, split, trained = [], [], []
    real_open, real_split = FusionClassifier._open, FusionClassifier._split
    real_train = batched_fit.train_members

    def train(members, **options):
        trained.extend(members)
        return real_train(members, **options)

    def open_(self, *args, **kwargs):
        opened.append(1)
        return real_open(self, *args, **kwargs)

    def split_(self, table):
        split.append(1)
        return real_split(self, table)

    monkeypatch.setattr(FusionClassifier, "_open", open_)
    monkeypatch.setattr(FusionClassifier, "_split", split_)
    monkeypatch.setattr(batched_fit, "train_members", train)
    grid = {"lr": [1e-3, 1e-2], "class_weight": [None, "balanced"], "fusion": ["sum", "mean"]}
    search = BatchedGridSearchCV(CLASSIFIER, grid, cv=2, refit=False, batched=True).fit(X, y)
    tables = {member.train.values[0].data_ptr() for member in trained}
    assert (len(opened), len(split), len(tables)) == (2, 2, 2)
    assert all(how.startswith("stacked") for how in search.training_)
    for change in ({"random_state": None}, {"validation_fraction": 0.3}):
        opened.clear(), split.clear()
        other = clone(CLASSIFIER).set_params(**change)
        BatchedGridSearchCV(other, {"lr": [1e-3, 1e-2]}, cv=2, refit=False).fit(X, y)
        assert len(opened) == 2
        assert len(split) == (4 if change == {"random_state": None} else 2)
    opened.clear(), split.clear()
    sizes = {"validation_fraction": [0.1, 0.3]}
    BatchedGridSearchCV(CLASSIFIER, sizes, cv=2, refit=False).fit(X, y)
    assert (len(opened), len(split)) == (2, 4)


def test_a_parameter_of_the_network_is_one_that_reading_ignores():
    params = set(CLASSIFIER.get_params())
    named = batched_fit._OF_THE_NETWORK | batched_fit._OF_THE_SPLIT
    # a new one must be put where it belongs; these decide what a table's rows are
    assert params - named == {"modalities", "device", "ordinal"}
    assert named - params <= {"loss"}


def test_weights_and_routing_reach_fit_and_scorer(table):
    X, y = table
    weights = np.linspace(0.1, 1, 90)
    groups = np.arange(90) // 9
    grid = {"lr": [1e-3, 1e-2]}
    ours = BatchedGridSearchCV(CLASSIFIER, grid, cv=2, scoring="neg_log_loss")
    theirs = GridSearchCV(CLASSIFIER, grid, cv=2, scoring="neg_log_loss")
    check_equal_results(ours.fit(X, y, sample_weight=weights),
                        theirs.fit(X, y, sample_weight=weights))  # fmt: skip
    with sklearn.config_context(enable_metadata_routing=True):
        clf = clone(CLASSIFIER).set_fit_request(sample_weight=True)
        scorer = make_scorer(accuracy_score)
        scorer.set_score_request(sample_weight=True)
        options = {"cv": GroupKFold(2), "scoring": scorer}
        metadata = {"sample_weight": weights, "groups": groups}
        ours = BatchedGridSearchCV(clf, grid, **options).fit(X, y, **metadata)
        theirs = GridSearchCV(clf, grid, **options).fit(X, y, **metadata)
        check_equal_results(ours, theirs, atol=0.03)
        result = batched_cross_validate(clf, X, y, params=metadata, **options)
        expected = cross_validate(clf, X, y, params=metadata, **options)
        np.testing.assert_allclose(result["test_score"], expected["test_score"], atol=0.03)


# -- what goes wrong -----------------------------------------------------------------------------


def test_candidates_that_fail_get_the_error_score(table):
    X, y = table
    grid = [{"lr": [1e-2, -1.0]}, {"fusion": ["mag"], "fusion_params": [{"main": 9}]}]
    for search in (BatchedGridSearchCV, GridSearchCV):
        with pytest.warns(FitFailedWarning, match="4 fits failed out of a total of 6"):
            result = search(CLASSIFIER, grid, cv=2, error_score=-1.0).fit(X, y)
        scores = result.cv_results_["mean_test_score"]
        assert scores[0] > 0
        assert scores[1:].tolist() == [-1, -1]
    with pytest.raises(ValueError, match="The 'lr' parameter of FusionClassifier"):
        BatchedGridSearchCV(CLASSIFIER, grid, cv=2, error_score="raise").fit(X, y)
    with pytest.raises(ValueError, match="Invalid parameter 'nothing'"):
        BatchedGridSearchCV(CLASSIFIER, {"nothing": [1]}, cv=2).fit(X, y)
    with pytest.raises(ValueError, match="All the 2 fits failed"):
        BatchedGridSearchCV(CLASSIFIER, {"lr": [-1.0]}, cv=2).fit(X, y)
    with pytest.raises(ValueError, match="Found input variables with inconsistent numbers"):
        BatchedGridSearchCV(CLASSIFIER, {"lr": [1e-2]}, cv=2).fit(X, y[:7])
    with pytest.raises(ValueError, match="stack"):
        BatchedGridSearchCV(CLASSIFIER, {"lr": [1e-2]}, batched="yes").fit(X, y)


def test_a_diverging_candidate_fails_alone(table):
    X, y = table
    target = np.searchsorted(["neg", "neu", "pos"], y) * 1.0
    reg = FusionRegressor(**CHEAP)
    search = BatchedGridSearchCV(reg, {"lr": [1e-2, 1e30, 1e-3]}, cv=2, batched=True)
    with (
        pytest.warns(FitFailedWarning, match="DivergenceError: training diverged"),
        pytest.warns(UserWarning, match="One or more of the test scores are non-finite"),
    ):
        search.fit(X, target)
    scores = search.cv_results_["mean_test_score"]
    assert np.isfinite(scores).tolist() == [True, False, True]
    assert search.training_[0] == "stacked with 5 others"
    good = GridSearchCV(reg, {"lr": [1e-2, 1e-3]}, cv=2).fit(X, target)
    np.testing.assert_allclose(scores[[0, 2]], good.cv_results_["mean_test_score"], atol=1e-4)


# -- cross-validation ----------------------------------------------------------------------------


def test_equals_cross_validate(table):
    X, y = table
    options = {
        "cv": 3,
        "scoring": ["accuracy", "neg_log_loss"],
        "return_train_score": True,
        "return_indices": True,
        "return_estimator": True,
    }
    ours = batched_cross_validate(CLASSIFIER, X, y, batched=True, **options)
    theirs = cross_validate(CLASSIFIER, X, y, **options)
    assert ours.keys() == theirs.keys()
    for key in theirs:
        if key.startswith(("test", "train")):
            np.testing.assert_allclose(ours[key], theirs[key], atol=0.03)
    assert (ours["fit_time"] > 0).all()
    for one, other in zip(ours["estimator"], theirs["estimator"], strict=True):
        assert type(one) is FusionClassifier
        np.testing.assert_allclose(one.predict_proba(X), other.predict_proba(X), atol=1e-4)
        assert (ours["indices"]["test"][0] == theirs["indices"]["test"][0]).all()
    assert len({id(estimator) for estimator in ours["estimator"]}) == 3


def test_equals_cross_val_predict(table):
    X, y = table
    options = {"cv": 3, "method": "predict_proba"}
    ours = batched_cross_val_predict(CLASSIFIER, X, y, batched=True, **options)
    theirs = cross_val_predict(CLASSIFIER, X, y, **options)
    np.testing.assert_allclose(ours, theirs, atol=1e-4)
    labels = batched_cross_val_predict(CLASSIFIER, X, y, cv=3)
    assert set(labels) <= set(y)
    assert (labels == np.unique(y)[ours.argmax(1)]).mean() > 0.97
    pipe = make_pipeline(FillBlocks(), StandardScaler(), CLASSIFIER)
    piped = batched_cross_val_predict(pipe, X, y, **options)
    np.testing.assert_allclose(piped, cross_val_predict(pipe, X, y, **options), atol=1e-4)


def test_other_estimators_work_too(table):
    X, y = table
    full = X.fillna(0.0)
    clf = LogisticRegression(max_iter=500)
    ours = batched_cross_validate(clf, full, y, cv=3)["test_score"]
    np.testing.assert_array_equal(ours, cross_val_score(clf, full, y, cv=3))
    np.testing.assert_array_equal(
        batched_cross_val_predict(clf, full, y, cv=3), cross_val_predict(clf, full, y, cv=3)
    )
    search = BatchedGridSearchCV(clf, {"C": [0.1, 1.0]}, cv=3).fit(full.to_numpy(), y)
    theirs = GridSearchCV(clf, {"C": [0.1, 1.0]}, cv=3).fit(full.to_numpy(), y)
    check_equal_results(search, theirs)


def test_a_fold_that_fails_is_scored_and_raised(table):
    X, y = table
    bad = FusionClassifier(lr=-1.0)
    with pytest.raises(ValueError, match="All the 3 fits failed"):
        batched_cross_validate(bad, X, y, cv=3)
    with pytest.raises(ValueError, match="The 'lr' parameter"):
        batched_cross_val_predict(bad, X, y, cv=3)
    with pytest.raises(ValueError, match="'nothing'"):
        batched_cross_validate(CLASSIFIER, X, y, scoring="nothing")


def test_nothing_global_is_touched(table, global_states):
    X, y = table
    before, states = X.copy(), global_states()
    first = batched_cross_val_predict(CLASSIFIER, X, y, cv=2, method="predict_proba", batched=True)
    assert global_states() == states
    pd.testing.assert_frame_equal(X, before)
    again = batched_cross_val_predict(CLASSIFIER, X, y, cv=2, method="predict_proba", batched=True)
    np.testing.assert_array_equal(first, again)


def test_searches_clone_and_nest(table):
    X, y = table
    search = BatchedGridSearchCV(CLASSIFIER, {"lr": [1e-3, 1e-2]}, cv=2)
    assert cross_val_score(clone(search), X, y, cv=2).shape == (2,)
    assert repr(clone(search)) == repr(search)
