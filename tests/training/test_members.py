import dataclasses
import functools

import numpy as np
import pytest
import torch

from sklearn_mmsent.blocks import BlockLayout
from sklearn_mmsent.nn import ENCODERS, FUSIONS
from sklearn_mmsent.nn.losses import cross_entropy, squared_error
from sklearn_mmsent.training import BlockDataset, Member, NetworkPlan, train_members

# fusions whose networks can be stacked, with encoders that can
CARRIED = [name for name in FUSIONS if name not in ("reinforced",)]


class DoublePlan(NetworkPlan):
    """Builds in float64, in which equal means equal."""

    def build(self):
        return super().build().double()


def setup(n=90, shapes=None, fusion="concat", seed=0, missing=0.2, **options):
    rng = np.random.default_rng(seed)
    layout = BlockLayout.from_shapes(shapes or {"a": 4, "b": 3})
    y = rng.integers(0, 2, n)
    X = rng.normal(size=(n, layout.n_columns)) + y[:, None]
    for block in layout.blocks:
        X[rng.random(n) < missing, block.columns] = np.nan
    blocks = layout.read(X)
    sequential = FUSIONS[fusion].sequential
    plan = DoublePlan(
        shapes=tuple(block.shape for block in layout.blocks),
        modality_of_block=tuple(range(len(blocks))),
        statistics=tuple(block.statistics() for block in blocks),
        encoders=tuple(
            (ENCODERS["mean" if sequential and len(b.shape) == 2 else "mlp"], {})
            for b in layout.blocks
        ),
        fusion=(FUSIONS[fusion], {}),
        n_outputs=2,
        width=8,
        dropout=0.0,
        modality_dropout=0.0,
    )
    return dataclasses.replace(plan, **options), BlockDataset(blocks, y)


def make(plan, data, rows=None, valid=None, **settings):
    rows = np.arange(len(data)) if rows is None else rows
    settings = {
        "loss": cross_entropy,
        "seed": 3,
        "lr": 1e-2,
        "weight_decay": 0.1,
        "batch_size": 16,
        "max_epochs": 5,
        **settings,
    }
    return Member(plan, data.view(rows), None if valid is None else data.view(valid), **settings)


def outputs(net, data):
    with torch.no_grad():
        return net.module_(*data[torch.arange(len(data))][0]).numpy()


def check_equal(members, data, stack=True, atol=1e-6):
    together = train_members(members, stack=stack)
    for member, result in zip(members, together, strict=True):
        assert result.error is None
        assert result.how.startswith("stacked"), result.how
        alone = member.train_alone()
        np.testing.assert_allclose(outputs(result.net, data), outputs(alone, data), atol=atol)
        for name in ("epoch", "train_loss", "train_batch_count", "train_loss_best"):
            assert result.net.history[:, name] == pytest.approx(alone.history[:, name], rel=1e-6)
        if member.valid is not None:
            expected = alone.history[:, "valid_loss"]
            assert result.net.history[:, "valid_loss"] == pytest.approx(expected, rel=1e-6)
        assert type(result.net) is type(alone)
        assert result.net.module_.training is False
    return together


@pytest.mark.parametrize("fusion", CARRIED)
def test_members_equal_lone_networks_for_every_fusion(fusion):
    shapes = {"a": 4, "b": (5, 3)}
    rows = [np.arange(90), np.arange(10, 90), np.arange(83)]
    plan, data = setup(shapes=shapes, fusion=fusion)
    poe = fusion == "poe"  # draws its latent vectors
    members = [make(plan, data, r, seed=i, lr=0.01 * (i + 1)) for i, r in enumerate(rows)]
    if not poe:
        check_equal(members, data)
        return
    for result in train_members(members, stack=True):
        assert result.how.startswith("stacked")
        assert result.net.history[-1, "train_loss"] < result.net.history[0, "train_loss"]
