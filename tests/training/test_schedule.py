"""The rates of a schedule against torch's own; `test_train.py` trains with them."""

import pytest
import torch
from torch.optim import lr_scheduler as torchs

from sklearn_mmsent.training.schedule import factor

TOTAL = 40


def torchs_rates(shape, warmup, lr=0.5):
    """The rates that torch's schedulers give, chained."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=lr)
    rising = round(warmup * TOTAL)
    falling = {
        "cosine": lambda: torchs.CosineAnnealingLR(optimizer, TOTAL - rising),
        "linear": lambda: torchs.LinearLR(optimizer, 1.0, 0.0, TOTAL - rising),
        None: lambda: torchs.ConstantLR(optimizer, 1.0, TOTAL),
    }[shape]
    if rising:
        up = torchs.LinearLR(optimizer, 1 / (rising + 1), 1.0, rising)
        scheduler = torchs.SequentialLR(optimizer, [up, falling()], [rising])
    else:
        scheduler = falling()
    rates = []
    for _ in range(TOTAL):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


@pytest.mark.filterwarnings("ignore:The epoch parameter in `scheduler.step:UserWarning")
@pytest.mark.parametrize("warmup", [0.0, 0.1, 0.5, 0.95])
@pytest.mark.parametrize("shape", ["cosine", "linear", None])
def test_rates_are_torchs(shape, warmup):
    rates = [0.5 * factor(step, TOTAL, shape, warmup) for step in range(TOTAL)]
    assert rates == pytest.approx(torchs_rates(shape, warmup), abs=1e-12)
    assert min(rates) > 0


def test_warmup_may_take_all_steps():
    rates = [factor(step, 3, "cosine", 0.99) for step in range(3)]
    assert rates == [0.25, 0.5, 0.75]
