"""Pretrained speech encoders: tiny models with random weights, saved and loaded for real."""

import copy
import pickle
import shutil
import sys

import numpy as np
import pandas as pd
import pytest
import torch
import transformers
from transformers.utils.logging import disable_progress_bar, enable_progress_bar

from sklearn_mmsent import FusionClassifier
from sklearn_mmsent.exceptions import DataFormatError, MissingDependencyError
from sklearn_mmsent.feature_extraction.audio import Waveform
from sklearn_mmsent.nn import ENCODERS
from sklearn_mmsent.nn.encoders.pretrained import speech
from sklearn_mmsent.pretrained import loading

T, D = 800, 4
SIZES = {
    "hidden_size": 16,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "conv_dim": (8, 8),
    "conv_stride": (8, 5),
    "conv_kernel": (10, 8),
    "num_conv_pos_embeddings": 8,
    "num_conv_pos_embedding_groups": 2,
    "num_buckets": 8,
}
SHORTEST = (8 - 1) * 8 + 10  # samples that give one frame
# name -> class, configuration, whether samples are normalised; group norm hears padding
KINDS = {
    "wav2vec2": ("Wav2Vec2", {}, True),
    "layer norm": ("Wav2Vec2", {"feat_extract_norm": "layer", "do_stable_layer_norm": True}, True),
    "hubert": ("Hubert", {}, False),
    "wavlm": ("WavLM", {}, True),
    "data2vec": ("Data2VecAudio", {"conv_pos_kernel_size": 7}, True),
}
LENGTHS = [T, 300, 300, 700, 90, 20, 1]


@pytest.fixture(name="way", params=["by length", "together"])
def _way(request, monkeypatch):
    """Run clips as on the CPU, and as on a GPU."""
    if request.param == "together":
        monkeypatch.setattr(speech, "_ONE_BY_ONE", ())
    return request.param


@pytest.fixture(name="folders", scope="module")
def _folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("speech")
    disable_progress_bar()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for name, (stem, options, do_normalize) in KINDS.items():
            config = getattr(transformers, f"{stem}Config")(**{**SIZES, **options})
            getattr(transformers, f"{stem}Model")(config).save_pretrained(root / name)
            prepare = transformers.Wav2Vec2FeatureExtractor(do_normalize=do_normalize)
            prepare.save_pretrained(root / name)
    yield root
    enable_progress_bar()


def build(folder, dropout=0.0, n_steps=T, **options):
    torch.manual_seed(0)
    encoder = ENCODERS["pretrained_speech"]((n_steps, 1), D, dropout, model=folder, **options)
    return encoder.double().eval()


def clips(lengths=LENGTHS):
    torch.manual_seed(1)
    values = 0.1 * torch.randn(len(lengths), T, 1, dtype=torch.float64) + 0.05
    steps = torch.arange(T) < torch.tensor(lengths)[:, None]
    return values.masked_fill(~steps.unsqueeze(-1), 0.0), steps


def reference(folders, name, values, steps):
    """Frames of each clip alone, by the library's own model."""
    stem, _, do_normalize = KINDS[name]
    kind = getattr(transformers, f"{stem}Model")
    model = kind.from_pretrained(folders / name).double().eval()
    frames = []
    for row, real in zip(values[..., 0].numpy(), steps.numpy(), strict=True):
        clip = row[real]
        if do_normalize:
            clip = (clip - clip.mean()) / np.sqrt(clip.var() + 1e-7)
        clip = np.pad(clip, (0, max(0, SHORTEST - len(clip))))
        with torch.no_grad():
            frames.append(model(torch.tensor(clip)[None]).last_hidden_state[0].numpy())
    return frames


@pytest.mark.parametrize("name", KINDS)
def test_equals_the_model_on_single_clips(folders, name, way):
    encoder, (values, steps) = build(folders / name), clips()
    vectors, (tokens, real) = encoder(values, steps), encoder.tokens(values, steps)
    W, b = (p.detach().numpy() for p in encoder.project.parameters())
    close = {"atol": 1e-6}  # the library multiplies one convolution's weights out in float64
    for row, states in enumerate(reference(folders, name, values, steps)):
        assert real[row].tolist() == [i < len(states) for i in range(real.shape[1])]
        np.testing.assert_allclose(vectors[row].detach(), W @ states.mean(0) + b, **close)
        np.testing.assert_allclose(tokens[row][real[row]].detach(), states @ W.T + b, **close)
    assert real[0].all()


@pytest.mark.parametrize("name", KINDS)
def test_results_do_not_depend_on_padding_or_other_rows(folders, name, way):
    encoder, (values, steps) = build(folders / name), clips()
    vectors = encoder(values, steps)
    filled = values.masked_fill(~steps.unsqueeze(-1), 1e6)
    longer = torch.nn.functional.pad(filled, (0, 0, 300, 100), value=9.0)  # in front, too
    padded = encoder(longer, torch.nn.functional.pad(steps, (300, 100)))
    torch.testing.assert_close(padded, vectors, atol=1e-10, rtol=0)
    torch.testing.assert_close(encoder(values[3:4], steps[3:4]), vectors[3:4])
    short = encoder(values[4:6, :95], steps[4:6, :95])
    torch.testing.assert_close(short, vectors[4:6], atol=1e-10, rtol=0)
    nothing = torch.zeros_like(steps)
    encoder(values, nothing).sum().backward()
    assert encoder(values, nothing).isfinite().all()
    assert not encoder.tokens(values, nothing)[1].any()
    assert all(p.grad is None or p.grad.isfinite().all() for p in encoder.parameters())


@pytest.mark.parametrize("name", KINDS)
def test_both_paths_learn_equally(folders, name, monkeypatch):
    encoder, (values, steps) = build(folders / name, freeze_features=False), clips()
    gradients = []
    for devices in (("cpu",), ()):
        monkeypatch.setattr(speech, "_ONE_BY_ONE", devices)
        encoder.zero_grad()
        encoder(values, steps).pow(2).sum().backward()
        gradients.append([p.grad.clone() for p in encoder.parameters() if p.requires_grad])
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, atol=1e-8, rtol=1e-6)


def test_attention_over_the_frames(folders):
    encoder, (values, steps) = build(folders / "wavlm", pooling="attention"), clips()
    vectors = encoder(values, steps)
    p = {name: value.numpy() for name, value in encoder.state_dict().items()}
    for row, states in enumerate(reference(folders, "wavlm", values, steps)):
        hidden = np.tanh(states @ p["attention.score.0.weight"].T + p["attention.score.0.bias"])
        scores = np.exp(hidden @ p["attention.score.2.weight"][0])
        pooled = (scores / scores.sum()) @ states
        expected = p["project.weight"] @ pooled + p["project.bias"]
        np.testing.assert_allclose(vectors[row].detach(), expected, atol=1e-6)


@pytest.mark.parametrize("name", ["wav2vec2", "data2vec"])
@pytest.mark.parametrize(
    ("n_tuned", "freeze"), [(0, True), (1, True), (1, False), ("all", True), ("all", False)]
)
def test_the_last_layers_are_tuned(folders, name, n_tuned, freeze):
    encoder = build(folders / name, 0.1, trainable_layers=n_tuned, freeze_features=freeze).train()
    values, steps = clips()
    encoder(values, steps).pow(2).sum().backward()
    parameters = dict(encoder.named_parameters())
    trained = {n for n, p in parameters.items() if p.grad is not None}
    assert {n for n, p in parameters.items() if p.requires_grad} == trained
    assert {"project.weight", "project.bias"} <= trained
    layers = {int(n.split("layers.")[1][0]) for n in trained if "model.encoder.layers." in n}
    n_layers = 3 if n_tuned == "all" else n_tuned
    assert layers == set(range(3 - n_layers, 3))
    assert any("feature_extractor" in n for n in trained) == (n_tuned == "all" and not freeze)
    for part in ("feature_projection", "pos_conv_embed"):
        assert any(part in n for n in trained) == (n_tuned == "all")
    training = [layer.training for layer in encoder.model.encoder.layers]
    assert training == [i >= 3 - n_layers for i in range(3)]
    assert encoder.model.feature_extractor.training == (n_tuned == "all" and not freeze)


def test_training_draws_from_torch_alone_and_drops_no_layer(folders, global_states):
    options = {"mask_time_prob": 0.9, "mask_time_length": 2, "layerdrop": 0.9}
    config = transformers.AutoConfig.from_pretrained(folders / "wavlm")
    for name, value in options.items():
        setattr(config, name, value)
    folder = folders / "masking"
    shutil.copytree(folders / "wavlm", folder)
    config.hidden_dropout = config.attention_dropout = config.feat_proj_dropout = 0.0
    config.activation_dropout = 0.0
    config.save_pretrained(folder)
    encoder, (values, steps) = build(folder), clips()
    expected = encoder(values, steps)
    states = global_states()
    torch.testing.assert_close(encoder.train()(values, steps), expected)
    assert global_states() == states


def test_copies_and_pickles(folders):
    for name in KINDS:
        encoder, (values, steps) = build(folders / name), clips()
        expected = encoder(values, steps)
        for other in (copy.deepcopy(encoder), pickle.loads(pickle.dumps(encoder))):
            assert torch.equal(other(values, steps), expected)


def table(n=40):
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, n)
    time = np.arange(T) / 16_000
    sounds = [
        np.sin(2 * np.pi * (400 + 3000 * label) * time)[: rng.integers(200, T + 1)] for label in y
    ]
    extractor = Waveform(max_seconds=T / 16_000).set_output(transform="pandas")
    X = extractor.fit_transform(pd.Series(sounds)).add_prefix("audio__")
    X = X.assign(text__tone=rng.normal(size=n).astype(np.float32))
    X.loc[::9, [name for name in X if name.startswith("audio")]] = np.nan
    return X, y


def fit(folder, X, y, options=None, **params):
    return FusionClassifier(
        encoders={"audio": ("pretrained_speech", {"model": folder, **(options or {})})},
        **{"max_epochs": 1, "random_state": 0, "hidden_size": 8, **params},
    ).fit(X, y)


def test_a_classifier_tunes_it_and_its_pickle_holds_it(folders, tmp_path, global_states):
    X, y = table()
    folder = tmp_path / "model"
    shutil.copytree(folders / "wav2vec2", folder)
    states = global_states()
    clf = fit(folder, X, y, {"lr": 1e-3, "trainable_layers": 1})
    assert global_states() == states
    expected = clf.predict_proba(X)
    encoder, optimizer = clf.net_.module_.encoders[0], clf.net_.optimizer_
    rates = {id(p): g["lr"] for g in optimizer.param_groups for p in g["params"]}
    parameters = list(encoder.model.parameters())
    assert {rates.get(id(p)) for p in parameters if p.requires_grad} == {1e-3}
    assert {rates.get(id(p)) for p in parameters if not p.requires_grad} == {None}
    assert {rates[id(p)] for p in encoder.project.parameters()} == {3e-3}
    shutil.rmtree(folder)
    again = pickle.loads(pickle.dumps(clf))
    assert (again.predict_proba(X) == expected).all()
    np.testing.assert_allclose(again.predict_proba(X.iloc[[5]]), expected[[5]], rtol=1e-9)


def test_learns_a_pitch(folders):
    X, y = table(60)
    present = X["audio__sample@000"].notna().to_numpy()
    clf = fit(
        folders / "layer norm", X, y, {"lr": 3e-3}, max_epochs=4, lr=1e-2, early_stopping=False
    )
    assert clf.score(X[present], y[present]) > 0.95


@pytest.mark.parametrize("fusion", ["mult", "bottleneck"])
def test_frames_enter_fusions_of_sequences(folders, fusion):
    X, y = table(20)
    clf = fit(folders / "hubert", X, y, {"trainable_layers": 0}, fusion=fusion)
    assert np.isfinite(clf.predict_proba(X)).all()


# -- invalid options -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "options", "message"),
    [
        ((5,), {}, r"'pretrained_speech' reads sequences"),
        ((5, 2), {}, r"of shape \(T, 1\), as Waveform makes them. Got a block of shape \(5, 2\)"),
        ((99, 1), {"trainable_layers": 4}, "from 0 to the model's 3. Got 4 instead"),
        ((99, 1), {"lr": -1}, "lr must be above 0. Got -1"),
        ((99, 1), {"pooling": "cls"}, "pooling must be one of 'mean', 'attention'"),
        ((99, 1), {"freeze_features": 2}, "freeze_features must be one of True, False"),
        ((99, 1), {"sample_rate": 8000}, r"a sample rate of 16000 Hz, .* and in Waveform"),
    ],
)
def test_invalid_input_raises_an_error(folders, shape, options, message):
    with pytest.raises(ValueError, match=message):
        ENCODERS["pretrained_speech"](shape, D, 0.0, model=folders / "wav2vec2", **options)


def test_models_that_do_not_read_waveforms_raise_an_error(folders, tmp_path, monkeypatch):
    with pytest.raises(DataFormatError, match="PretrainedSpeechEncoder: the model folder"):
        build(tmp_path / "nothing")
    whisper = transformers.WhisperConfig(
        d_model=8,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=8,
        decoder_ffn_dim=8,
        vocab_size=60,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
        decoder_start_token_id=1,
    )
    transformers.WhisperModel(whisper).save_pretrained(tmp_path / "whisper")
    with pytest.raises(DataFormatError, match=r"reads waveforms, such as .* of type 'whisper'"):
        build(tmp_path / "whisper")
    shutil.copytree(folders / "wav2vec2", tmp_path / "copy")
    (tmp_path / "copy" / "preprocessor_config.json").unlink()
    with pytest.raises(DataFormatError, match=r"needs a 'preprocessor_config\.json'"):
        build(tmp_path / "copy")
    monkeypatch.setattr(loading, "_loaded", type(loading._loaded)())
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingDependencyError, match=r"PretrainedSpeechEncoder needs .*\[audio\]"):
        build(folders / "wav2vec2")


@pytest.mark.parametrize("name", KINDS)
def test_runs_in_bfloat16(folders, name, way):
    encoder, (values, steps) = build(folders / name).float(), clips()
    expected = encoder(values.float(), steps)
    with torch.autocast("cpu", torch.bfloat16):
        found = encoder(values.float(), steps)
        tokens, _ = encoder.tokens(values.float(), steps)
    torch.testing.assert_close(found.float(), expected, atol=0.1, rtol=0.1)
    (found.float().sum() + tokens.float().sum()).backward()
    gradients = [p.grad for p in encoder.parameters() if p.grad is not None]
    assert all(g.dtype == torch.float32 and g.isfinite().all() for g in gradients)
