"""What fusions add to the loss: against the papers, with gaps, and in small batches."""

import itertools

import numpy as np
import pytest
import torch
from torch.distributions import Normal, kl_divergence

from sklearn_mmsent.nn import FUSIONS, NewHead, PredictionHead
from sklearn_mmsent.nn.fusion.base import each
from sklearn_mmsent.nn.fusion.misa import similarity_loss
from sklearn_mmsent.nn.objective import BatchLoss

B, D, C = 7, 4, 3
UNRANKED = {"ranking_weight": 0}  # see test_quality.py


def build(name, n_blocks, **options):
    """A fusion with random parameters, random vectors, and a mask with gaps."""
    torch.manual_seed(0)
    cls = FUSIONS[name]
    if cls.decides:
        options = {"head": NewHead(PredictionHead, D, C, 0.0), **options}
    fusion = cls(n_blocks, D, 0.0, **options).double().eval()
    for parameter in fusion.parameters():  # norms and biases, too, start as constants
        parameter.data += 0.3 * torch.randn_like(parameter)
    vectors = torch.randn(B, n_blocks, D, dtype=torch.float64)
    present = torch.rand(B, n_blocks) < 0.6
    present[0] = True
    return fusion, vectors, present | ~present.any(1, keepdim=True)


def auxiliary(fusion, vectors, present, weights):
    fusion.train()
    outputs, intermediates = fusion.forward_train(vectors, present)
    losses, rows = square(outputs).detach(), torch.arange(len(present))
    return fusion.auxiliary_loss(intermediates, BatchLoss(losses, square, weights, rows=rows))


def square(outputs):
    return outputs.pow(2).mean(1)


def misa_loss(fusion, vectors, present, weights):
    """The three losses of the paper, block by block; returns them apart."""
    shared, private = (part.detach().numpy() for part in fusion.parts(vectors))
    units = each(fusion.norms, vectors).detach().numpy()
    decoded = each(fusion.decode, torch.tensor(shared + private)).detach().numpy()
    present, weights = present.numpy(), weights.numpy()
    M = present.shape[1]
    pairs = list(itertools.combinations(range(M), 2))

    def moments(i):
        w, x = weights[present[:, i]], shared[present[:, i], i]
        mean = np.average(x, axis=0, weights=w)
        central = [np.average((x - mean) ** k, axis=0, weights=w) for k in range(2, 6)]
        return [mean, *central]

    def cmd(i, j):
        return sum(np.linalg.norm(a - b) for a, b in zip(moments(i), moments(j), strict=True))

    def rows_of(part, i):
        mean = np.average(part[present[:, i], i], axis=0, weights=weights[present[:, i]])
        centred = part[:, i] - mean
        return centred / np.linalg.norm(centred, axis=1, keepdims=True)

    def overlap(left, i, right, j):
        both = present[:, i] & present[:, j]
        P, Q, w = rows_of(left, i)[both], rows_of(right, j)[both], weights[both]
        mean = sum(v * np.outer(p, q) for v, p, q in zip(w, P, Q, strict=True)) / w.sum()
        return np.linalg.norm(mean, "fro") ** 2

    errors = []
    for i in range(M):
        error = ((decoded[:, i] - units[:, i]) ** 2).mean(1)[present[:, i]]
        errors.append(np.average(error, weights=weights[present[:, i]]))
    return (
        np.mean([cmd(i, j) for i, j in pairs]) if pairs else 0.0,
        sum(overlap(shared, i, private, i) for i in range(M))
        + sum(overlap(private, i, private, j) for i, j in pairs),
        np.mean(errors),
    )


@pytest.mark.parametrize("n_blocks", [1, 2, 4])
def test_losses_of_misa(n_blocks):
    names = ("similarity_weight", "difference_weight", "reconstruction_weight")
    for k in range(3):
        options = {name: 2.0 * (i == k) for i, name in enumerate(names)}
        fusion, vectors, present = build("misa", n_blocks, **options)
        present[1] = True  # a pair that shares one row only has no spread
        weights = torch.rand(B, dtype=torch.float64)
        expected = misa_loss(fusion, vectors, present, weights)[k]
        loss = auxiliary(fusion, vectors, present, weights).item()
        assert loss == pytest.approx(2 * expected, abs=2e-5), names[k]
    plain = build("misa", 2)[0]
    assert [getattr(plain, name) for name in names] == [1.0, 0.3, 1.0]
    assert plain.n_moments == 5


def test_blocks_that_a_batch_lacks_have_no_moments():
    shared = torch.rand(B, 3, D, dtype=torch.float64)
    for absent in range(3):
        kept = [i for i in range(3) if i != absent]
        counts = torch.ones(B, 3, dtype=torch.float64)
        counts[:, absent] = 0
        expected = similarity_loss(shared[:, kept], counts[:, kept], 5)
        torch.testing.assert_close(similarity_loss(shared, counts, 5), expected)


def test_reconstruction_has_no_gradient_for_the_encoders():
    fusion, vectors, present = build("misa", 1, similarity_weight=0.0, difference_weight=0.0)
    for layer in (fusion.shared, *fusion.private):  # so that the parts are constant
        layer.weight.data.zero_()
    vectors.requires_grad_()
    auxiliary(fusion, vectors, present, torch.ones(B)).backward()
    assert vectors.grad.abs().max() < 1e-12


def test_divergence_of_experts():
    fusion, vectors, present = build("poe", 3, kl_weight=0.5)
    weights = torch.rand(B, dtype=torch.float64)
    loss = auxiliary(fusion, vectors, present, weights).item()
    precision = 1 + (present.unsqueeze(-1) / fusion.experts(vectors)[1].exp()).sum(1)
    drawn = Normal(fusion.eval()(vectors, present), precision.rsqrt())
    expected = kl_divergence(drawn, Normal(0.0, 1.0)).sum(1).detach()
    assert loss == pytest.approx(0.5 * np.average(expected, weights=weights))


@pytest.mark.parametrize(("name", "options"), [("decision", {}), ("quality_aware", UNRANKED)])
def test_unimodal_losses_of_decisions(name, options):
    fusion, vectors, present = build(name, 3, unimodal_weight=0.5, **options)
    weights = torch.rand(B, dtype=torch.float64)
    loss = auxiliary(fusion, vectors, present, weights).item()
    expected = []
    for row in range(B):
        said = fusion.decisions(vectors)[row].detach().numpy()
        expected.append(sum((s**2).mean() for s, t in zip(said, present[row], strict=True) if t))
    assert loss == pytest.approx(0.5 * np.average(expected, weights=weights))


@pytest.mark.parametrize("name", ["misa", "poe", "decision", "quality_aware"])
def test_small_and_weightless_batches_give_no_nan(name):
    fusion, vectors, present = build(name, 3)
    alone = torch.tensor([[True, False, False]] * B)
    for rows, mask, weight in [
        (1, present, 1.0),
        (1, alone, 1.0),
        (B, alone, 1.0),
        (B, present, 0.0),
    ]:
        fusion.zero_grad()
        given = vectors[:rows].clone().requires_grad_()
        loss = auxiliary(fusion, given, mask[:rows], torch.full((rows,), weight).double())
        (loss + 0 * given.sum()).backward()
        assert loss.isfinite()
        assert given.grad.isfinite().all()
        assert all(p.grad is None or p.grad.isfinite().all() for p in fusion.parameters())


@pytest.mark.parametrize("name", ["misa", "poe", "decision", "quality_aware"])
def test_rows_without_weight_add_nothing(name):
    fusion, vectors, present = build(name, 3)
    weights = torch.ones(B, dtype=torch.float64)
    weights[-2:] = 0
    full = auxiliary(fusion, vectors, present, weights)
    short = auxiliary(fusion, vectors[:-2], present[:-2], weights[:-2])
    torch.testing.assert_close(full, short)


@pytest.mark.parametrize("name", [name for name, cls in FUSIONS.items() if not cls.sequential])
def test_forward_train_predicts_like_forward(name):
    fusion, vectors, present = build(name, 3)
    assert torch.equal(fusion.forward_train(vectors, present)[0], fusion(vectors, present))


def test_overriding_forward_without_forward_train_raises_an_error():
    with pytest.raises(TypeError, match=r"Child overrides forward, .* forward_train"):

        class Child(FUSIONS["misa"]):
            def forward(self, vectors, present):
                return super().forward(vectors, present)
