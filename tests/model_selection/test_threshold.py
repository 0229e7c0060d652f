"""scikit-learn's tuning of a decision threshold over networks and whole pipelines."""

import numpy as np
import pandas as pd
import pytest
from imblearn.over_sampling import RandomOverSampler
from sklearn.metrics import f1_score
from sklearn.model_selection import TunedThresholdClassifierCV

from sklearn_mmsent import FillBlocks, FusionClassifier, make_pipeline


def lopsided(n=240, seed=0):
    """Nine rows of ten are negative; the classes overlap."""
    rng = np.random.default_rng(seed)
    y = np.where(rng.random(n) < 0.1, "positive", "negative")
    shift = np.where(y == "positive", 1.2, 0.0)[:, None]
    table = rng.normal(size=(n, 4)) + shift
    table[::7, :2] = np.nan
    return pd.DataFrame(table, columns=["text__a", "text__b", "face__a", "face__b"]), y


def network(**params):
    return FusionClassifier(
        hidden_size=8, max_epochs=8, lr=1e-2, early_stopping=False, random_state=0, **params
    )


@pytest.mark.parametrize(
    "model",
    [
        network(),
        network(sampler=RandomOverSampler(random_state=0)),
        make_pipeline(FillBlocks(), RandomOverSampler(random_state=0), network()),
    ],
    ids=["network", "sampler inside", "pipeline"],
)
def test_the_threshold_of_a_network_is_tuned(model):
    X, y = lopsided()
    tuned = TunedThresholdClassifierCV(model, scoring="f1_macro", cv=3, random_state=0).fit(X, y)
    positive = tuned.predict_proba(X)[:, 1] >= tuned.best_threshold_
    assert np.array_equal(tuned.predict(X) == "positive", positive)
    plain = model.fit(X, y)
    assert f1_score(y, tuned.predict(X), average="macro") >= 0.5
    assert 0 < tuned.best_threshold_ < 1
    assert plain.predict(X).dtype == tuned.predict(X).dtype
