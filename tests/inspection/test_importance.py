"""Modality importance on data with known importances."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.model_selection import GroupKFold
from sklearn.preprocessing import StandardScaler

from sklearn_mmsent import (
    FillBlocks,
    FusionRegressor,
    make_pipeline,
    modality_importance,
)
from sklearn_mmsent.exceptions import BlockError
from sklearn_mmsent.inspection import modality_contributions


def test_shapley_values_are_the_shares_of_an_additive_model(known, shares):
    X, y, _, model = known
    found = modality_importance(model, X, y)
    assert found.by == "masking"
    assert found.importances["mean"].to_dict() == pytest.approx(shares, abs=0.02)
    total = found.baseline + found.importances["mean"].sum()
    assert total == pytest.approx(found.score) == pytest.approx(model.score(X, y))


def test_permutation_gives_twice_the_shares(known, shares):
    X, y, _, model = known
    for method in ("shapley", "ablation", "permutation"):
        found = modality_importance(
            model, X, y, method=method, by="permutation", n_repeats=5, random_state=0
        )
        expected = {name: 2 * share for name, share in shares.items()}
        assert found.importances["mean"].to_dict() == pytest.approx(expected, abs=0.05)
        assert found.importances["mean"].sort_values(ascending=False).index.tolist() == [*shares]
        low, high = found.importances["low"], found.importances["high"]
        assert (low <= high).all()
        assert low["text"] < found.importances["mean"]["text"] < high["text"]


def test_fusion_network_masks_modalities(additive, shares):
    X, y, _ = additive(3000)
    model = FusionRegressor(
        "sum", modality_dropout=0.3, max_epochs=15, batch_size=64, random_state=0
    ).fit(X, y)
    X, y, parts = additive(2000, seed=1)
    found = modality_importance(model, X, y)
    assert found.importances["mean"].to_dict() == pytest.approx(shares, abs=0.02)
    ablation = modality_importance(model, X, y, method="ablation")
    assert ablation.importances["mean"].sort_values(ascending=False).index.tolist() == [*shares]
    one = modality_contributions(model, X)
    error = (one.contributions - (parts - parts.mean())).abs().mean()
    assert (error < 0.15).all()
    total = one.contributions.sum(axis=1) + one.baseline
    np.testing.assert_allclose(total, model.predict(X), atol=1e-8)


def test_intervals_over_folds_and_seeds(additive):
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


def test_error_for_too_many_modalities_states_the_cost(known):
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(40, 13)), columns=[f"m{i}__x" for i in range(13)])
    model = LinearRegression().fit(X, X["m0__x"])
    with pytest.raises(ValueError, match=r"13 modalities need 8,192 predictions.*at most 12"):
        modality_importance(model, X, X["m0__x"])
    found = modality_importance(model, X, X["m0__x"], method="permutation", random_state=0)
    assert found.importances["mean"].idxmax() == "m0"


def test_invalid_parameters_and_tables_raise(known, named_table):
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
