"""Each encoder against its equations, written out row by row and step by step in float64."""

import copy
import math
import pickle

import numpy as np
import pytest
import torch

from sklearn_mmsent.nn import ENCODERS, Encoder
from sklearn_mmsent.nn.dropout import StepDropout

B, T, F, D = 6, 7, 3, 4

# each encoder with each way of its options, over a sequence
SEQUENCE = {
    "mlp": ("mlp", {}),
    "mean": ("mean", {}),
    "attentive": ("attentive", {}),
    "attentive mean": ("attentive", {"statistics": False}),
    "conv1d": ("conv1d", {"channels": (5, 6), "kernel_size": 3}),
    "conv1d max": ("conv1d", {"channels": (5, 6), "kernel_size": (4, 3), "pooling": "max"}),
    "conv1d stride": (
        "conv1d",
        {"channels": (5, 6), "kernel_size": (5, 2), "stride": (2, 1), "pool": (1, 3)},
    ),
    "conv2d": ("conv2d", {"channels": (4, 5)}),
    "gru": ("gru", {}),
    "gru deep": ("gru", {"n_layers": 2, "pooling": "mean"}),
    "gru one way": ("gru", {"bidirectional": False, "pooling": "attention"}),
    "lstm": ("lstm", {"n_layers": 2}),
    "lstm one way": ("lstm", {"bidirectional": False, "pooling": "mean"}),
    "transformer": ("transformer", {"n_heads": 2}),
    "transformer cls": ("transformer", {"n_layers": 1, "n_heads": 3, "pooling": "cls"}),
}
OWN_TESTS = {"pretrained_image", "pretrained_speech", "pretrained_text"}  # test_pretrained*.py
assert {name for name, _ in SEQUENCE.values()} == {
    n for n in ENCODERS.keys() - OWN_TESTS if 2 in ENCODERS[n].takes
}
IMAGE = {"mlp": ("mlp", {"hidden": (5, 6)}), "conv2d": ("conv2d", {"channels": (4, 5)})}
CASES = [pytest.param(*case, (T, F), id=f"{name}-sequence") for name, case in SEQUENCE.items()]
CASES += [pytest.param(*case, (2, 5, 3), id=f"{name}-image") for name, case in IMAGE.items()]
OVER_TIME = [case for case in CASES if len(case.values[2]) == 2]


def build(name, options, shape, width=D, dropout=0.0):
    torch.manual_seed(0)
    encoder = ENCODERS[name](shape, width, dropout, **options).double().eval()
    for parameter in encoder.parameters():  # biases of zero would hide much
        parameter.data += 0.1 * torch.randn_like(parameter)
    return encoder


def batch(shape, n=B):
    torch.manual_seed(1)
    values = torch.randn(n, *shape, dtype=torch.float64)
    if len(shape) != 2:
        return values, None
    lengths = torch.tensor([1, 2, 3, shape[0] - 1, shape[0], shape[0]])[:n]
    return values, torch.arange(shape[0]) < lengths[:, None]


# -- references ----------------------------------------------------------------------------------


def arrays(module):
    return {name: value.numpy() for name, value in module.state_dict().items()}


def dense(p, name, x):
    return x @ p[f"{name}.weight"].T + p.get(f"{name}.bias", 0.0)


def relu(x):
    return np.maximum(x, 0)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def normalise(p, name, x):
    mean, var = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
    return (x - mean) / np.sqrt(var + 1e-5) * p[f"{name}.weight"] + p[f"{name}.bias"]


def attention(p, name, h):
    scores = np.array(
        [dense(p, f"{name}.score.2", np.tanh(dense(p, f"{name}.score.0", x)))[0] for x in h]
    )
    return np.exp(scores) / np.exp(scores).sum()


def mlp(p, x, options):
    if x.ndim == 2:
        x = np.concatenate([x.mean(0), np.sqrt(x.var(0) + 1e-8)])
    for i in range(1 + len(options.get("hidden", [D]))):
        x = relu(dense(p, f"layers.{3 * i}", x.ravel()))
    return x, None


def mean(p, x, options):
    h = relu(dense(p, "steps.0", x))
    return h.mean(0), h


def attentive(p, x, options):
    h = relu(dense(p, "steps.0", x))
    a = attention(p, "attention", h)
    m = sum(w * step for w, step in zip(a, h, strict=True))
    squares = sum(w * step**2 for w, step in zip(a, h, strict=True))
    if options.get("statistics", True):
        m = np.concatenate([m, np.sqrt(squares - m**2 + 1e-8)])
    return dense(p, "project", m), h


def conv1d(p, x, options):
    n = len(options["channels"])
    each = {"kernel_size": 5, "stride": 1, "pool": 2, **options}
    each = {k: (v,) * n if isinstance(v, int) else v for k, v in each.items()}
    for i in range(n):
        kernel, stride, pool = (each[k][i] for k in ("kernel_size", "stride", "pool"))
        W, b = p[f"layers.{i}.conv.weight"], p[f"layers.{i}.conv.bias"]
        out = []
        for centre in range(0, len(x), stride):
            y = b.copy()
            for k in range(kernel):
                t = centre - (kernel - 1) // 2 + k
                if 0 <= t < len(x):
                    y += W[:, :, k] @ x[t]
            out.append(relu(normalise(p, f"layers.{i}.norm", y)))
        x = np.array([np.max(out[t : t + pool], axis=0) for t in range(0, len(out), pool)])
    pooled = x.max(0) if options.get("pooling") == "max" else x.mean(0)
    return dense(p, "project", pooled), dense(p, "project", x)


def conv2d(p, x, options):
    is_image = x.ndim == 3
    x = x if is_image else x[None]  # (C, H, W)
    for i in range(len(options["channels"])):
        W, b = p[f"layers.{i}.conv.weight"], p[f"layers.{i}.conv.bias"]
        _, height, width = x.shape
        out = np.zeros((len(b), height, width))
        for r in range(height):
            for c in range(width):
                y = b.copy()
                for dr in (-1, 0, 1):
                    for dc in (-1, 0, 1):
                        if 0 <= r + dr < height and 0 <= c + dc < width:
                            y += W[:, :, dr + 1, dc + 1] @ x[:, r + dr, c + dc]
                out[:, r, c] = relu(normalise(p, f"layers.{i}.norm", y))
        x = np.array(
            [
                [out[:, r : r + 2, c : c + 2].max((1, 2)) for c in range(0, width, 2)]
                for r in range(0, height, 2)
            ]
        ).transpose(2, 0, 1)
    places = x.transpose(1, 2, 0)  # (H, W, C)
    tokens = places.reshape(-1, len(x)) if is_image else places.mean(1)
    return dense(p, "project", places.mean((0, 1))), dense(p, "project", tokens)


def gru_step(p, name, x, h):
    gates_x = p[f"{name}.weight_ih_l0"] @ x + p[f"{name}.bias_ih_l0"]
    gates_h = p[f"{name}.weight_hh_l0"] @ h + p[f"{name}.bias_hh_l0"]
    (rx, zx, nx), (rh, zh, nh) = np.split(gates_x, 3), np.split(gates_h, 3)
    r, z = sigmoid(rx + rh), sigmoid(zx + zh)
    return (1 - z) * np.tanh(nx + r * nh) + z * h


def recurrent(p, x, options, kind):
    n_ways = 2 if options.get("bidirectional", True) else 1
    for layer in range(options.get("n_layers", 1)):
        states, last = [], []
        for way in range(n_ways):
            h, c, out = np.zeros(D), np.zeros(D), []
            name = f"layers.{layer}.{way}"
            for step in x if way == 0 else x[::-1]:
                if kind == "gru":
                    h = gru_step(p, name, step, h)
                else:
                    gates = p[f"{name}.weight_ih_l0"] @ step + p[f"{name}.bias_ih_l0"]
                    gates = gates + p[f"{name}.weight_hh_l0"] @ h + p[f"{name}.bias_hh_l0"]
                    i, f, g, o = np.split(gates, 4)
                    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
                    h = sigmoid(o) * np.tanh(c)
                out.append(h)
            states.append(out if way == 0 else out[::-1])
            last.append(h)
        x = np.concatenate(states, axis=1)
    pooling = options.get("pooling", "last")
    if pooling == "last":
        pooled = np.concatenate(last)
    else:
        pooled = x.mean(0) if pooling == "mean" else attention(p, "attention", x) @ x
    return dense(p, "project", pooled), dense(p, "project", x)


def transformer(p, x, options):
    h = dense(p, "embed", x)
    for t in range(len(h)):
        for i in range(D):
            angle = t / 10000 ** ((i - i % 2) / D)
            h[t, i] += np.cos(angle) if i % 2 else np.sin(angle)
    cls = options.get("pooling") == "cls"
    if cls:
        h = np.concatenate([p["cls"][0], h])
    n_heads = 2  # also the largest up to 3 that divides 4
    for layer in range(options.get("n_layers", 2)):
        name = f"layers.{layer}"
        q, k, v = np.split(
            dense(p, f"{name}.qkv", normalise(p, f"{name}.norm_attention", h)), 3, -1
        )
        looked = np.zeros_like(h)
        for head in np.split(np.arange(D), n_heads):
            scores = q[:, head] @ k[:, head].T / np.sqrt(len(head))
            share = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
            looked[:, head] = share @ v[:, head]
        h = h + dense(p, f"{name}.join", looked)
        hidden = dense(p, f"{name}.feedforward.0", normalise(p, f"{name}.norm_feedforward", h))
        gelu = hidden * (1 + np.vectorize(math.erf)(hidden / np.sqrt(2))) / 2
        h = h + dense(p, f"{name}.feedforward.3", gelu)
    h = normalise(p, "norm", h)
    return (h[0], h[1:]) if cls else (h.mean(0), h)


REFERENCES = {
    "mlp": mlp,
    "mean": mean,
    "attentive": attentive,
    "conv1d": conv1d,
    "conv2d": conv2d,
    "gru": lambda *args: recurrent(*args, kind="gru"),
    "lstm": lambda *args: recurrent(*args, kind="lstm"),
    "transformer": transformer,
}


@pytest.mark.parametrize(("name", "options", "shape"), CASES)
def test_equals_its_equations(name, options, shape):
    encoder, (values, steps) = build(name, options, shape), batch(shape)
    vectors = encoder(values, steps).detach().numpy()
    tokens, real = (out.detach().numpy() for out in encoder.tokens(values, steps))
    p = arrays(encoder)
    for row in range(B):
        x = values[row] if steps is None else values[row][steps[row]]
        vector, sequence = REFERENCES[name](p, x.numpy(), options)
        np.testing.assert_allclose(vectors[row], vector, atol=1e-9)
        sequence = vector[None] if sequence is None else sequence
        assert real[row].sum() == len(sequence) >= 1
        np.testing.assert_allclose(tokens[row][real[row]], sequence, atol=1e-9)


# -- what every encoder promises -----------------------------------------------------------------


def everything(encoder, values, steps):
    """The vectors, and the tokens where they are real, both of each row."""
    tokens, real = encoder.tokens(values, steps)
    return encoder(values, steps), [token[r] for token, r in zip(tokens, real, strict=True)]


def assert_same(one, other):
    torch.testing.assert_close(one[0], other[0], atol=1e-10, rtol=0)
    for a, b in zip(one[1], other[1], strict=True):
        torch.testing.assert_close(a, b, atol=1e-10, rtol=0)


@pytest.mark.parametrize(("name", "options", "shape"), OVER_TIME)
def test_results_do_not_depend_on_padding(name, options, shape):
    encoder, (values, steps) = build(name, options, shape), batch(shape)
    expected = everything(encoder, values, steps)
    for filler in (0.0, 1e6):
        filled = torch.where(steps.unsqueeze(-1), values, filler)
        assert_same(everything(encoder, filled, steps), expected)
        for n in (1, 2, 9):
            more = torch.nn.functional.pad(filled, (0, 0, 0, n), value=filler)
            longer = torch.nn.functional.pad(steps, (0, n))
            assert_same(everything(encoder, more, longer), expected)


@pytest.mark.parametrize(("name", "options", "shape"), OVER_TIME)
def test_encoders_of_any_length_accept_shorter_batches(name, options, shape):
    encoder, (values, steps) = build(name, options, shape), batch(shape)
    if not encoder.any_length:
        pytest.skip("of one length")
    for n in (1, 2, T - 1):
        few = steps & (torch.arange(T) < n)
        assert_same(
            everything(encoder, values[:, :n], few[:, :n]), everything(encoder, values, few)
        )


@pytest.mark.parametrize(("name", "options", "shape"), OVER_TIME)
def test_gaps_inside_are_no_steps(name, options, shape):
    encoder, (values, _) = build(name, options, shape), batch(shape)
    steps = torch.rand(B, T) < 0.5
    steps[:, 4] = True
    steps[0] = torch.arange(T) == 3
    expected = everything(encoder, values, steps)
    filled = torch.where(steps.unsqueeze(-1), values, 1e6)
    assert_same(everything(encoder, filled, steps), expected)
    assert all(len(tokens) >= 1 for tokens in expected[1])
    if name in ("mlp", "mean", "attentive", "gru", "lstm"):  # the others know the place of a step
        p = arrays(encoder)
        for row in range(B):
            vector, _ = REFERENCES[name](p, values[row][steps[row]].numpy(), options)
            np.testing.assert_allclose(expected[0][row].detach(), vector, atol=1e-9)


@pytest.mark.parametrize("name", ["gru", "lstm"])
def test_long_sequences_keep_their_order(name):
    encoder = build(name, {}, (300, F))
    values = torch.randn(3, 300, F, dtype=torch.float64)
    steps = torch.arange(300) < torch.tensor([[299], [150], [300]])
    vectors = encoder(values, steps).detach().numpy()
    for row in range(3):
        x = values[row][steps[row]].numpy()
        expected, _ = REFERENCES[name](arrays(encoder), x, {})
        np.testing.assert_allclose(vectors[row], expected, atol=1e-9)


@pytest.mark.parametrize(("name", "options", "shape"), CASES)
def test_rows_are_independent(name, options, shape):
    encoder, (values, steps) = build(name, options, shape), batch(shape)
    expected = everything(encoder, values, steps)
    for rows in (torch.randperm(B), torch.tensor([2])):
        some = everything(encoder, values[rows], None if steps is None else steps[rows])
        assert_same(some, (expected[0][rows], [expected[1][i] for i in rows]))


@pytest.mark.parametrize(("name", "options", "shape"), OVER_TIME)
def test_a_row_of_padding_is_finite(name, options, shape):
    encoder, (values, steps) = build(name, options, shape, dropout=0.1).train(), batch(shape)
    steps[:2] = False
    values.requires_grad_()
    vectors, (tokens, real) = encoder(values, steps), encoder.tokens(values, steps)
    assert vectors.isfinite().all()
    assert tokens.isfinite().all()
    assert name == "mlp" or not real[:2].any()
    (vectors.sum() + tokens.sum()).backward()
    assert all(p.grad.isfinite().all() for p in encoder.parameters())
    assert values.grad.isfinite().all()
    assert (values.grad.masked_select(~steps.unsqueeze(-1)) == 0).all()


@pytest.mark.parametrize(("name", "options", "shape"), CASES)
def test_every_parameter_learns(name, options, shape):
    encoder, (values, steps) = build(name, options, shape), batch(shape)
    encoder(values, steps).pow(2).sum().backward()
    still = [n for n, p in encoder.named_parameters() if p.grad is None or not p.grad.abs().sum()]
    assert still == []


@pytest.mark.parametrize(("name", "options", "shape"), CASES)
def test_copies_and_pickles_agree(name, options, shape):
    encoder, (values, steps) = build(name, options, shape), batch(shape)
    expected = everything(encoder, values, steps)
    for twin in (copy.deepcopy(encoder), pickle.loads(pickle.dumps(encoder))):
        assert_same(everything(twin, values, steps), expected)
    single = encoder.float()(values.float(), steps)
    torch.testing.assert_close(single.double(), expected[0], atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize(("name", "options", "shape"), CASES)
def test_dropout_is_in_training_only(name, options, shape):
    encoder, (values, steps) = build(name, options, shape, width=12, dropout=0.5), batch(shape)
    assert torch.equal(encoder(values, steps), encoder(values, steps))
    encoder.train()
    assert not torch.equal(encoder(values, steps), encoder(values, steps))


def test_step_dropout_keeps_the_mean_and_drops_whole_units():
    dropout = StepDropout(0.3).train()
    torch.manual_seed(0)
    out = dropout(torch.ones(200, 3, 2, 50))
    assert (out == out[:, :1, :1]).all()
    assert out.unique().tolist() == pytest.approx([0, 1 / 0.7])
    assert out.mean().item() == pytest.approx(1, abs=0.03)
    assert (out[0] != out[1]).any()
    assert dropout(torch.ones(4, 5)).shape == (4, 5)
    assert (dropout.eval()(torch.ones(4, 5)) == 1).all()


@pytest.mark.parametrize("name", [n for n in ENCODERS if n not in {"conv2d", *OWN_TESTS}])
def test_a_single_step_and_a_single_row(name):
    shape = (1, 1)
    encoder = build(name, {}, shape)
    values, steps = torch.ones(1, 1, 1, dtype=torch.float64), torch.ones(1, 1, dtype=torch.bool)
    assert encoder(values, steps).shape == (1, D)
    assert encoder.tokens(values, steps)[1].tolist() == [[True]]


@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 1, 9), (1, 2, 1), (1, 1), (9, 1), (1, 9)])
def test_pictures_of_any_size(shape):
    encoder = build("conv2d", {}, shape)
    values = torch.randn(2, *shape, dtype=torch.float64)
    steps = torch.ones(2, shape[0], dtype=torch.bool) if len(shape) == 2 else None
    assert encoder(values, steps).isfinite().all()
    assert encoder.tokens(values, steps)[1].all()


def test_attention_can_focus_on_one_step():
    encoder, (values, steps) = build("attentive", {"statistics": False}, (T, F)), batch((T, F))
    encoder.attention.score[2].weight.data *= 1e4
    tokens, _ = encoder.tokens(values, steps)
    steps[0] = False
    weights = encoder.attention.weights(tokens, steps)
    torch.testing.assert_close(weights.sum(1), steps.any(1).double())
    assert (weights[~steps] == 0).all()
    assert weights[1:].max(1).values.min() > 0.99


def test_a_transformer_knows_the_order_and_a_mean_does_not():
    values, steps = batch((T, F))
    full = values[-1:], steps[-1:]
    turned = values[-1:].flip(1), steps[-1:]
    mean = build("mean", {}, (T, F))
    torch.testing.assert_close(mean(*full), mean(*turned))
    transformer = build("transformer", {}, (T, F))
    assert (transformer(*full) - transformer(*turned)).abs().max() > 1e-3


# -- refusals ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [n for n in ENCODERS if n != "mlp"])
def test_other_shapes_raise_an_error(name):
    for shape in [(5,), (2, 8, 8)]:
        if len(shape) in ENCODERS[name].takes:
            continue
        readers = "'mlp'" if len(shape) == 1 else "'mlp', 'conv2d'"
        with pytest.raises(ValueError, match=f"The encoder '{name}' reads .*{readers}") as caught:
            ENCODERS[name](shape, D, 0.0)
        assert str(shape) in str(caught.value)


def test_a_custom_encoder_is_named_by_its_class():
    class Own(ENCODERS["gru"]):
        pass

    with pytest.raises(ValueError, match="The encoder 'Own' reads sequences"):
        Own((5,), D, 0.0)
    assert Encoder.takes == (1, 2, 3)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("gru", {"pooling": "max"}, "GRUEncoder: pooling must be one of 'last', 'mean'"),
        ("lstm", {"n_layers": 0}, "LSTMEncoder: n_layers must be a positive integer. Got 0"),
        ("transformer", {"n_heads": 2.5}, "TransformerEncoder: n_heads must be a positive integer"),
        ("conv1d", {"kernel_size": (3,)}, "kernel_size has 1 entries for 2 layers"),
        ("conv1d", {"stride": 0}, "Conv1dEncoder: stride must be a positive integer. Got 0"),
        ("conv2d", {"channels": ()}, "Conv2dEncoder: channels must have one entry or more"),
    ],
)
def test_options_are_checked(name, options, message):
    with pytest.raises(ValueError, match=message):
        ENCODERS[name]((T, F), D, 0.0, **options)
