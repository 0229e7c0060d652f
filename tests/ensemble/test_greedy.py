"""Greedy ensembles: selection from out-of-fold predictions of a list or of a search."""

import itertools
import pickle

import numpy as np
import pytest
from scipy.stats import uniform
from sklearn.base import clone
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import f1_score
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    RandomizedSearchCV,
    TunedThresholdClassifierCV,
    cross_val_score,
)
from sklearn.svm import LinearSVC
from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearn_mmsent import (
    BatchedGridSearchCV,
    FusionClassifier,
    FusionRegressor,
    FusionSearchCV,
    GreedyEnsembleClassifier,
    GreedyEnsembleRegressor,
)
from sklearn_mmsent.ensemble.experts.selection import draw_bags, select_members
from sklearn_mmsent.metrics import get_scorer

LINEAR = LogisticRegression()
NETWORK = FusionClassifier(hidden_size=4, max_epochs=2, random_state=0)
LIBRARY = [("text", LINEAR, "text"), ("face", LINEAR, "face"), ("all", LINEAR)]


@pytest.mark.slow
@parametrize_with_checks(
    [
        GreedyEnsembleClassifier(LINEAR, modalities=None, cv=2, random_state=0),
        GreedyEnsembleRegressor(Ridge(), modalities=None, cv=2, random_state=0),
    ]
)
def test_scikit_learns_checks(estimator, check):
    check(estimator)


# -- selection -------------------------------------------------------------------------------------


def errors(n_members=5, n=200, seed=0):
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=n)
    spread = np.linspace(0.5, 2, n_members)
    outputs = truth[:, None] + spread * rng.normal(size=(n, n_members))
    return outputs[:, :, None], truth


def select(outputs, score, **options):
    options = {"n_rounds": 8, "n_initial": 1, **options}
    among = np.arange(outputs.shape[1])
    return select_members(outputs, np.zeros(1), score, among=among, **options)


def test_each_round_adds_the_best_member_and_the_best_round_is_kept():
    outputs, truth = errors()

    def score(joined):
        return -((joined[:, 0] - truth) ** 2).mean()

    counts, path = select(outputs, score)
    chosen = []
    for k, reached in path:
        trials = [score(outputs[:, [*chosen, j]].mean(axis=1)) for j in range(5)]
        assert k == np.argmax(trials)
        assert reached == pytest.approx(max(trials))
        chosen.append(k)
    reached = [value for _, value in path]
    n_best = int(np.argmax(reached)) + 1
    assert (counts == np.bincount(chosen[:n_best], minlength=5)).all()
    assert max(reached) > max(score(outputs[:, j]) for j in range(5))


def test_selection_with_replacement_approximates_the_best_weights():
    outputs, truth = errors(3)

    def score(joined):
        return -((joined[:, 0] - truth) ** 2).mean()

    counts, path = select(outputs, score, n_rounds=20)
    grid = [w for w in itertools.product(range(8), repeat=3) if sum(w)]
    best = max(score(np.einsum("nko,k->no", outputs, np.array(w) / sum(w))) for w in grid)
    assert max(reached for _, reached in path) > best - 0.002
    assert counts.max() > 1


def test_the_start_is_the_best_prefix_of_the_sorted_members():
    outputs, truth = errors()

    def score(joined):
        return -((joined[:, 0] - truth) ** 2).mean()

    _, path = select(outputs, score, n_rounds=1, n_initial=5)
    order = np.argsort([-score(outputs[:, k]) for k in range(5)])
    prefixes = [score(outputs[:, order[: n + 1]].mean(axis=1)) for n in range(5)]
    assert [k for k, _ in path] == order[: np.argmax(prefixes) + 1].tolist()


def test_equal_members_and_undefined_scores():
    outputs = np.tile(errors(1)[0], (1, 3, 1))
    counts, path = select(outputs, lambda joined: 0.5)
    assert counts.tolist() == [1, 0, 0]
    assert len(path) == 8
    counts, _ = select(outputs, lambda joined: np.nan)
    assert counts.sum() == 1


def test_bags_are_random_subsets():
    bags = draw_bags(10, 4, 0.3, np.random.default_rng(0))
    assert [len(set(bag)) for bag in bags] == [3] * 4
    assert len({tuple(bag) for bag in bags}) > 1
    assert draw_bags(3, 1, 0.3, None)[0].tolist() == [0, 1, 2]


# -- ensembles -------------------------------------------------------------------------------------


@pytest.mark.parametrize("scoring", [None, "f1_macro", "accuracy", "roc_auc_ovr"])
def test_no_worse_than_the_best_member(table, scoring):
    X, y = table(200, missing=0.2)
    library = [*LIBRARY, ("prior", DummyClassifier())]
    greedy = GreedyEnsembleClassifier(library, scoring=scoring, cv=3, random_state=0).fit(X, y)
    assert greedy.best_score_ >= max(greedy.scores_.values())
    assert set(greedy.scores_) == {"text", "face", "all", "prior"}
    assert set(greedy.experts_) == set(greedy.weights_)
    assert sum(greedy.weights_.values()) == pytest.approx(1)
    reached = [score for _, score in greedy.paths_[0]]
    assert max(reached) == pytest.approx(greedy.best_score_)
    chosen = [name for name, _ in greedy.paths_[0][: int(np.argmax(reached)) + 1]]
    assert set(chosen) == set(greedy.weights_)
    if scoring == "f1_macro":
        best = max(greedy.scores_, key=greedy.scores_.get)
        labels = greedy.classes_[np.nan_to_num(greedy.oof_predictions_[best]).argmax(axis=1)]
        known = ~np.isnan(greedy.oof_predictions_[best][:, 0])
        if known.all():
            assert greedy.scores_[best] == f1_score(y, labels, average="macro")


@pytest.mark.parametrize("scoring", ["corr", "neg_mae", None])
def test_intensities(table, scores, scoring):
    X, y = table(120)
    library = [
        ("text", Ridge(), "text"),
        ("net", FusionRegressor(hidden_size=4, max_epochs=3, random_state=0)),
        ("weak", Ridge(1e3)),
    ]
    greedy = GreedyEnsembleRegressor(library, scoring=scoring, cv=2, random_state=0)
    greedy.fit(X, scores(y))
    assert greedy.best_score_ >= max(greedy.scores_.values())
    assert greedy.oof_predictions_["net"].shape == (120,)
    name = scoring or "neg_mean_squared_error"
    assert get_scorer(name)(greedy, X, scores(y)) > -1


def test_predictions_are_the_weighted_mean_of_the_members(table):
    X, y = table(100)
    greedy = GreedyEnsembleClassifier(LIBRARY, cv=2, random_state=0).fit(X, y)
    columns = {"text": ["text__a", "text__b"], "face": ["face__a"], "all": list(X)}
    expected = sum(
        weight * greedy.experts_[name].predict_proba(X[columns[name]])
        for name, weight in greedy.weights_.items()
    )
    np.testing.assert_allclose(greedy.predict_proba(X), expected)


@pytest.mark.parametrize("bags", [1, 4])
def test_the_seed_determines_the_ensemble(table, bags):
    X, y = table(100, missing=0.2)
    options = {"n_bags": bags, "n_rounds": 5, "cv": 2, "random_state": 0}
    greedy = GreedyEnsembleClassifier(LIBRARY, **options).fit(X, y)
    assert len(greedy.paths_) == bags
    again = clone(greedy).fit(X, y)
    assert again.weights_ == greedy.weights_
    proba = greedy.predict_proba(X)
    np.testing.assert_array_equal(again.predict_proba(X[::-1])[::-1], proba)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(greedy)).predict_proba(X), proba)


# -- searches --------------------------------------------------------------------------------------

GRID = {"C": [1e-4, 0.1, 1.0, 10.0]}


@pytest.mark.parametrize(
    "search",
    [
        GridSearchCV(LINEAR, GRID, cv=2),
        GridSearchCV(LINEAR, GRID, cv=2, scoring=["accuracy", "f1_macro"], refit="f1_macro"),
        GridSearchCV(LINEAR, GRID, cv=2, scoring=["accuracy", "f1_macro"], refit=False),
        RandomizedSearchCV(LINEAR, GRID, n_iter=4, cv=2),
        FusionSearchCV(LINEAR, {"C": uniform(0.1, 1)}, level=None, n_trials=4, cv=2, pruner=None),
    ],
    ids=["grid", "two scores", "no refit", "random", "fusion"],
)
def test_members_are_the_best_candidates_of_a_search(table, search):
    X, y = table(100, missing=0.2)
    greedy = GreedyEnsembleClassifier(search, top_n=3, cv=2, random_state=0).fit(X, y)
    assert len(greedy.scores_) == 3
    assert all(name.startswith("search_") for name in greedy.scores_)
    assert not hasattr(search, "cv_results_")
    assert greedy.predict_proba(X).shape == (100, 3)


def test_members_from_a_batched_search(table):
    X, y = table(60)
    search = BatchedGridSearchCV(NETWORK, {"lr": [1e-3, 1e-2], "dropout": [0.0, 0.2]}, cv=2)
    library = [("nets", search), ("text", LINEAR, "text")]
    greedy = GreedyEnsembleClassifier(library, top_n=2, cv=2, random_state=0).fit(X, y)
    assert len(greedy.scores_) == 3
    assert "text" in greedy.scores_


def test_a_fitted_search_is_fitted_again_in_clones_only(table, monkeypatch):
    X, y = table(80)
    search = GridSearchCV(LINEAR, GRID, cv=2).fit(X, y)
    runs = []
    fit = GridSearchCV.fit
    monkeypatch.setattr(
        GridSearchCV, "fit", lambda self, *a, **k: runs.append(1) or fit(self, *a, **k)
    )
    greedy = GreedyEnsembleClassifier(search, n_rounds=5, cv=2, random_state=0)
    greedy.fit(X, y, groups=np.arange(80) // 4)
    assert not runs
    assert set(greedy.scores_) == {f"search_{i}" for i in range(4)}
    cross_val_score(greedy, X, y, cv=2)
    assert len(runs) == 2


def test_an_estimator_that_resembles_a_search_is_a_member(table):
    X, y = table(80, labels=np.array(["no", "yes"]))
    tuned = TunedThresholdClassifierCV(LINEAR, cv=2)
    assert set(GreedyEnsembleClassifier([("t", tuned)], cv=2).fit(X, y).scores_) == {"t"}


@pytest.mark.parametrize("cv", [GroupKFold(2), 2])
def test_groups_reach_the_search_and_the_folds(table, recorder, cv):
    X, y = table(60)
    groups = np.arange(60) // 6
    search = GridSearchCV(recorder(), {"random_state": [1, 2]}, cv=cv)
    GreedyEnsembleClassifier(search, cv=GroupKFold(3)).fit(X, y, groups=groups)
    for fit in recorder.seen:
        inside = set(fit["X"].index)
        assert all(set(np.flatnonzero(groups == g)) <= inside for g in set(groups[list(inside)]))
    weights = np.ones(60)
    weights[:5] = 2.0
    recorder.seen.clear()
    GreedyEnsembleClassifier(search, cv=GroupKFold(3)).fit(
        X, y, groups=groups, sample_weight=weights
    )
    assert all((fit["weights"] == weights[fit["X"].index]).all() for fit in recorder.seen)


class Fragile(LogisticRegression):
    """Fail with one value of C."""

    def fit(self, X, y, sample_weight=None):
        if self.C == 3 and len(X) > 45:
            raise ValueError("too large")
        return super().fit(X, y, sample_weight)


def test_failed_candidates_are_ignored(table):
    X, y = table(80)
    search = GridSearchCV(Fragile(), {"C": [1, 2, 3]}, cv=2, refit=False)
    greedy = GreedyEnsembleClassifier(search, cv=3, random_state=0)
    with pytest.warns(UserWarning, match="1 candidates of searches failed .* 'search_2'"):
        greedy.fit(X, y)
    assert set(greedy.scores_) == {"search_0", "search_1"}
    with pytest.raises(ValueError, match=r"the expert 'bad' \(Fragile\) failed in fit: too large"):
        GreedyEnsembleClassifier([("ok", LINEAR), ("bad", Fragile(C=3))], cv=3).fit(X, y)


@pytest.mark.parametrize(
    ("library", "options", "message"),
    [
        ([("m", LinearSVC())], {}, "'m' \\(LinearSVC\\) has no predict_proba: wrap it in"),
        (LINEAR, {"scoring": "f1_makro"}, "Did you mean 'f1_macro'"),
        (LINEAR, {"cv": 100}, "100 folds cannot be made of 40 rows"),
        (LINEAR, {"n_bags": 0}, "'n_bags' parameter of GreedyEnsembleClassifier"),
        (Ridge(), {}, "is a regressor; it must be a classifier"),
    ],
)
def test_bad_input(table, library, options, message):
    X, y = table(40)
    with pytest.raises(ValueError, match=message):
        GreedyEnsembleClassifier(library, **options).fit(X, y)
