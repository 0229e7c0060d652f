import numpy as np
import pandas as pd
import pytest
from scipy.stats import t as student_t
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_mmsent.model_selection._comparison import (
    evaluate_models,
    seed_everywhere,
    summarize,
    to_markdown,
)


class Recorder(ClassifierMixin, BaseEstimator):
    """Predicts the group that it was given for its first training row."""

    def fit(self, X, y, groups=None):
        self.group_ = groups[0]
        self.n_ = len(groups)
        return self

    def predict(self, X):
        return np.full(len(X), f"{self.group_}:{self.n_}")


def accuracy(y, predicted):
    return {"accuracy": float(np.mean(y == predicted))}


@pytest.fixture(name="data")
def _data():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"a": rng.normal(size=12)})
    return (
        X,
        np.array(["x", "y"] * 6),
        [(np.arange(6), np.arange(6, 12)), (np.arange(6, 12), np.arange(6))],
    )


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_each_model_on_each_fold_with_each_seed(data, n_jobs):
    X, y, splits = data
    models = {
        "constant": DummyClassifier(strategy="most_frequent"),
        "forest": RandomForestClassifier(3),
    }
    results = list(
        evaluate_models(models, X, y, splits, score=accuracy, seeds=(0, 1), n_jobs=n_jobs)
    )
    keys = sorted((r["model"], r["fold"], r["seed"]) for r in results)
    assert keys == [(m, f, s) for m in ("constant", "forest") for f in (0, 1) for s in (0, 1)]
    assert all(r["accuracy"] == 0.5 for r in results if r["model"] == "constant")
    assert all(len(r["predicted"]) == 6 for r in results)
    assert not hasattr(models["forest"], "estimators_")


def test_groups_reach_who_takes_them(data):
    X, y, splits = data
    groups = np.array([f"g{i}" for i in range(12)])
    models = {
        "alone": Recorder(),
        "piped": make_pipeline(StandardScaler(), Recorder()),
        "other": DummyClassifier(),
    }
    results = list(evaluate_models(models, X, y, splits, score=accuracy, groups=groups))
    for result in results:
        if result["model"] != "other":
            assert result["predicted"][0] == ("g0:6" if result["fold"] == 0 else "g6:6")


def test_seeds_are_set_at_every_depth():
    pipe = make_pipeline(StandardScaler(), RandomForestClassifier())
    assert seed_everywhere(pipe, 7)[-1].random_state == 7


def test_summary():
    results = [
        {"model": name, "f1": f1, "fit_seconds": 1.0}
        for name, scores in {"b": [0.5, 0.7, 0.9], "a": [0.2]}.items()
        for f1 in scores
    ]
    summary = summarize(results, ["f1"])
    assert summary.index.tolist() == ["b", "a"]
    assert summary.loc["b", "f1"] == pytest.approx(0.7)
    assert summary.loc["b", "f1_std"] == pytest.approx(0.2)
    half = student_t.ppf(0.975, 2) * 0.2 / np.sqrt(3)
    assert summary.loc["b", "f1_half_interval"] == pytest.approx(half)
    assert np.isnan(summary.loc["a", "f1_std"])
    table = to_markdown(summary, ["f1"])
    assert table.splitlines()[2:] == ["| b | **0.700** ± 0.200 |", "| a | 0.200 |"]


def test_the_lowest_error_is_the_best():
    results = [{"model": m, "mae": v, "fit_seconds": 1.0} for m, v in (("a", 0.5), ("b", 0.4))]
    assert "**0.400**" in to_markdown(summarize(results, ["mae"]), ["mae"])
