"""Samplers of imbalanced-learn after FillBlocks."""

import numpy as np
import pandas as pd
import pytest
from imblearn.utils.testing import all_estimators

from sklearn_mmsent import FillBlocks, FusionClassifier, make_pipeline
from sklearn_mmsent.blocks import BlockLayout

# these fail on string labels for any table
NUMBERS_ONLY = {
    "InstanceHardnessThreshold": "uses labels as column indices: probabilities[range(n), y]",
    "NeighbourhoodCleaningRule": "calls scipy.stats.mode, which does not accept strings",
}
NEEDED = {"SMOTENC": {"categorical_features": ["text__present", "voice__present"]}}
SAMPLERS = dict(all_estimators(type_filter="sampler"))


def table(seed=0):
    """Three classes, flat text and an audio sequence, both with missing rows."""
    rng = np.random.default_rng(seed)
    y = np.repeat(["negative", "neutral", "positive"], [80, 50, 30])
    shift = np.repeat([-1.0, 0.0, 1.0], [80, 50, 30])[:, None]
    text = rng.normal(size=(160, 3)) + shift
    voice = rng.normal(size=(160, 4, 2)) + shift[:, :, None]
    voice[np.arange(4) >= rng.integers(2, 5, (160, 1))] = np.nan
    text[::9] = np.nan
    voice[4::9] = np.nan
    columns = {f"text__{i}": text[:, i] for i in range(3)}
    columns |= {f"voice__{n}@{s}": voice[:, s, i] for s in range(4) for i, n in enumerate("ab")}
    return pd.DataFrame(columns), y


def sampler(name):
    made = SAMPLERS[name](**NEEDED.get(name, {}))
    return made.set_params(random_state=0) if "random_state" in made.get_params() else made


@pytest.mark.parametrize("name", sorted(SAMPLERS))
def test_resampled_table_keeps_blocks_and_masks(name):
    X, y = table()
    if name in NUMBERS_ONLY:
        y = np.unique(y, return_inverse=True)[1]
    filled = FillBlocks().fit_transform(X)
    rows, labels = sampler(name).fit_resample(filled, y)
    assert list(rows.columns) == list(filled.columns)
    assert set(labels) == set(y)
    assert len(rows) == len(labels)
    for block in BlockLayout.of(rows).read(rows):
        assert 0 < block.present.mean() < 1  # missing blocks are still marked


@pytest.mark.parametrize("name", sorted(NUMBERS_ONLY))
def test_samplers_without_support_for_string_labels(name):
    X, y = table()
    with pytest.raises((IndexError, TypeError)):
        sampler(name).fit_resample(X.fillna(0).to_numpy(), y)


@pytest.mark.parametrize("name", ["SMOTE", "SVMSMOTE", "RandomUnderSampler"])
def test_fusion_network_after_sampler(name):
    X, y = table()
    net = FusionClassifier(max_epochs=2, early_stopping=False)
    pipe = make_pipeline(FillBlocks(), sampler(name), net)
    assert pipe.fit(X, y).predict_proba(X).shape == (160, 3)
