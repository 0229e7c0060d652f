"""Compiled training: the same as without, and nothing of it left behind."""

import copy
import dataclasses
import os
import pickle
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from sklearn_mmsent import FusionClassifier
from sklearn_mmsent.nn.losses import cross_entropy
from sklearn_mmsent.training import Member
from sklearn_mmsent.training.batched.train_members import _reason_alone
from sklearn_mmsent.training.compilation import CompilationError
from sklearn_mmsent.training.net import FusionNet

pytestmark = [
    pytest.mark.skipif(
        shutil.which(os.environ.get("CXX", "g++")) is None, reason="needs a C++ compiler"
    ),
    # of torch's own at other parts of itself, when its compiler is imported; gone with torch.jit
    pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning"),
]
SETTINGS = {"max_epochs": 2, "random_state": 0, "hidden_size": 8, "dropout": 0.0, "device": "cpu"}


@pytest.fixture(name="versions")
def _versions():
    """How many graphs were compiled."""
    from torch._dynamo.utils import counters

    torch._dynamo.reset()
    counters.clear()
    yield lambda: counters["stats"]["unique_graphs"]
    torch._dynamo.reset()


def test_equals_training_as_it_is_written(named_table, versions):
    X, y, _ = named_table(75, {"text": 4, "face": 3}, missing=0.3)  # batches of 32, 32, 3
    plain = FusionClassifier(**SETTINGS).fit(X, y)
    clf = FusionClassifier(compile=True, **SETTINGS).fit(X, y)
    assert versions() == 2
    np.testing.assert_allclose(clf.predict_proba(X), plain.predict_proba(X), atol=1e-5)
    for name in ("train_loss", "valid_loss"):
        assert clf.net_.history[:, name] == pytest.approx(plain.net_.history[:, name], abs=1e-5)
    module = clf.net_.module_
    assert type(module) is type(plain.net_.module_)
    assert list(module.state_dict()) == list(plain.net_.module_.state_dict())
    assert module._compiled_call_impl is None
    for twin in (pickle.loads(pickle.dumps(clf)), copy.deepcopy(clf)):
        assert (twin.predict_proba(X) == clf.predict_proba(X)).all()
    FusionClassifier(compile=True, **{**SETTINGS, "random_state": 1}).fit(X, y)
    assert versions() == 2  # nor did predictions compile, and other weights are the same code


def test_without_a_compiler_it_says_so(named_table, monkeypatch, versions):
    import torch._inductor.config

    monkeypatch.setattr(torch._inductor.config.cpp, "cxx", (None, "no-such-compiler"))
    monkeypatch.setattr(torch._inductor.config, "force_disable_caches", True)
    X, y, _ = named_table(40, {"text": 4})
    with pytest.raises(CompilationError, match=r"compile=True: torch cannot compile .* 'cpu'"):
        FusionClassifier(compile=True, **SETTINGS).fit(X, y)


def test_only_the_network_is_compiled():
    net = FusionNet(torch.nn.Linear, module__in_features=1, module__out_features=1, loss=None)
    net.set_params(compile=True)
    criterion = torch.nn.Linear(1, 1)
    assert net.torch_compile(criterion, "criterion") is criterion
    assert criterion._compiled_call_impl is None
    module = torch.nn.Linear(1, 1)
    assert net.torch_compile(module, "module") is module
    assert module._compiled_call_impl is not None


def test_members_that_are_compiled_train_alone():
    member = Member(None, None, None, cross_entropy, 0, 1e-3, 0.0, 32, 1)
    member = dataclasses.replace(member, plan=SimpleNamespace(encoders=()))
    assert _reason_alone(member) is None
    assert _reason_alone(dataclasses.replace(member, compile=True)) == "it is compiled"
