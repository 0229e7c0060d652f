import numpy as np
import pytest
import torch

from sklearn_mmsent.nn import FUSIONS, FusionNetwork, MLPEncoder, NewHead, PredictionHead
from sklearn_mmsent.nn.encoders.mlp import StatisticsPooling
from sklearn_mmsent.nn.network import ModalityDropout, Standardize
from sklearn_mmsent.nn.objective import Objective

SHAPES = [(3,), (4, 2), (1, 2, 2)]
SEQUENCES = [(5, 3), (4, 2), (6, 2)]


class Steps(MLPEncoder):
    """Keeps the steps of a sequence apart."""

    def __init__(self, shape, width, dropout):
        super().__init__(shape, width, dropout)
        self.project = torch.nn.Linear(shape[-1], width)

    def tokens(self, values, steps):
        if steps is None:
            return super().tokens(values, steps)
        return self.project(values), steps


def network(fusion="gated", modality_dropout=0.0, shapes=SHAPES):
    torch.manual_seed(0)
    cls = FUSIONS[fusion]
    encoder = Steps if cls.sequential else MLPEncoder
    net = FusionNetwork(
        [encoder(shape, 8, 0.0) for shape in shapes],
        cls(3, 8, 0.0, **({"head": NewHead(PredictionHead, 8, 2, 0.0)} if cls.decides else {})),
        torch.nn.Identity() if cls.decides else PredictionHead(8, 2, 0.0),
        standardizers=[Standardize(torch.zeros(s[-1:]), torch.ones(s[-1:])) for s in shapes],
        modality_of_block=[0, 1, 2],
        width=8,
        modality_dropout=modality_dropout,
    )
    torch.nn.init.normal_(net.absence)
    return net.double().eval()


def batch(n=6, shapes=SHAPES):
    values = [torch.randn(n, *shape, dtype=torch.float64) for shape in shapes]
    steps = [
        torch.arange(shape[0]) < torch.randint(1, shape[0] + 1, (n, 1)) if len(shape) == 2 else None
        for shape in shapes
    ]
    return values, torch.rand(n, 3) < 0.6, steps


@pytest.mark.parametrize("fusion", FUSIONS)
def test_values_of_missing_blocks_have_no_influence(fusion):
    net, (values, present, steps) = network(fusion), batch()
    outputs = net(values, present, steps)
    for filler in (torch.nan, 1e6):
        changed = [
            torch.where(present[:, i].view(-1, *[1] * (v.ndim - 1)), v, torch.full_like(v, filler))
            for i, v in enumerate(values)
        ]
        changed[1] = changed[1].masked_fill(~steps[1].unsqueeze(-1), filler)
        torch.testing.assert_close(net(changed, present, steps), outputs)


@pytest.mark.parametrize("fusion", FUSIONS)
def test_rows_are_independent(fusion):
    net, (values, present, steps) = network(fusion), batch()
    order = torch.randperm(6)
    shuffled = net(
        [v[order] for v in values], present[order], [s if s is None else s[order] for s in steps]
    )
    torch.testing.assert_close(shuffled, net(values, present, steps)[order])


@pytest.mark.parametrize("fusion", FUSIONS)
def test_a_row_without_blocks_has_an_output_and_a_gradient(fusion):
    net, (values, present, steps) = network(fusion), batch()
    nothing = torch.zeros_like(present)
    outputs = net(values, nothing, steps)
    assert outputs.isfinite().all()
    assert torch.allclose(outputs, outputs[:1].expand_as(outputs))
    net.train()(values, nothing, steps).sum().backward()
    assert net.absence.grad.abs().sum() > 0
    assert all(p.grad is None or p.grad.isfinite().all() for p in net.parameters())


def test_every_parameter_learns_on_full_rows():
    for fusion in FUSIONS:
        # attention to one step is no choice, so that sequences must be there to choose from
        shapes = SEQUENCES if FUSIONS[fusion].sequential else SHAPES
        net = network(fusion, shapes=shapes).train()
        values, present, steps = batch(50, shapes)
        present[0] = False  # some look at absence tokens only where there is nothing else
        objective = Objective(net, lambda outputs, targets: outputs.pow(2).mean(1))
        loss, _ = objective((values, present, steps), None, torch.ones(50), torch.arange(50))
        loss.backward()
        unused = "layers" if FUSIONS[fusion].sequential else "project"
        still = [
            n
            for n, p in net.named_parameters()
            if (p.grad is None or not p.grad.abs().sum()) and unused not in n.split(".")[2:3]
        ]
        assert still == [], fusion


def test_statistics_pooling_is_numpys():
    x = torch.randn(1, 5, 3, dtype=torch.float64)
    steps = torch.tensor([[True, True, True, False, False]])
    pooled = StatisticsPooling()(x, steps)[0].numpy()
    real = x[0, :3].numpy()
    np.testing.assert_allclose(pooled[:3], real.mean(0))
    np.testing.assert_allclose(pooled[3:], real.std(0), atol=1e-6)
    empty = StatisticsPooling()(x, torch.zeros_like(steps))
    assert empty[:, :3].eq(0).all()


def test_standardize_makes_missing_the_mean_and_takes_integers():
    standardize = Standardize(torch.tensor([1.0, 10.0]), torch.tensor([2.0, 5.0]))
    out = standardize(torch.tensor([[5.0, torch.nan]]), None)
    assert out.tolist() == [[2.0, 0.0]]
    assert standardize(torch.tensor([[5, 20]], dtype=torch.uint8), None).tolist() == [[2.0, 2.0]]
    sequence = torch.tensor([[[5.0, 20.0], [99.0, 99.0]]])
    out = standardize(sequence, torch.tensor([[True, False]]))
    assert out.tolist() == [[[2.0, 2.0], [0.0, 0.0]]]


def test_modality_dropout_hides_parts_together_and_only_in_training():
    hide = ModalityDropout([0, 0, 1], 0.3).train()
    present = torch.ones(4000, 3, dtype=torch.bool)
    torch.manual_seed(0)
    hidden = hide(present)
    assert torch.equal(hidden[:, 0], hidden[:, 1])
    assert abs(hidden[:, 0].float().mean() - 0.7) < 0.03
    assert abs(hidden[:, 2].float().mean() - 0.7) < 0.03
    assert torch.equal(hide.eval()(present), present)


def test_steps_that_no_row_has_are_cut_off():
    seen = []

    class Notes(Steps):
        def forward(self, values, steps):
            seen.append(values.shape[1])
            return super().forward(values, steps)

    def run(**attributes):
        seen.clear()
        net = network("concat")
        net.encoders[1].__class__ = Notes
        for name, value in attributes.items():
            setattr(net.encoders[1] if name == "any_length" else net, name, value)
        return net(values, present, steps)

    torch.manual_seed(0)
    values, present, _ = batch()
    steps = [None, torch.arange(4) < torch.tensor([[2], [1], [2], [0], [2], [1]]), None]
    short = run()
    assert seen == [2]
    for attributes in ({"trims": False}, {"any_length": False}):
        torch.testing.assert_close(run(**attributes), short)
        assert seen == [4]
    steps[1] = torch.zeros_like(steps[1])
    assert run().isfinite().all()
    assert seen == [1]
