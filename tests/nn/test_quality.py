"""QMF's ranking loss: against the paper row by row, with gaps, and over epochs."""

import copy
import pickle

import numpy as np
import pytest
import torch

from sklearn_mmsent import FusionClassifier, FusionRegressor
from sklearn_mmsent.nn import NewHead, PredictionHead
from sklearn_mmsent.nn.fusion.quality import QualityAwareFusion, ranking_losses
from sklearn_mmsent.nn.losses import cross_entropy, squared_error
from sklearn_mmsent.nn.objective import BatchLoss

N, M, D, C = 17, 3, 4, 3


def build(n_outputs=C, **options):
    torch.manual_seed(0)
    head = NewHead(PredictionHead, D, n_outputs, 0.0, logits=n_outputs > 1)
    return QualityAwareFusion(M, D, 0.0, head, **options).double().train()


def data(n_outputs=C):
    torch.manual_seed(1)
    present = torch.rand(N, M) < 0.7
    present[:, 0] |= ~present.any(1)
    weights = torch.rand(N, dtype=torch.float64)
    weights[3] = 0
    targets = torch.randint(C, (N,)) if n_outputs > 1 else torch.randn(N, 1).double()
    return torch.randn(2, N, M, D, dtype=torch.float64), present, weights, targets


def confidence(fusion, vectors):
    """What the paper calls w, before it weighs: row by row, block by block."""
    if fusion.confidence is None:
        logits = fusion.decisions(vectors).detach().numpy()
        return np.log(np.exp(logits).sum(-1))
    return np.array(
        [
            [
                float(layer(vector).detach())
                for layer, vector in zip(fusion.confidence, row, strict=True)
            ]
            for row in vectors
        ]
    )


def ranking(w, seen, rows, counted, weights):
    """The ranking loss of a batch; `seen` holds all losses of each row and block so far."""
    total = 0.0
    for m in range(M):
        means = {i: np.mean(seen[i, m]) for i in range(N) if (i, m) in seen}
        least, largest = min(means.values(), default=0), max(means.values(), default=0)
        who = [i for i in rows if counted[i, m]]
        for place, i in enumerate(who):
            j = who[(place + 1) % len(who)]
            k_i, k_j = [(means[r] - least) / ((largest - least) or 1) for r in (i, j)]
            g = np.sign(k_i - k_j)
            total += weights[i] * max(0.0, g * (w[i, m] - w[j, m]) + abs(k_i - k_j))
    return total / weights[rows].sum()


def auxiliary(fusion, vectors, present, batch):
    return fusion.auxiliary_loss(fusion.forward_train(vectors, present)[1], batch)


def all_rows(targets, weights):
    return BatchLoss(
        None, lambda outputs: cross_entropy(outputs, targets), weights, rows=torch.arange(N)
    )


@pytest.mark.parametrize("n_outputs", [C, 1])
def test_equals_the_paper_over_two_epochs(n_outputs):
    loss = cross_entropy if n_outputs > 1 else squared_error
    plain, fusion = (build(n_outputs, ranking_weight=r) for r in (0, 0.5))
    epochs, present, weights, targets = data(n_outputs)
    counted = present.numpy() & (weights.numpy() > 0)[:, None]
    seen, found = {}, []
    for vectors in epochs:
        w = confidence(fusion, vectors)
        for rows in torch.randperm(N).split(6):

            def loss_of(outputs, rows=rows):
                return loss(outputs, targets[rows])

            alone = [loss_of(d).detach().numpy() for d in fusion.decisions(vectors[rows]).unbind(1)]
            for place, i in enumerate(rows.tolist()):
                for m in range(M):
                    if counted[i, m]:
                        seen.setdefault((i, m), []).append(alone[m][place])
            batch = BatchLoss(None, loss_of, weights[rows], rows=rows)
            rest = auxiliary(plain, vectors[rows], present[rows], batch)
            both = auxiliary(fusion, vectors[rows], present[rows], batch)
            expected = ranking(w, seen, rows.tolist(), counted, weights.numpy())
            found.append((both - rest).item())
            assert found[-1] == pytest.approx(0.5 * expected, rel=1e-9, abs=1e-12)
    assert min(found) > 0
    assert max(len(losses) for losses in seen.values()) == 2


def test_confidence_learns_to_decrease_with_the_loss():
    torch.manual_seed(0)
    scores = torch.zeros(8, 1, dtype=torch.float64, requires_grad=True)
    difficulty = torch.linspace(0, 1, 8, dtype=torch.float64)[torch.randperm(8)].unsqueeze(1)
    counted = torch.ones(8, 1, dtype=torch.bool)
    for _ in range(500):
        ranking_losses(scores, difficulty, counted).sum().backward()
        with torch.no_grad():
            scores -= 0.02 * scores.grad
            scores.grad = None
    assert torch.equal(scores[:, 0].argsort(), difficulty[:, 0].argsort(descending=True))
    assert ranking_losses(scores, difficulty, counted).max() < 0.1


def test_absent_and_weightless_rows_have_no_gradient():
    fusion = build()
    epochs, present, weights, targets = data()
    for vectors in epochs:
        vectors = vectors.clone().requires_grad_()
        loss = auxiliary(fusion, vectors, present, all_rows(targets, weights))
        (gradient,) = torch.autograd.grad(loss, vectors)
        assert gradient.isfinite().all()
        assert (gradient[~present] == 0).all()
        assert (gradient[3] == 0).all()
        taught = gradient[present & (weights > 0).unsqueeze(1)].abs().sum(1) > 0
        assert taught.double().mean() > 0.9  # not where all hidden units are off


def test_equal_losses_and_single_rows_are_not_ranked():
    fusion = build(ranking_weight=1.0)
    _, present, weights, _ = data()
    for rows in (torch.arange(N), torch.tensor([5])):
        vectors = torch.zeros(N, M, D, dtype=torch.float64)[rows]
        batch = BatchLoss(None, lambda outputs: outputs.pow(2).mean(1), weights[rows], rows=rows)
        loss = auxiliary(fusion, vectors, present[rows], batch)
        expected = auxiliary(build(ranking_weight=0), vectors, present[rows], batch)
        torch.testing.assert_close(loss, expected)


def test_copies_leave_the_training_rows_behind():
    fusion = build()
    epochs, present, weights, targets = data()
    auxiliary(fusion, epochs[0], present, all_rows(targets, weights))
    for other in (copy.deepcopy(fusion), pickle.loads(pickle.dumps(fusion))):
        assert other.memory is None
        assert fusion.memory is not None


def test_a_negative_weight_raises_an_error():
    with pytest.raises(ValueError, match=r"ranking_weight must be 0 or more\. Got -1"):
        build(ranking_weight=-1)


@pytest.mark.parametrize("kind", [FusionClassifier, FusionRegressor])
def test_ranking_changes_what_an_estimator_learns(kind):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 4))
    X[rng.random(60) < 0.3, 2:] = np.nan
    y = X[:, 0] if kind is FusionRegressor else (X[:, 0] > 0).astype(int)
    found = []
    for weight in (0.0, 0.1, 0.1):
        model = kind(
            "quality_aware",
            modalities={"a": 2, "b": 2},
            fusion_params={"ranking_weight": weight},
            max_epochs=3,
            random_state=0,
            device="cpu",
        ).fit(X, y)
        found.append(model._outputs(X))
        assert pickle.loads(pickle.dumps(model)).net_.module_.fusion.memory is None
    assert (found[0] != found[1]).any()
    np.testing.assert_array_equal(found[1], found[2])
