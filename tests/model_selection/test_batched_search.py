"""Batched searches give the results of scikit-learn's searches."""

import numpy as np
import pytest
import sklearn
from imblearn.over_sampling import RandomOverSampler
from scipy.stats import loguniform
from sklearn.base import clone, is_classifier
from sklearn.exceptions import FitFailedWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, make_scorer
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    RandomizedSearchCV,
    cross_val_predict,
    cross_val_score,
    cross_validate,
)
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
    batched_cross_val_predict,
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
    # the stratified splitter casts infinite targets before they raise an error
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


def test_samplers_act_before_the_network(table):
    X, y = table
    pipe = make_pipeline(FillBlocks(), RandomOverSampler(random_state=0),
                         clone(CLASSIFIER).set_params(early_stopping=False))  # fmt: skip
    grid = {"fusionclassifier__lr": [1e-3, 1e-2]}
    ours = BatchedGridSearchCV(pipe, grid, cv=2, scoring="neg_log_loss").fit(X, y)
    theirs = GridSearchCV(pipe, grid, cv=2, scoring="neg_log_loss").fit(X, y)
    check_equal_results(ours, theirs)


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


def test_failed_candidates_get_the_error_score(table):
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
    with pytest.raises(ValueError, match="The 'batched' parameter"):
        BatchedGridSearchCV(CLASSIFIER, {"lr": [1e-2]}, batched="yes").fit(X, y)


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


def test_searches_can_be_cloned_and_nested(table):
    X, y = table
    search = BatchedGridSearchCV(CLASSIFIER, {"lr": [1e-3, 1e-2]}, cv=2)
    assert cross_val_score(clone(search), X, y, cv=2).shape == (2,)
    assert repr(clone(search)) == repr(search)
