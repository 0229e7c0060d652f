"""Heads against their definition."""

import numpy as np
import pytest
import torch
from scipy.special import expit

from sklearn_mmsent.nn import JointHead, OrdinalHead, PredictionHead


@pytest.mark.parametrize("n_classes", [2, 3, 6])
def test_ordinal_head_is_the_proportional_odds_model(n_classes):
    torch.manual_seed(0)
    head = OrdinalHead(4, n_classes, 0.0).double()
    head.gaps.data += torch.randn_like(head.gaps)
    fused = torch.randn(9, 4, dtype=torch.float64)
    score = head.score(fused)[:, 0].detach().numpy()
    gaps = np.log1p(np.exp(head.gaps.detach().numpy()))
    thresholds = head.first.item() + np.concatenate([[0], gaps.cumsum()])
    below = np.column_stack(
        [np.zeros(9), *(expit(theta - score) for theta in thresholds), np.ones(9)]
    )
    np.testing.assert_allclose(head(fused).exp().detach(), np.diff(below, axis=1), rtol=1e-9)


def test_ordinal_head_starts_with_equal_classes_and_stays_finite():
    head = OrdinalHead(4, 5, 0.0)
    for parameter in head.score.parameters():
        torch.nn.init.zeros_(parameter)
    torch.testing.assert_close(head(torch.zeros(1, 4)).exp(), torch.full((1, 5), 0.2))
    head.score.layers[-1].bias.data += 1e4
    outputs = head(torch.zeros(1, 4))
    assert outputs.isfinite().all()
    outputs.sum().backward()
    assert all(parameter.grad.isfinite().all() for parameter in head.parameters())


def test_joint_head_puts_outputs_side_by_side():
    torch.manual_seed(0)
    joint = JointHead(4, ((PredictionHead, 1), (OrdinalHead, 3)), 0.0)
    fused = torch.randn(5, 4)
    expected = torch.cat([joint.heads[0](fused), joint.heads[1](fused)], dim=1)
    assert joint(fused).shape == (5, 4)
    torch.testing.assert_close(joint(fused), expected)
