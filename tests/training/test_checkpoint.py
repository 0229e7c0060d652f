"""Interrupted training resumes, with the same result."""

import copy
import dataclasses
import functools
import importlib
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from skorch.callbacks import Callback, LRScheduler

from sklearn_mmsent import FusionMultitask, FusionRegressor
from sklearn_mmsent.blocks import BlockLayout
from sklearn_mmsent.exceptions import DivergenceError
from sklearn_mmsent.nn import ENCODERS, FUSIONS
from sklearn_mmsent.nn.losses import cross_entropy, focal, squared_error
from sklearn_mmsent.training import BlockDataset, Member, NetworkPlan, train_members, train_network
from sklearn_mmsent.training.checkpoint import CheckpointError, digest, file

members_train = importlib.import_module("sklearn_mmsent.training.batched.train_members")

AUGMENTATION = {"block_noise": 0.1, "mixup": 0.4, "time_masking": 0.3, "frequency_masking": 0.2}


def setup(n=60, fusion="concat", shapes=None, seed=0, **options):
    rng = np.random.default_rng(seed)
    layout = BlockLayout.from_shapes(shapes or {"a": 4, "b": (3, 2)})
    y = rng.integers(0, 2, n)
    X = rng.normal(size=(n, layout.n_columns)) + y[:, None]
    for block in layout.blocks:
        X[rng.random(n) < 0.2, block.columns] = np.nan
    blocks = layout.read(X)
    plan = NetworkPlan(
        shapes=tuple(block.shape for block in layout.blocks),
        modality_of_block=tuple(range(len(blocks))),
        statistics=tuple(block.statistics() for block in blocks),
        encoders=tuple(
            (ENCODERS["mean" if FUSIONS[fusion].sequential and len(b.shape) == 2 else "mlp"], {})
            for b in layout.blocks
        ),
        fusion=(FUSIONS[fusion], {}),
        n_outputs=2,
        width=8,
        dropout=0.2,
        modality_dropout=0.1,
        augmentation=AUGMENTATION,
    )
    return dataclasses.replace(plan, **options), BlockDataset(blocks, y)


def make(plan, data, n_train=44, **settings):
    settings = {
        "loss": cross_entropy,
        "seed": 3,
        "lr": 1e-2,
        "weight_decay": 0.1,
        "batch_size": 16,
        "max_epochs": 6,
        **settings,
    }
    return Member(plan, data.view(np.arange(n_train)), data.view(np.arange(44, 60)), **settings)


def at(member, folder):
    return dataclasses.replace(member, checkpoint_dir=str(folder))


def rows(net):
    return [{k: v for k, v in row.items() if k != "dur"} for row in net.history]


def check_same(net, other):
    states = net.module_.state_dict(), other.module_.state_dict()
    assert states[0].keys() == states[1].keys()
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())
    assert rows(net) == rows(other)


def check_results(results, others):
    for one, other in zip(results, others, strict=True):
        assert (one.how, type(one.error), str(one.error)) == (
            other.how,
            type(other.error),
            str(other.error),
        )
        if other.error is None:
            check_same(one.net, other.net)


class Break:
    """Lets some saves through, and then Ctrl-C comes: right after one, or in its midst."""

    def __init__(self, monkeypatch):
        self.patch = monkeypatch
        self.saves, self.most, self.midway = [], None, False
        monkeypatch.setattr(file, "SECONDS", 0)
        self.save, self.replace = file.CheckpointFile.save, os.replace
        monkeypatch.setattr(file.CheckpointFile, "save", lambda *args: self.count(*args))

    def count(self, checkpoint, state):
        last = self.most is not None and len(self.saves) + 1 >= self.most
        if last and self.midway:
            self.patch.setattr(os, "replace", self.interrupt)
        self.save(checkpoint, state)
        self.saves.append(state)
        if last:
            self.interrupt()

    def interrupt(self, *args):
        raise KeyboardInterrupt

    def run(self, function, n, midway=False):
        """Run until save number n."""
        self.saves, self.most, self.midway = [], n, midway
        with pytest.raises(KeyboardInterrupt):
            function()
        self.patch.setattr(os, "replace", self.replace)
        self.saves, self.most = [], None


@pytest.fixture
def broken(monkeypatch):
    return Break(monkeypatch)


# -- a network alone -----------------------------------------------------------------------------


# with random draws, memory of rows, buffers, or nothing besides weights
@pytest.mark.parametrize("fusion", ["concat", "poe", "quality_aware", "reinforced"])
def test_fusions_resume_to_the_same_bits(fusion, broken, tmp_path):
    member = make(*setup(fusion=fusion))
    whole = train_network(member)
    member = at(member, tmp_path)
    broken.run(functools.partial(train_network, member), 2)
    check_same(train_network(member), whole)
    assert len(broken.saves) == 5  # four epochs that were left, and the end
    check_same(train_network(member), whole)
    assert len(broken.saves) == 5


OPTIONS = {
    "best weights come back": {"patience": 2, "max_epochs": 40, "lr": 0.05},
    "schedule": {"lr_schedule": "cosine", "warmup": 0.2, "clip_norm": 0.1},
    "momentum": {"net_params": {"optimizer": torch.optim.SGD, "optimizer__momentum": 0.9}},
    "loss with options": {"loss": functools.partial(focal, gamma=1.0)},
}


@pytest.mark.parametrize("midway", [False, True])
@pytest.mark.parametrize("name", OPTIONS)
def test_training_resumes_with_various_settings(name, midway, broken, tmp_path):
    member = make(*setup(), **OPTIONS[name])
    whole = train_network(member)
    n = len(whole.history)
    assert n > 3
    for i, last in enumerate((2, n - 1, n)):
        here = at(member, tmp_path / str(i))
        broken.run(functools.partial(train_network, here), last, midway)
        check_same(train_network(here), whole)


def test_training_resumes_after_several_kills(broken, tmp_path):
    member = make(*setup(), patience=4, max_epochs=12)
    whole = train_network(member)
    member = at(member, tmp_path)
    for n in (3, 1, 2):
        broken.run(functools.partial(train_network, member), n)
    check_same(train_network(member), whole)


def test_rare_saves_do_not_change_the_result(broken, tmp_path, monkeypatch):
    member = make(*setup(), max_epochs=8)
    whole = train_network(member)
    member, due = at(member, tmp_path), iter([False, True, False, False])
    monkeypatch.setattr(file.CheckpointFile, "due", lambda self: next(due, True))
    broken.run(functools.partial(train_network, member), 2)  # the second and the fifth epoch
    check_same(train_network(member), whole)
    assert len(broken.saves) == 4
    monkeypatch.undo()
    slow = at(member, tmp_path / "slow")
    train_network(slow)
    assert file.SECONDS == 1
    [path] = (tmp_path / "slow").iterdir()
    assert torch.load(path, weights_only=True)["state"]["ended"] is True


def table(n=60, seed=0):
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(rng.normal(size=(n, 3)), columns=["text__a", "text__b", "voice__c"])
    X.loc[::7, "voice__c"] = np.nan
    return X, X["text__a"] + X["voice__c"].fillna(0)


CHEAP = {"max_epochs": 6, "hidden_size": 8, "random_state": 0}


@pytest.mark.parametrize(
    "options",
    [
        {"self_supervised": "tone", "n_iter_no_change": 2, "lr": 0.03, "max_epochs": 12},
        {"task_weights": "learned"},
        {"unimodal_targets": {"label": "text"}, "fusion": "decision"},
    ],
)
def test_several_targets_and_parts_that_remember_rows(options, broken, tmp_path):
    X, tone = table()
    y = pd.DataFrame({"tone": tone, "label": np.where(tone > 0, "up", "down")})
    y.loc[::5, "tone"] = np.nan
    whole = FusionMultitask(**{**CHEAP, **options}).fit(X, y)
    model = FusionMultitask(**{**CHEAP, **options}, checkpoint_dir=tmp_path)
    broken.run(lambda: model.fit(X, y), 3)
    check_same(model.fit(X, y).net_, whole.net_)
    if "self_supervised" in options:
        part = model.net_.module_.unimodal[0]
        assert (part.memory.made == whole.net_.module_.unimodal[0].memory.made).all()


def test_a_finished_network_is_found_and_pickles(tmp_path):
    X, tone = table()
    folder = tmp_path / "not" / "there"
    model = FusionRegressor(**CHEAP, checkpoint_dir=folder).fit(X, tone)
    again = FusionRegressor(**CHEAP, checkpoint_dir=str(folder), verbose=0).fit(X, tone)
    assert model.net_.history == again.net_.history  # durations, too: nothing was trained
    expected = model.predict(X)
    assert (again.predict(X) == expected).all()
    assert (pickle.loads(pickle.dumps(again)).predict(X) == expected).all()
    assert (FusionRegressor(**CHEAP).fit(X, tone).predict(X) == expected).all()
    assert len(list(folder.iterdir())) == 1


@pytest.fixture
def ctrl_c():
    """Ctrl-C as in a terminal; what runs in the background may ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ctrl_c")
def test_global_state_is_untouched(broken, tmp_path, global_states):
    member = at(make(*setup()), tmp_path)
    before = global_states()
    broken.run(functools.partial(train_network, member), 2)
    train_network(member)
    assert global_states() == before
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


class Spy(Callback):
    def on_train_begin(self, net, **kwargs):
        self.seen = []

    def on_epoch_end(self, net, **kwargs):
        self.seen.append(net.history[-1, "epoch"])


def test_with_stateful_callbacks_training_starts_again(broken, tmp_path):
    X, y = table()
    spy = Spy()
    whole = FusionRegressor(**CHEAP, callbacks=[spy]).fit(X, y)
    model = FusionRegressor(**CHEAP, checkpoint_dir=tmp_path, callbacks=[spy])
    broken.run(lambda: model.fit(X, y), 1)  # the end: nothing was saved before
    check_same(model.fit(X, y).net_, whole.net_)
    scheduled = make(*setup(), callbacks=[LRScheduler("StepLR", step_size=2)])
    train_network(at(scheduled, tmp_path / "other"))
    assert broken.saves[-1]["ended"]
    assert len(broken.saves) == 1


class AsksToStop(Callback):
    def on_epoch_end(self, net, **kwargs):
        if len(net.history) == 3:
            raise KeyboardInterrupt


class PressesCtrlC(Callback):
    pressed = False

    def on_epoch_end(self, net, **kwargs):
        if len(net.history) == 4 and not PressesCtrlC.pressed:
            PressesCtrlC.pressed = True
            signal.raise_signal(signal.SIGINT)


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_in_a_callback_is_no_request_to_stop(broken, tmp_path):
    stopped = at(make(*setup(), callbacks=[AsksToStop()]), tmp_path)
    assert [len(train_network(stopped).history) for _ in range(2)] == [3, 3]
    member = make(*setup(), callbacks=[PressesCtrlC()])
    with pytest.raises(KeyboardInterrupt):
        train_network(at(member, tmp_path))
    net = train_network(at(member, tmp_path))
    assert len(net.history) == 6
    check_same(net, train_network(member))


def test_threads_other_than_the_main_one_can_train(tmp_path):
    member, nets = at(make(*setup()), tmp_path), []
    thread = threading.Thread(target=lambda: nets.append(train_network(member)))
    thread.start()
    thread.join()
    check_same(nets[0], train_network(member))


# -- stacks --------------------------------------------------------------------------------------


def unequal():
    """Members that stop at different epochs, of different lengths, some reading the same rows."""
    plan, data = setup()
    wrong = data.view(targets=1 - data.targets.numpy())
    return [
        dataclasses.replace(
            make(plan, data, 44 - 5 * (i // 2), seed=i // 2, lr=0.01 * (i + 1), patience=patience,
                 max_epochs=9 + i % 2, lr_schedule="cosine" if i == 2 else None),
            valid=(wrong if i % 2 else data).view(np.arange(44, 60)),
        )
        for i, patience in enumerate([2, 2, 8, 5, 1, None])
    ]  # fmt: skip


@pytest.mark.parametrize("midway", [False, True])
def test_an_interrupted_stack_starts_again_and_a_finished_one_is_found(midway, broken, tmp_path):
    members = unequal()
    whole = train_members(members, batched=True)
    assert len({len(result.net.history) for result in whole}) > 3
    assert {result.how for result in whole} == {"stacked with 5 others"}
    members = [at(member, tmp_path) for member in members]
    broken.run(lambda: train_members(members, batched=True), 1, midway)
    check_results(train_members(members, batched=True), whole)
    assert len(broken.saves) == midway
    check_results(train_members(members, batched=True), whole)
    assert len(broken.saves) == midway


def test_a_diverged_member_stays_diverged_when_resumed(tmp_path):
    plan, data = setup()
    data.targets = data.targets.float().unsqueeze(1).expand(-1, 2).contiguous()
    members = [
        make(plan, data, loss=squared_error, lr=lr, seed=i)
        for i, lr in enumerate([1e-2, 1e30, 1e-3])
    ]
    whole = train_members(members, batched=True)
    assert isinstance(whole[1].error, DivergenceError)
    members = [at(member, tmp_path) for member in members]
    for _ in range(2):
        check_results(train_members(members, batched=True), whole)


def test_finished_groups_are_not_trained_again(broken, tmp_path):
    plan, data = setup()
    narrow = dataclasses.replace(plan, width=6)
    members = [make(p, data, seed=i) for p in (plan, narrow) for i in range(3)]
    members.append(make(plan, data, callbacks=[AsksToStop()]))
    members = [at(member, tmp_path) for member in members]
    whole = train_members([at(member, tmp_path / "whole") for member in members], batched=True)
    broken.run(lambda: train_members(members, batched=True), 3 + 1)  # alone, and a stack
    check_results(train_members(members, batched=True), whole)
    assert len(broken.saves) == 1


def test_measurements_are_reused_when_resumed(broken, tmp_path, monkeypatch):
    plan, data = setup()
    members = [make(plan, data, seed=i, max_epochs=34) for i in range(3)]
    here = [at(member, tmp_path) for member in members]
    gains = iter([3.0, 0.5])
    monkeypatch.setattr(members_train, "_gains", {})
    monkeypatch.setattr(members_train, "measure_gain", lambda members, nets: next(gains))
    broken.run(lambda: train_members(here), 1, midway=True)
    members_train._gains.clear()  # another process
    results = train_members(here)
    assert {result.how for result in results} == {"stacked with 2 others"}
    others = [make(plan, data, seed=i + 5, max_epochs=34) for i in range(3)]
    assert train_members(others)[0].how == results[0].how  # one decision for the whole search
    check_results(results, train_members(members, batched=True))
    assert next(gains) == 0.5


def test_a_stack_that_was_halved_is_halved_again(broken, tmp_path, monkeypatch):
    plan, data = setup()
    members = [at(make(plan, data, seed=i), tmp_path) for i in range(4)]
    usual = members_train.Training

    class Short(usual):
        def __init__(self, members, nets):
            if len(members) > 2:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
            super().__init__(members, nets)

    monkeypatch.setattr(members_train, "Training", Short)
    broken.run(lambda: train_members(members, batched=True), 1)
    monkeypatch.setattr(members_train, "Training", usual)
    assert {r.how for r in train_members(members, batched=True)} == {"stacked with 1 others"}


def test_members_with_and_without_checkpoints_are_not_stacked(tmp_path):
    plan, data = setup()
    folders = [None, tmp_path / "a", tmp_path / "b", None, tmp_path / "a"]
    members = [
        dataclasses.replace(make(plan, data, seed=i), checkpoint_dir=folder and str(folder))
        for i, folder in enumerate(folders)
    ]
    results = train_members(members, batched=True)
    assert [r.how for r in results] == [
        *("stacked with 1 others", "stacked with 1 others", "trained alone: no compatible member"),
        *("stacked with 1 others", "stacked with 1 others"),
    ]
    assert len(list((tmp_path / "b").iterdir())) == 1


# -- only the same training is resumed -----------------------------------------------------------


def local_loss():
    return lambda outputs, targets: cross_entropy(outputs, targets)


CHANGES = {
    "seed": 4,
    "lr": 2e-2,
    "weight_decay": 0.0,
    "batch_size": 15,
    "max_epochs": 7,
    "patience": 3,
    "clip_norm": 1.0,
    "lr_schedule": "linear",
    "warmup": 0.1,
    "loss": functools.partial(focal, gamma=1.0),
    "callbacks": [AsksToStop()],
    "net_params": {"iterator_train__x": 1},
    "valid": None,
}


def test_every_difference_changes_the_digest(tmp_path):
    plan, data = setup()
    member = make(plan, data)
    keys = {member.key()}
    keys |= {dataclasses.replace(member, **{k: v}).key() for k, v in CHANGES.items()}
    plans = [
        dataclasses.replace(plan, width=10),
        dataclasses.replace(plan, dropout=0.3),
        dataclasses.replace(plan, fusion=(FUSIONS["gated"], {})),
        dataclasses.replace(plan, encoders=((ENCODERS["mlp"], {"hidden": (4,)}),) * 2),
        dataclasses.replace(plan, statistics=tuple((m + 1, s) for m, s in plan.statistics)),
    ]
    keys |= {dataclasses.replace(member, plan=other).key() for other in plans}
    tables = [copy.deepcopy(data) for _ in range(5)]
    tables[0].values[0][0, 0] += 1
    tables[1].present[0, 0] ^= True
    tables[2].steps[1][0, 0] ^= True
    tables[3].targets[0] = 1 - tables[3].targets[0]
    tables[4].weights[0] = 2
    keys |= {make(plan, table).key() for table in tables}
    keys |= {make(plan, data, 43).key()}
    assert len(keys) == 1 + len(CHANGES) + len(plans) + len(tables) + 1
    assert None not in keys
    # and what does not matter has the same
    assert make(*setup(), verbose=1, checkpoint_dir="x").key({}) == member.key()
    train_network(at(member, tmp_path))
    for name in ("seed", "lr"):
        changed = dataclasses.replace(member, **{name: CHANGES[name]})
        check_same(train_network(at(changed, tmp_path)), train_network(changed))
    assert len(list(tmp_path.iterdir())) == 3


def test_digests_distinguish_values_and_types():
    values = [1, 1.0, "1", b"1", True, None, (1,), [1], [[1]], {1}, {1: 1}, {"a": 1, "b": 2}]
    values += [
        np.zeros(2),
        np.zeros(2, "float32"),
        np.zeros((2, 1)),
        torch.zeros(2),
        FusionRegressor,
    ]
    values += [("a", "bc"), ("ab", "c"), slice(1), cross_entropy, focal, FusionRegressor(lr=1.0)]
    values += [torch.zeros(1, 2), torch.zeros(2, 1), torch.zeros(2, dtype=torch.bfloat16), dict]
    digests = [digest(value) for value in values]
    assert len(set(digests)) == len(values)
    assert [digest(value) for value in values] == digests
    assert digest({"b": 2, "a": 1}) == digest({"a": 1, "b": 2})
    assert digest(np.float64(0.1)) == digest(0.1)
    assert digest(torch.arange(6).view(2, 3).T) == digest(torch.arange(6).view(2, 3).T.contiguous())


def test_values_without_a_digest_raise_an_error(tmp_path):
    X, y = table()
    for state in (None, np.random.RandomState(0)):
        model = FusionRegressor(random_state=state, checkpoint_dir=tmp_path)
        with pytest.raises(
            ValueError, match="FusionRegressor: checkpoint_dir needs an integer random_state"
        ):
            model.fit(X, y)
    model = FusionRegressor(random_state=0, checkpoint_dir=tmp_path, loss=local_loss())
    with pytest.raises(
        ValueError, match=r"checkpoint_dir: loss holds local_loss.<locals>.<lambda>"
    ):
        model.fit(X, y)

    class Local(FUSIONS["concat"]):
        pass

    model.set_params(loss="huber", fusion=Local)
    with pytest.raises(ValueError, match=r"checkpoint_dir: fusion holds .*<locals>.Local"):
        model.fit(X, y)
    model.set_params(fusion="sum", net_params={"odd": threading.Lock()})
    with pytest.raises(
        ValueError, match="checkpoint_dir: net_params holds an object of type _threa"
    ):
        model.fit(X, y)
    loop = []
    loop.append(loop)
    with pytest.raises(ValueError, match="contains itself"):
        digest(loop)
    plan, data = setup()
    members = [at(make(plan, data, seed=i), tmp_path) for i in range(2)]
    bad = dataclasses.replace(members[0], loss=local_loss())
    results = train_members([bad, *members], batched=True)
    assert [type(result.error) for result in results] == [ValueError, type(None), type(None)]
    assert results[0].how.startswith("not trained")


# -- broken and foreign files --------------------------------------------------------------------


class Evil:
    """Runs something where it is unpickled."""

    def __reduce__(self):
        return os.mkdir, ("evil",)


def spoil(path, how):
    good = path.read_bytes()
    read = torch.load(path, weights_only=True)
    if how == "cut":
        path.write_bytes(good[: len(good) // 2])
    elif how == "empty":
        path.write_bytes(b"")
    elif how == "noise":
        path.write_bytes(bytes(range(256)) * 40)
    elif how == "evil":
        torch.save({**read, "state": Evil()}, path)
    elif how == "foreign":
        torch.save({**read, "key": "0" * 32}, path)
    elif how == "list":
        torch.save([1, 2], path)
    else:
        state = dict(read["state"])
        how(state)
        torch.save({**read, "state": state}, path)


def drop(name):
    def change(state):
        del state[name]

    return change


def put(name, value):
    def change(state):
        state[name] = value

    return change


BROKEN = ["cut", "empty", "noise", "evil", "foreign", "list"]
SINGLE = [*map(drop, ("objective", "optimizer", "order", "random", "history", "ended"))]
SINGLE += [drop("early_stopping")]
SINGLE += [
    put("objective", {"weight": torch.zeros(3)}),
    put("order", torch.zeros(3)),
    put("history", 7),
]
SINGLE += [put("optimizer", {"state": {}, "param_groups": []}), put("random", {"cpu": None})]


def named(how):
    return how if isinstance(how, str) else "changed"


@pytest.mark.parametrize("how", [*BROKEN, *SINGLE], ids=named)
def test_a_broken_file_warns_and_is_replaced(how, broken, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    member = make(*setup(), patience=3)
    whole = train_network(member)
    member = at(member, tmp_path / "here")
    broken.run(functools.partial(train_network, member), 2)
    [path] = (tmp_path / "here").iterdir()
    spoil(path, how)
    with pytest.warns(
        UserWarning, match=r"checkpoint_dir: the file '.*pt' .*It is replaced, and tr"
    ):
        check_same(train_network(member), whole)
    assert not (tmp_path / "evil").exists()
    check_same(train_network(member), whole)


STACK = [*map(drop, ("weights", "histories", "errors"))]
STACK += [put("weights", [torch.zeros(2)] * 3), put("weights", []), put("histories", [3, 3, 3])]
STACK += [put("errors", {7: "no such net"})]


@pytest.mark.parametrize("how", [*BROKEN, *STACK], ids=named)
def test_a_broken_file_of_a_stack_warns_and_is_replaced(how, broken, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    plan, data = setup()
    members = [make(plan, data, seed=i) for i in range(3)]
    whole = train_members(members, batched=True)
    members = [at(member, tmp_path / "here") for member in members]
    train_members(members, batched=True)
    [path] = (tmp_path / "here").glob("*.pt")
    spoil(path, how)
    with pytest.warns(
        UserWarning, match=r"checkpoint_dir: the file '.*pt' .*It is replaced, and tr"
    ):
        check_results(train_members(members, batched=True), whole)
    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"what": "else"}', "\x00"])
def test_a_broken_measurement_file_is_replaced(text, tmp_path):
    plan, data = setup()
    members = [at(make(plan, data, seed=i), tmp_path) for i in range(2)]
    whole = train_members(members, batched=True)
    [path] = tmp_path.glob("*.json")
    path.write_text(text)
    with pytest.warns(UserWarning, match=r"json' is broken or not a checkpoint"):
        check_results(train_members(members, batched=True), whole)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        train_members(members, batched=True)


def test_a_folder_that_cannot_be_written_raises_an_error(tmp_path):
    plan, data = setup()
    place = tmp_path / "file"
    place.write_text("")
    single = at(make(plan, data), place)
    with pytest.raises(
        CheckpointError, match=r"checkpoint_dir: '.*' cannot be written .*Choose a w"
    ):
        train_network(single)
    with pytest.raises(CheckpointError, match="cannot be written"):
        train_members([single, dataclasses.replace(single, seed=5)], batched=True)
    assert place.read_text() == ""


class Odd(Callback):
    def on_epoch_end(self, net, **kwargs):
        net.history.record("score", np.float64(0.25))
        if len(net.history) == 2:
            net.history.record("odd", object())


def test_numpy_scalars_can_be_saved_and_other_objects_raise_an_error(broken, tmp_path):
    member = at(make(*setup(), callbacks=[Odd()]), tmp_path)
    with pytest.raises(ValueError, match=r"history, odd, holds an object of type object"):
        train_network(member)
    assert broken.saves[0]["history"][0]["score"] == 0.25


# -- a real kill ---------------------------------------------------------------------------------

SCRIPT = """
import sys
import numpy as np, pandas as pd
from sklearn_mmsent import FusionClassifier
from sklearn_mmsent.training.checkpoint import file

def fit(folder):
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(200, 2)), columns=["text__tone", "face__smile"])
    y = np.where(X.sum(axis=1) + rng.normal(size=200) > 0, "up", "down")
    options = dict(max_epochs=60, n_iter_no_change=60, hidden_size=8, random_state=0)
    clf = FusionClassifier(**options, checkpoint_dir=folder).fit(X, y)
    return clf.net_

if __name__ == "__main__":
    file.SECONDS = 0.02
    fit(sys.argv[1])
"""


def test_a_killed_fit_resumes(tmp_path):
    command = [sys.executable, "-c", SCRIPT, str(tmp_path)]
    with subprocess.Popen(command, env={**os.environ, "OMP_NUM_THREADS": "1"}) as process:
        while not list(tmp_path.glob("*.pt")):
            assert process.poll() is None
            time.sleep(0.002)
        time.sleep(0.1)
        process.kill()
    assert process.returncode == -signal.SIGKILL
    [path] = tmp_path.glob("*.pt")
    state = torch.load(path, weights_only=True)["state"]
    assert not state["ended"]
    space = {"__name__": "script"}
    exec(SCRIPT, space)
    net = space["fit"](tmp_path)
    check_same(net, space["fit"](None))
    durations = [row["dur"] for row in state["history"]]
    assert net.history[: len(durations), "dur"] == durations  # of the run that was killed


def test_balanced_batches_change_the_digest():
    plan, data = setup()
    classes = data.targets.numpy()
    plain = make(plan, data)
    keys = [
        dataclasses.replace(plain, train=data.view(np.arange(44), classes=of)).key()
        for of in (None, classes[:44], 1 - classes[:44])
    ]
    assert len(set(keys)) == 3
    assert keys[0] == plain.key()
