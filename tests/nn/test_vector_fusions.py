"""Fusions of vectors against their papers' equations, written out row by row in float64."""

import itertools

import numpy as np
import pytest
import torch

from sklearn_mmsent.nn import FUSIONS, LowRankFusion, NewHead, PredictionHead, TensorFusion
from sklearn_mmsent.nn.fusion.attention import SelfAttentionLayer
from sklearn_mmsent.nn.objective import BatchLoss

B, D, C = 7, 4, 3


def build(name, n_blocks, width=D, **options):
    """A fusion with random parameters, random vectors, and a mask with gaps."""
    torch.manual_seed(0)
    cls = FUSIONS[name]
    if cls.decides:
        n_outputs = options.pop("n_outputs", C)
        head = NewHead(PredictionHead, width, n_outputs, 0.0, logits=n_outputs > 1)
        options = {"head": head, **options}
    fusion = cls(n_blocks, width, 0.0, **options).double().eval()
    for parameter in fusion.parameters():  # norms and biases, too, start as constants
        parameter.data += 0.3 * torch.randn_like(parameter)
    vectors = torch.randn(B, n_blocks, width, dtype=torch.float64)
    present = torch.rand(B, n_blocks) < 0.6
    present[0] = True
    return fusion, vectors, present | ~present.any(1, keepdim=True)


def dense(layer, x):
    bias = 0 if layer.bias is None else layer.bias.detach().numpy()
    return layer.weight.detach().numpy() @ x + bias


def normed(layer, x):
    x = (x - x.mean()) / np.sqrt(x.var() + layer.eps)
    return x * layer.weight.detach().numpy() + layer.bias.detach().numpy()


def relu(x):
    return np.maximum(x, 0)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softmax(x):
    return np.exp(x) / np.exp(x).sum()


def head(layers, x):
    return dense(layers.layers[3], relu(dense(layers.layers[0], x)))


# -- references ----------------------------------------------------------------------------------


def mag(fusion, row, present):
    z, shift = row[fusion.main], np.zeros(D)
    others = [i for i in range(len(row)) if i != fusion.main]
    for gate, value, i in zip(fusion.gate, fusion.values, others, strict=True):
        if present[i]:
            shift += relu(dense(gate, np.concatenate([row[i], z]))) * dense(value, row[i])
    length = np.linalg.norm(shift)
    alpha = min(fusion.beta * np.linalg.norm(z) / (length + 1e-6), 1)
    return normed(fusion.norm, z + alpha * shift)


def multiplicative(fusion, row, present):
    h = fusion.start.detach().numpy()
    for i, x in enumerate(row):
        if present[i]:
            W = np.diag(dense(fusion.scale[i], x))  # what the context makes of the state
            joined = W @ dense(fusion.carry[i], h) + dense(fusion.add[i], x)
            h = normed(fusion.norms[i], joined)
    return h


def outer_product(parts):
    """Every product of one number of each part, the last varying fastest."""
    return np.array([np.prod(numbers) for numbers in itertools.product(*parts)])


def tensor(fusion, row, present):
    parts = [
        np.append(dense(narrow, x) if t else 0 * narrow.bias.detach().numpy(), 1)
        for narrow, x, t in zip(fusion.narrow, row, present, strict=True)
    ]
    return relu(dense(fusion.project[0], outer_product(parts)))


def low_rank(fusion, row, present):
    """The dense layer over the full outer product, its weights put together from the factors."""
    z = outer_product([np.append(x * t, 1) for x, t in zip(row, present, strict=True)])
    factors = fusion.factors.detach().numpy()  # (M, R, D + 1, D)
    h = fusion.bias.detach().numpy().copy()
    for r, a in enumerate(fusion.rank_weights.detach().numpy()):
        for o in range(D):
            h[o] += a * outer_product([w[r, :, o] for w in factors]) @ z
    return h


def transformer_layer(layer, tokens, present):
    """One layer, head by head and token by token; returns the shares of attention, too."""
    n, width = tokens.shape
    inputs = np.stack([dense(layer.look, normed(layer.look_norm, t)) for t in tokens])
    q, k, v = inputs[:, :width], inputs[:, width : 2 * width], inputs[:, 2 * width :]
    size = width // layer.n_heads
    seen, shares = np.zeros((n, width)), np.zeros((layer.n_heads, n, n))
    for h in range(layer.n_heads):
        part = slice(h * size, (h + 1) * size)
        for i in range(n):
            scores = k[present][:, part] @ q[i, part] / np.sqrt(size)
            shares[h, i, present] = softmax(scores)
            seen[i, part] = shares[h, i] @ v[:, part]
    tokens = tokens + np.stack([dense(layer.gather, s) for s in seen])
    thought = [
        dense(layer.think[3], relu(dense(layer.think[0], normed(layer.think_norm, t))))
        for t in tokens
    ]
    return tokens + np.stack(thought), shares


def attention(fusion, row, present):
    tokens = np.vstack([fusion.cls.detach().numpy(), row + fusion.origin.detach().numpy()])
    for layer in fusion.layers:
        tokens, _ = transformer_layer(layer, tokens, np.append(True, present))
    return normed(fusion.norm, tokens[0])


def misa_parts(fusion, row):
    units = [normed(norm, x) for norm, x in zip(fusion.norms, row, strict=True)]
    shared = [sigmoid(dense(fusion.shared, u)) for u in units]
    private = [sigmoid(dense(w, u)) for w, u in zip(fusion.private, units, strict=True)]
    return np.array(units), np.array(shared), np.array(private)


def misa(fusion, row, present):
    _, shared, private = misa_parts(fusion, row)
    present = np.append(present, present)
    tokens, _ = transformer_layer(fusion.mix, np.vstack([shared, private]), present)
    tokens[~present] = 0
    return relu(dense(fusion.project[0], tokens.reshape(-1)))


def gaussian_product(fusion, row, present):
    """The product of the densities' parameters, unit by unit."""
    precision, mean = np.ones(D), np.zeros(D)
    for layer, x, t in zip(fusion.layers, row, present, strict=True):
        expert = dense(layer, x)
        if t:
            precision += 1 / np.exp(expert[D:])
            mean += expert[:D] / np.exp(expert[D:])
    return mean / precision, 1 / precision


def poe(fusion, row, present):
    return gaussian_product(fusion, row, present)[0]


def decision(fusion, row, present):
    said = [head(layers, x) for layers, x in zip(fusion.heads, row, strict=True)]
    if fusion.weighting == "learned":
        scores = fusion.logits.detach().numpy()
    elif fusion.weighting == "mean":
        scores = np.zeros(len(row))
    elif said[0].size > 1:
        scores = np.array([np.log(np.exp(logits).sum()) for logits in said])
    else:
        scores = np.array([dense(w, x)[0] for w, x in zip(fusion.confidence, row, strict=True)])
    weights = softmax(np.where(present, scores, -np.inf))
    return sum(w * outputs for w, outputs in zip(weights, said, strict=True))


CASES = [
    ("mag", {}, mag),
    ("mag", {"beta": 0.1}, mag),
    ("mag", {"main": "last"}, mag),
    ("multiplicative", {}, multiplicative),
    ("tensor", {}, tensor),
    ("tensor", {"factor": 2}, tensor),
    ("low_rank", {}, low_rank),
    ("low_rank", {"rank": 1}, low_rank),
    ("attention", {}, attention),
    ("attention", {"n_heads": 3, "n_layers": 2}, attention),
    ("misa", {}, misa),
    ("poe", {}, poe),
    ("decision", {}, decision),
    ("decision", {"weights": "mean"}, decision),
    ("decision", {"weights": "confidence"}, decision),
    ("decision", {"weights": "confidence", "n_outputs": 1}, decision),
    ("quality_aware", {}, decision),
    ("quality_aware", {"n_outputs": 1}, decision),
]


@pytest.mark.parametrize("n_blocks", [1, 2, 4])
@pytest.mark.parametrize(
    ("name", "options", "reference"),
    CASES,
    ids=[" ".join([name, *(f"{k}={v}" for k, v in options.items())]) for name, options, _ in CASES],
)
def test_equals_its_equations(name, options, reference, n_blocks):
    if options.get("main") == "last":
        options = {"main": n_blocks - 1}
    fusion, vectors, present = build(name, n_blocks, **options)
    fused = fusion(vectors, present).detach().numpy()
    for row in range(B):
        expected = reference(fusion, vectors[row].numpy(), present[row].numpy())
        np.testing.assert_allclose(fused[row], expected, atol=1e-10)


# -- weights -------------------------------------------------------------------------------------

TALKATIVE = ["sum", "multiplicative", "tensor", "low_rank", "attention", "misa", "poe"]


@pytest.mark.parametrize("name", [*TALKATIVE, "mag", "decision", "quality_aware"])
def test_absent_targets_do_not_count(name):
    fusion, vectors, present = build(name, 3)
    hold = present.clone()
    if name == "mag":
        hold[:, 0] = True  # the token of an absent main block is shifted
    changed = torch.where(hold.unsqueeze(-1), vectors, torch.full_like(vectors, 99.0))
    torch.testing.assert_close(fusion(changed, present), fusion(vectors, present))


@pytest.mark.parametrize("name", ["decision", "quality_aware"])
def test_weights_of_decisions_are_convex(name):
    fusion, vectors, present = build(name, 3)
    weights = fusion.weights(vectors, present)
    assert (weights[~present] == 0).all()
    torch.testing.assert_close(weights.sum(1), torch.ones(B, dtype=torch.float64))
    mixed = (weights.unsqueeze(-1) * fusion.decisions(vectors)).sum(1)
    torch.testing.assert_close(mixed, fusion(vectors, present))


def test_quality_aware_weights_by_confidence():
    fusion, vectors, present = build("quality_aware", 2)
    present[:] = True
    energy = -fusion.decisions(vectors).logsumexp(2)
    sure = fusion.weights(vectors, present).argmax(1)
    assert torch.equal(sure, energy.argmin(1))


def test_gates_and_shift_of_the_adaptation_gate():
    fusion, vectors, present = build("mag", 3, main=1, beta=0.5)
    gates = fusion.gates(vectors, present)
    assert (gates[~present] == 0).all()
    assert (gates[:, 1] == 0).all()
    assert (gates >= 0).all()
    assert (gates > 0).any()
    shift = fusion.shift(vectors, present).norm(dim=1)
    assert (shift <= 0.5 * vectors[:, 1].norm(dim=1) + 1e-12).all()
    assert (shift[~present[:, [0, 2]].any(1)] == 0).all()


def test_scales_of_multiplicative_interactions():
    fusion, vectors, present = build("multiplicative", 3)
    scales = fusion.scales(vectors, present)
    assert (scales[~present] == 1).all()
    expected = dense(fusion.scale[1], vectors[0, 1].numpy())
    np.testing.assert_allclose(scales[0, 1].detach().numpy(), expected)


def test_attention_returns_its_weights():
    fusion, vectors, present = build("attention", 3, n_layers=1)
    shares = fusion.attention(vectors, present).detach().numpy()
    assert (shares[~present.numpy()] == 0).all()
    for row in range(B):
        tokens = np.vstack([fusion.cls.detach(), vectors[row] + fusion.origin.detach()])
        seen = np.append(True, present[row].numpy())
        _, expected = transformer_layer(fusion.layers[0], tokens, seen)
        np.testing.assert_allclose(shares[row], expected.mean(0)[0, 1:], atol=1e-12)


def test_precisions_of_experts():
    fusion, vectors, present = build("poe", 3)
    weights = fusion.weights(vectors, present)
    assert (weights[~present] == 0).all()
    means, log_variances = fusion.experts(vectors)
    torch.testing.assert_close((weights * means).sum(1), fusion(vectors, present))
    prior = 1 / (1 + (present.unsqueeze(-1) / log_variances.exp()).sum(1))
    torch.testing.assert_close(weights.sum(1) + prior, torch.ones(B, D, dtype=torch.float64))


def test_experts_are_drawn_in_training_only():
    fusion, vectors, present = build("poe", 2)
    assert torch.equal(fusion(vectors, present), fusion(vectors, present))
    fusion.train()
    draws = torch.stack([fusion(vectors, present) for _ in range(4000)]).detach().numpy()
    for row in range(B):
        mean, variance = gaussian_product(fusion, vectors[row].numpy(), present[row].numpy())
        np.testing.assert_allclose(draws[:, row].mean(0), mean, atol=0.08)
        np.testing.assert_allclose(draws[:, row].var(0), variance, rtol=0.15)


def test_extreme_experts_stay_finite():
    fusion, vectors, present = build("poe", 2)
    fusion.float().train()
    outputs, intermediates = fusion.forward_train(1e4 * vectors.float(), present)
    outputs.sum().backward()
    loss = fusion.auxiliary_loss(intermediates, BatchLoss(None, None, torch.ones(B)))
    assert loss.isfinite()
    assert all(p.grad.isfinite().all() for p in fusion.parameters())


# -- sizes and options ---------------------------------------------------------------------------


def test_the_tensor_has_a_sane_size_by_default():
    sizes = {m: TensorFusion(m, 256, 0.0).project[0].in_features for m in range(1, 13)}
    assert max(sizes.values()) <= 4096
    assert [sizes[m] for m in (1, 2, 3, 4)] == [257, 64**2, 16**3, 8**4]
    assert TensorFusion(2, 8, 0.0).project[0].in_features == 9**2


def test_invalid_options_raise_an_error():
    with pytest.raises(ValueError, match="factor=31 has 1,048,576 numbers, more than 1,000,000"):
        TensorFusion(4, 64, 0.0, factor=31)
    with pytest.raises(ValueError, match="Lower factor to 30 at most, or take the fusion 'low_ra"):
        TensorFusion(4, 64, 0.0, factor=31)
    TensorFusion(4, 4, 0.0, factor=30)
    with pytest.raises(ValueError, match=r"1,048,576 numbers.* Take the fusion 'low_rank'"):
        TensorFusion(20, 64, 0.0)
    with pytest.raises(ValueError, match="factor must be at least 1; got 0"):
        TensorFusion(2, 64, 0.0, factor=0)
    with pytest.raises(ValueError, match="rank must be at least 1; got 0"):
        LowRankFusion(2, 64, 0.0, rank=0)
    for main in (-1, 3, "text"):
        with pytest.raises(ValueError, match="main must be the number of a block, from 0 to 2"):
            FUSIONS["mag"](3, 8, 0.0, main=main)
    with pytest.raises(ValueError, match="n_layers must be at least 1; got 0"):
        FUSIONS["attention"](3, 8, 0.0, n_layers=0)
    with pytest.raises(ValueError, match="n_heads must be at least 1; got 0"):
        FUSIONS["attention"](3, 8, 0.0, n_heads=0)
    with pytest.raises(ValueError, match=r"weights must be one of 'learned', .* got 'best'"):
        FUSIONS["decision"](3, 8, 0.0, 2, weights="best")


@pytest.mark.parametrize(("width", "n_heads", "expected"), [(64, 4, 4), (10, 4, 2), (7, 4, 1)])
def test_heads_divide_the_width(width, n_heads, expected):
    assert SelfAttentionLayer(width, n_heads, 0.0).n_heads == expected
