"""Contributions of modalities to predictions."""

import numpy as np
import pandas as pd
import pytest

from sklearn_mmsent import (
    FusionClassifier,
    FusionMultitask,
)
from sklearn_mmsent.inspection import modality_contributions


def test_contributions_are_the_parts_of_an_additive_model(known):
    X, _, parts, model = known
    found = modality_contributions(model, X[:100])
    np.testing.assert_allclose(found.contributions, parts[:100] - parts.mean(), atol=1e-8)
    X, parts = X[:300], parts[:300]
    shuffled = modality_contributions(model, X, by="permutation", n_repeats=30, random_state=0)
    assert (shuffled.contributions - parts).abs().mean().max() < 0.4
    np.testing.assert_allclose(
        shuffled.contributions.sum(axis=1) + shuffled.baseline, model.predict(X), atol=1e-8
    )


def test_contributions_to_a_probability(named_table):
    X, y, _ = named_table(200)
    model = FusionClassifier(modality_dropout=0.2, max_epochs=10, random_state=0).fit(X, y)
    found = modality_contributions(model, X)
    assert (found.explained == model.predict(X)).all()
    np.testing.assert_allclose(found.prediction, model.predict_proba(X).max(axis=1))
    total = found.contributions.sum(axis=1) + found.baseline
    np.testing.assert_allclose(total, found.prediction, atol=1e-8)
    about = modality_contributions(model, X, target="neg")
    np.testing.assert_allclose(about.prediction, model.predict_proba(X)[:, 0])
    assert about.baseline.std() < 1e-12
    with pytest.raises(ValueError, match="target='good' is not a class"):
        modality_contributions(model, X, target="good")


def test_targets_of_a_multitask_estimator(named_table):
    X, y, _ = named_table(80)
    targets = pd.DataFrame({"label": y, "strength": np.arange(80.0)})
    model = FusionMultitask(max_epochs=3, random_state=0).fit(X, targets)
    found = modality_contributions(model, X, target="strength")
    np.testing.assert_allclose(found.prediction, model.predict(X)["strength"].astype(float))
    found = modality_contributions(model, X, target=("label", "pos"))
    np.testing.assert_allclose(found.prediction, model.predict_proba(X)["label"][:, 2])
    with pytest.raises(ValueError, match="one of 'label', 'strength'"):
        modality_contributions(model, X)
