"""Tables whose classes depend on two modalities, and estimators that record their input."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin

LABELS = np.array(["neg", "neu", "pos"])


def make_table(n=150, *, missing=0.0, seed=0, labels=LABELS):
    """Text separates low from high, the face neutral from both; some rows lack modalities."""
    rng = np.random.default_rng(seed)
    numbers = rng.integers(0, len(labels), n)
    X = pd.DataFrame(
        {
            "text__a": numbers + rng.normal(size=n),
            "text__b": rng.normal(size=n),
            "face__a": 1.5 * (numbers == 1) + rng.normal(size=n),
        }
    )
    X.loc[rng.random(n) < missing, ["text__a", "text__b"]] = np.nan
    X.loc[rng.random(n) < missing, "face__a"] = np.nan
    return X, np.asarray(labels)[numbers]


@pytest.fixture(name="table")
def _table():
    return make_table


@pytest.fixture
def scores():
    """Regression targets of `table`: the number of the class, with noise."""

    def of(y):
        numbers = np.searchsorted(np.unique(y), y)
        return numbers + 0.1 * np.random.default_rng(1).normal(size=len(y))

    return of


class Recorder(ClassifierMixin, BaseEstimator):
    """Record the arguments of ``fit``, and predict class frequencies."""

    seen: list = []

    def __init__(self, random_state=None):
        self.random_state = random_state

    def fit(self, X, y, sample_weight=None, groups=None):
        self.seen.append({"X": X, "y": y, "weights": sample_weight, "groups": groups})
        self.classes_, counts = np.unique(y, return_counts=True)
        self.shares_ = counts / counts.sum()
        return self

    def predict_proba(self, X):
        return np.tile(self.shares_, (len(X), 1))

    def predict(self, X):
        return np.full(len(X), self.classes_[self.shares_.argmax()])


@pytest.fixture
def recorder():
    Recorder.seen.clear()
    return Recorder
