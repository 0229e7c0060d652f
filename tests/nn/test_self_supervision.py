"""Predictions from single modalities, and the labels that Self-MM makes for them."""

import copy
import pickle

import numpy as np
import pytest
import torch

from sklearn_mmsent.nn import OrdinalHead, PredictionHead
from sklearn_mmsent.nn.heads import ModalityVectors, UnimodalHeads
from sklearn_mmsent.nn.objective import BatchLoss
from sklearn_mmsent.nn.self_supervision import SelfSupervision

N, M, D = 12, 3, 4
MODALITY = (0, 1, 0)  # of each block
NEUTRAL, LIMIT = 0.2, 2.5


def test_a_modality_is_the_mean_of_its_present_blocks():
    vectors = torch.randn(3, M, D)
    present = torch.tensor([[1, 1, 1], [1, 0, 0], [0, 1, 0]]).bool()
    pooled = ModalityVectors(MODALITY)(vectors, present)
    torch.testing.assert_close(pooled[0, 0], (vectors[0, 0] + vectors[0, 2]) / 2)
    torch.testing.assert_close(pooled[1, 0], vectors[1, 0])
    torch.testing.assert_close(pooled[1, 1], vectors[1, 1])  # its absence token
    torch.testing.assert_close(pooled[2, 0], (vectors[2, 0] + vectors[2, 2]) / 2)


def test_heads_see_their_modality_alone():
    torch.manual_seed(0)
    heads = UnimodalHeads(D, 0.0, MODALITY, [(1, PredictionHead, 1), (0, OrdinalHead, 3)])
    vectors, present = torch.randn(5, M, D), torch.ones(5, M, dtype=torch.bool)
    outputs = heads(vectors, present, None)
    assert outputs.shape == (5, 4)
    vectors[:, 1] += 1
    changed = (heads(vectors, present, None) != outputs).any(0)
    assert changed.tolist() == [True, False, False, False]


def reference(epochs, intensity, present):
    """The labels after each epoch by the paper's equations, row by row in float64.

    Parameters are the vectors of each epoch (one modality vector per column, the fused last),
    and which rows have which modality.
    """
    made = np.repeat(intensity[:, None], 2, axis=1)
    history = [made.copy()]
    for epoch, vectors in enumerate(epochs[1:], start=2):
        before = epochs[epoch - 2]
        centres = []
        for side in (intensity > 0, intensity < 0):
            counted = [side & present[:, 0], side & present[:, 1], side]
            centres.append([before[rows, s].mean(0) for s, rows in enumerate(counted)])
        for i in range(N):
            alpha = []
            for s in range(3):
                near = np.linalg.norm(vectors[i, s] - centres[0][s]) / np.sqrt(D)
                far = np.linalg.norm(vectors[i, s] - centres[1][s]) / np.sqrt(D)
                alpha.append((far - near) / (near + 1e-8))
            for s in range(2):
                ratio = (alpha[s] / alpha[2]) * intensity[i]
                difference = alpha[s] - alpha[2] + intensity[i]
                fresh = np.clip((ratio + difference) / 2, -LIMIT, LIMIT)
                made[i, s] = (epoch - 1) / (epoch + 1) * made[i, s] + 2 / (epoch + 1) * fresh
        history.append(made.copy())
    return history


def batch(targets, weights, rows):
    return BatchLoss(None, None, weights, targets, rows)


def test_self_mm_makes_the_papers_labels():
    torch.manual_seed(0)
    part = SelfSupervision(D, 0.0, MODALITY, target=1, neutral=NEUTRAL, limit=LIMIT).double()
    part.train()
    targets = torch.randn(N, 2, dtype=torch.float64)
    intensity = targets[:, 1].numpy() - NEUTRAL
    present = torch.rand(N, M) < 0.7
    weights = torch.rand(N, dtype=torch.float64)
    pool = ModalityVectors(MODALITY)
    modality_present = pool.presence(present).numpy()
    vectors = torch.randn(4, N, M, D, dtype=torch.float64)
    fused = torch.randn(4, N, D, dtype=torch.float64)
    epochs = [
        torch.cat([pool(v, present), f.unsqueeze(1)], dim=1).numpy()
        for v, f in zip(vectors, fused, strict=True)
    ]
    labels = [np.repeat(intensity[:, None], 2, 1), *reference(epochs, intensity, modality_present)]
    for epoch in range(4):
        for rows in torch.randperm(N).split(5):
            outputs, intermediates = part.forward_train(
                vectors[epoch, rows], present[rows], fused[epoch, rows]
            )
            loss = part.auxiliary_loss(intermediates, batch(targets[rows], weights[rows], rows))
            expected = 0.0
            for i, out in zip(rows.tolist(), outputs.detach().numpy(), strict=True):
                made = labels[epoch][i]
                errors = np.tanh(np.abs(made - intensity[i])) * np.abs(out - NEUTRAL - made)
                expected += weights[i].item() * (errors * modality_present[i]).sum()
            assert loss.item() == pytest.approx(expected / weights[rows].sum().item(), rel=1e-9)


def test_rows_without_a_label_have_no_gradient():
    torch.manual_seed(0)
    part = SelfSupervision(D, 0.0, MODALITY, target=0).train()
    targets = torch.randn(N, 1)
    targets[::2] = torch.nan
    present, rows = torch.ones(N, M, dtype=torch.bool), torch.arange(N)
    for _ in range(3):
        vectors = torch.randn(N, M, D, requires_grad=True)
        _, intermediates = part.forward_train(vectors, present, torch.randn(N, D))
        loss = part.auxiliary_loss(intermediates, batch(targets, torch.ones(N), rows))
        loss.backward()
        assert vectors.grad.isfinite().all()
        assert (vectors.grad[::2] == 0).all()
    assert (vectors.grad[1::2] != 0).any()


def test_copies_leave_the_training_rows_behind():
    part = SelfSupervision(D, 0.0, MODALITY, target=0).train()
    present = torch.ones(N, M, dtype=torch.bool)
    _, intermediates = part.forward_train(torch.randn(N, M, D), present, torch.randn(N, D))
    part.auxiliary_loss(intermediates, batch(torch.randn(N, 1), torch.ones(N), torch.arange(N)))
    for other in (copy.deepcopy(part), pickle.loads(pickle.dumps(part))):
        assert other.memory is None
        assert part.memory is not None
