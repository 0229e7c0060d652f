"""Each fusion against its paper's equations, written out row by row in float64."""

import re

import numpy as np
import pytest
import torch

from sklearn_mmsent import FusionClassifier, FusionRegressor
from sklearn_mmsent.nn import FUSIONS
from sklearn_mmsent.nn.fusion import ACRONYMS

B, D = 5, 4


def build(name, n_blocks):
    torch.manual_seed(0)
    fusion = FUSIONS[name](n_blocks, D, 0.0).double().eval()
    vectors = torch.randn(B, n_blocks, D, dtype=torch.float64)
    present = torch.rand(B, n_blocks) < 0.6
    present |= ~present.any(1, keepdim=True)
    return fusion, vectors, present


def weights_of(layer):
    return layer.weight.detach().numpy(), layer.bias.detach().numpy()


def concat(fusion, row, present):
    W, b = weights_of(fusion.project[0])
    return np.maximum(W @ np.concatenate(row) + b, 0)


def weighted(fusion, row, present):
    logits = fusion.logits.detach().numpy()
    share = np.array([np.exp(w) if t else 0.0 for w, t in zip(logits, present, strict=True)])
    share /= share.sum()
    return sum(s * x for s, x in zip(share, row, strict=True))


def pooled(fusion, row, present):
    return sum((x for x, t in zip(row, present, strict=True) if t), start=np.zeros(D))


def mean(fusion, row, present):
    return pooled(fusion, row, present) / present.sum()


def gated(fusion, row, present):
    W_gate, b_gate = weights_of(fusion.gate)
    z = 1 / (1 + np.exp(-(W_gate @ np.concatenate(row) + b_gate)))
    h = np.zeros(D)
    for i, x in enumerate(row):
        W, b = weights_of(fusion.values[i])
        if present[i]:
            h += z[i * D : (i + 1) * D] * np.tanh(W @ x + b)
    return h


REFERENCES = {
    "concat": concat,
    "sum": pooled,
    "mean": mean,
    "weighted": weighted,
    "gated": gated,
}


@pytest.mark.parametrize("n_blocks", [1, 2, 4])
@pytest.mark.parametrize("name", REFERENCES)
def test_equals_its_equations(name, n_blocks):
    fusion, vectors, present = build(name, n_blocks)
    if name == "weighted":
        fusion.logits.data.normal_()
    fused = fusion(vectors, present).detach().numpy()
    for row in range(B):
        expected = REFERENCES[name](fusion, vectors[row].numpy(), present[row].numpy())
        np.testing.assert_allclose(fused[row], expected, atol=1e-12)


def test_weights_are_a_convex_combination_of_what_is_there():
    fusion, _, present = build("weighted", 4)
    weights = fusion.weights(present)
    assert torch.allclose(weights.sum(1), torch.ones(B, dtype=torch.float64))
    assert (weights[~present] == 0).all()


@pytest.mark.parametrize("name", ["sum", "mean", "weighted", "gated"])
def test_absent_blocks_do_not_count(name):
    fusion, vectors, present = build(name, 3)
    if name == "gated":  # its gates read the tokens of absent blocks
        gates = fusion.gates(vectors, present)
        assert (gates[~present] == 0).all()
        return
    changed = torch.where(present.unsqueeze(-1), vectors, torch.full_like(vectors, 99.0))
    assert torch.equal(fusion(vectors, present), fusion(changed, present))


def test_the_estimators_document_every_fusion():
    for cls in (FusionClassifier, FusionRegressor):
        documented = cls.__doc__.partition("fusion : ")[2].partition("modalities : ")[0]
        names = set(re.findall(r'"(\w+)"', documented))
        assert names - set(ACRONYMS) == set(FUSIONS)
