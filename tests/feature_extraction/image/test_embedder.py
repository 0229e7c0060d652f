"""Pictures to numbers by a pretrained encoder: tiny ones with random weights stand in here."""

import json
import pickle
import random
import shutil
import socket
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from sklearn.base import clone

from sklearn_mmsent import make_extractor
from sklearn_mmsent.blocks import BlockLayout
from sklearn_mmsent.exceptions import CellError, DataFormatError, MissingDependencyError
from sklearn_mmsent.feature_extraction import ImageEmbedder, _pretrained
from sklearn_mmsent.feature_extraction.image import _model
from sklearn_mmsent.feature_extraction.image.embedder import _coarsen

TOWER = {
    "hidden_size": 16,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "image_size": 32,
    "patch_size": 8,
}
TEXT_TOWER = {**TOWER, "vocab_size": 50, "max_position_embeddings": 8}
del TEXT_TOWER["image_size"], TEXT_TOWER["patch_size"]
SQUARE = {"size": {"height": 32, "width": 32}, "do_resize": True, "do_normalize": True}
CROP = {"size": {"shortest_edge": 40}, "crop_size": {"height": 32, "width": 32}}


def configs():
    """Name -> (class, config, what preprocessor_config.json says)."""
    t = transformers
    vit = t.ViTConfig(**TOWER)
    clip = t.CLIPConfig(vision_config=TOWER, text_config=TEXT_TOWER, projection_dim=12)
    siglip = t.SiglipConfig(vision_config=TOWER, text_config=TEXT_TOWER)
    resnet = t.ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1])
    convnext = t.ConvNextConfig(hidden_sizes=[8, 8, 16], depths=[1, 1, 1], num_stages=3)
    swin = t.SwinConfig(
        embed_dim=8, depths=[1, 1], num_heads=[1, 2], image_size=32, patch_size=4, window_size=4
    )
    registers = t.Dinov2WithRegistersConfig(**TOWER, num_register_tokens=2)
    vit_notes = {"feature_extractor_type": "ViTFeatureExtractor", "size": 32}  # as old ones say
    clip_notes = {"image_processor_type": "CLIPImageProcessor", **CROP}
    convnext_notes = {"image_processor_type": "ConvNextImageProcessor", "crop_pct": 0.875}
    convnext_notes["size"] = {"shortest_edge": 32}
    dino_notes = {"image_processor_type": "BitImageProcessor", **CROP}
    siglip_notes = {"image_processor_type": "SiglipImageProcessor", **SQUARE}
    return {
        "vit": (t.ViTModel, vit, vit_notes),
        "classifier": (t.ViTForImageClassification, vit, vit_notes),
        "mae": (t.ViTMAEModel, t.ViTMAEConfig(**TOWER), vit_notes),
        "clip": (t.CLIPModel, clip, clip_notes),
        "tower": (
            t.CLIPVisionModelWithProjection,
            t.CLIPVisionConfig(**TOWER, projection_dim=12),
            clip_notes,
        ),
        "siglip": (t.SiglipModel, siglip, siglip_notes),
        "dinov2": (t.Dinov2WithRegistersModel, registers, dino_notes),
        "swin": (t.SwinModel, swin, vit_notes),
        "resnet": (t.ResNetModel, resnet, convnext_notes),
        "convnext": (t.ConvNextModel, convnext, convnext_notes),
    }


@pytest.fixture(scope="session")
def folders(tmp_path_factory):
    """A folder of each model, saved by the library itself."""
    root = tmp_path_factory.mktemp("models")
    with torch.random.fork_rng(), _pretrained.quiet(), warnings.catch_warnings():
        torch.manual_seed(0)
        for name, (kind, config, notes) in configs().items():
            kind(config).save_pretrained(root / name)
            (root / name / "preprocessor_config.json").write_text(json.dumps(notes))
    return root


@pytest.fixture(scope="module")
def photos():
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (4, 6, 8, 3), dtype=np.uint8)
    return [np.kron(grid, np.ones((12, 9 + i, 1), np.uint8)) for i, grid in enumerate(coarse)]


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    monkeypatch.setattr(_pretrained, "_loaded", type(_pretrained._loaded)())


def embed(folder, cells, **options):
    return ImageEmbedder(folder, device="cpu", **options).fit_transform(cells)


def reference(folders, name, photo):
    """What the transformers library itself gives for one picture."""
    kind = configs()[name][0]
    model = kind.from_pretrained(folders / name).eval()
    processor = transformers.AutoImageProcessor.from_pretrained(folders / name, backend="pil")
    inputs = processor(images=[photo], return_tensors="pt")
    call = getattr(model, "get_image_features", model)
    with torch.inference_mode():
        return call(**inputs, output_hidden_states=True)


ALL = ["vit", "clip", "tower", "siglip", "dinov2", "swin", "resnet", "convnext"]
WIDTHS = {"clip": 12, "tower": 12}


@pytest.mark.parametrize("name", ALL)
def test_own_vectors_equal_the_librarys(folders, photos, name):
    outputs = reference(folders, name, photos[0])
    own = outputs.image_embeds if name == "tower" else outputs.pooler_output
    features = embed(folders / name, [*photos, None], normalize=False)
    assert features.shape == (5, WIDTHS.get(name, 16))
    np.testing.assert_allclose(features[0], own.flatten().numpy(), atol=1e-5)
    assert np.isnan(features[4]).all()
    assert not np.allclose(features[0], features[1], atol=1e-3)
    scaled = embed(folders / name, photos)
    np.testing.assert_allclose(np.linalg.norm(scaled, axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("options", [{}, {"pooling": "mean"}, {"pooling": None, "layer": -2}])
def test_neither_order_nor_batches_matter(folders, photos, name, options):
    features = embed(folders / name, photos, **options)
    for batch_size in (1, 3):
        turned = embed(folders / name, photos[::-1], batch_size=batch_size, **options)
        np.testing.assert_allclose(turned[::-1], features, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "n_prefix"), [("vit", 1), ("clip", 1), ("siglip", 0), ("dinov2", 3), ("swin", 0)]
)
@pytest.mark.parametrize("layer", [None, 0, 1, -1])
def test_layers_and_poolings_of_transformers(folders, photos, name, n_prefix, layer):
    outputs = reference(folders, name, photos[0])
    states = outputs.last_hidden_state if layer is None else outputs.hidden_states[layer]
    states = states[0].numpy()
    options = {"layer": layer, "normalize": False}
    mean = embed(folders / name, photos[:1], pooling="mean", **options)
    np.testing.assert_allclose(mean[0], states[n_prefix:].mean(axis=0), atol=1e-5)
    n_steps, n_features = states[n_prefix:].shape
    patches = embed(folders / name, photos[:1], pooling=None, max_steps=n_steps + 2, **options)
    steps = patches.reshape(n_steps + 2, n_features)
    np.testing.assert_allclose(steps[:n_steps], states[n_prefix:], atol=1e-5)
    assert np.isnan(steps[n_steps:]).all()
    if n_prefix:
        token = embed(folders / name, photos[:1], pooling="cls", **options)
        np.testing.assert_allclose(token[0], states[0], atol=1e-5)
    if layer is not None:
        auto = embed(folders / name, photos[:1], **options)
        np.testing.assert_allclose(auto, token if n_prefix else mean, atol=1e-6)


@pytest.mark.parametrize("layer", [None, 0, 1])
def test_maps_of_convolutional_networks(folders, photos, layer):
    outputs = reference(folders, "convnext", photos[0])
    states = outputs.last_hidden_state if layer is None else outputs.hidden_states[layer]
    states = states[0].numpy()  # (features, rows, columns)
    options = {"layer": layer, "normalize": False}
    mean = embed(folders / "convnext", photos[:1], pooling="mean", **options)
    np.testing.assert_allclose(mean[0], states.mean(axis=(1, 2)), atol=1e-5)
    patches = embed(folders / "convnext", photos[:1], pooling=None, max_steps=64, **options)
    n_steps = states.shape[1] * states.shape[2]
    steps = patches.reshape(64, -1)[:n_steps]
    np.testing.assert_allclose(steps, states.reshape(len(states), -1).T, atol=1e-5)


def test_patches_lie_in_reading_order_and_cover_the_picture(folders):
    # the embeddings of patches below the first block change where the picture changes
    grey = np.full((32, 32, 3), 128, np.uint8)
    spot = grey.copy()
    spot[:8, 24:] = 255  # the fourth patch of sixteen
    options = {"pooling": None, "layer": 0, "normalize": False}
    for max_steps, place in ((16, 3), (4, 1)):
        steps = embed(folders / "vit", [grey, spot], max_steps=max_steps, **options)
        change = np.abs(np.diff(steps.reshape(2, max_steps, 16), axis=0)[0]).sum(axis=1)
        assert np.flatnonzero(change > 1e-6).tolist() == [place]


@pytest.mark.parametrize(
    ("shape", "max_steps", "coarse"),
    [
        ((14, 14), 49, (7, 7)),
        ((4, 6), 12, (3, 4)),
        ((7, 5), 12, (4, 3)),
        ((1, 9), 3, (1, 3)),
        ((7, 1), 1, (1, 1)),
        ((3, 200), 2, (1, 2)),
    ],
)
def test_a_coarser_grid(shape, max_steps, coarse):
    grid = np.random.default_rng(0).normal(size=(*shape, 2)).astype(np.float32)
    pooled = torch.nn.functional.adaptive_avg_pool2d(torch.tensor(grid).permute(2, 0, 1), coarse)
    expected = pooled.permute(1, 2, 0).reshape(-1, 2).numpy()
    np.testing.assert_allclose(_coarsen(grid, max_steps), expected, atol=1e-6)
    np.testing.assert_array_equal(_coarsen(grid, 1000), grid.reshape(-1, 2))


def test_patches_are_a_sequence_block(folders, photos, monkeypatch):
    extractor = ImageEmbedder(folders / "vit", pooling=None, max_steps=9, device="cpu")
    table = make_extractor(image=extractor).fit_transform({"image": [*photos, None]})
    assert table.columns[[0, -1]].tolist() == ["image__emb000@000", "image__emb015@008"]
    (data,) = BlockLayout.from_names(table.columns).read(table)
    assert data.values.shape == (5, 9, 16)
    assert data.steps.sum(axis=1).tolist() == [9, 9, 9, 9, 0]
    np.testing.assert_allclose(np.linalg.norm(data.values[0], axis=1), 1, rtol=1e-5)


# -- how a model is loaded -----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["vit", "clip", "dinov2", "resnet", "convnext"])
def test_fit_loads_no_model_and_reads_the_width(folders, name, monkeypatch):
    width = embed(folders / name, [np.zeros((9, 9), np.uint8)]).shape[1]
    monkeypatch.setattr(_model, "ImageModel", None)
    embedder = ImageEmbedder(str(folders / name)).fit(["no picture at all"])
    names = embedder.get_feature_names_out()
    assert (names[0], len(names)) == ("emb000", width)
    assert np.isnan(embedder.transform([None, ""])).all()


def test_a_model_is_loaded_once_for_clones_and_copies(folders, photos, monkeypatch):
    loads = []

    class Counting(_model.ImageModel):
        def __init__(self, *args):
            loads.append(args)
            super().__init__(*args)

    monkeypatch.setattr(_model, "ImageModel", Counting)
    embedder = ImageEmbedder(folders / "siglip", device="cpu", batch_size=2)
    features = embedder.fit_transform(photos)
    clone(embedder).set_params(pooling="mean", layer=1).fit_transform(photos)
    dump = pickle.dumps(embedder)
    assert len(dump) < 2_000
    np.testing.assert_array_equal(pickle.loads(dump).transform(photos), features)
    assert len(loads) == 1


def test_loading_is_local_quiet_and_leaves_global_state_alone(folders, photos, monkeypatch, capfd):
    def refuse(*args, **kwargs):
        raise AssertionError("a local model asked the network")

    def state():
        return (
            random.getstate(),
            np.random.get_state()[1].tolist(),  # noqa: NPY002 - the global one is what is meant
            torch.get_rng_state().tolist(),
            torch.is_grad_enabled(),
            torch.backends.cudnn.allow_tf32,
        )

    monkeypatch.setattr(socket.socket, "connect", refuse)
    before = state()
    for name in ("classifier", "clip"):
        embed(folders / name, photos)
    assert state() == before
    assert capfd.readouterr() == ("", "")


def test_the_untrained_pooling_layer_of_a_classifier_is_not_used(folders, photos):
    features = embed(folders / "classifier", photos, normalize=False)
    outputs = transformers.ViTModel.from_pretrained(folders / "classifier").eval()
    processor = transformers.AutoImageProcessor.from_pretrained(folders / "vit", backend="pil")
    with torch.no_grad():
        states = outputs(**processor(images=photos, return_tensors="pt")).last_hidden_state
    np.testing.assert_allclose(features, states[:, 0].numpy(), atol=1e-5)


def test_half_precision_checkpoints_compute_in_single(folders, photos, tmp_path):
    copy = tmp_path / "half"
    shutil.copytree(folders / "vit", copy)
    transformers.ViTModel.from_pretrained(copy).half().save_pretrained(copy)
    np.testing.assert_allclose(embed(copy, photos), embed(folders / "vit", photos), atol=1e-2)
    # in half precision, equal numbers in another batch would differ by more
    one_by_one = embed(copy, photos, batch_size=1)
    np.testing.assert_allclose(one_by_one, embed(copy, photos), atol=1e-5)


def changed(folders, tmp_path, name="vit", **notes):
    """A copy of a model's folder with another config."""
    copy = tmp_path / "copy"
    shutil.copytree(folders / name, copy)
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps({**config, **notes}))
    return copy


def test_weights_must_belong_to_the_config(folders, photos, tmp_path):
    folder = changed(folders, tmp_path, num_hidden_layers=5)
    with pytest.raises(DataFormatError, match=r"do not belong to its config.json: \d+ parameters"):
        embed(folder, photos)


def test_pickled_weights_are_not_read(folders, photos, tmp_path):
    folder = changed(folders, tmp_path)
    model = transformers.ViTModel.from_pretrained(folder)
    (folder / "model.safetensors").unlink()
    torch.save(model.state_dict(), folder / "pytorch_model.bin")
    with pytest.raises(DataFormatError, match="pickled weights are not read, since they can run"):
        embed(folder, photos)


def test_code_that_comes_with_a_model_is_not_run(folders, photos, tmp_path):
    folder = changed(
        folders,
        tmp_path,
        model_type="own",
        auto_map={"AutoConfig": "code.C", "AutoModel": "code.M"},
    )
    (folder / "code.py").write_text("raise SystemExit")
    with pytest.raises(DataFormatError, match="ImageEmbedder cannot load the model"):
        embed(folder, photos)


def test_models_of_texts_are_refused(tmp_path, photos):
    config = transformers.BertConfig(vocab_size=30, hidden_size=8, num_hidden_layers=1)
    config.num_attention_heads, config.intermediate_size = 2, 8
    transformers.BertModel(config).save_pretrained(tmp_path)
    with pytest.raises(
        DataFormatError, match=r"of type 'bert' \(BertModel, which reads input_ids\), expected an"
    ):
        ImageEmbedder(tmp_path, device="cpu").fit(photos)


def test_models_that_hide_parts_at_random_are_refused(folders, photos):
    with pytest.raises(DataFormatError, match=r"\(ViTMAEModel\) gives no vector of a picture, or"):
        embed(folders / "mae", photos)


@pytest.mark.parametrize(
    "lacking", ["config.json", "preprocessor_config.json", "model.safetensors"]
)
def test_a_folder_that_lacks_a_file(folders, photos, tmp_path, lacking):
    folder = changed(folders, tmp_path)
    (folder / lacking).unlink()
    with pytest.raises(DataFormatError, match=r"cannot load the model .*it needs conf"):
        embed(folder, photos)


def test_a_folder_that_is_not_there_is_no_hub_name(tmp_path):
    with pytest.raises(DataFormatError, match=r"ImageEmbedder: the model folder .* does not exist"):
        ImageEmbedder(tmp_path / "nothing").fit([])


def test_a_device_that_is_not_there(folders, photos):
    with pytest.raises(ValueError, match="device='nowhere' cannot be used"):
        ImageEmbedder(folders / "vit", device="nowhere").fit_transform(photos)


@pytest.mark.parametrize("package", ["transformers", "PIL.Image"])
def test_a_missing_package_names_what_to_install(folders, photos, monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingDependencyError, match=r"ImageEmbedder needs .*mmsent\[image\]"):
        embed(folders / "vit", photos)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("vit", {"layer": 4}, "'layer' parameter of ImageEmbedder must lie between -4 and 3"),
        ("vit", {"layer": -5}, "for this model. Got -5 instead"),
        ("siglip", {"pooling": "cls"}, "pooling='cls' of ImageEmbedder needs a class token"),
        ("resnet", {"pooling": "cls"}, "Set pooling='auto' or 'mean'"),
    ],
)
def test_what_a_model_cannot_do(folders, photos, name, options, message):
    with pytest.raises(ValueError, match=message):
        embed(folders / name, photos, **options)
    with pytest.raises(ValueError, match=message):  # and nothing stays behind in the shared model
        embed(folders / name, photos, **options)
    assert np.isfinite(embed(folders / name, photos)).all()


# -- odd pictures --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["vit", "clip", "convnext", "siglip"])
def test_odd_pictures(folders, name):
    rng = np.random.default_rng(0)
    cells = [np.full((1, 1), 0.5), np.zeros((3, 50, 3), np.uint8), np.ones((50, 3, 4), np.uint8)]
    cells += [rng.integers(0, 256, (1, 3, 3), np.uint8), rng.integers(0, 256, (3, 1, 3), np.uint8)]
    cells += [rng.integers(0, 65536, (40, 40), np.uint16)]
    assert np.isfinite(embed(folders / name, cells)).all()


def test_a_thread_of_pixels_does_not_fill_the_memory(folders):
    # enlarged to a short side of 40 pixels it would take 2.4 GB
    import tracemalloc

    cells = [np.zeros((1, 500_000), np.uint8), np.zeros((500_000, 1), np.uint8)]
    embed(folders / "clip", [np.zeros((9, 9), np.uint8)])
    tracemalloc.start()
    assert np.isfinite(embed(folders / "clip", cells)).all()
    assert tracemalloc.get_traced_memory()[1] < 50e6
    tracemalloc.stop()


def test_pictures_that_a_processor_leaves_unequal(folders, photos, tmp_path):
    folder = changed(folders, tmp_path, "convnext")
    notes = {"image_processor_type": "CLIPImageProcessor", "do_center_crop": False}
    notes["size"] = {"shortest_edge": 32}
    (folder / "preprocessor_config.json").write_text(json.dumps(notes))
    cells = [*photos, photos[0].swapaxes(0, 1).copy()]
    features = embed(folder, cells)
    alone = np.vstack([embed(folder, [cell]) for cell in cells])
    np.testing.assert_allclose(features, alone, atol=1e-5)


def test_what_is_held_of_a_photo_is_small(folders):
    loaded = ImageEmbedder(folders / "clip", device="cpu")._load(np.zeros((900, 1600), np.uint8))
    assert {name: value.nbytes for name, value in loaded.items()} == {"pixel_values": 12288}


def test_bad_cells_are_named(folders, photos):
    cells = [photos[0], b"no picture", photos[1]]
    with pytest.raises(CellError, match=r"^ImageEmbedder: row 1, cell 10 bytes: Pillow finds no"):
        embed(folders / "vit", cells)
    with pytest.warns(UserWarning, match=r"^ImageEmbedder: 1 of 3 cells could not be used"):
        features = embed(folders / "vit", cells, on_error="missing")
    assert np.isnan(features).any(axis=1).tolist() == [False, True, False]


# -- timm ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def timm():
    try:
        return pytest.importorskip("timm")
    except RuntimeError as error:  # a torchvision that does not belong to this torch
        pytest.skip(f"timm cannot be imported: {error}")


@pytest.fixture(scope="module")
def timm_folders(timm, tmp_path_factory):
    """Folders as timm writes them for the hub."""
    from timm.models import save_for_hf

    root = tmp_path_factory.mktemp("timm")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for name in ("test_vit", "test_resnet"):
            save_for_hf(
                timm.create_model(name, num_classes=3), root / name, safe_serialization=True
            )
    return root


@pytest.mark.parametrize("name", ["test_vit", "test_resnet"])
def test_timm_models_equal_the_librarys(timm, timm_folders, photos, name):
    from PIL import Image

    model = timm.create_model(f"local-dir:{timm_folders / name}", pretrained=True, num_classes=0)
    model.eval()
    config = timm.data.resolve_model_data_config(model)
    prepare = timm.data.create_transform(**config, is_training=False)
    batch = torch.stack([prepare(Image.fromarray(photo)) for photo in photos])
    with torch.no_grad():
        own, states = model(batch), model.forward_features(batch)
    features = embed(timm_folders / name, photos, normalize=False)
    np.testing.assert_allclose(features, own.numpy(), atol=1e-5)
    states = states.flatten(2).mT if states.ndim == 4 else states[:, model.num_prefix_tokens :]
    mean = embed(timm_folders / name, photos, normalize=False, pooling="mean")
    np.testing.assert_allclose(mean, states.mean(dim=1).numpy(), atol=1e-5)
    patches = embed(timm_folders / name, photos, normalize=False, pooling=None, max_steps=400)
    steps = patches.reshape(len(photos), 400, -1)[:, : states.shape[1]]
    np.testing.assert_allclose(steps, states.numpy(), atol=1e-5)
    layer = embed(timm_folders / name, photos, layer=0, pooling="mean")
    assert np.isfinite(layer).all()


def test_timm_that_is_not_there_names_the_extra(tmp_path, monkeypatch):
    (tmp_path / "config.json").write_text('{"architecture": "test_vit", "num_classes": 0}')
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(MissingDependencyError, match=r"a model of timm needs .*mmsent\[timm\]"):
        ImageEmbedder(Path(tmp_path)).fit([])


@pytest.mark.parametrize("architecture", ["hf-hub:nobody/nothing", "no_such_net"])
def test_timm_architectures_must_be_timms_own(timm, tmp_path, architecture):
    (tmp_path / "config.json").write_text(json.dumps({"architecture": architecture}))
    with pytest.raises(DataFormatError, match=rf"knows no architecture '{architecture}'"):
        ImageEmbedder(tmp_path).fit([])
