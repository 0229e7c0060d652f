import pickle

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback, Checkpoint, EarlyStopping

from sklearn_mmsent.blocks import BlockLayout
from sklearn_mmsent.exceptions import DivergenceError
from sklearn_mmsent.nn import ENCODERS, FUSIONS
from sklearn_mmsent.nn.losses import cross_entropy, squared_error
from sklearn_mmsent.training import (
    BlockDataset,
    Member,
    NetworkPlan,
    predict_network,
    train_network,
)
from sklearn_mmsent.training.dataset import Batches
from sklearn_mmsent.training.schedule import factor


def setup(n=90, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, n)
    X = rng.normal(size=(n, 4)) + y[:, None]
    blocks = BlockLayout.from_shapes({"a": 2, "b": 2}).read(X)
    plan = NetworkPlan(
        shapes=((2,), (2,)),
        modality_of_block=(0, 1),
        statistics=tuple(b.statistics() for b in blocks),
        encoders=((ENCODERS["mlp"], {}),) * 2,
        fusion=(FUSIONS["concat"], {}),
        n_outputs=2,
        width=8,
        dropout=0.1,
        modality_dropout=0.0,
    )
    return plan, blocks, y


def fit(plan, data, valid=None, **settings):
    return train_network(Member(plan, data, valid, **settings))


SETTINGS = {
    "loss": cross_entropy,
    "seed": 3,
    "lr": 1e-2,
    "weight_decay": 0.0,
    "batch_size": 16,
    "max_epochs": 5,
}


def test_equals_a_bare_torch_loop():
    plan, blocks, y = setup()
    plan = NetworkPlan(**{**vars(plan), "dropout": 0.0})
    data = BlockDataset(blocks, y)
    net = fit(plan, data, **SETTINGS)
    torch.manual_seed(SETTINGS["seed"])
    module = plan.build()
    optimizer = torch.optim.AdamW(module.parameters(), lr=1e-2, weight_decay=0.0)
    order = torch.Generator().manual_seed(SETTINGS["seed"])
    for _ in range(5):
        for rows in torch.randperm(len(y), generator=order).split(16):
            inputs, (targets, *_) = data[rows]
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(module(*inputs), targets).backward()
            optimizer.step()
    expected = module.double().eval()(*data[torch.arange(len(y))][0]).detach()
    np.testing.assert_allclose(predict_network(net.module_, data), expected, atol=1e-5)


def test_the_seed_determines_the_result_and_global_state_is_untouched():
    plan, blocks, y = setup()
    data = BlockDataset(blocks, y)
    torch.manual_seed(11)
    before = torch.random.get_rng_state()
    first = predict_network(fit(plan, data, **SETTINGS).module_, data)
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.rand(7)
    again = predict_network(fit(plan, data, **SETTINGS).module_, data)
    other = predict_network(fit(plan, data, **{**SETTINGS, "seed": 4}).module_, data)
    assert (first == again).all()
    assert (first != other).any()


def test_best_weights_are_restored():
    plan, blocks, y = setup()
    train = BlockDataset(blocks, y)
    valid = BlockDataset(blocks, 1 - y)  # wrong on purpose: each epoch makes it worse
    settings = {**SETTINGS, "max_epochs": 50}
    net = fit(plan, train, valid, patience=3, **settings)
    losses = net.history[:, "valid_loss"]
    assert len(losses) < 50
    outputs = torch.as_tensor(predict_network(net.module_, valid))
    now = float(torch.nn.functional.cross_entropy(outputs, torch.as_tensor(1 - y)))
    assert now == pytest.approx(min(losses), rel=1e-4)


def test_history_holds_weighted_means():
    plan, blocks, y = setup()
    weights = np.random.default_rng(0).random(len(y))
    valid = BlockDataset(blocks, y, weights)
    net = fit(plan, BlockDataset(blocks, y), valid, **SETTINGS)
    outputs = torch.as_tensor(predict_network(net.module_, valid))
    losses = torch.nn.functional.cross_entropy(outputs, torch.as_tensor(y), reduction="none")
    expected = np.average(losses.numpy(), weights=weights)
    assert net.history[-1, "valid_loss"] == pytest.approx(expected, rel=1e-4)
    assert net.history[-1, "train_batch_count"] == 6


def test_zero_weight_rows_are_not_learned_from():
    plan, blocks, y = setup()
    wrong = y.copy()
    wrong[45:] = 1 - wrong[45:]
    weights = np.r_[np.ones(45), np.zeros(45)]
    settings = {**SETTINGS, "max_epochs": 30}
    net = fit(plan, BlockDataset(blocks, wrong, weights), **settings)
    predicted = predict_network(net.module_, BlockDataset(blocks)).argmax(1)
    assert (predicted == y).mean() > 0.7


def test_skorch_callbacks_work(tmp_path):
    plan, blocks, y = setup()
    seen = []

    class Spy(Callback):
        def on_epoch_end(self, net, **kwargs):
            seen.append(net.history[-1, "train_loss"])

        def on_grad_computed(self, net, named_parameters, **kwargs):
            assert all(p.grad is not None for _, p in named_parameters)

    checkpoint = Checkpoint(dirname=tmp_path, monitor="train_loss_best")
    data = BlockDataset(blocks, y)
    net = fit(plan, data, callbacks=[Spy(), checkpoint], **SETTINGS)
    assert len(seen) == 5
    assert (tmp_path / "params.pt").exists()
    # a user's own stopper speaks skorch's language: KeyboardInterrupt
    stopper = EarlyStopping(monitor="train_loss", patience=1, threshold=10, sink=lambda *_: None)
    assert len(fit(plan, data, callbacks=[stopper], **SETTINGS).history) == 2
    assert net.history[-1, "epoch"] == 5


def test_ctrl_c_is_not_swallowed():
    plan, blocks, y = setup()

    def interrupted(outputs, targets):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(plan, BlockDataset(blocks, y), **{**SETTINGS, "loss": interrupted})


def test_divergence_raises_an_error():
    plan, blocks, y = setup()
    targets = y.astype(np.float32)[:, None].repeat(2, axis=1)
    settings = {**SETTINGS, "loss": squared_error, "lr": 1e30}
    with pytest.raises(DivergenceError, match=r"loss of epoch \d is .*Lower lr \(now 1e\+30\)"):
        fit(plan, BlockDataset(blocks, targets), **settings)


def test_net_params_reach_skorch():
    plan, blocks, y = setup()
    net = fit(
        plan,
        BlockDataset(blocks, y),
        net_params={"optimizer": torch.optim.SGD, "optimizer__momentum": 0.9, "max_epochs": 2},
        **SETTINGS,
    )
    assert isinstance(net.optimizer_, torch.optim.SGD)
    assert len(net.history) == 2


def test_a_pickle_holds_no_rows():
    plan, blocks, y = setup(2000)
    data = BlockDataset(blocks, y)
    net = fit(plan, data, data, patience=2, **SETTINGS)
    small = setup(50)
    reference = fit(small[0], BlockDataset(small[1], small[2]), **SETTINGS)
    assert len(pickle.dumps(net)) < 2 * len(pickle.dumps(reference))


def test_batches_cover_each_row_once():
    _, blocks, _ = setup(50)
    data = BlockDataset(blocks, np.arange(50))
    batches = Batches(data, 16, torch.Generator().manual_seed(0))
    epochs = [torch.cat([targets for _, (targets, *_) in batches]) for _ in range(2)]
    assert len(batches) == 4
    assert not torch.equal(*epochs)
    assert all(torch.equal(epoch.sort()[0], torch.arange(50)) for epoch in epochs)


def test_a_view_shares_blocks_but_not_rows():
    _, blocks, y = setup(50)
    data = BlockDataset(blocks, y, np.arange(50.0))
    view = data.view(np.array([7, 3, 7, 40]))
    again = view.view(np.array([1, 3]), targets=np.array([5, 6]))
    assert again.values[0].data_ptr() == data.values[0].data_ptr()
    assert (len(view), len(again)) == (4, 2)
    inputs, (targets, weights, _) = again[torch.tensor([1, 0])]
    assert torch.equal(inputs[0][0], data.values[0][[40, 3]])
    assert (targets.tolist(), weights.tolist()) == ([6, 5], [40, 3])
    assert view[torch.arange(4)][1][0].tolist() == y[[7, 3, 7, 40]].tolist()


def test_read_only_memory_is_accepted():
    _, blocks, _ = setup(5)
    blocks[0].values.flags.writeable = False
    assert len(BlockDataset(blocks)) == 5


class Rates(Callback):
    """Writes down the rates of every training step."""

    def __init__(self):
        self.rates = []

    def on_grad_computed(self, net, named_parameters, training=False, **kwargs):
        if training:
            self.rates.append([group["lr"] for group in net.optimizer_.param_groups])


def test_every_group_keeps_its_own_rate():
    plan, blocks, y = setup()
    data = BlockDataset(blocks, y)
    net_params = {
        "optimizer": torch.optim.AdamW,
        "optimizer__param_groups": [("encoders*", {"lr": 1e-4})],
    }
    spy = Rates()
    fit(
        plan,
        data,
        data,  # validation steps do not count
        lr_schedule="cosine",
        warmup=0.2,
        callbacks=[spy],
        net_params=net_params,
        **SETTINGS,
    )
    assert len(spy.rates) == 5 * 6
    for step, (own, others) in enumerate(spy.rates):
        scale = factor(step, 30, "cosine", 0.2)
        assert own == pytest.approx(1e-4 * scale)
        assert others == pytest.approx(1e-2 * scale)


def test_early_stopping_keeps_the_schedule_and_restores_the_best_weights():
    plan, blocks, y = setup()
    train, valid = BlockDataset(blocks, y), BlockDataset(blocks, 1 - y)
    spy = Rates()
    settings = {**SETTINGS, "max_epochs": 50, "callbacks": [spy]}
    net = fit(plan, train, valid, patience=3, lr_schedule="linear", **settings)
    assert len(net.history) < 50
    rates = [rate for [rate] in spy.rates]
    assert rates == pytest.approx([1e-2 * (1 - step / 300) for step in range(len(rates))])
    outputs = torch.as_tensor(predict_network(net.module_, valid))
    now = cross_entropy(outputs, torch.as_tensor(1 - y)).mean().item()
    assert now == pytest.approx(min(net.history[:, "valid_loss"]), rel=1e-4)
    pickle.loads(pickle.dumps(net.callbacks_[-2]))


def test_equals_a_bare_loop_with_torchs_clipping_and_schedule():
    plan, blocks, y = setup()
    plan = NetworkPlan(**{**vars(plan), "dropout": 0.0})
    data = BlockDataset(blocks, y)
    options = {"clip_norm": 0.05, "lr_schedule": "cosine", "warmup": 0.0}
    # plain gradient descent: Adam forgets the length of a gradient
    net_params = {"optimizer": torch.optim.SGD}
    settings = {**SETTINGS, "lr": 1.0, "net_params": net_params}
    net = fit(plan, data, **options, **settings)
    torch.manual_seed(SETTINGS["seed"])
    module = plan.build()
    optimizer = torch.optim.SGD(module.parameters(), lr=1.0)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 30)
    order = torch.Generator().manual_seed(SETTINGS["seed"])
    norms = []
    for _ in range(5):
        for rows in torch.randperm(len(y), generator=order).split(16):
            inputs, (targets, *_) = data[rows]
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(module(*inputs), targets).backward()
            norms.append(torch.nn.utils.clip_grad_norm_(module.parameters(), 0.05).item())
            optimizer.step()
            scheduler.step()
    assert max(norms) > 0.05  # or nothing was clipped
    expected = module.double().eval()(*data[torch.arange(len(y))][0]).detach().numpy()
    assert predict_network(net.module_, data) == pytest.approx(expected, abs=1e-5)
    free = fit(plan, data, **settings)
    assert predict_network(free.module_, data) != pytest.approx(expected, abs=1e-2)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU: no CUDA device here")
def test_a_gpu_gives_nearly_the_same():
    plan, blocks, y = setup()
    plan = NetworkPlan(**{**vars(plan), "dropout": 0.0})
    on_cpu = fit(plan, BlockDataset(blocks, y), **SETTINGS)
    data = BlockDataset(blocks, y, device="cuda")
    on_gpu = fit(plan, data, device="cuda", **SETTINGS)
    expected = predict_network(on_cpu.module_, BlockDataset(blocks))
    np.testing.assert_allclose(predict_network(on_gpu.module_, data), expected, atol=1e-3)


class Counts(Callback):
    """Counts the events."""

    def on_train_begin(self, net, **kwargs):
        self.counts = {"begin": 0, "gradients": 0, "end": 0}

    def on_batch_begin(self, net, training, **kwargs):
        self.counts["begin"] += training

    def on_grad_computed(self, net, named_parameters, **kwargs):
        self.counts["gradients"] += all(p.grad is not None for _, p in named_parameters)

    def on_batch_end(self, net, training, loss, **kwargs):
        self.counts["end"] += training and bool(loss > 0)


def test_callbacks_are_called_for_every_batch():
    plan, blocks, y = setup()
    data = BlockDataset(blocks, y)
    heard = fit(plan, data, data, callbacks=[("counts", Counts())], **SETTINGS)
    n_steps = SETTINGS["max_epochs"] * -(-len(y) // SETTINGS["batch_size"])
    assert dict(heard.callbacks_)["counts"].counts == dict.fromkeys(
        ["begin", "gradients", "end"], n_steps
    )
    quiet = fit(plan, data, data, **SETTINGS)
    assert quiet.history[:, "train_loss"] == heard.history[:, "train_loss"]


def test_an_optimizer_with_a_closure():
    plan, blocks, y = setup()
    options = {"optimizer": torch.optim.LBFGS, "optimizer__max_iter": 4}
    settings = {**SETTINGS, "batch_size": 90, "net_params": options}
    net = fit(plan, BlockDataset(blocks, y), callbacks=[("counts", Counts())], **settings)
    counts = dict(net.callbacks_)["counts"].counts
    assert counts["gradients"] > counts["begin"] == SETTINGS["max_epochs"]


@pytest.mark.parametrize(("n_features", "expected"), [(3, 1024), (20_000, 209), (1_000_000, 32)])
def test_batches_in_prediction_depend_on_the_size_of_rows(n_features, expected):
    row = np.zeros((1, n_features), dtype=np.float32)
    data = BlockDataset(BlockLayout.from_shapes({"a": n_features}).read(row))
    assert data.rows_at_once() == expected
