"""Each loss against its formula, row by row in float64, and at the ends of the numbers."""

import functools
import pickle

import numpy as np
import pytest
import torch

from sklearn_mmsent.nn.losses import (
    LOSSES,
    binary_cross_entropy,
    cross_entropy,
    focal,
    huber,
    weighted_mean,
)

CLASSES, NUMBERS = LOSSES["classification"], LOSSES["regression"]


def logits(n=20, n_classes=4):
    torch.manual_seed(0)
    outputs = 3 * torch.randn(n, n_classes, dtype=torch.float64)
    return outputs, torch.randint(n_classes, (n,))


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.9])
def test_cross_entropy(smoothing):
    outputs, targets = logits()
    losses = cross_entropy(outputs, targets, label_smoothing=smoothing).numpy()
    for loss, row, target in zip(losses, outputs.numpy(), targets.numpy(), strict=True):
        p = np.exp(row) / np.exp(row).sum()
        wanted = np.full(4, smoothing / 4)
        wanted[target] += 1 - smoothing
        assert loss == pytest.approx(-(wanted * np.log(p)).sum(), rel=1e-10)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0, 5.0])
def test_focal(gamma):
    outputs, targets = logits()
    losses = focal(outputs, targets, gamma=gamma).numpy()
    for loss, row, target in zip(losses, outputs.numpy(), targets.numpy(), strict=True):
        p = (np.exp(row) / np.exp(row).sum())[target]
        assert loss == pytest.approx(-((1 - p) ** gamma) * np.log(p), rel=1e-8)


def test_focal_without_focus_is_cross_entropy():
    outputs, targets = logits()
    torch.testing.assert_close(focal(outputs, targets, gamma=0.0), cross_entropy(outputs, targets))


@pytest.mark.parametrize(
    ("name", "options", "of"),
    [
        ("squared_error", {}, lambda d: d**2),
        ("absolute_error", {}, abs),
        ("huber", {}, lambda d: d**2 / 2 if abs(d) < 1 else abs(d) - 0.5),
        ("huber", {"delta": 0.3}, lambda d: d**2 / 2 if abs(d) < 0.3 else 0.3 * (abs(d) - 0.15)),
    ],
)
def test_of_numbers(name, options, of):
    torch.manual_seed(0)
    outputs, targets = torch.randn(2, 20, 2, dtype=torch.float64)
    losses = NUMBERS[name](outputs, targets, **options)
    for row in range(20):
        expected = np.mean([of(d) for d in (outputs - targets)[row].numpy()])
        assert losses[row].item() == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("weight", [1.0, 3.0])
def test_binary_cross_entropy(weight):
    torch.manual_seed(0)
    outputs, targets = torch.randn(20, 2, dtype=torch.float64), torch.arange(20) % 2
    losses = binary_cross_entropy(outputs, targets, pos_weight=weight)
    expected = cross_entropy(outputs, targets) * torch.where(targets == 1, weight, 1.0)
    torch.testing.assert_close(losses, expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    "loss",
    [
        *CLASSES.values(),
        functools.partial(cross_entropy, label_smoothing=0.1),
        *(functools.partial(focal, gamma=gamma) for gamma in (0.0, 0.5, 1.0)),
    ],
)
def test_gradients_of_classes_are_finite_at_extremes(loss, dtype):
    outputs = torch.tensor([[1e4, -1e4], [-1e4, 1e4], [40.0, 0.0], [0.0, 0.0]], dtype=dtype)
    outputs.requires_grad_()
    losses = loss(outputs, torch.zeros(4, dtype=torch.int64))
    assert losses.isfinite().all()
    assert (losses >= 0).all()
    assert losses[1] > losses[3] > 0
    losses.sum().backward()
    assert outputs.grad.isfinite().all()
    assert (outputs.grad[1] != 0).all()  # a row with all outputs wrong has a gradient


@pytest.mark.parametrize("loss", NUMBERS.values())
def test_gradients_of_numbers_are_finite_at_extremes(loss):
    outputs = torch.tensor([[0.0], [1e15], [-1e15]], requires_grad=True)
    loss(outputs, torch.zeros(3, 1)).sum().backward()
    assert outputs.grad.isfinite().all()
    assert outputs.grad[0] == 0


@pytest.mark.parametrize("name", [*CLASSES, *NUMBERS])
def test_one_number_per_row_of_a_picklable_function(name):
    loss = (CLASSES | NUMBERS)[name]
    assert pickle.loads(pickle.dumps(loss)) is loss
    outputs, targets = logits() if name in CLASSES else torch.randn(2, 20, 1)
    if name == "binary_cross_entropy":
        outputs, targets = outputs[:, :2], targets % 2
    losses = loss(outputs, targets)
    assert losses.shape == (20,)
    torch.testing.assert_close(loss(outputs[3:5], targets[3:5]), losses[3:5])


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (functools.partial(cross_entropy, label_smoothing=1.0), "label_smoothing must be from 0"),
        (functools.partial(focal, gamma=-1), "gamma must be 0 or more. Got -1"),
        (functools.partial(huber, delta=0), "delta must be above 0. Got 0"),
        (binary_cross_entropy, "is for two classes; y has 4"),
    ],
)
def test_options_are_checked(loss, message):
    with pytest.raises(ValueError, match=message):
        loss(*logits())


def test_weighted_mean():
    losses, weights = torch.rand(2, 9)
    expected = np.average(losses.numpy(), weights=weights.numpy())
    assert weighted_mean(losses, weights).item() == pytest.approx(expected, rel=1e-5)
    assert weighted_mean(losses, torch.zeros(9)) == 0
