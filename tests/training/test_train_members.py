import dataclasses
import functools
import importlib
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.stats import ks_2samp
from skorch.callbacks import EarlyStopping, EpochTimer
from skorch.history import History

from sklearn_mmsent.blocks import BlockLayout
from sklearn_mmsent.exceptions import DivergenceError
from sklearn_mmsent.nn import ENCODERS, FUSIONS
from sklearn_mmsent.nn.losses import cross_entropy, squared_error
from sklearn_mmsent.training import BlockDataset, Member, NetworkPlan, train_members, train_network
from sklearn_mmsent.training.batched import layers, loop, packing
from sklearn_mmsent.training.batched.feeds import Feeds
from sklearn_mmsent.training.batched.loop import Settings
from sklearn_mmsent.training.batched.optimizer import StackedAdamW, clip

train = importlib.import_module("sklearn_mmsent.training.batched.train_members")

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


def in_stacks(plan):
    """Without what ranks the training rows, which is trained alone."""
    name, options = plan.fusion
    options = {"ranking_weight": 0} if name is FUSIONS["quality_aware"] else options
    return dataclasses.replace(plan, fusion=(name, options))


def check_equal(members, data, batched=True, atol=1e-6):
    together = train_members(members, batched=batched)
    for member, result in zip(members, together, strict=True):
        assert result.error is None
        assert result.how.startswith("stacked"), result.how
        alone = train_network(member)
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
def test_members_equal_single_networks_for_every_fusion(fusion):
    shapes = {"a": 4, "b": (5, 3)}
    rows = [np.arange(90), np.arange(10, 90), np.arange(83)]
    plan, data = setup(shapes=shapes, fusion=fusion)
    plan = in_stacks(plan)
    poe = fusion == "poe"  # draws its latent vectors
    members = [make(plan, data, r, seed=i, lr=0.01 * (i + 1)) for i, r in enumerate(rows)]
    if not poe:
        check_equal(members, data)
        return
    for result in train_members(members, batched=True):
        assert result.how.startswith("stacked")
        assert result.net.history[-1, "train_loss"] < result.net.history[0, "train_loss"]


def test_everything_that_may_differ_between_members():
    plan, data = setup()
    weights = np.random.default_rng(1).random(90)
    other = dataclasses.replace(
        plan, statistics=tuple((mean + 1, scale * 2) for mean, scale in plan.statistics)
    )
    valid = np.arange(70, 90)
    fit = np.arange(70)
    members = [
        make(plan, data, fit, valid, lr=0.02),
        make(plan, data, fit[:40], valid[:9], weight_decay=0.0, seed=5),
        make(other, data, fit, valid, clip_norm=0.05, max_epochs=3),
        make(plan, data, fit, valid, lr_schedule="cosine", warmup=0.2, seed=4),
        make(plan, data, np.r_[fit, fit], valid, lr_schedule="linear"),
        make(plan, data.view(weights=weights), fit, valid, seed=9),
        make(plan, data, fit, valid, clip_norm=1e-4, max_epochs=7, lr=0.05),
    ]
    together = check_equal(members, data)
    assert [len(result.net.history) for result in together] == [5, 5, 3, 5, 5, 5, 7]


def test_each_member_stops_separately_with_its_best_weights():
    plan, data = setup()
    wrong = data.view(targets=1 - data.targets.numpy())
    members = [
        dataclasses.replace(
            make(plan, data, np.arange(60), seed=i, lr=0.03, max_epochs=30, patience=patience),
            valid=(wrong if i % 2 else data).view(np.arange(60, 90)),
        )
        for i, patience in enumerate([3, 3, 8, 5, 2, None])
    ]
    lengths = [len(result.net.history) for result in check_equal(members, data)]
    assert len(set(lengths)) > 3
    assert lengths[-1] == 30


def test_early_stopping_uses_skorchs_rule():
    losses = np.random.default_rng(0).normal(1, 1e-4, 300).cumprod()
    net = SimpleNamespace(history=History(), module_=torch.nn.Linear(1, 1), verbose=0)
    theirs, ours = EarlyStopping(patience=1000), loop._EarlyStopping()
    theirs.on_train_begin(net)
    for epoch, loss in enumerate(losses):
        net.history.new_epoch()
        net.history.record("epoch", epoch)
        net.history.record("valid_loss", loss)
        theirs.on_epoch_end(net)
        ours.improves(loss)
        assert ours.misses == theirs.misses_


def test_members_with_the_same_rows_share_a_feed():
    plan, data = setup(missing=0.0)
    members = [make(plan, data, lr=lr, weight_decay=decay) for lr in (1e-3, 1e-2) for decay in
               (0, 0.1, 0.5)] * 2  # fmt: skip
    train = Feeds(members, [m.plan.build() for m in members], training=True, batch_size=16)
    assert train.shared
    [first, *_] = train.epoch()
    assert first[0][0][0].shape == (16, 4)
    check_equal(members, data)


def test_rates_of_dropout_differ_within_a_stack():
    plans = [
        setup(400, dropout=p, modality_dropout=q)[0] for p, q in ((0, 0), (0.5, 0), (0.2, 0.4))
    ]
    data = setup(400)[1]
    members = [make(plan, data) for plan in plans for _ in range(2)]
    results = train_members(members, batched=True)
    assert {result.how for result in results} == {"stacked with 5 others"}
    losses = [result.net.history[-1, "train_loss"] for result in results]
    expected = [train_network(member).history[-1, "train_loss"] for member in members]
    np.testing.assert_allclose(losses[:2], expected[:2], rtol=1e-6)
    np.testing.assert_allclose(losses, expected, rtol=0.15)
    assert max(losses[:2]) < min(losses[2:])
    assert losses[2] != losses[3]


def test_dropout_of_a_stack_drops_and_scales():
    p = torch.tensor([0.0, 0.25, 0.75])
    layer = layers.WITH_RATE[torch.nn.Dropout]()
    drop = torch.func.vmap(
        lambda p, x: torch.func.functional_call(layer, {"p": p}, x),
        (0, None),
        randomness="different",
    )
    del layer.p
    layer.register_buffer("p", torch.zeros(()))
    dropped = drop(p, torch.ones(100, 200))
    assert torch.allclose((dropped == 0).float().mean((1, 2)), p, atol=0.02)
    assert torch.allclose(dropped.mean((1, 2)), torch.ones(3), atol=0.05)
    assert torch.equal(dropped[0], torch.ones(100, 200))


@pytest.mark.parametrize("others", [[], [0.0, 0.1]])  # whose rates make layers of our own
def test_with_dropout_stacks_are_equal_in_distribution(others):
    plan, data = setup(450, dropout=0.3, modality_dropout=0.3)
    members = [make(plan, data, np.arange(150), seed=i, max_epochs=10) for i in range(20)]
    beside = [dataclasses.replace(plan, dropout=p, modality_dropout=p) for p in others]
    beside = [make(plan, data, np.arange(150), max_epochs=10) for plan in beside]
    held_out = torch.arange(150, 450)

    def score(net):
        loss = cross_entropy(torch.tensor(outputs(net, data)), data.targets)
        return [loss[held_out].mean().item(), net.history[-1, "train_loss"]]

    results = train_members(members + beside, batched=True)[: len(members)]
    together = np.array([score(result.net) for result in results])
    alone = np.array([score(train_network(member)) for member in members])
    # equal seeds mean equal initial weights: differences are due to dropout masks
    difference = together - alone  # (20, 2)
    assert (np.abs(difference.mean(0)) < 2 * difference.std(0, ddof=1) / 20**0.5).all()
    for ours, theirs in zip(together.T, alone.T, strict=True):
        assert ks_2samp(ours, theirs).pvalue > 0.01


def test_augmented_members_learn_equally_in_a_stack():
    plan, data = setup(450, shapes={"a": 4, "b": (5, 3)})
    amounts = {"block_noise": 0.3, "time_masking": 0.3, "frequency_masking": 0.3, "mixup": 0.4}
    members = []
    for i in range(20):  # other amounts than the neighbours', but for mixup
        own = {k: v if k == "mixup" else v * (1 + i % 2) / 2 for k, v in amounts.items()}
        own = dataclasses.replace(plan, augmentation=own)
        members.append(make(own, data, np.arange(150), seed=i, max_epochs=10))
    held_out = torch.arange(150, 450)

    def score(net):
        loss = cross_entropy(torch.tensor(outputs(net, data)), data.targets)
        return [loss[held_out].mean().item(), net.history[-1, "train_loss"]]

    results = train_members(members, batched=True)
    assert {result.how for result in results} == {"stacked with 19 others"}
    together = np.array([score(result.net) for result in results])
    alone = np.array([score(train_network(member)) for member in members])
    difference = together - alone  # (20, 2)
    assert (np.abs(difference.mean(0)) < 2.5 * difference.std(0, ddof=1) / 20**0.5).all()


def test_balanced_members_equal_networks_trained_alone():
    plan, data = setup(90)
    classes = np.repeat([0, 1], [60, 30])
    members = [
        dataclasses.replace(make(plan, data, seed=seed), train=data.view(classes=balanced))
        for seed, balanced in ((0, classes), (0, None), (1, classes), (2, 1 - classes))
    ]
    results = train_members(members, batched=True)
    for member, result in zip(members, results, strict=True):
        assert result.how == "stacked with 3 others"
        np.testing.assert_allclose(
            outputs(result.net, data), outputs(train_network(member), data), atol=1e-9
        )
    assert not np.allclose(outputs(results[0].net, data), outputs(results[1].net, data))


@pytest.mark.parametrize("fused", [True, False])
def test_the_optimizer_is_torchs_adamw(fused):
    torch.manual_seed(0)
    numbers = [(0.1, 0.0, 2), (0.1, 0.0, 2), (0.01, 0.5, 3)]
    start = torch.randn(3, 7, dtype=torch.float64)
    weights, gradients = start.clone(), torch.zeros_like(start)
    settings = [Settings(lr, decay, n, 100, None, 0.0) for lr, decay, n in numbers]
    ours = StackedAdamW(weights, gradients, settings, fused=fused)
    theirs = [start[i].clone().requires_grad_() for i in range(3)]
    optimizers = [
        torch.optim.AdamW([w], lr=lr, weight_decay=decay)
        for w, (lr, decay, _) in zip(theirs, numbers, strict=True)
    ]
    for step in range(12):
        gradients.copy_(torch.randn(3, 7, dtype=torch.float64))
        ours.step(step % 3)  # the first two have no third batch
        for i, optimizer in enumerate(optimizers):
            if step % 3 < numbers[i][2]:
                theirs[i].grad = gradients[i].clone()
                optimizer.step()
    expected = torch.stack(theirs).detach()
    torch.testing.assert_close(weights, expected, atol=1e-14, rtol=1e-13)


def test_gradients_are_clipped_as_torch_does():
    gradients = torch.randn(3, 50, dtype=torch.float64)
    expected = gradients.clone()
    longest = torch.tensor([[0.5], [torch.inf], [100.0]], dtype=torch.float64)
    clip(gradients, longest)
    for row, limit in zip(expected, longest, strict=True):
        parameter = torch.zeros(50, dtype=torch.float64, requires_grad=True)
        parameter.grad = row
        torch.nn.utils.clip_grad_norm_(parameter, limit.item())
    torch.testing.assert_close(gradients, expected)


# -- what goes wrong -----------------------------------------------------------------------------


def test_a_diverging_member_does_not_affect_others():
    plan, data = setup()
    data.targets = data.targets.double().unsqueeze(1).expand(-1, 2).contiguous()
    rows, valid = np.arange(70), np.arange(70, 90)
    members = [
        make(plan, data, rows, valid, loss=squared_error, lr=lr, seed=i)
        for i, lr in enumerate([1e-2, 1e200, 1e-3])
    ]
    results = train_members(members, batched=True)
    assert isinstance(results[1].error, DivergenceError)
    assert results[1].net is None
    assert "Lower lr (now 1e+200)" in str(results[1].error)
    good = [members[0], members[2]]
    for member, result in zip(good, (results[0], results[2]), strict=True):
        np.testing.assert_allclose(outputs(result.net, data), outputs(train_network(member), data))
    single = train_members(members, batched=False)
    assert [type(result.error) for result in single] == [type(result.error) for result in results]


class Stubborn(FUSIONS["concat"]):
    """Looks at its numbers, which no stack can do."""

    def forward(self, vectors, there):
        return super().forward(vectors if vectors.sum() > 0 else vectors.abs(), there)


class Counting(FUSIONS["concat"]):
    def __init__(self, *args):
        super().__init__(*args)
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, vectors, there):
        self.calls += 1
        return super().forward(vectors, there)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"callbacks": [EpochTimer()]}, "it has callbacks"),
        ({"net_params": {"optimizer": torch.optim.SGD}}, "it has net_params"),
        ({"fusion": (Stubborn, {})}, "RuntimeError"),
        ({"fusion": (Counting, {})}, "keeps state besides weights"),
        ({"fusion": (FUSIONS["quality_aware"], {})}, "remembers training rows"),
        ({"precision": "bfloat16"}, "it is trained in bfloat16"),
        ({"width": 6}, "no compatible"),
        ({"batch_size": 8}, "no compatible"),
    ],
)
def test_incompatible_members_are_trained_alone(change, reason):
    plan, data = setup()
    of_plan = {name: value for name, value in change.items() if hasattr(plan, name)}
    of_member = {name: value for name, value in change.items() if name not in of_plan}
    alone = make(dataclasses.replace(plan, **of_plan), data, **of_member)
    twice = [] if reason.startswith("no compatible") else [alone]
    results = train_members(
        [make(plan, data), make(plan, data, seed=4), alone, *twice], batched=True
    )
    assert [r.how for r in results[:2]] == ["stacked with 1 others"] * 2
    assert results[2].how.startswith("trained alone: ")
    assert reason in results[2].how
    np.testing.assert_array_equal(
        outputs(results[2].net, data), outputs(train_network(alone), data)
    )


def test_networks_with_different_attributes_are_not_stacked():
    class Odd(FUSIONS["concat"]):
        def __init__(self, n_blocks, width, dropout):
            super().__init__(n_blocks, width, 0.0)
            self.strength = 1 - dropout

        def forward(self, vectors, there):
            return super().forward(vectors * self.strength, there)

    plans = [setup(fusion="concat", dropout=p)[0] for p in (0.1, 0.1, 0.3)]
    plans = [dataclasses.replace(plan, fusion=(Odd, {})) for plan in plans]
    data = setup()[1]
    results = train_members([make(plan, data) for plan in plans], batched=True)
    assert [r.how.split(":")[0] for r in results] == ["stacked with 1 others"] * 2 + [
        "trained alone"
    ]


def test_an_error_of_a_member_does_not_affect_others():
    plan, data = setup()
    bad = dataclasses.replace(plan, fusion=(FUSIONS["mag"], {"main": 7}))
    results = train_members([make(bad, data), make(plan, data), make(bad, data)])
    assert [type(result.error) for result in results] == [ValueError, type(None), ValueError]
    assert "Got 7 instead" in str(results[0].error)
    average = [make(plan, data, loss=torch.nn.functional.cross_entropy, seed=i) for i in range(2)]
    for result in train_members(average, batched=True):
        assert "The loss must give one number per row" in str(result.error)


def test_little_memory_makes_small_stacks(monkeypatch):
    plan, data = setup()
    members = [make(plan, data, seed=i) for i in range(7)]
    group = train._Group(members, None, None, True, None)
    assert group._size(members[0]) == packing.MAX_MEMBERS["cpu"]
    monkeypatch.setattr(packing, "CPU_BYTES", 1)
    results = train_members(members, batched=True)
    assert {result.how for result in results} == {"trained alone: no compatible member"}


def test_out_of_memory_halves_the_stack(monkeypatch):
    plan, data = setup()
    members = [make(plan, data, seed=i) for i in range(7)]
    tried = []

    class Short(train.Training):
        def __init__(self, members, nets):
            tried.append(len(members))
            if len(members) > 2:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
            super().__init__(members, nets)

    monkeypatch.setattr(train, "Training", Short)
    monkeypatch.setattr(train, "stack_blocker", lambda members, nets: None)
    results = train_members(members, batched=True)
    assert tried == [7, 4, 2, 2, 3, 2]
    assert [r.how[:7] for r in results] == ["stacked"] * 6 + ["trained"]
    for member, result in zip(members, results, strict=True):
        np.testing.assert_allclose(
            outputs(result.net, data), outputs(train_network(member), data), atol=1e-6
        )

    def full(member, checkpoint_key):
        raise MemoryError("no room")

    monkeypatch.setattr(train, "train_network", full)
    [result] = train_members(members[:1])
    assert isinstance(result.error, MemoryError)
    assert "width 8 with batches of 16 does not fit into the memory of cpu" in str(result.error)


def test_a_measurement_decides_whether_to_stack(monkeypatch):
    plan, data = setup()
    members = [make(plan, data, seed=i, max_epochs=20) for i in range(3)]
    gains = []

    def measured(members, nets):
        gains.append(true_gain(members, nets))
        return 0.6

    true_gain = train.measure_gain
    monkeypatch.setattr(train, "_gains", {})
    monkeypatch.setattr(train, "measure_gain", measured)
    for _ in range(2):  # measured once
        results = train_members(members)
        assert {r.how for r in results} == {"trained alone: stacking is 0.60 times as fast"}
    assert len(gains) == 1
    assert gains[0] > 0
    few = [dataclasses.replace(member, max_epochs=2) for member in members]
    assert {r.how for r in train_members(few)} == {"stacked with 2 others"}


def test_seeds_determine_the_results_and_global_state_is_untouched(global_states):
    plan, data = setup(dropout=0.3)
    members = [make(plan, data, seed=i) for i in range(3)]
    states = global_states()
    first = train_members(members, batched=True)
    assert global_states() == states
    torch.rand(3)
    again = train_members(members, batched=True)
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(outputs(one.net, data), outputs(other.net, data))
    assert (outputs(first[0].net, data) != outputs(first[1].net, data)).any()


def test_ctrl_c_is_not_swallowed():
    plan, data = setup()

    def interrupted(outputs, targets):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_members([make(plan, data, loss=interrupted, seed=i) for i in range(2)])


def test_equal_options_of_a_loss_are_one_loss():
    plan, data = setup()
    smooth = [functools.partial(cross_entropy, label_smoothing=s) for s in (0.1, 0.1, 0.2)]
    members = [make(plan, data, loss=loss, seed=i) for i, loss in enumerate(smooth)]
    results = train_members(members, batched=True)
    assert [r.how.split(":")[0] for r in results] == ["stacked with 1 others"] * 2 + [
        "trained alone"
    ]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU: no CUDA device here")
def test_a_gpu_gives_nearly_the_same():
    plan, data = setup()
    on_gpu = data.view()
    on_gpu.values = [values.cuda() for values in data.values]
    for name in ("present", "targets", "weights"):
        setattr(on_gpu, name, getattr(data, name).cuda())
    members = [make(plan, on_gpu, seed=i, device="cuda") for i in range(3)]
    alone = [train_network(make(plan, data, seed=i)) for i in range(3)]
    for result, net in zip(train_members(members, batched=True), alone, strict=True):
        assert result.how.startswith("stacked")
        found = outputs(result.net.module_.cpu() and result.net, data)
        np.testing.assert_allclose(found, outputs(net, data), atol=1e-6)


@pytest.mark.parametrize("encoder", [name for name in ENCODERS if "pretrained" not in name])
def test_members_equal_single_networks_for_every_encoder(encoder):
    shape = (1, 4, 4) if encoder == "conv2d" else (5, 3)
    plan, data = setup(60, shapes={"a": shape, "b": 3})
    plan = dataclasses.replace(plan, encoders=((ENCODERS[encoder], {}), plan.encoders[1]))
    members = [make(plan, data, seed=i, lr=0.01, max_epochs=2) for i in range(2)]
    results = train_members(members, batched=True)
    expected = "stacked with 1"
    if encoder in ("gru", "lstm"):
        expected = "trained alone: part of its network computes over real steps only"
    elif encoder == "transformer":
        expected = "trained alone: torch cannot vectorize part of its network"
    for member, result in zip(members, results, strict=True):
        assert result.how.startswith(expected)
        np.testing.assert_allclose(
            outputs(result.net, data), outputs(train_network(member), data), atol=1e-6
        )
