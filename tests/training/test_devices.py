import os
from functools import partial

import numpy as np
import pytest
import torch
from skorch.callbacks import EpochTimer

from sklearn_mmsent.blocks import BlockLayout
from sklearn_mmsent.exceptions import DivergenceError
from sklearn_mmsent.nn import ENCODERS, FUSIONS
from sklearn_mmsent.nn.losses import cross_entropy
from sklearn_mmsent.training import BlockDataset, Member, NetworkPlan, Trained, train_members
from sklearn_mmsent.training.batched import devices
from sklearn_mmsent.training.batched import train_members as train_module
from sklearn_mmsent.training.batched.devices import EVEN, choose_devices, split, train_over

TWO = ["cpu", "cpu"]


@pytest.fixture
def data():
    return make_data()


def make_data(n=90):
    rng = np.random.default_rng(0)
    layout = BlockLayout.from_shapes({"a": 4, "b": (5, 3)})
    y = rng.integers(0, 2, n)
    X = rng.normal(size=(n, layout.n_columns)) + y[:, None]
    X[rng.random(n) < 0.2, layout.blocks[1].columns] = np.nan
    return BlockDataset(layout.read(X), y)


def make(data, n=60, rows=None, **settings):
    plan = NetworkPlan(
        shapes=((4,), (5, 3)),
        modality_of_block=(0, 1),
        statistics=((np.zeros(4), np.ones(4)), (np.zeros(3), np.ones(3))),
        encoders=((ENCODERS["mlp"], {}), (ENCODERS["mlp"], {})),
        fusion=(FUSIONS["concat"], {}),
        n_outputs=2,
        width=settings.pop("width", 8),
        dropout=settings.pop("dropout", 0.2),
        modality_dropout=0.0,
    )
    settings = {
        "loss": cross_entropy,
        "seed": 3,
        "lr": 1e-2,
        "weight_decay": 0.1,
        "batch_size": 16,
        "max_epochs": 4,
        **settings,
    }
    rows = np.arange(n) if rows is None else rows
    return Member(plan, data.view(rows), data.view(np.arange(60, 90)), **settings)


def check_equal(results, expected, data, **tolerance):
    for one, other in zip(results, expected, strict=True):
        assert one.error is other.error is None
        assert type(one.net.module_) is type(other.net.module_)
        assert one.net.device == other.net.device
        inputs, _ = data[torch.arange(len(data))]
        with torch.no_grad():
            found, wanted = one.net.module_(*inputs), other.net.module_(*inputs)
        torch.testing.assert_close(found, wanted, **tolerance)
        for name in ("train_loss", "valid_loss"):
            assert one.net.history[:, name] == pytest.approx(other.net.history[:, name], rel=1e-5)


# -- who goes where ------------------------------------------------------------------------------


def loads(members, shares):
    return [sum(devices._load(members[i]) for i in share) for share in shares]


def test_members_that_read_the_same_rows_stay_together(data):
    folds = [np.arange(start, start + 50) for start in (0, 10, 20, 30)]
    members = [make(data, rows=fold, lr=lr) for lr in (0.1, 0.01, 0.001) for fold in folds]
    assert split(members, 2) == [[0, 2, 4, 6, 8, 10], [1, 3, 5, 7, 9, 11]]
    assert split(members, 4) == [[0, 4, 8], [1, 5, 9], [2, 6, 10], [3, 7, 11]]


def test_what_would_leave_devices_idle_is_cut(data):
    members = [make(data, lr=lr) for lr in np.linspace(0.1, 1, 8)]
    assert split(members, 2) == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert split(members[:3], 5) == [[0], [1], [2]]


@pytest.mark.parametrize("seed", range(5))
def test_everyone_is_trained_once_and_devices_have_equally_much_to_do(data, seed):
    rng = np.random.default_rng(seed)
    members = [
        make(
            data,
            rng.choice([30, 60]),
            width=rng.choice([4, 8]),
            batch_size=int(rng.choice([8, 16])),
            max_epochs=int(rng.integers(1, 9)),
        )
        for _ in range(rng.integers(12, 30))
    ]
    for n_devices in (2, 3, 4):
        shares = split(members, n_devices)
        assert sorted(i for share in shares for i in share) == list(range(len(members)))
        assert shares == split(members, n_devices)
        of_each = loads(members, shares)
        largest = max(devices._load(member) for member in members)
        assert max(of_each) <= max(EVEN * np.mean(of_each), np.mean(of_each) + largest)


def test_devices_are_taken_that_have_enough_to_do(data, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    members = [make(data, device=device) for device in ("cuda", "cuda:1", "cpu", "cuda", "cuda")]
    assert choose_devices(members) == ([], [])
    monkeypatch.setattr(devices, "WORTH", 20)  # each has 16 batches
    assert choose_devices(members) == (["cuda:0", "cuda:1"], [0, 3, 4])
    monkeypatch.setattr(devices, "WORTH", 1)
    assert choose_devices(members) == (["cuda:0", "cuda:1", "cuda:2"], [0, 3, 4])
    assert choose_devices(members[2:4]) == ([], [])
    assert choose_devices(members, TWO) == ([], [])
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert choose_devices(members) == ([], [])
    with pytest.raises(ValueError, match="must be of one kind"):
        choose_devices(members, ["cpu", "cuda"])


def test_members_of_other_devices_are_trained_as_ever(data, monkeypatch):
    monkeypatch.setattr(train_module, "train_over", lambda devices, members, train: train(members))
    monkeypatch.setattr(train_module, "choose_devices", lambda members, devices: (TWO, [0, 2]))
    members = [make(data, seed=i, max_epochs=i + 1) for i in range(4)]
    results = train_members(members)
    assert [len(result.net.history) for result in results] == [1, 2, 3, 4]


def test_what_members_share_is_sent_once(data):
    members = [make(data, seed=i, rows=np.arange(i, 50)) for i in range(3)]
    sent = devices._Mapped(devices._to_array)
    members = [devices._with_data(member, sent) for member in members]
    assert isinstance(members[0].train.values[0], np.ndarray)
    made = devices._Mapped(lambda array: devices._to_tensor(array, "cpu"))
    members = [devices._with_data(member, made) for member in members]
    for name in ("values", "steps"):
        tensors = [x for m in members for side in (m.train, m.valid) for x in getattr(side, name)]
        assert len(set(map(id, tensors))) == 2
    assert len({id(m.train.present) for m in members}) == 1
    assert [len(m.train.rows) for m in members] == [50, 49, 48]


# -- in processes --------------------------------------------------------------------------------


@pytest.mark.parametrize("stack", [False, True])
def test_results_are_those_of_one_device(data, stack, global_states):
    members = [make(data, seed=i, dropout=0.2 * (not stack)) for i in range(5)]
    members += [make(data, seed=i, width=6, lr=0.1, patience=2, dropout=0) for i in range(2)]
    expected = train_members(members, batched=stack)
    states = global_states()
    results = train_members(members, batched=stack, devices=TWO)
    assert global_states() == states
    assert {result.how[-8:] for result in results} == {", on cpu"}
    assert {result.how[:7] for result in results} <= {"stacked" if stack else "alone: ", "alone: "}
    tolerance = {"atol": 1e-6, "rtol": 1e-6} if stack else {"atol": 0, "rtol": 0}
    check_equal(results, expected, data, **tolerance)


def test_rows_that_are_mapped_from_files_are_trained_on(mapped, tmp_path):
    layout = BlockLayout.from_shapes({"a": 4, "b": (5, 3)})
    rng = np.random.default_rng(0)
    X, y = mapped(rng.normal(size=(90, 19)).astype(np.float32)), rng.integers(0, 2, 90)
    data = BlockDataset(layout.read(X, stream=True), y)
    assert not isinstance(data.values[0], torch.Tensor)
    members = [make(data, seed=i) for i in range(3)]
    checkpoints = [make(data, seed=i, checkpoint_dir=str(tmp_path / "there")) for i in range(3)]
    results = train_members(checkpoints, batched=False, devices=TWO)
    check_equal(results, train_members(members, batched=False), data, atol=0, rtol=0)
    assert len(list((tmp_path / "there").iterdir())) >= 3


def test_errors_come_back(data):
    members = [make(data, seed=i, lr=lr) for i, lr in enumerate([1e-2, 1e30, 1e-3, 1e-3])]
    results = train_members(members, batched=False, devices=TWO)
    assert results[0].error is None
    assert [type(result.error) for result in results[1:]] == [
        DivergenceError,
        type(None),
        type(None),
    ]
    assert results[1].net is None
    assert "Lower lr (now 1e+30)" in str(results[1].error)


def test_what_cannot_be_sent_stays_in_this_process(data):
    calls = []

    class Noted(EpochTimer):
        def on_epoch_end(self, net, **kwargs):
            calls.append(net)

    members = [
        make(data),
        make(data, callbacks=[Noted()]),
        make(data, loss=lambda outputs, targets: cross_entropy(outputs, targets)),
        make(data, seed=4),
    ]
    results = train_members(members, batched=False, devices=TWO)
    check_equal(results, train_members(members, batched=False), data, atol=0, rtol=0)
    hows = [result.how for result in results]
    assert hows[0] == hows[3] == "alone: batched=False, on cpu"
    assert hows[1].endswith("; in this process: its callbacks belong to it")
    assert "; in this process: its settings cannot be sent to another, " in hows[2]
    assert len(calls) == 2 * 4
    [first, other] = train_members([members[0], members[1]], batched=False, devices=TWO)
    assert first.how.endswith("; in this process: no other had anything to do")
    assert other.error is None


def test_where_another_process_dies_all_are_trained_here(data):
    def train(members, here):
        if os.getpid() != here:
            os._exit(1)
        return [Trained(how="alone: it is a test") for _ in members]

    results = train_over(
        TWO, [make(data, seed=i) for i in range(3)], partial(train, here=os.getpid())
    )
    assert len(results) == 3
    for result in results:
        assert result.how.startswith("alone: it is a test; in this process: other processes failed")
        assert "TerminatedWorkerError" in result.how
