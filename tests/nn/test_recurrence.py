"""Both ways to run a recurrent layer over the real steps of sequences."""

import pytest
import torch

from sklearn_mmsent.nn._recurrence import RealSteps

SHAPE = 6, 9, 4  # B, T, F


def some(seed=0):
    generator = torch.Generator().manual_seed(seed)
    values = torch.randn(SHAPE, generator=generator, dtype=torch.float64)
    steps = torch.rand(SHAPE[:2], generator=generator) < 0.6  # gaps, too
    steps[1], steps[2] = True, False
    steps[3] = torch.arange(SHAPE[1]) < 2
    return values, steps


@pytest.mark.parametrize("kind", [torch.nn.GRU, torch.nn.LSTM])
@pytest.mark.parametrize("backward", [False, True])
def test_packed_rows_equal_torchs_layers(kind, backward):
    values, steps = some()
    torch.manual_seed(0)
    layer = kind(SHAPE[2], 5, batch_first=True).double()
    packed, padded = RealSteps(steps), RealSteps(steps)
    padded.packed = None  # as on a GPU
    results = []
    for real in (packed, padded):
        layer.zero_grad()
        x = values.clone().requires_grad_()
        states, last = real.run(layer, x, backward=backward)
        present = steps.any(1)
        (states[steps].square().sum() + last[present].sum()).backward()
        results.append(
            (states[steps], last[present], x.grad, *(p.grad for p in layer.parameters()))
        )
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other)


def test_the_last_state_is_that_of_the_last_real_step():
    values, steps = some()
    layer = torch.nn.GRU(SHAPE[2], 5, batch_first=True).double()
    states, last = RealSteps(steps).run(layer, values)
    for row, real in enumerate(steps):
        if real.any():
            torch.testing.assert_close(last[row], states[row, real.nonzero()[-1, 0]])
            alone, _ = layer(values[row, real].unsqueeze(0))
            torch.testing.assert_close(states[row, real], alone[0])


@pytest.mark.parametrize("kind", [torch.nn.GRU, torch.nn.LSTM])
def test_values_of_padding_have_no_influence(kind):
    values, steps = some()
    layer = kind(SHAPE[2], 5, batch_first=True).double()
    expected = RealSteps(steps).run(layer, values)
    values[~steps] = torch.nan
    found = RealSteps(steps).run(layer, values)
    torch.testing.assert_close(found[0], expected[0])
    torch.testing.assert_close(found[1], expected[1])


def test_a_batch_without_any_real_step():
    layer = torch.nn.LSTM(4, 5, batch_first=True)
    states, last = RealSteps(torch.zeros(2, 3, dtype=torch.bool)).run(layer, torch.ones(2, 3, 4))
    assert states.shape == (2, 3, 5)
    assert not states.any()
    assert last.isfinite().all()
