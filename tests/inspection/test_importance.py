"""Modality importance on data with known importances."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.model_selection import GroupKFold
from sklearn.preprocessing import StandardScaler

from sklearn_mmsent import (
    MFCC,
    FillBlocks,
    FusionClassifier,
    FusionMultitask,
    FusionRegressor,
    TfidfEmbedder,
    make_extractor,
    make_pipeline,
    modality_importance,
)
from sklearn_mmsent.exceptions import BlockError
from sklearn_mmsent.inspection import modality_contributions

WEIGHTS = {"text": 2.0, "voice": 1.0, "face": 0.5, "bio": 0.0}
SHARES = {name: w**2 / sum(v**2 for v in WEIGHTS.values()) for name, w in WEIGHTS.items()}


def additive(n=3000, seed=0):
    """Return rows of four modalities of two features, the target, and its additive parts."""
    rng = np.random.default_rng(seed)
    names = [f"{name}__{feature}" for name in WEIGHTS for feature in "ab"]
    X = pd.DataFrame(rng.normal(size=(n, 8)), columns=names)
    parts = {m: w * (X[f"{m}__a"] + X[f"{m}__b"]) / np.sqrt(2) for m, w in WEIGHTS.items()}
    parts = pd.DataFrame(parts)
    return X, parts.sum(axis=1), parts


@pytest.fixture(scope="module", name="known")
def _known():
    X, y, parts = additive()
    return X, y, parts, make_pipeline(FillBlocks(), LinearRegression()).fit(X, y)


def test_shapley_values_are_the_shares_of_an_additive_model(known):
    X, y, _, model = known
    found = modality_importance(model, X, y)
    assert found.by == "masking"
    assert found.importances["mean"].to_dict() == pytest.approx(SHARES, abs=0.02)
    total = found.baseline + found.importances["mean"].sum()
    assert total == pytest.approx(found.score) == pytest.approx(model.score(X, y))


def test_permutation_gives_twice_the_shares(known):
    X, y, _, model = known
    for method in ("shapley", "ablation", "permutation"):
        found = modality_importance(
            model, X, y, method=method, by="permutation", n_repeats=5, random_state=0
        )
        expected = {name: 2 * share for name, share in SHARES.items()}
        assert found.importances["mean"].to_dict() == pytest.approx(expected, abs=0.05)
        assert found.importances["mean"].sort_values(ascending=False).index.tolist() == [*WEIGHTS]
        low, high = found.importances["low"], found.importances["high"]
        assert (low <= high).all()
        assert low["text"] < found.importances["mean"]["text"] < high["text"]


def test_fusion_network_masks_modalities():
    X, y, _ = additive(3000)
    model = FusionRegressor(
        "sum", modality_dropout=0.3, max_epochs=15, batch_size=64, random_state=0
    ).fit(X, y)
    X, y, parts = additive(2000, seed=1)
    found = modality_importance(model, X, y)
    assert found.importances["mean"].to_dict() == pytest.approx(SHARES, abs=0.02)
    ablation = modality_importance(model, X, y, method="ablation")
    assert ablation.importances["mean"].sort_values(ascending=False).index.tolist() == [*WEIGHTS]
    one = modality_contributions(model, X)
    error = (one.contributions - (parts - parts.mean())).abs().mean()
    assert (error < 0.15).all()
    total = one.contributions.sum(axis=1) + one.baseline
    np.testing.assert_allclose(total, model.predict(X), atol=1e-8)


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


def test_intervals_over_folds_and_seeds():
    X, y, _ = additive(600)
    y = y + np.random.default_rng(0).normal(size=600)
    groups = np.arange(600) % 20
    found = modality_importance(
        FusionRegressor("sum", modality_dropout=0.3, max_epochs=5),
        X,
        y,
        cv=GroupKFold(3),
        groups=groups,
        seeds=range(2),
        scoring="corr",
        method="ablation",
    )
    assert len(found.runs) == 6
    assert found.runs[["fold", "seed"]].drop_duplicates().shape == (6, 2)
    table = found.importances
    assert (table["low"] < table["mean"]).all()
    # wider than for independent folds
    plain = 2.5706 * table["std"] / np.sqrt(6)
    assert (table["high"] - table["mean"] > 1.5 * plain).all()


def test_a_list_of_fitted_estimators_is_averaged(known):
    X, y, _, model = known
    other = make_pipeline(FillBlocks(), Ridge(1000.0)).fit(X, y)
    found = modality_importance([model, other], X, y, method="ablation")
    single = [
        modality_importance(m, X, y, method="ablation").importances["mean"] for m in (model, other)
    ]
    np.testing.assert_allclose(found.importances["mean"], np.mean(single, axis=0))
    assert found.importances["low"].notna().all()


def test_any_estimator_by_permutation(known):
    X, y, _, _ = known
    model = LinearRegression().fit(X, y)
    assert modality_importance(model, X, y, method="ablation").by == "permutation"
    with pytest.raises(ValueError, match=r"does not tolerate missing modalities.*FillBlocks"):
        modality_importance(model, X, y, by="masking")


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


# -- raw cells -----------------------------------------------------------------------------------


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


# -- groups of modalities --------------------------------------------------------------------------


def test_modalities_and_blocks_can_be_joined(known):
    X, y, _, model = known
    found = modality_importance(
        model, X, y, modalities={"words": ["text"], "rest": ["voice", "face"]}
    )
    expected = [SHARES["text"], SHARES["voice"] + SHARES["face"]]
    np.testing.assert_allclose(found.importances["mean"], expected, atol=0.02)
    with pytest.raises(BlockError, match=r"names 'smell', which is not in the rows"):
        modality_importance(model, X, y, modalities={"a": ["smell"], "b": ["text"]})


def test_error_for_too_many_modalities_states_the_cost(known):
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(40, 13)), columns=[f"m{i}__x" for i in range(13)])
    model = LinearRegression().fit(X, X["m0__x"])
    with pytest.raises(ValueError, match=r"13 modalities need 8,192 predictions.*at most 12"):
        modality_importance(model, X, X["m0__x"])
    found = modality_importance(model, X, X["m0__x"], method="permutation", random_state=0)
    assert found.importances["mean"].idxmax() == "m0"


def test_errors(known, named_table):
    X, y, _, model = known
    with pytest.raises(ValueError, match=r"requires y.*modality_contributions"):
        modality_importance(model, X, None)
    with pytest.raises(BlockError, match="has only one: 'text'"):
        modality_importance(LinearRegression().fit(X[["text__a"]], y), X[["text__a"]], y)
    with pytest.raises(BlockError, match="name no modalities"):
        modality_importance(LinearRegression().fit(X.to_numpy(), y), X.to_numpy(), y)
    with pytest.raises(ValueError, match="seeds requires cv"):
        modality_importance(model, X, y, seeds=[0])
    with pytest.raises(ValueError, match="not a list of them"):
        modality_importance([model], X, y, cv=3)
    from sklearn.svm import LinearSVC

    machine = make_pipeline(FillBlocks(), StandardScaler(), LinearSVC()).fit(X, y > 0)
    with pytest.raises(ValueError, match="has no predict_proba"):
        modality_contributions(machine, X)
    assert modality_importance(machine, X, y > 0).importances["mean"].idxmax() == "text"
