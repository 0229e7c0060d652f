"""Ordered classes."""

import numpy as np
import pandas as pd
import pytest

from sklearn_mmsent import FusionClassifier

NAMES = np.array(["low", "mid", "high", "top"])


@pytest.fixture
def rows():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(400, 2)), columns=["text__a", "audio__a"])
    level = np.digitize(X.sum(axis=1) + rng.normal(scale=0.3, size=400), [-1.5, 0, 1.5])
    return X, level


def test_numbers_and_names_agree(rows):
    X, level = rows
    settings = {"max_epochs": 30, "random_state": 0}
    by_number = FusionClassifier(ordinal=True, **settings).fit(X, level)
    by_name = FusionClassifier(ordinal=NAMES.tolist(), **settings).fit(X, NAMES[level])
    assert by_name.classes_.tolist() == sorted(NAMES)
    assert (NAMES[by_number.predict(X)] == by_name.predict(X)).all()
    order = [by_name.classes_.tolist().index(name) for name in NAMES]
    np.testing.assert_allclose(by_name.predict_proba(X)[:, order], by_number.predict_proba(X))
    np.testing.assert_allclose(by_number.predict_proba(X).sum(1), 1)
    assert by_number.score(X, level) > 0.75


def test_probabilities_follow_one_score_and_thresholds(rows):
    X, level = rows
    clf = FusionClassifier(ordinal=True, max_epochs=30, random_state=0).fit(X, level)
    above = 1 - clf.predict_proba(X).cumsum(axis=1)[:, :-1]
    logits = np.log(above / (1 - above))
    # thresholds lie equally far apart in every row
    np.testing.assert_allclose(np.diff(logits, axis=1), np.diff(logits, axis=1)[[0] * 400])


@pytest.mark.parametrize("fusion", ["decision", "quality_aware", "gated"])
def test_with_weights_and_fusions_that_decide(rows, fusion):
    X, level = rows
    found = []
    for weight in (1.0, 10.0):
        clf = FusionClassifier(
            fusion,
            ordinal=NAMES.tolist(),
            class_weight={"low": weight},
            max_epochs=20,
            random_state=0,
        )
        found.append((clf.fit(X, NAMES[level]).predict(X) == "low").sum())
    assert found[1] > found[0] > 0


@pytest.mark.parametrize(
    ("ordinal", "message"),
    [
        (True, "the order of the classes 'high', 'low', 'mid', 'top' is unknown"),
        (["low", "mid", "high"], "must list each class once"),
        (["low", "mid", "high", "top", "top"], "must list each class once"),
        ("low", "must be an instance of 'bool'.* or an instance of 'list'"),
    ],
)
def test_invalid_orders_are_rejected(rows, ordinal, message):
    X, level = rows
    with pytest.raises(ValueError, match=message):
        FusionClassifier(ordinal=ordinal).fit(X, NAMES[level])
