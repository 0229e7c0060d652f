"""Loading of pretrained vision encoders: shared, safe and with checks."""

import json
import pickle
import random
import shutil
import socket
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from sklearn.base import clone

from sklearn_mmsent.exceptions import DataFormatError, MissingDependencyError
from sklearn_mmsent.feature_extraction.image import ImageEmbedder
from sklearn_mmsent.pretrained import image, loading


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    monkeypatch.setattr(loading, "_loaded", type(loading._loaded)())


def embed(folder, cells, **options):
    return ImageEmbedder(folder, device="cpu", **options).fit_transform(cells)


@pytest.mark.parametrize(
    ("name", "pooling"),
    [
        *[(name, "auto") for name in ("vit", "dinov2", "resnet", "convnext", "clip", "siglip")],
        *[(name, "mean") for name in ("vit", "clip", "siglip")],
    ],
)
def test_fit_reads_width_without_model(vision_folders, name, pooling, monkeypatch):
    width = embed(vision_folders / name, [np.zeros((9, 9), np.uint8)], pooling=pooling).shape[1]
    monkeypatch.setattr(image, "ImageModel", None)
    embedder = ImageEmbedder(str(vision_folders / name), pooling=pooling).fit(["no picture at all"])
    names = embedder.get_feature_names_out()
    assert (names[0], len(names)) == ("emb000", width)
    assert np.isnan(embedder.transform([None, ""])).all()


def test_clones_and_copies_share_one_model(vision_folders, photos, monkeypatch):
    loads = []

    class Counting(image.ImageModel):
        def __init__(self, *args):
            loads.append(args)
            super().__init__(*args)

    monkeypatch.setattr(image, "ImageModel", Counting)
    embedder = ImageEmbedder(vision_folders / "siglip", device="cpu", batch_size=2)
    features = embedder.fit_transform(photos)
    clone(embedder).set_params(pooling="mean", layer=1).fit_transform(photos)
    dump = pickle.dumps(embedder)
    assert len(dump) < 2_000
    np.testing.assert_array_equal(pickle.loads(dump).transform(photos), features)
    assert len(loads) == 1


def test_loading_without_network_output_and_side_effects(
    vision_folders, photos, monkeypatch, capfd
):
    def deny(*args, **kwargs):
        raise AssertionError("a local model accessed the network")

    def state():
        return (
            random.getstate(),
            np.random.get_state()[1].tolist(),  # noqa: NPY002 - the global state is tested
            torch.get_rng_state().tolist(),
            torch.is_grad_enabled(),
            torch.backends.cudnn.allow_tf32,
        )

    monkeypatch.setattr(socket.socket, "connect", deny)
    before = state()
    for name in ("classifier", "clip"):
        embed(vision_folders / name, photos)
    assert state() == before
    assert capfd.readouterr() == ("", "")


def test_untrained_pooling_layer_is_not_used(vision_folders, photos):
    features = embed(vision_folders / "classifier", photos, normalize=False)
    outputs = transformers.ViTModel.from_pretrained(vision_folders / "classifier").eval()
    processor = transformers.AutoImageProcessor.from_pretrained(
        vision_folders / "vit", backend="pil"
    )
    with torch.no_grad():
        states = outputs(**processor(images=photos, return_tensors="pt")).last_hidden_state
    np.testing.assert_allclose(features, states[:, 0].numpy(), atol=1e-5)


def test_half_precision_checkpoints_compute_in_float32(vision_folders, photos, tmp_path):
    copy = tmp_path / "half"
    shutil.copytree(vision_folders / "vit", copy)
    transformers.ViTModel.from_pretrained(copy).half().save_pretrained(copy)
    expected = transformers.ViTModel.from_pretrained(copy, dtype=torch.float32).eval()
    processor = transformers.AutoImageProcessor.from_pretrained(copy, backend="pil")
    with torch.no_grad():
        pooled = expected(**processor(images=photos, return_tensors="pt")).pooler_output
    np.testing.assert_allclose(embed(copy, photos, normalize=False), pooled.numpy(), atol=1e-6)


def test_text_model_is_dropped(vision_folders):
    model = image.load(vision_folders / "clip", "cpu", "ImageEmbedder")
    assert not [name for name, _ in model._model.named_parameters() if name.startswith("text_mod")]


def changed(vision_folders, tmp_path, name="vit", **changes):
    """Return a copy of a model folder with a changed config."""
    copy = tmp_path / "copy"
    shutil.copytree(vision_folders / name, copy)
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps({**config, **changes}))
    return copy


def test_weights_that_do_not_match_the_config(vision_folders, photos, tmp_path):
    folder = changed(vision_folders, tmp_path, num_hidden_layers=5)
    with pytest.raises(DataFormatError, match=r"do not match its config.json: \d+ parameters"):
        embed(folder, photos)


def test_pickled_weights_error(vision_folders, photos, tmp_path):
    folder = changed(vision_folders, tmp_path)
    model = transformers.ViTModel.from_pretrained(folder)
    (folder / "model.safetensors").unlink()
    torch.save(model.state_dict(), folder / "pytorch_model.bin")
    with pytest.raises(DataFormatError, match="pickled weights are not read, since they can"):
        embed(folder, photos)


def test_remote_code_is_not_executed(vision_folders, photos, tmp_path):
    folder = changed(
        vision_folders,
        tmp_path,
        model_type="own",
        auto_map={"AutoConfig": "code.C", "AutoModel": "code.M"},
    )
    (folder / "code.py").write_text("raise SystemExit")
    with pytest.raises(DataFormatError, match="ImageEmbedder cannot load the model"):
        embed(folder, photos)


def test_text_model_error(tmp_path, photos):
    config = transformers.BertConfig(vocab_size=30, hidden_size=8, num_hidden_layers=1)
    config.num_attention_heads, config.intermediate_size = 2, 8
    transformers.BertModel(config).save_pretrained(tmp_path)
    with pytest.raises(
        DataFormatError, match=r"of type 'bert' \(BertModel, which reads input_ids\); expected an"
    ):
        ImageEmbedder(tmp_path, device="cpu").fit(photos)


def test_random_masking_error(vision_folders, photos):
    with pytest.raises(DataFormatError, match=r"\(ViTMAEModel\) gives no image embedding or"):
        embed(vision_folders / "mae", photos)


@pytest.mark.parametrize(
    "missing", ["config.json", "preprocessor_config.json", "model.safetensors"]
)
def test_missing_file_error(vision_folders, photos, tmp_path, missing):
    folder = changed(vision_folders, tmp_path)
    (folder / missing).unlink()
    with pytest.raises(DataFormatError, match=r"cannot load the model .*it needs conf"):
        embed(folder, photos)


def test_missing_folder_error(tmp_path):
    with pytest.raises(DataFormatError, match=r"ImageEmbedder: the model folder .* does not exist"):
        ImageEmbedder(tmp_path / "nothing").fit([])


def test_unavailable_device_error(vision_folders, photos):
    with pytest.raises(ValueError, match="device='nowhere' cannot be used"):
        ImageEmbedder(vision_folders / "vit", device="nowhere").fit_transform(photos)


@pytest.mark.parametrize("package", ["transformers", "PIL.Image"])
def test_missing_package_error_names_the_extra(vision_folders, photos, monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingDependencyError, match=r"ImageEmbedder needs .*mmsent\[image\]"):
        embed(vision_folders / "vit", photos)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("vit", {"layer": 4}, "'layer' parameter of ImageEmbedder must lie between -4 and 3"),
        ("vit", {"layer": -5}, "for this model. Got -5 instead"),
        ("siglip", {"pooling": "cls"}, "pooling='cls' of ImageEmbedder needs a class token"),
        ("resnet", {"pooling": "cls"}, "Set pooling='auto' or 'mean'"),
    ],
)
def test_unsupported_options(vision_folders, photos, name, options, message):
    with pytest.raises(ValueError, match=message):
        embed(vision_folders / name, photos, **options)
    with pytest.raises(ValueError, match=message):  # the shared model is unchanged
        embed(vision_folders / name, photos, **options)
    assert np.isfinite(embed(vision_folders / name, photos)).all()


# -- timm ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def timm():
    try:
        return pytest.importorskip("timm")
    except RuntimeError as error:  # torchvision built for another torch
        pytest.skip(f"timm cannot be imported: {error}")


@pytest.fixture(scope="module")
def timm_folders(timm, tmp_path_factory):
    """Folders in the hub format of timm."""
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
def test_embeddings_equal_timm(timm, timm_folders, photos, name):
    from PIL import Image

    model = timm.create_model(f"local-dir:{timm_folders / name}", pretrained=True, num_classes=0)
    model.eval()
    config = timm.data.resolve_model_data_config(model)
    prepare = timm.data.create_transform(**config, is_training=False)
    batch = torch.stack([prepare(Image.fromarray(photo)) for photo in photos])
    with torch.no_grad():
        pooled, states = model(batch), model.forward_features(batch)
    features = embed(timm_folders / name, photos, normalize=False)
    np.testing.assert_allclose(features, pooled.numpy(), atol=1e-5)
    states = states.flatten(2).mT if states.ndim == 4 else states[:, model.num_prefix_tokens :]
    mean = embed(timm_folders / name, photos, normalize=False, pooling="mean")
    np.testing.assert_allclose(mean, states.mean(dim=1).numpy(), atol=1e-5)
    patches = embed(timm_folders / name, photos, normalize=False, pooling=None, max_steps=400)
    steps = patches.reshape(len(photos), 400, -1)[:, : states.shape[1]]
    np.testing.assert_allclose(steps, states.numpy(), atol=1e-5)
    layer = embed(timm_folders / name, photos, layer=0, pooling="mean")
    assert np.isfinite(layer).all()


def test_missing_timm_error_names_the_extra(tmp_path, monkeypatch):
    (tmp_path / "config.json").write_text('{"architecture": "test_vit", "num_classes": 0}')
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(MissingDependencyError, match=r"a model of timm needs .*mmsent\[timm\]"):
        ImageEmbedder(Path(tmp_path)).fit([])


@pytest.mark.parametrize("architecture", ["hf-hub:nobody/nothing", "no_such_net"])
def test_unknown_timm_architecture(timm, tmp_path, architecture):
    (tmp_path / "config.json").write_text(json.dumps({"architecture": architecture}))
    with pytest.raises(DataFormatError, match=rf"knows no architecture '{architecture}'"):
        ImageEmbedder(tmp_path).fit([])
