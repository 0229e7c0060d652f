"""FusionSearchCV over ensembles of experts."""

import numpy as np
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold, cross_val_score

from sklearn_mmsent import (
    FusionClassifier,
    FusionSearchCV,
    FusionStackingClassifier,
    LateFusionClassifier,
)

EXPERTS = [
    ("text", LogisticRegression(), "text"),
    ("face", FusionClassifier(hidden_size=4, max_epochs=2, random_state=0), "face"),
]
GROUPS = np.arange(80) // 4
QUICK = {"level": None, "n_trials": 4, "cv": 2, "pruner": None, "random_state": 0}


@pytest.mark.parametrize(
    ("ensemble", "space"),
    [
        (LateFusionClassifier(EXPERTS, cv=2, random_state=0), {"weights": [None, "score"]}),
        (FusionStackingClassifier(EXPERTS, cv=2, random_state=0), {"passthrough": [True, False]}),
    ],
    ids=["late", "stacked"],
)
def test_search_over_parameters_of_an_ensemble_and_its_experts(table, ensemble, space):
    X, y = table(80, missing=0.1)
    space = {**space, "text__C": [1e-4, 1.0], "face__lr": [1e-3, 1e-2]}
    search = FusionSearchCV(ensemble, space, **QUICK).fit(X, y, groups=GROUPS)
    assert set(search.best_params_) == set(space)
    folds = StratifiedGroupKFold(2)
    for params, score in zip(
        search.cv_results_["params"], search.cv_results_["mean_test_score"], strict=True
    ):
        one = clone(ensemble).set_params(**params)
        expected = cross_val_score(one, X, y, groups=GROUPS, cv=folds).mean()
        assert score == pytest.approx(expected, abs=0.03)  # networks in batches
    best = clone(ensemble).set_params(**search.best_params_).fit(X, y)
    np.testing.assert_array_equal(search.predict(X), best.predict(X))


@pytest.mark.parametrize("kind", [LateFusionClassifier, FusionStackingClassifier])
def test_routed_groups_reach_the_inner_folds(table, recorder, kind):
    X, y = table(80)
    options = {"weights": "score"} if kind is LateFusionClassifier else {}
    ensemble = kind([("text", recorder(), "text")], cv=2, **options)
    with config_context(enable_metadata_routing=True):
        ensemble.experts[0][1].set_fit_request(groups=True)
        search = FusionSearchCV(ensemble, {"text__random_state": [1]}, **QUICK | {"n_trials": 1})
        search.fit(X, y, groups=GROUPS)
    assert len(recorder.seen) == (2 + 1) * 3  # two folds and all rows, each split again
    for seen in recorder.seen:
        rows = seen["X"].index
        np.testing.assert_array_equal(seen["groups"], GROUPS[rows])
        assert len(rows) == 4 * len(set(GROUPS[rows]))  # groups are whole
