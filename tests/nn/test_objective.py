"""The loss of a batch, with mixup and the auxiliary losses of parts."""

import pytest
import torch

from sklearn_mmsent.nn import ENCODERS, FUSIONS, Fusion, FusionNetwork, PredictionHead
from sklearn_mmsent.nn.losses import cross_entropy, weighted_mean
from sklearn_mmsent.nn.network import Standardize
from sklearn_mmsent.nn.objective import Objective, full_precision

B, D = 6, 4


class Penalised(Fusion):
    """The mean of the blocks, whose squares add to the loss."""

    def forward(self, vectors, present):
        return vectors.mean(1)

    def forward_train(self, vectors, present):
        fused = self(vectors, present)
        return fused, (fused,)

    def auxiliary_loss(self, intermediates, batch):
        assert batch.rows.tolist() == list(range(B))
        return weighted_mean(intermediates[0].pow(2).sum(1), batch.weights)


def network(fusion, mixup=0.0):
    torch.manual_seed(0)
    return FusionNetwork(
        [ENCODERS["mlp"]((3,), D, 0.0) for _ in range(2)],
        fusion,
        PredictionHead(D, 2, 0.0),
        standardizers=[Standardize(torch.zeros(3), torch.ones(3)) for _ in range(2)],
        modality_of_block=[0, 1],
        width=D,
        mixup=mixup,
    )


def batch():
    torch.manual_seed(1)
    inputs = [torch.randn(B, 3) for _ in range(2)], torch.ones(B, 2, dtype=torch.bool), [None] * 2
    return inputs, torch.arange(B) % 2, torch.rand(B), torch.arange(B)


def test_auxiliary_losses_count_in_training_only():
    net = network(Penalised())
    inputs, targets, weights, rows = batch()
    objective = Objective(net, cross_entropy)
    task = weighted_mean(cross_entropy(net(*inputs), targets), weights)
    penalty = weighted_mean(net.fuse(*inputs).pow(2).sum(1), weights)
    loss, outputs = objective(inputs, targets, weights, rows)
    torch.testing.assert_close(loss, task + penalty)
    torch.testing.assert_close(outputs, net(*inputs))
    torch.testing.assert_close(objective.eval()(inputs, targets, weights)[0], task)


def test_targets_are_mixed_in_training_only():
    net = network(FUSIONS["mean"](2, D, 0.0), mixup=1.0)
    inputs, targets, weights, rows = batch()
    objective = Objective(net, cross_entropy)
    loss, outputs = objective(inputs, targets, weights, rows)
    unmixed = weighted_mean(cross_entropy(outputs, targets), weights)
    assert not torch.isclose(loss, unmixed)
    plain = weighted_mean(cross_entropy(net.eval()(*inputs), targets), weights)
    torch.testing.assert_close(objective.eval()(inputs, targets, weights)[0], plain)


@pytest.mark.parametrize("training", [True, False])
def test_a_loss_that_averages_over_rows_raises_an_error(training):
    objective = Objective(network(Penalised()), torch.nn.functional.cross_entropy).train(training)
    with pytest.raises(ValueError, match=r"one number per row, of shape \(6,\) .* Got shape \(\)"):
        objective(*batch())


def test_nested_16_bit_tensors_become_float32():
    half = torch.ones(2, dtype=torch.bfloat16)
    mask, whole = torch.ones(2, dtype=torch.bool), torch.ones(2, dtype=torch.float64)
    converted = full_precision((half, [half, mask], None, whole))
    assert [converted[0].dtype, converted[1][0].dtype] == [torch.float32] * 2
    assert converted[1][1] is mask
    assert converted[2] is None
    assert converted[3] is whole
