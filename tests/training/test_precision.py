"""Training in bfloat16: every fusion and encoder, and where float32 stays."""

import contextlib
import dataclasses
import pickle

import numpy as np
import pytest
import torch

from sklearn_mmsent import FusionClassifier, FusionMultitask, FusionRegressor
from sklearn_mmsent.nn import ENCODERS, FUSIONS
from sklearn_mmsent.nn.attention import add_positions
from sklearn_mmsent.nn.encoders.pretrained import PretrainedTextEncoder
from sklearn_mmsent.nn.encoders.transformer import positions
from sklearn_mmsent.training import precision
from sklearn_mmsent.training.net import FusionNet

SETTINGS = {"max_epochs": 2, "random_state": 0, "hidden_size": 8, "dropout": 0.0, "device": "cpu"}


def pair(cls, X, y, **params):
    """The same estimator, trained in both precisions."""
    return [
        cls(precision=bits, **{**SETTINGS, **params}).fit(X, y) for bits in ("float32", "bfloat16")
    ]


def check_near(full, half, X, rtol=0.02, atol=0.1):
    for name in ("train_loss", "valid_loss"):
        expected = full.net_.history[:, name]
        np.testing.assert_allclose(half.net_.history[:, name], expected, rtol=rtol, atol=0.01)
    assert half.net_.history[:, "train_loss"] != full.net_.history[:, "train_loss"]
    results = [model._outputs(X) for model in (full, half)]
    np.testing.assert_allclose(results[1], results[0], atol=atol)
    assert {p.dtype for p in half.net_.module_.parameters()} == {torch.float64}
    assert {b.dtype for b in half.net_.module_.buffers() if b.is_floating_point()} <= {
        torch.float64
    }
    assert (pickle.loads(pickle.dumps(half))._outputs(X) == results[1]).all()


@pytest.mark.parametrize("cls", [FusionClassifier, FusionRegressor])
@pytest.mark.parametrize("fusion", FUSIONS)
def test_every_fusion(named_table, fusion, cls):
    X, y, _ = named_table(60, {"text": 4, "face": (4, 3), "audio": (5, 2)}, missing=0.3)
    y = np.searchsorted(["neg", "neu", "pos"], y)
    # "reinforced" draws gates, of which a few fall to the other side
    rtol = 0.1 if fusion == "reinforced" else 0.02
    check_near(*pair(cls, X, y, fusion=fusion, lr=1e-3), X, rtol)


SHAPES = {1: 4, 2: (6, 3), 3: (2, 9, 8)}
READS = [(name, d) for name, cls in ENCODERS.items() if not cls.raw for d in cls.takes]


@pytest.mark.parametrize("fusion", ["concat", "mult"])
@pytest.mark.parametrize(("name", "n_dimensions"), READS)
def test_every_encoder(named_table, name, n_dimensions, fusion):
    if fusion == "mult" and not hasattr(ENCODERS[name], "tokens"):
        pytest.skip("gives no sequence")
    X, y, _ = named_table(60, {"face": SHAPES[n_dimensions], "text": 4}, missing=0.3)
    models = pair(FusionClassifier, X, y, fusion=fusion, encoders={"face": name}, lr=1e-3)
    check_near(*models, X)


@pytest.mark.parametrize(
    "params",
    [
        {"task_weights": "learned"},
        {"self_supervised": "tone"},
        {"fusion": "quality_aware"},
    ],
)
def test_several_targets(named_table, params):
    X, y, _ = named_table(60, {"text": 4, "face": (4, 3)}, missing=0.3)
    table = X.iloc[:, :0].assign(label=y, tone=np.searchsorted(["neg", "neu", "pos"], y) - 1.0)
    check_near(*pair(FusionMultitask, X, table, lr=1e-3, **params), X)


def test_layers_compute_in_16_bits_and_losses_in_32(named_table):
    seen = {"layers": set(), "losses": set(), "gradients": set()}

    class Watched(FUSIONS["misa"]):
        def __init__(self, *args):
            super().__init__(*args)
            self.shared.register_forward_hook(
                lambda layer, args, out: seen["layers"].add((self.training, out.dtype))
            )

        def auxiliary_loss(self, intermediates, batch):
            seen["losses"] |= {part.dtype for part in intermediates[:3]}
            loss = super().auxiliary_loss(intermediates, batch)
            seen["losses"].add(loss.dtype)
            return loss

    def loss(outputs, targets):
        seen["losses"].add(outputs.dtype)
        return torch.nn.functional.cross_entropy(outputs, targets, reduction="none")

    class Spy(torch.optim.AdamW):
        def step(self, closure=None):
            for group in self.param_groups:
                seen["gradients"] |= {p.grad.dtype for p in group["params"] if p.grad is not None}
            super().step(closure)

    X, y, _ = named_table(60)
    params = {"fusion": Watched, "loss": loss, "net_params": {"optimizer": Spy}, "device": "cpu"}
    FusionClassifier(max_epochs=1, precision="bfloat16", **params).fit(X, y).predict(X)
    assert seen["layers"] >= {(True, torch.bfloat16), (False, torch.bfloat16)}
    assert seen["losses"] == {torch.float32}
    assert seen["gradients"] == {torch.float32}
    seen["layers"].clear()
    FusionClassifier(max_epochs=1, **params).fit(X, y).predict(X)
    assert {dtype for _, dtype in seen["layers"]} == {torch.float32, torch.float64}


def test_positions_of_long_sequences_differ_in_bfloat16():
    states = torch.zeros(1, 400, 16, dtype=torch.bfloat16)
    torch.testing.assert_close(positions(states), positions(states.float()))
    real = torch.ones(1, 400, dtype=torch.bool)
    expected = add_positions(states.float(), real)
    torch.testing.assert_close(add_positions(states, real).float(), expected)


# -- the choice ----------------------------------------------------------------------------------


@dataclasses.dataclass
class Plan:
    encoders: tuple


@pytest.mark.parametrize("native", [True, False])
@pytest.mark.parametrize("device", ["cpu", "cuda", "cuda:0"])
def test_auto_uses_bfloat16_for_pretrained_encoders_on_cuda(monkeypatch, device, native):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: native)
    monkeypatch.setattr(torch.cuda, "device", contextlib.nullcontext)
    small, large = (
        Plan(((ENCODERS["mlp"], {}), (last, {})))
        for last in (ENCODERS["gru"], PretrainedTextEncoder)
    )
    assert precision.choose_precision("auto", small, device) == "float32"
    expected = "bfloat16" if native and device != "cpu" else "float32"
    assert precision.choose_precision("auto", large, device) == expected
    for bits in ("float32", "bfloat16"):
        assert precision.choose_precision(bits, large, device) == bits


@pytest.mark.parametrize("breaks", [RuntimeError("no such type"), None])
def test_a_device_without_bfloat16_raises_an_error(monkeypatch, named_table, breaks):
    def autocast(bits, device):
        if breaks is not None:
            raise breaks
        return torch.autocast("cpu", torch.bfloat16, enabled=False)

    monkeypatch.setattr(precision, "autocast", autocast)
    X, y, _ = named_table(30)
    with pytest.raises(ValueError, match="precision='bfloat16' cannot be used on the device 'cpu'"):
        FusionClassifier(precision="bfloat16", device="cpu", max_epochs=1).fit(X, y)
    FusionClassifier(precision="float32", device="cpu", max_epochs=1).fit(X, y)


def test_a_fitted_net_predicts_in_full_precision(named_table):
    X, y, _ = named_table(60)
    clf = FusionClassifier(precision="bfloat16", **SETTINGS).fit(X, y)
    assert clf.net_.precision == "float32"
    assert FusionNet(torch.nn.Identity, loss=None).precision == "float32"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU: no CUDA device here")
@pytest.mark.parametrize("fusion", FUSIONS)
def test_every_fusion_on_a_gpu(named_table, fusion):
    X, y, _ = named_table(60, {"text": 4, "face": (4, 3), "audio": (5, 2)}, missing=0.3)
    params = {**SETTINGS, "device": "cuda", "fusion": fusion}
    clf = FusionClassifier(precision="bfloat16", encoders={"face": "gru"}, **params).fit(X, y)
    assert np.isfinite(clf.predict_proba(X)).all()
