"""Pretrained vision encoders: tiny models with random weights, saved and loaded for real."""

import copy
import json
import pickle
import shutil
import sys
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
import transformers

from sklearn_mmsent import FusionClassifier
from sklearn_mmsent.exceptions import DataFormatError, MissingDependencyError
from sklearn_mmsent.feature_extraction.image import Pixels
from sklearn_mmsent.nn import ENCODERS, Fusion, FusionNetwork
from sklearn_mmsent.nn.network import Standardize
from sklearn_mmsent.pretrained import loading

D, SIZE = 4, 32
TOWER = {
    "hidden_size": 16,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "image_size": SIZE,
    "patch_size": 8,
}
TEXT_TOWER = {
    **{k: v for k, v in TOWER.items() if k not in ("image_size", "patch_size")},
    "vocab_size": 50,
    "max_position_embeddings": 8,
}
SQUARE = {"height": SIZE, "width": SIZE}
NOTES = {  # of the processors; mean and deviation as their files give them
    "vit": {"image_processor_type": "ViTImageProcessor", "size": SQUARE},
    "clip": {
        "image_processor_type": "CLIPImageProcessor",
        "size": {"shortest_edge": 40},
        "crop_size": SQUARE,
    },
    "cnn": {
        "image_processor_type": "ConvNextImageProcessor",
        "size": {"shortest_edge": SIZE},
        "image_mean": [0.485, 0.456, 0.406],
        "image_std": [0.229, 0.224, 0.225],
    },
}
HALF = ([0.5, 0.5, 0.5], [0.5, 0.5, 0.5])
CLIP = ([0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711])
IMAGENET = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
# name -> number of tokens before the patches, mean and deviation
KINDS = {
    "vit": (1, HALF),
    "dinov2": (3, CLIP),
    "clip": (1, CLIP),
    "siglip": (0, HALF),
    "swin": (0, HALF),
    "resnet": (0, IMAGENET),
    "convnext": (0, IMAGENET),
}


def models():
    t = transformers
    towers = {"vision_config": TOWER, "text_config": TEXT_TOWER}
    swin = t.SwinConfig(
        embed_dim=8, depths=[1, 1], num_heads=[1, 2], image_size=SIZE, patch_size=4, window_size=4
    )
    registers = t.Dinov2WithRegistersConfig(**TOWER, num_register_tokens=2)
    resnet = t.ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1])
    convnext = t.ConvNextConfig(hidden_sizes=[8, 8, 16], depths=[1, 1, 1], num_stages=3)
    return {
        "vit": (t.ViTModel, t.ViTConfig(**TOWER), "vit"),
        "dinov2": (t.Dinov2WithRegistersModel, registers, "clip"),
        "clip": (t.CLIPModel, t.CLIPConfig(**towers, projection_dim=12), "clip"),
        "siglip": (t.SiglipModel, t.SiglipConfig(**towers), "vit"),
        "swin": (t.SwinModel, swin, "vit"),
        "resnet": (t.ResNetModel, resnet, "cnn"),
        "convnext": (t.ConvNextModel, convnext, "cnn"),
    }


@pytest.fixture(name="folders", scope="module")
def _folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("vision")
    with torch.random.fork_rng(), loading.quiet(), warnings.catch_warnings():
        torch.manual_seed(0)
        for name, (kind, config, notes) in models().items():
            model = kind(config)
            for buffer_name, buffer in model.named_buffers():  # of batch normalisation
                if buffer_name.endswith("running_mean"):
                    buffer.normal_()
            model.save_pretrained(root / name)
            (root / name / "preprocessor_config.json").write_text(json.dumps(NOTES[notes]))
    return root


def build(folder, shape=(3, SIZE, SIZE), dropout=0.0, **options):
    torch.manual_seed(0)
    encoder = ENCODERS["pretrained_image"](shape, D, dropout, model=folder, **options)
    return encoder.double().eval()


def pictures(n=3, channels=3, size=(SIZE, SIZE)):
    torch.manual_seed(1)
    return torch.rand(n, channels, *size, dtype=torch.float64)


def original(folders, name):
    """The library's own model in float64; of CLIP and SigLIP the half that reads pictures."""
    model = models()[name][0].from_pretrained(folders / name).double().eval()
    return getattr(model, "vision_model", model)


@pytest.mark.parametrize("name", KINDS)
def test_equals_the_model_on_single_images(folders, name):
    encoder, values = build(folders / name), pictures()
    model, (n_prefix, (mean, std)) = original(folders, name), KINDS[name]
    vectors, (tokens, real) = encoder(values, None), encoder.tokens(values, None)
    assert real.all()
    W, b = (p.detach().numpy() for p in encoder.project.parameters())
    for row, picture in enumerate(values.numpy()):
        picture = (picture - np.reshape(mean, (3, 1, 1))) / np.reshape(std, (3, 1, 1))
        with torch.no_grad():
            output = model(pixel_values=torch.tensor(picture)[None])
        states = output.last_hidden_state[0].numpy()
        places = states.reshape(len(states), -1).T if states.ndim == 3 else states[n_prefix:]
        pooled = places.mean(0)
        if name == "convnext":
            norm = model.layernorm
            pooled = (pooled - pooled.mean()) / np.sqrt(pooled.var() + norm.eps)
        np.testing.assert_allclose(vectors[row].detach(), W @ pooled + b, atol=1e-5)
        np.testing.assert_allclose(tokens[row].detach(), places @ W.T + b, atol=1e-5)
        if n_prefix:
            cls = build(folders / name, pooling="cls")(values[row : row + 1], None)[0]
            np.testing.assert_allclose(cls.detach(), W @ states[0] + b, atol=1e-5)


def test_results_do_not_depend_on_other_rows_or_batches(folders):
    for name in ("vit", "resnet"):
        encoder, values = build(folders / name), pictures(40)
        together = encoder(values, None)
        with torch.no_grad():
            in_parts, tokens = encoder(values, None), encoder.tokens(values, None)
        torch.testing.assert_close(in_parts, together)
        torch.testing.assert_close(encoder(values[35:36], None), together[35:36])
        torch.testing.assert_close(encoder.tokens(values[35:36], None)[0], tokens[0][35:36])
        assert len(tokens[1]) == 40


def test_batch_normalisation_keeps_its_statistics(folders):
    encoder, values = build(folders / "resnet").train(), pictures()
    before = {k: v.clone() for k, v in encoder.model.named_buffers()}
    torch.testing.assert_close(encoder(values, None)[:1], encoder(values[:1], None))
    assert all(torch.equal(v, before[k]) for k, v in encoder.model.named_buffers())
    assert encoder.model.training


def test_bytes_grey_and_other_sizes(folders):
    plain, values = build(folders / "vit"), pictures()
    expected = plain(values, None)
    as_bytes = build(folders / "vit", pixel_range=255)
    torch.testing.assert_close(as_bytes(values * 255, None), expected, atol=1e-5, rtol=0)
    grey = build(folders / "vit", shape=(1, SIZE, SIZE))
    one = values[:, :1]
    torch.testing.assert_close(grey(one, None), plain(one.repeat(1, 3, 1, 1), None))
    constant = torch.full((1, 3, 5, 7), 0.3, dtype=torch.float64)
    other = build(folders / "vit", shape=(3, 5, 7))
    same = torch.full((1, 3, SIZE, SIZE), 0.3, dtype=torch.float64)
    torch.testing.assert_close(other(constant, None), plain(same, None))
    # bilinear and antialiased, as Pillow shrinks
    image = pytest.importorskip("PIL.Image")
    rng = np.random.default_rng(0)
    photo = np.kron(rng.integers(0, 256, (8, 8)), np.ones((8, 8))).astype(np.uint8)
    halved = image.fromarray(photo).resize((SIZE, SIZE), image.Resampling.BILINEAR)
    large = build(folders / "vit", shape=(1, 2 * SIZE, 2 * SIZE))
    seen = large._prepare(torch.tensor(photo)[None, None].double() / 255)
    np.testing.assert_allclose(seen[0, 0] * 0.5 + 0.5, np.asarray(halved) / 255, atol=0.005)


def test_sizes_of_models_that_read_any(folders):
    encoder = build(folders / "resnet", image_size=(64, 32))
    tokens, _ = encoder.tokens(pictures(), None)
    assert tokens.shape[1] == 2 * build(folders / "resnet").tokens(pictures(), None)[0].shape[1]
    with pytest.raises(ValueError, match=r"does not read images of 48 x 48 pixels: .*image_size"):
        build(folders / "vit", image_size=48)


@pytest.mark.parametrize("name", ["vit", "siglip", "convnext"])
@pytest.mark.parametrize("n_tuned", [0, 1, "all"])
def test_the_last_layers_are_tuned(folders, name, n_tuned):
    encoder = build(folders / name, trainable_layers=n_tuned, dropout=0.1).train()
    encoder(pictures(), None).pow(2).sum().backward()
    trained = {n for n, p in encoder.named_parameters() if p.grad is not None}
    inside = {n for n in trained if n.startswith("model.")}
    layers = list(encoder._layers())
    last = {id(p) for p in layers[-1].parameters()}
    assert len(layers) == 3
    assert {"project.weight", "project.bias"} == trained - inside
    assert {n for n, p in encoder.named_parameters() if p.requires_grad} == trained
    if n_tuned == "all":
        assert any("embed" in n for n in inside)
        return
    parameters = dict(encoder.named_parameters())
    assert {id(parameters[n]) for n in inside} == (last if n_tuned else set())
    assert [layer.training for layer in layers] == [False, False, n_tuned == 1]


@pytest.mark.parametrize("name", KINDS)
def test_copies_and_pickles(folders, name):
    encoder, values = build(folders / name), pictures()
    expected = encoder(values, None)
    for other in (copy.deepcopy(encoder), pickle.loads(pickle.dumps(encoder))):
        assert torch.equal(other(values, None), expected)


def table(n=48, size=12):
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, n)
    photos = rng.integers(0, 120, (n, size, size, 3), dtype=np.uint8)
    photos[y == 1, : size // 2] += 120
    extractor = Pixels(size=(size, size)).set_output(transform="pandas")
    X = extractor.fit_transform(pd.Series(list(photos))).add_prefix("image__")
    X = X.assign(text__tone=rng.normal(size=n).astype(np.float32))
    X.loc[::9, [name for name in X if name.startswith("image")]] = np.nan
    return X, y


def fit(folder, X, y, options=None, **params):
    return FusionClassifier(
        encoders={"image": ("pretrained_image", {"model": folder, **(options or {})})},
        **{"max_epochs": 2, "random_state": 0, "hidden_size": 8, **params},
    ).fit(X, y)


def test_a_classifier_tunes_it_and_its_pickle_holds_it(folders, tmp_path, global_states):
    X, y = table()
    folder = tmp_path / "model"
    shutil.copytree(folders / "vit", folder)
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
    before = transformers.ViTModel.from_pretrained(folder).state_dict()
    moved = {
        name
        for name, value in encoder.model.state_dict().items()
        if (value.float() - before[name]).abs().max() > 1e-7
    }
    tuned = {f"{n}" for n, p in encoder.model.named_parameters() if p.requires_grad}
    assert moved
    assert moved <= tuned
    data = pickle.dumps(clf)
    shutil.rmtree(folder)
    again = pickle.loads(data)
    assert (again.predict_proba(X) == expected).all()
    np.testing.assert_allclose(again.predict_proba(X.iloc[[5]]), expected[[5]], rtol=1e-9)


def test_learns_where_the_light_is(folders):
    X, y = table(80)
    there = X.filter(like="image").notna().all(axis=1).to_numpy()
    as_bytes = (X.filter(like="image")[there] * 255).round().astype(np.uint8)
    options = {"lr": 3e-3, "pixel_range": 255, "trainable_layers": 1}
    clf = fit(
        folders / "vit", as_bytes, y[there], options, max_epochs=12, lr=1e-2, early_stopping=False
    )
    assert clf.layout_.read(as_bytes)[0].values.dtype == np.uint8
    assert clf.score(as_bytes, y[there]) > 0.95


@pytest.mark.parametrize("fusion", ["mult", "bottleneck"])
def test_patches_enter_fusions_of_sequences(folders, fusion):
    X, y = table()
    clf = fit(folders / "dinov2", X, y, {"trainable_layers": 0}, fusion=fusion, max_epochs=1)
    assert np.isfinite(clf.predict_proba(X)).all()


class Flat(Fusion):
    def forward(self, vectors, present):
        return vectors.flatten(1)


def test_values_of_missing_images_have_no_influence(folders):
    encoder, values = build(folders / "vit"), pictures()
    net = FusionNetwork(
        [encoder],
        Flat(),
        torch.nn.Identity(),
        standardizers=[Standardize(torch.zeros(1), torch.ones(1))],
        modality_of_block=[0],
        width=D,
    ).double()
    present = torch.tensor([[True], [False], [True]])
    expected = net([values], present, [None])
    for filler in (torch.nan, 1e6):
        changed = values.clone()
        changed[1] = filler
        torch.testing.assert_close(net([changed], present, [None]), expected)


# -- invalid options -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "options", "message"),
    [
        ((5,), {}, r"'pretrained_image' reads images \(C, H, W\); a block of shape \(5,\)"),
        ((2, 8, 8), {}, r"of one or three channels, .* Got a block of shape \(2, 8, 8\)"),
        ((3, 8, 8), {"pooling": "max"}, "pooling must be one of 'mean', 'cls'"),
        ((3, 8, 8), {"trainable_layers": 4}, "from 0 to the model's 3. Got 4 instead"),
        ((3, 8, 8), {"lr": 0}, "lr must be above 0. Got 0"),
        ((3, 8, 8), {"pixel_range": 0}, "pixel_range must be above 0. Got 0"),
        ((3, 8, 8), {"image_size": (32,)}, r"image_size must be .* Got \(32,\) instead"),
    ],
)
def test_invalid_input_raises_an_error(folders, shape, options, message):
    with pytest.raises(ValueError, match=message):
        build(folders / "vit", shape, **options)


def test_models_and_values_that_do_not_fit(folders, tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="pooling='cls' needs a class token"):
        build(folders / "siglip", pooling="cls")
    encoder = build(folders / "vit")
    with pytest.raises(ValueError, match=r"pixels lie between .* Set pixel_range=255 for bytes"):
        encoder(pictures() * 255, None)
    with pytest.raises(ValueError, match="do not scale the block"):
        encoder(pictures() - 2, None)
    with pytest.raises(DataFormatError, match="PretrainedImageEncoder: the model folder"):
        build(tmp_path / "nothing")
    config = transformers.BertConfig(
        vocab_size=9, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8
    )
    transformers.BertModel(config).save_pretrained(tmp_path)
    with pytest.raises(DataFormatError, match=r"ImageEncoder: the model is of type 'bert'"):
        build(tmp_path)
    monkeypatch.setattr(loading, "_loaded", type(loading._loaded)())
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingDependencyError, match=r"PretrainedImageEncoder needs .*\[image\]"):
        build(folders / "vit")


@pytest.mark.parametrize(("name", "last"), [("test_vit", "blocks"), ("test_resnet", "layer4")])
def test_a_model_of_timm(tmp_path, name, last):
    try:
        timm = pytest.importorskip("timm")
    except RuntimeError as error:  # a torchvision that does not belong to this torch
        pytest.skip(f"timm cannot be imported: {error}")
    from timm.models import save_for_hf

    save_for_hf(timm.create_model(name, num_classes=3), tmp_path / name, safe_serialization=True)
    encoder, values = build(tmp_path / name, trainable_layers=1), pictures()
    model = timm.create_model(f"local-dir:{tmp_path / name}", pretrained=True, num_classes=0)
    config = timm.data.resolve_model_data_config(model)
    assert encoder.size == tuple(config["input_size"][1:])
    values = torch.nn.functional.interpolate(values, encoder.size)
    mean, std = (
        torch.tensor(config[n], dtype=torch.float64).view(3, 1, 1) for n in ("mean", "std")
    )
    with torch.no_grad():
        states = model.double().eval().forward_features((values - mean) / std)
    places = states.flatten(2).mT if states.ndim == 4 else states[:, model.num_prefix_tokens :]
    torch.testing.assert_close(
        encoder(values, None), encoder.project(places.mean(1)), atol=1e-5, rtol=0
    )
    tokens, _ = encoder.tokens(values, None)
    torch.testing.assert_close(tokens, encoder.project(places), atol=1e-5, rtol=0)
    assert torch.equal(pickle.loads(pickle.dumps(encoder))(values, None), encoder(values, None))
    tuned = {n for n, p in encoder.model.named_parameters() if p.requires_grad}
    assert tuned
    assert all(n.startswith(f"timm_model.{last}.") for n in tuned)


@pytest.mark.parametrize("name", KINDS)
def test_runs_in_bfloat16(folders, name):
    encoder, values = build(folders / name).float(), pictures().float()
    expected = encoder(values, None)
    with torch.autocast("cpu", torch.bfloat16):
        found, (tokens, _) = encoder(values, None), encoder.tokens(values, None)
    torch.testing.assert_close(found.float(), expected, atol=0.1, rtol=0.1)
    (found.float().sum() + tokens.float().sum()).backward()
    gradients = [p.grad for p in encoder.parameters() if p.grad is not None]
    assert all(g.dtype == torch.float32 and g.isfinite().all() for g in gradients)
