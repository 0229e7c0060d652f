"""The benchmark of methods for imbalanced classes."""

from argparse import Namespace

import numpy as np
import pandas as pd
import pytest


@pytest.fixture
def imbalance(script):
    return script("imbalance")


@pytest.fixture
def scores():
    """One row per fit; "mixup" gains most but loses weighted F1 on balanced data."""
    f1_macro = {"untreated": 0.5, "mixup": 0.8, "offsets": 0.6, "balanced + offsets": 0.7}
    f1_weighted = {"mixup": 0.6, "generated 1:1": 0.9}
    return pd.DataFrame(
        {
            "data": data,
            "part": part,
            "model": model,
            "seed": seed,
            "f1_macro": f1_macro[model],
            "f1_weighted": f1_weighted.get(model, 0.9),
            "recall_few": 0.5,
            "seconds": 1.0,
        }
        for data in ("generated 1:1", "generated 1:10")
        for part in ("val", "test")
        for model in f1_macro
        for seed in range(2)
    )


def test_recommended_method_is_no_combination_and_safe_on_balanced_data(imbalance, scores):
    page = imbalance.format_page(scores, Namespace(machine="a machine"))
    assert "**offsets** gains most macro-F1" in page
    assert "**balanced + offsets** does" in page
    assert "| generated 1:10 | +10.0 | +0.0 | +20.0 | +0.0 |" in page
    assert "| mixup | 0.800 ± 0.000 | 0.800 ± 0.000 | 0.600 ± 0.000 |" in page


def test_generated_classes_have_the_ratio_and_missing_modalities(imbalance):
    data = imbalance.generate(10)
    counts = pd.Series(data.y).value_counts()
    assert counts["many"] / counts["few"] == pytest.approx(10, rel=0.2)
    assert np.isnan(data.X.filter(like="text__")).all(axis=1).mean() == pytest.approx(0.2, abs=0.03)
    assert set(data.split) == {"train", "val", "test"}
