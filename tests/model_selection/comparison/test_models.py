"""Searches among the models: fitted in each outer fold, with grouped inner folds."""

import numpy as np
import pandas as pd
import pytest
from optuna.distributions import FloatDistribution
from optuna_integration.sklearn import OptunaSearchCV
from scipy.stats import uniform
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold, StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_mmsent import BatchedGridSearchCV, FusionClassifier, FusionSearchCV, compare
from sklearn_mmsent.model_selection import TunedOffsetsClassifierCV

N = 72
RNG = np.random.default_rng(0)
X = pd.DataFrame(RNG.normal(size=(N, 2)), columns=["text__a", "face__a"])
Y = np.where(X["text__a"] + 0.5 * RNG.normal(size=N) > 0, "glad", "sad")
GROUPS = np.arange(N) // 6
LINE = LogisticRegression()
GRID = {"C": [1e-4, 1.0]}
SCORING = ["f1_macro"]


class Spy(ClassifierMixin, BaseEstimator):
    """Record the training rows and their groups."""

    seen: list = []

    def __init__(self, strength=1):
        self.strength = strength

    def fit(self, X, y, groups=None):
        self.classes_ = np.unique(y)
        Spy.seen.append((np.asarray(X)[:, 0], groups))
        return self

    def predict(self, X):
        return np.full(len(X), self.classes_[0])


ROWS = pd.DataFrame({"row": np.arange(N, dtype=float)})


@pytest.mark.filterwarnings(
    # raised by OptunaSearchCV on every use
    "ignore:OptunaSearchCV is experimental:optuna.exceptions.ExperimentalWarning",
    # optuna_integration 5.0 uses a function that optuna 5.0 deprecates
    "ignore:`optuna.terminator` module:FutureWarning",
)
@pytest.mark.parametrize(
    "make",
    [
        lambda cv: GridSearchCV(Spy(), {"strength": [1, 2]}, cv=cv),
        lambda cv: BatchedGridSearchCV(Spy(), {"strength": [1, 2]}, cv=cv),
        lambda cv: OptunaSearchCV(
            Spy(), {"strength": FloatDistribution(0, 1)}, cv=cv or 5, n_trials=2, random_state=0
        ),
        lambda cv: FusionSearchCV(
            Spy(), {"strength": uniform(0, 1)}, level=None, cv=cv, n_trials=2, pruner=None
        ),
        lambda cv: make_pipeline(
            StandardScaler(with_mean=False, with_std=False),
            GridSearchCV(Spy(), {"strength": [1, 2]}, cv=cv),
        ),
    ],
    ids=["grid", "batched", "optuna", "fusion", "in a pipeline"],
)
@pytest.mark.parametrize("cv", [None, 3, GroupKFold(3)], ids=["none", "int", "splitter"])
def test_inner_folds_keep_groups_together_and_exclude_outer_test_rows(make, cv):
    Spy.seen.clear()
    search = make(cv)
    comparison = compare({"search": search}, ROWS, Y, groups=GROUPS, cv=3, scoring=SCORING)
    tests = comparison.predictions("search").groupby("fold")["row"].agg(set)
    n_inner = 5 if cv is None else 3
    assert len(Spy.seen) == 3 * (2 * n_inner + 1)  # the best candidate once more on all
    for rows, _ in Spy.seen:
        rows = set(rows.astype(int))
        (fold,) = [fold for fold, test in tests.items() if not test & rows]
        beside = set(range(N)) - rows - tests[fold]
        assert not set(GROUPS[list(beside)]) & set(GROUPS[list(rows)])
    assert len(comparison.chosen_) == 3


def test_groups_reach_a_pipeline_in_a_search():
    Spy.seen.clear()
    pipe = make_pipeline(StandardScaler(with_mean=False, with_std=False), Spy())
    search = GridSearchCV(pipe, {"spy__strength": [1, 2]}, cv=2)
    compare({"search": search}, ROWS, Y, groups=GROUPS, cv=2, scoring=SCORING)
    for rows, groups in Spy.seen:
        np.testing.assert_array_equal(groups, GROUPS[rows.astype(int)])


def test_offsets_are_tuned_with_grouped_folds():
    tuned = TunedOffsetsClassifierCV(LINE, cv=3)
    comparison = compare({"tuned": tuned}, X, Y, groups=GROUPS, cv=2, scoring=SCORING)
    assert comparison.results["error"].isna().all()


def test_chosen_parameters_of_each_fold():
    models = {"line": LINE, "grid": GridSearchCV(LINE, GRID, scoring="f1_macro", cv=3)}
    comparison = compare(models, X, Y, cv=3, n_repeats=2, scoring=SCORING)
    chosen = comparison.chosen_
    assert chosen.columns.tolist() == ["model", "repeat", "fold", "seed", "best_score", "C"]
    assert len(chosen) == 6
    assert set(chosen["C"]) <= set(GRID["C"])
    assert chosen["best_score"].between(0, 1).all()
    # inner folds may choose other parameters than those that score best on outer test rows
    assert not np.allclose(
        chosen["best_score"], comparison.results.query("model == 'grid'")["f1_macro"]
    )
    assert compare(LINE, X, Y, cv=3, scoring=SCORING).chosen_.empty


def test_nested_searches_by_grids():
    models = {"line": make_pipeline(StandardScaler(), LINE), "net": FusionClassifier(max_epochs=2)}
    spaces = {"line": {"logisticregression__C": [1e-4, 1.0]}, "net": {"lr": [1e-3, 1e-2]}}
    comparison = compare(
        models, X, Y, groups=GROUPS, cv=2, nested=spaces, seeds=(3,), scoring=SCORING
    )
    chosen = comparison.chosen_.groupby("model", sort=False)
    assert chosen["lr"].count().to_dict() == {"line": 0, "net": 2}
    assert chosen["logisticregression__C"].count().to_dict() == {"line": 2, "net": 0}
    assert set(comparison.chosen_["seed"]) == {3}
    by_hand = GridSearchCV(
        models["line"],
        spaces["line"],
        scoring="f1_macro",
        cv=StratifiedGroupKFold(3, shuffle=True, random_state=0),
    )
    same = compare({"line": by_hand}, X, Y, groups=GROUPS, cv=2, scoring=SCORING)
    pd.testing.assert_series_equal(
        comparison.table.loc["line", "f1_macro"][["mean", "std"]],
        same.table.loc["line", "f1_macro"][["mean", "std"]],
    )


@pytest.mark.parametrize("scoring", [None, "neg_mae", ["neg_mae", "r2"], {"error": "neg_mae"}])
def test_nested_search_of_a_regressor_maximises_the_first_score(scoring):
    from sklearn.linear_model import Ridge

    y = X["text__a"].to_numpy()
    grid = {"alpha": [1e-3, 1e4]}
    comparison = compare({"r": Ridge()}, X, y, cv=2, nested={"r": grid}, scoring=scoring)
    assert set(comparison.chosen_["alpha"]) == {1e-3}
    assert (comparison.chosen_["best_score"] < 0).all()


@pytest.mark.parametrize(
    ("inner", "message"),
    [
        (9, "inner folds of 'grid': 9 folds cannot be made of 8 groups"),
        (GroupKFold(9), "inner folds of 'grid': 9 folds cannot be made of 8 groups"),
    ],
)
def test_impossible_inner_folds_raise_an_error_first(inner, message, monkeypatch):
    monkeypatch.setattr(LogisticRegression, "fit", lambda *args, **kwargs: 1 / 0)
    models = {"grid": GridSearchCV(LINE, GRID, cv=inner)}
    with pytest.raises(ValueError, match=message):
        compare(models, X, Y, groups=GROUPS, cv=3, error_score="raise")


def test_inner_folds_with_split_groups_raise_one_warning():
    models = {"grid": GridSearchCV(LINE, GRID, cv=KFold(3, shuffle=True, random_state=0))}
    with pytest.warns(
        UserWarning, match="inner folds of 'grid': .* groups in both parts"
    ) as caught:
        compare(models, X, Y, groups=GROUPS, cv=3, scoring=SCORING)
    assert sum("groups in both parts" in str(warning.message) for warning in caught) == 1
