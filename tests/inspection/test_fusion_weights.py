"""Gates and attention weights of fitted networks."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from sklearn_mmsent import DeepEnsembleClassifier, FillBlocks, FusionClassifier, make_pipeline
from sklearn_mmsent.inspection import fusion_weights
from sklearn_mmsent.nn import FUSIONS

SHARES = ["weighted", "attention", "misa", "poe", "decision", "quality_aware", "memory"]
GATES = ["gated", "mag", "reinforced"]
STEPS = ["mult", "bottleneck", "reinforced"]
NONE = ["concat", "sum", "mean", "multiplicative", "tensor", "low_rank"]


@pytest.fixture(name="rows")
def _rows(named_table):
    X, y, _ = named_table(60, {"text": 6, "audio": (5, 3), "face": (4, 2)}, missing=0.2, seed=1)
    X.iloc[0] = np.nan  # no modality
    return X, y


def fitted(rows, fusion, **params):
    return FusionClassifier(fusion, max_epochs=2, hidden_size=16, random_state=0, **params).fit(
        *rows
    )


def presence(X):
    names = X.columns.str.partition("__").get_level_values(0)
    return X.notna().T.groupby(names, sort=False).any().T


def test_every_fusion_is_covered():
    assert {*SHARES, *GATES, *STEPS, *NONE} == {*FUSIONS}


@pytest.mark.parametrize("fusion", [*SHARES, *GATES])
def test_weights_of_modalities(rows, fusion):
    X = rows[0]
    found = fusion_weights(fitted(rows, fusion), X)
    present = presence(X)
    assert found.kind == ("gates" if fusion in GATES else "shares")
    assert found.modalities.columns.tolist() == ["text", "audio", "face"]
    assert (found.modalities.index == X.index).all()
    assert (found.modalities.where(~present, 0.0) == 0).all(axis=None)
    if fusion in SHARES:
        np.testing.assert_allclose(found.modalities.sum(axis=1), present.any(axis=1).astype(float))
        assert (found.modalities.to_numpy()[present.to_numpy()] > 0).all()
    else:
        assert (found.modalities >= 0).all(axis=None)


@pytest.mark.parametrize("fusion", STEPS)
def test_weights_of_steps(rows, fusion):
    X = rows[0]
    found = fusion_weights(fitted(rows, fusion), X)
    present = presence(X)
    for name, n_steps in {"audio": 5, "face": 4}.items():
        steps = found.steps[name].to_numpy()
        assert steps.shape == (60, n_steps)
        block = X.filter(like=f"{name}__").to_numpy().reshape(60, n_steps, -1)
        real = ~np.isnan(block).all(axis=2)
        assert (steps[~real] == 0).all()
        if fusion == "reinforced":
            assert set(np.unique(steps)) <= {0.0, 1.0}
            share = steps.sum(axis=1) / real.sum(axis=1).clip(min=1)
            np.testing.assert_allclose(found.modalities[name], share)
        else:
            # under "mult", no other block attends to the only one of a row
            seen = present[name] & ((fusion != "mult") | (present.sum(axis=1) > 1))
            np.testing.assert_allclose(steps.sum(axis=1), seen.astype(float))


def test_weights_of_the_weighted_fusion_are_its_parameters(rows):
    model = fitted(rows, "weighted")
    full = presence(rows[0]).all(axis=1)
    expected = torch.softmax(model.net_.module_.fusion.logits, dim=0).detach().numpy()
    found = fusion_weights(model, rows[0]).modalities[full].to_numpy()
    np.testing.assert_allclose(found, np.tile(expected, (len(found), 1)))


def test_attention_weights_match_the_fused_kernel(rows):
    attention = fitted(rows, "mult").net_.module_.fusion.cross["1_to_2"].layers[0].attention
    torch.manual_seed(0)
    queries, memory = torch.randn(3, 4, 16).double(), torch.randn(3, 5, 16).double()
    mask = torch.tensor([[1, 1, 1, 1, 1], [1, 0, 1, 0, 0], [0, 0, 0, 0, 0]]).bool()
    shares = attention.shares(queries, memory, mask)
    assert torch.allclose(shares.sum(-1), mask.any(1)[:, None].double().expand(-1, 4))
    assert (shares[~mask[:, None].expand_as(shares)] == 0).all()
    one = attention(queries, memory, mask)
    attention.fused = False
    assert torch.allclose(one, attention(queries, memory, mask))


@pytest.mark.parametrize(
    "encoder", ["attentive", ("gru", {"pooling": "attention"}), ("lstm", {"pooling": "attention"})]
)
def test_weights_of_steps_from_attentive_encoders(rows, encoder):
    X = rows[0]
    model = fitted(rows, "concat", encoders={"audio": encoder, "face": encoder})
    found = fusion_weights(model, X)
    assert found.modalities is None
    assert set(found.steps) == {"audio", "face"}
    present = presence(X)
    np.testing.assert_allclose(found.steps["audio"].sum(axis=1), present["audio"].astype(float))


def test_weights_of_parts_and_of_their_modality(named_table):
    X, y, _ = named_table(60, {"text": 4, "audio__mfcc": (3, 2), "audio__egemaps": 3})
    model = FusionClassifier("attention", max_epochs=2, random_state=0).fit(X, y)
    found = fusion_weights(model, X)
    assert found.blocks.columns.tolist() == ["text", "audio__mfcc", "audio__egemaps"]
    parts = found.blocks[["audio__mfcc", "audio__egemaps"]].sum(axis=1)
    np.testing.assert_allclose(found.modalities["audio"], parts)
    gates = fusion_weights(FusionClassifier("gated", max_epochs=2, random_state=0).fit(X, y), X)
    parts = gates.blocks[["audio__mfcc", "audio__egemaps"]].mean(axis=1)
    np.testing.assert_allclose(gates.modalities["audio"], parts)


def test_weights_of_many_rows_are_computed_in_batches(rows):
    model = fitted(rows, "mult")
    X = pd.concat([rows[0]] * 30, ignore_index=True)
    steps, once = (
        fusion_weights(model, X).steps["audio"],
        fusion_weights(model, rows[0]).steps["audio"],
    )
    np.testing.assert_allclose(steps, pd.concat([once] * 30), atol=1e-10)


def test_members_of_an_ensemble_are_averaged(rows):
    X, y = rows
    model = DeepEnsembleClassifier(
        FusionClassifier("gated", max_epochs=2), n_members=2, random_state=0
    ).fit(X, y)
    members = [fusion_weights(member, X).modalities for member in model.estimators_]
    np.testing.assert_allclose(fusion_weights(model, X).modalities, np.mean(members, axis=0))


def test_weights_of_a_pipeline(rows):
    X, y = rows
    pipe = make_pipeline(FillBlocks(), FusionClassifier("gated", max_epochs=2, random_state=0))
    found = fusion_weights(pipe.fit(X, y), X)
    assert (found.modalities.where(~presence(X), 0.0) == 0).all(axis=None)


@pytest.mark.parametrize("fusion", NONE)
def test_a_fusion_without_weights_raises_an_error_that_lists_those_with_weights(rows, fusion):
    with pytest.raises(ValueError, match=rf"{fusion!r} of FusionClassifier has no.*'gated', 'mag'"):
        fusion_weights(fitted(rows, fusion), rows[0])


def test_other_estimators_raise_an_error():
    model = LogisticRegression().fit([[0.0], [1.0]], [0, 1])
    with pytest.raises(TypeError, match="requires a fusion network; got LogisticRegression"):
        fusion_weights(model, [[0.0]])
