"""Removal of modalities from numeric tables, arrays and raw cells."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from sklearn_mmsent import (
    MFCC,
    FillBlocks,
    FusionClassifier,
    TfidfEmbedder,
    make_extractor,
    make_pipeline,
    modality_importance,
)
from sklearn_mmsent.exceptions import BlockError
from sklearn_mmsent.inspection import modality_contributions


def test_indicator_columns_are_masked_too(named_table):
    X, y, _ = named_table(150, missing=0.2)
    filled = FillBlocks().fit_transform(X)
    model = FusionClassifier(max_epochs=5, random_state=0).fit(filled, y)
    found = modality_contributions(model, filled, target="neg", by="masking")
    assert found.baseline.std() < 1e-12


def test_integer_pixels_can_be_masked(named_table):
    X, y, _ = named_table(60)
    pixels = [name for name in X if name.startswith("image")]
    X[pixels] = X[pixels].fillna(0).clip(0, 5).astype("uint8")
    model = FusionClassifier(max_epochs=2, random_state=0).fit(X, y)
    before = X.dtypes.copy()
    assert modality_contributions(model, X, target="neg").baseline.std() < 1e-12
    assert (X.dtypes == before).all()


def test_modalities_of_an_array_come_from_the_estimator(named_table):
    X, y, _ = named_table(100)
    model = FusionClassifier(
        modalities={"text": 6, "audio": (5, 3), "image": (2, 3, 3)}, max_epochs=3, random_state=0
    ).fit(X.to_numpy(), y)
    found = modality_importance(model, X.to_numpy(), y, method="ablation")
    assert found.importances.index.tolist() == ["text", "audio", "image"]
    assert found.by == "masking"


@pytest.fixture(name="clips")
def _clips():
    rng = np.random.default_rng(0)
    y = np.arange(60) % 2
    texts = [["awful boring", "lovely fun"][label] for label in y]
    sounds = [(rng.normal(size=2000), 8000) for _ in y]
    return pd.DataFrame({"text": texts, "sound": pd.Series(sounds, dtype=object)}), y


def test_masked_raw_cells_are_missing_cells(clips):
    X, y = clips
    extract = make_extractor(
        text=TfidfEmbedder(n_components=2), voice=("sound", MFCC(sample_rate=8000))
    )
    model = make_pipeline(
        extract, FusionClassifier(modality_dropout=0.3, max_epochs=10, random_state=0)
    ).fit(X, y)
    found = modality_contributions(model, X, target=1)
    assert found.contributions.columns.tolist() == ["text", "voice"]
    nothing = X.assign(text=None, sound=None)
    np.testing.assert_allclose(found.baseline, model.predict_proba(nothing)[:, 1])
    importance = modality_importance(model, X, y).importances["mean"]
    assert importance.sum() == pytest.approx(model.score(X, y) - model.score(nothing, y))


def test_raw_columns_of_any_estimator(clips):
    X, y = clips

    class Reader(LogisticRegression):
        """Take raw columns."""

        def fit(self, X, y):
            return super().fit(self.read(X), y)

        def predict_proba(self, X):
            return super().predict_proba(self.read(X))

        def predict(self, X):
            return self.classes_[self.predict_proba(X).argmax(axis=1)]

        def read(self, X):
            return np.array(
                [
                    ["lovely" in (t or ""), s is not None]
                    for t, s in zip(X["text"], X["sound"], strict=True)
                ]
            )

    found = modality_contributions(Reader().fit(X, y), X, target=1)
    assert found.contributions.columns.tolist() == ["text", "sound"]
    assert found.contributions["text"].abs().max() > 0.7
    assert found.contributions["sound"].abs().max() < 0.01


def test_modalities_and_blocks_can_be_joined(known, shares):
    X, y, _, model = known
    found = modality_importance(
        model, X, y, modalities={"words": ["text"], "rest": ["voice", "face"]}
    )
    expected = [shares["text"], shares["voice"] + shares["face"]]
    np.testing.assert_allclose(found.importances["mean"], expected, atol=0.02)
    with pytest.raises(BlockError, match=r"names 'smell', which is not in the rows"):
        modality_importance(model, X, y, modalities={"a": ["smell"], "b": ["text"]})
