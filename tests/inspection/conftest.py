"""Data with known importances of modalities."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression

from sklearn_mmsent import (
    FillBlocks,
    make_pipeline,
)

WEIGHTS = {"text": 2.0, "voice": 1.0, "face": 0.5, "bio": 0.0}


def additive(n=3000, seed=0):
    """Return rows of four modalities of two features, the target, and its additive parts."""
    rng = np.random.default_rng(seed)
    names = [f"{name}__{feature}" for name in WEIGHTS for feature in "ab"]
    X = pd.DataFrame(rng.normal(size=(n, 8)), columns=names)
    parts = {m: w * (X[f"{m}__a"] + X[f"{m}__b"]) / np.sqrt(2) for m, w in WEIGHTS.items()}
    parts = pd.DataFrame(parts)
    return X, parts.sum(axis=1), parts


@pytest.fixture(name="additive")
def _additive():
    return additive


@pytest.fixture(scope="module", name="shares")
def _shares():
    """Return the Shapley values of the additive model."""
    return {name: w**2 / sum(v**2 for v in WEIGHTS.values()) for name, w in WEIGHTS.items()}


@pytest.fixture(scope="module", name="known")
def _known():
    X, y, parts = additive()
    return X, y, parts, make_pipeline(FillBlocks(), LinearRegression()).fit(X, y)
