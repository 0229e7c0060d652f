"""The loss of several targets against its definition, row by row."""

import math

import pytest
import torch

from sklearn_mmsent.nn.losses import cross_entropy, squared_error
from sklearn_mmsent.nn.multitask import MultitaskLoss, Task

NAN = float("nan")
TASKS = [
    Task(1, squared_error, classes=False, weight=2.0),
    Task(3, cross_entropy, classes=True, weight=0.5, class_weights=(1.0, 2.0, 4.0)),
]
TARGETS = torch.tensor([[0.5, 2.0], [NAN, 0.0], [-1.0, NAN], [NAN, NAN]], dtype=torch.float64)


def terms(outputs):
    """Loss of each row for each target, zero where it lacks the label."""
    torch_rows = []
    for row, (number, label) in zip(outputs, TARGETS.tolist(), strict=True):
        one = 0.0 if math.isnan(number) else 2.0 * (row[0].item() - number) ** 2
        two = 0.0
        if not math.isnan(label):
            log_p = row[1:] - row[1:].logsumexp(0)
            two = -0.5 * [1.0, 2.0, 4.0][int(label)] * log_p[int(label)].item()
        torch_rows.append([one, two])
    return torch.tensor(torch_rows, dtype=torch.float64)


def test_labelled_targets_add_up():
    outputs = torch.randn(4, 4, dtype=torch.float64)
    torch.testing.assert_close(MultitaskLoss(TASKS)(outputs, TARGETS), terms(outputs).sum(1))


def test_learned_weights_count_in_training_only():
    outputs = torch.randn(4, 4, dtype=torch.float64)
    loss = MultitaskLoss(TASKS, learned=True).double()
    loss.log_variance.data = torch.tensor([0.3, -0.7], dtype=torch.float64)
    one, two = terms(outputs).unbind(1)
    expected = one * math.exp(-0.3) / 2 + 0.15 + two * math.exp(0.7) - 0.35
    torch.testing.assert_close(loss(outputs, TARGETS), expected)
    torch.testing.assert_close(loss.eval()(outputs, TARGETS), terms(outputs).sum(1))


def test_decisions_of_single_blocks_hold_the_first_targets():
    outputs = torch.randn(4, 4, dtype=torch.float64)
    first = MultitaskLoss(TASKS)(outputs[:, :1], TARGETS)
    torch.testing.assert_close(first, terms(outputs)[:, 0])


@pytest.mark.parametrize("learned", [False, True])
def test_unlabelled_rows_have_no_gradient(learned):
    outputs = torch.randn(4, 4, dtype=torch.float64, requires_grad=True)
    MultitaskLoss(TASKS, learned=learned)(outputs, TARGETS).sum().backward()
    assert (outputs.grad[1, 0], outputs.grad[2, 1:].abs().sum()) == (0, 0)
    assert (outputs.grad[3] == 0).all()
    assert (outputs.grad[0] != 0).all()
