"""Each fusion of sequences against its paper's equations, written out row by row in float64."""

import numpy as np
import pytest
import torch

from sklearn_mmsent.nn import FUSIONS
from sklearn_mmsent.nn.objective import BatchLoss

B, D = 6, 4
SEQUENTIAL = [name for name in FUSIONS if FUSIONS[name].sequential]


def build(name, n_blocks, **options):
    torch.manual_seed(0)
    fusion = FUSIONS[name](n_blocks, D, 0.0, **options).double().eval()
    for parameter in fusion.parameters():  # norms and biases that are not one and zero
        parameter.data += 0.1 * torch.randn_like(parameter)
    return fusion, *batch(n_blocks)


def batch(n_blocks, lengths=(5, 1, 4)):
    """Sequences of all lengths, some with gaps and with padding before; some blocks absent."""
    present = torch.rand(B, n_blocks) < 0.7
    present |= ~present.any(1, keepdim=True)
    tokens, real = [], []
    for i, n_steps in enumerate(lengths[:n_blocks]):
        mask = torch.rand(B, n_steps) < 0.7
        mask[:, 0] |= ~mask.any(1)
        mask = torch.where(present[:, i, None], mask, torch.arange(n_steps) == 0)
        tokens.append(torch.randn(B, n_steps, D, dtype=torch.float64))
        real.append(mask)
    return tokens, real, present


# -- the equations -------------------------------------------------------------------------------


def dense(layer, x):
    y = x @ layer.weight.detach().numpy().T
    return y if layer.bias is None else y + layer.bias.detach().numpy()


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softmax(x):
    e = np.exp(x - x.max())
    return e / e.sum()


def norm(layer, x):
    x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)
    return x * layer.weight.detach().numpy() + layer.bias.detach().numpy()


def two_layers(layers, x, activation=lambda x: np.maximum(x, 0)):
    return dense(layers[-1], activation(dense(layers[0], x)))


def gelu(x):
    return np.array([v * 0.5 * (1 + torch.erf(torch.tensor(v / 2**0.5)).item()) for v in x])


def attend(attention, queries, memory):
    """Multi-head attention, one query and one head after the other; memory holds real steps."""
    out = []
    for query in queries:
        if len(memory) == 0:
            out.append(np.zeros(len(query)))
            continue
        q, k, v = (
            dense(attention.query, query),
            dense(attention.key, memory),
            dense(attention.value, memory),
        )
        d = len(q) // attention.n_heads
        heads = []
        for head in range(attention.n_heads):
            part = slice(head * d, (head + 1) * d)
            heads.append(softmax(k[:, part] @ q[part] / np.sqrt(d)) @ v[:, part])
        out.append(dense(attention.out, np.concatenate(heads)))
    return np.array(out)


def layer_of(layer, x, memory=None, activation=lambda x: np.maximum(x, 0)):
    queries = norm(layer.norm_attention, x)
    memory = queries if memory is None else norm(layer.norm_attention, memory)
    x = x + attend(layer.attention, queries, memory)
    return np.array(
        [
            row + two_layers(layer.dense, norm(layer.norm_dense, row[None])[0], activation)
            for row in x
        ]
    )


def positions(x, places):
    x = x.copy()
    width = x.shape[1]
    for row, place in zip(x, places, strict=True):
        for i in range(width):
            angle = place / 10_000 ** (2 * (i // 2) / width)
            row[i] += np.sin(angle) if i % 2 == 0 else np.cos(angle)
    return x


def real_steps(sequences, masks):
    """Return the real steps of each sequence, with positions added."""
    kept = [np.flatnonzero(mask) for mask in masks]
    return [positions(x[k], k - k[0]) for x, k in zip(sequences, kept, strict=True)]


def mult(fusion, row, masks, present):
    tokens = real_steps(row, masks)
    ends = []
    for a, target in enumerate(tokens):
        streams = [] if len(tokens) > 1 else [target]
        for b, source in enumerate(tokens):
            if b == a:
                continue
            cross, z = fusion.cross[f"{b}_to_{a}"], target
            for layer in cross.layers:
                z = layer_of(layer, z, source if present[b] else source[:0])
            streams.append(norm(cross.norm, z))
        z = np.concatenate(streams, axis=1)
        for layer in fusion.own[a].layers:
            z = layer_of(layer, z)
        ends.append(norm(fusion.own[a].norm, z)[-1])
    return np.maximum(dense(fusion.project[0], np.concatenate(ends)), 0)


def bottleneck(fusion, row, masks, present):
    shared = fusion.bottlenecks.detach().numpy()
    classes = fusion.classes.detach().numpy()
    states = [
        np.concatenate([token, x]) for token, x in zip(classes, real_steps(row, masks), strict=True)
    ]
    for layers in fusion.layers:
        seen = []
        for m in np.flatnonzero(present):
            both = np.concatenate([shared, states[m]])
            both = layer_of(layers[m], both, activation=gelu)
            seen.append(both[: len(shared)])
            states[m] = both[len(shared) :]
        shared = np.mean(seen, axis=0)
    return np.mean([norm(fusion.norm, states[m][0]) for m in np.flatnonzero(present)], axis=0)


def on_clock(row, masks):
    """Each sequence on the clock of the longest: its last real step so far."""
    spans = [(np.flatnonzero(m)[0], np.flatnonzero(m)[-1] + 1) for m in masks]
    n_ticks = max(stop - start for start, stop in spans)
    clock = []
    for x, mask, (start, stop) in zip(row, masks, spans, strict=True):
        held = []
        for tick in range(n_ticks):
            step = start + int(np.floor(tick / n_ticks * (stop - start) + 1e-9))
            while not mask[step]:
                step -= 1
            held.append(x[step])
        clock.append(np.array(held))
    return clock


def lstm_step(driven, c):
    """One step of an LSTM, from the sums at its four gates (in, forget, new, out)."""
    i, f, g, o = np.split(driven, 4)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


def memory(fusion, row, masks, present):
    clock = on_clock(row, masks)
    W, U, b = (
        getattr(fusion.cells, name).detach().numpy() for name in ("inputs", "recurrent", "bias")
    )
    h, c = np.zeros((2, len(clock), D))
    u = np.zeros(fusion.update[-1].out_features)
    for tick in range(len(clock[0])):
        before = c.copy()
        for m in range(len(clock)):
            h[m], c[m] = lstm_step(clock[m][tick] @ W[m] + h[m] @ U[m] + b[m][0], c[m])
        window = np.concatenate([before.ravel(), c.ravel()])
        noted = window * softmax(two_layers(fusion.attention, window))
        u = sigmoid(two_layers(fusion.retain, noted)) * u + sigmoid(
            two_layers(fusion.update, noted)
        ) * np.tanh(two_layers(fusion.propose, noted))
    return np.maximum(dense(fusion.project[0], np.concatenate([h.ravel(), u])), 0)


def reinforced(fusion, row, masks, present):
    gates = [
        mask & np.array([two_layers(c.layers, x)[0] > 0 or not t for x in sequence])
        for c, sequence, mask, t in zip(fusion.controllers, row, masks, present, strict=True)
    ]
    gated = [np.where(g[:, None], x, 0) for g, x in zip(gates, row, strict=True)]
    clock = np.concatenate(on_clock(gated, masks), axis=1)
    counts = on_clock([(g & t)[:, None] for g, t in zip(gates, present, strict=True)], masks)
    W, U = fusion.lstm.weight_ih_l0.detach().numpy(), fusion.lstm.weight_hh_l0.detach().numpy()
    b = (fusion.lstm.bias_ih_l0 + fusion.lstm.bias_hh_l0).detach().numpy()
    h, c, outputs = np.zeros(D), np.zeros(D), []
    for x, count in zip(clock, np.concatenate(counts, axis=1).any(1), strict=True):
        if count:
            h, c = lstm_step(W @ x + U @ h + b, c)
            outputs.append(h)
    if not outputs:
        return np.zeros(D)
    scores = np.array([two_layers(fusion.attention, h, np.tanh)[0] for h in outputs])
    return softmax(scores) @ np.array(outputs)


REFERENCES = {"mult": mult, "bottleneck": bottleneck, "memory": memory, "reinforced": reinforced}
OPTIONS = {
    "mult": {"n_heads": 3},  # which does not divide the width
    "bottleneck": {"n_bottlenecks": 3, "n_heads": 2},
    "memory": {"memory_size": 5},
}


@pytest.mark.parametrize("n_blocks", [1, 2, 3])
@pytest.mark.parametrize("name", SEQUENTIAL)
def test_equals_its_equations(name, n_blocks):
    fusion, tokens, real, present = build(name, n_blocks, **OPTIONS.get(name, {}))
    if name == "reinforced":  # some gates open and some closed
        for controller in fusion.controllers:
            controller.layers[-1].weight.data *= 5
            controller.layers[-1].bias.data.zero_()
    fused = fusion(tokens, real, present).detach().numpy()
    for row in range(B):
        expected = REFERENCES[name](
            fusion,
            [x[row].numpy() for x in tokens],
            [m[row].numpy() for m in real],
            present[row].numpy(),
        )
        np.testing.assert_allclose(fused[row], expected, atol=1e-12)


# -- padding, absence, copies --------------------------------------------------------------------


def padded(tokens, real, before, behind):
    """The same sequences with unreal steps of noise around."""
    tokens = [
        torch.cat([9 * torch.randn(B, before, D), x, 9 * torch.randn(B, behind, D)], 1).double()
        for x in tokens
    ]
    return tokens, [torch.nn.functional.pad(mask, (before, behind)) for mask in real]


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize(("before", "behind"), [(0, 4), (3, 2)])
@pytest.mark.parametrize("name", SEQUENTIAL)
def test_results_and_draws_do_not_depend_on_padding(name, before, behind, training):
    fusion, tokens, real, present = build(name, 3)
    for part in fusion.modules():
        if hasattr(part, "p"):
            part.p = 0.5
    fusion.train(training)
    more = padded(tokens, real, before, behind)
    torch.manual_seed(1)
    expected, draw = fusion(tokens, real, present), torch.rand(())
    torch.manual_seed(1)
    torch.testing.assert_close(fusion(*more, present), expected, atol=1e-12, rtol=0)
    assert torch.rand(()) == draw  # and the generator is where it was
    if training:
        assert not torch.equal(fusion(tokens, real, present), expected)


@pytest.mark.parametrize("name", SEQUENTIAL)
def test_gradients_do_not_depend_on_padding(name):
    fusion, tokens, real, present = build(name, 3)
    gradients = []
    for sequences, masks in ((tokens, real), padded(tokens, real, 2, 3)):
        torch.manual_seed(1)
        fusion.zero_grad()
        outputs, intermediates = fusion.train().forward_train(sequences, masks, present)
        losses = outputs.pow(2).sum(1)
        batch = BatchLoss(losses.detach(), None, torch.ones(B))
        extra = fusion.auxiliary_loss(intermediates, batch)
        (losses.sum() if extra is None else losses.sum() + extra).backward()
        gradients.append([p.grad.clone() for p in fusion.parameters() if p.grad is not None])
        if name == "reinforced":
            fusion.moments.zero_()
            fusion.worst.zero_()
    torch.testing.assert_close(*gradients, atol=1e-12, rtol=1e-9)


@pytest.mark.parametrize("name", ["mult", "bottleneck"])
def test_absent_blocks_are_masked(name):
    fusion, tokens, real, present = build(name, 2)
    present = torch.tensor([[True, False]]).expand(B, -1)
    changed = [tokens[0], tokens[1] + 1]
    if name == "bottleneck":
        torch.testing.assert_close(fusion(changed, real, present), fusion(tokens, real, present))
        return
    # the absent still speaks by its own token, but the other one does not hear it
    heads = []
    fusion.own[0].register_forward_hook(lambda module, args, out: heads.append(out))
    for sequences in (tokens, changed):
        fusion(sequences, real, present)
    torch.testing.assert_close(*heads)


@pytest.mark.parametrize("name", SEQUENTIAL)
def test_forward_train_predicts_like_forward(name):
    fusion, *inputs = build(name, 3)
    assert torch.equal(fusion.forward_train(*inputs)[0], fusion(*inputs))


@pytest.mark.parametrize("name", SEQUENTIAL)
def test_runs_in_float32_and_on_any_width(name):
    fusion = FUSIONS[name](2, 7, 0.1)
    tokens = [torch.randn(3, 4, 7), torch.randn(3, 1, 7)]
    real = [torch.ones(3, 4, dtype=torch.bool), torch.ones(3, 1, dtype=torch.bool)]
    fused = fusion(tokens, real, torch.ones(3, 2, dtype=torch.bool))
    assert fused.shape == (3, 7)
    assert fused.dtype == torch.float32


# -- time ----------------------------------------------------------------------------------------


def test_memory_holds_short_sequences_rather_than_stretching_them_to_the_padding():
    fusion, tokens, real, present = build("memory", 2)
    flat = tokens[1]  # a single step
    spread = flat.expand(-1, tokens[0].shape[1], -1)
    everywhere = torch.ones(B, 5, dtype=torch.bool)
    torch.testing.assert_close(
        fusion([tokens[0], flat], [everywhere, real[1]], present),
        fusion([tokens[0], spread], [everywhere, everywhere], present),
    )


# -- gates ---------------------------------------------------------------------------------------


def test_the_policy_gradient_is_reinforce():
    fusion, tokens, real, present = build("reinforced", 2, gate_cost=0.7, entropy=0.2)
    fusion.train()
    rng = np.random.default_rng(0)
    count, total, square, worst = 0.0, 0.0, 0.0, 0.0
    for _ in range(6):
        fused, intermediates = fusion.forward_train(tokens, real, present)
        logits, gates, _ = intermediates
        losses = torch.from_numpy(rng.exponential(size=B))
        weights = torch.from_numpy(rng.uniform(size=B))
        extra = fusion.auxiliary_loss(intermediates, BatchLoss(losses, None, weights))

        loss, w = losses.numpy(), weights.numpy()
        count = 0.95 * count + 0.05
        total = 0.95 * total + 0.05 * (loss @ w) / w.sum()
        square = 0.95 * square + 0.05 * (loss**2 @ w) / w.sum()
        mean = total / count
        worst = max(worst, mean)
        deviation = np.sqrt(square / count - mean**2)
        expected = 0.0
        for row in range(B):
            log_p, costs, undecided = 0.0, [], []
            for m in range(2):
                for step in range(real[m].shape[1]):
                    if not (real[m][row, step] and present[row, m]):
                        continue
                    p = sigmoid(logits[m][row, step].item())
                    log_p += np.log(p if gates[m][row, step] else 1 - p)
                    costs.append(p)
                    undecided.append(-p * np.log(p) - (1 - p) * np.log(1 - p))
            row_loss = (loss[row] - mean) / deviation * log_p
            row_loss += (1 - mean / worst) * 0.7 * np.mean(costs) - 0.2 * np.mean(undecided)
            expected += w[row] * row_loss / w.sum()
        np.testing.assert_allclose(extra.item(), expected, rtol=1e-6)
    assert fused.requires_grad


def test_the_policy_gradient_reaches_the_controllers_only():
    fusion, tokens, real, present = build("reinforced", 2)
    tokens = [x.requires_grad_() for x in tokens]
    fused, intermediates = fusion.train().forward_train(tokens, real, present)
    batch = BatchLoss(torch.arange(6.0).double(), None, torch.ones(B))
    fusion.auxiliary_loss(intermediates, batch).backward()
    assert all(x.grad is None for x in tokens)
    taught = {n.split(".")[0] for n, p in fusion.named_parameters() if p.grad is not None}
    assert taught == {"controllers"}
    fusion.zero_grad()
    fused.sum().backward()
    assert all(p.grad is None for p in fusion.controllers.parameters())
    assert all(x.grad.abs().sum() > 0 for x in tokens)


def test_gates_are_deterministic_in_evaluation_and_sampled_in_training():
    fusion, tokens, real, present = build("reinforced", 3)
    firm = fusion.gates(tokens, real, present)
    for m, gates in enumerate(firm):
        assert gates.shape == real[m].shape
        assert not gates[~real[m]].any()
        assert gates[~present[:, m]][:, 0].all()  # absence tokens
        logit = fusion.controllers[m](tokens[m])
        free = real[m] & present[:, m, None]
        assert torch.equal(gates[free], logit[free] > 0)
    fusion.train()
    torch.manual_seed(0)
    drawn = [fusion.gates(tokens, real, present)[0] for _ in range(500)]
    share = torch.stack(drawn).double().mean(0)
    free = real[0] & present[:, 0, None]
    wanted = fusion.controllers[0](tokens[0]).sigmoid()
    assert (share - wanted)[free].abs().max() < 0.1


def test_without_gates_all_steps_are_open():
    fusion, tokens, real, present = build("reinforced", 2, gated=False)
    assert not fusion.controllers
    for gates, mask in zip(fusion.gates(tokens, real, present), real, strict=True):
        assert torch.equal(gates, mask)
    _, intermediates = fusion.train().forward_train(tokens, real, present)
    batch = BatchLoss(torch.ones(B), None, torch.ones(B))
    assert fusion.auxiliary_loss(intermediates, batch) is None


def test_steps_with_closed_gates_have_no_influence():
    fusion, tokens, _, present = build("reinforced", 1)
    for parameter in fusion.controllers.parameters():
        parameter.data.zero_()
    first = fusion.controllers[0].layers[0]
    first.weight.data[0, 0] = 1.0
    fusion.controllers[0].layers[-1].weight.data[0, 0] = 1.0
    fusion.controllers[0].layers[-1].bias.data.fill_(-0.5)  # open where the first unit > 0.5
    mask = torch.ones(B, 5, dtype=torch.bool)
    gates = fusion.gates(tokens, [mask], present)[0]
    assert 0 < gates.sum() < gates.numel()
    torch.testing.assert_close(gates, tokens[0][..., 0] > 0.5)
    changed = tokens[0].masked_fill(~gates.unsqueeze(-1), -3.0)
    torch.testing.assert_close(fusion([changed], [mask], present), fusion(tokens, [mask], present))
    nothing = fusion([torch.zeros_like(tokens[0])], [mask], present)
    assert nothing.eq(0).all()
