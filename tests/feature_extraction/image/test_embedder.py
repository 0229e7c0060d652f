"""ImageEmbedder with tiny random models."""

import json
import shutil
import tracemalloc

import numpy as np
import pytest
import torch
import transformers

from sklearn_mmsent import make_extractor
from sklearn_mmsent.blocks import BlockLayout
from sklearn_mmsent.exceptions import CellError
from sklearn_mmsent.feature_extraction.image import ImageEmbedder
from sklearn_mmsent.feature_extraction.image.embedder import _coarsen


def embed(folder, cells, **options):
    return ImageEmbedder(folder, device="cpu", **options).fit_transform(cells)


def reference(vision_folders, vision_configs, name, photo):
    """Outputs of the transformers library for one image."""
    kind = vision_configs[name][0]
    model = kind.from_pretrained(vision_folders / name).eval()
    processor = transformers.AutoImageProcessor.from_pretrained(
        vision_folders / name, backend="pil"
    )
    inputs = processor(images=[photo], return_tensors="pt")
    call = getattr(model, "get_image_features", model)
    with torch.inference_mode():
        return call(**inputs, output_hidden_states=True)


MODELS = ["vit", "clip", "tower", "siglip", "dinov2", "swin", "resnet", "convnext"]
WIDTHS = {"clip": 12, "tower": 12}


@pytest.mark.parametrize("name", MODELS)
def test_default_vectors_equal_transformers(vision_folders, vision_configs, photos, name):
    outputs = reference(vision_folders, vision_configs, name, photos[0])
    pooled = outputs.image_embeds if name == "tower" else outputs.pooler_output
    features = embed(vision_folders / name, [*photos, None], normalize=False)
    assert features.shape == (5, WIDTHS.get(name, 16))
    np.testing.assert_allclose(features[0], pooled.flatten().numpy(), atol=1e-5)
    assert np.isnan(features[4]).all()
    assert not np.allclose(features[0], features[1], atol=1e-3)
    scaled = embed(vision_folders / name, photos)
    np.testing.assert_allclose(np.linalg.norm(scaled, axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("options", [{}, {"pooling": "mean"}, {"pooling": None, "layer": -2}])
def test_embeddings_independent_of_order_and_batches(vision_folders, photos, name, options):
    features = embed(vision_folders / name, photos, **options)
    for batch_size in (1, 3):
        flipped = embed(vision_folders / name, photos[::-1], batch_size=batch_size, **options)
        np.testing.assert_allclose(flipped[::-1], features, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "n_prefix"), [("vit", 1), ("clip", 1), ("siglip", 0), ("dinov2", 3), ("swin", 0)]
)
@pytest.mark.parametrize("layer", [None, 0, 1, -1])
def test_layers_and_pooling_equal_transformers(
    vision_folders, vision_configs, photos, name, n_prefix, layer
):
    outputs = reference(vision_folders, vision_configs, name, photos[0])
    states = outputs.last_hidden_state if layer is None else outputs.hidden_states[layer]
    states = states[0].numpy()
    options = {"layer": layer, "normalize": False}
    mean = embed(vision_folders / name, photos[:1], pooling="mean", **options)
    np.testing.assert_allclose(mean[0], states[n_prefix:].mean(axis=0), atol=1e-5)
    n_steps, n_features = states[n_prefix:].shape
    patches = embed(
        vision_folders / name, photos[:1], pooling=None, max_steps=n_steps + 2, **options
    )
    steps = patches.reshape(n_steps + 2, n_features)
    np.testing.assert_allclose(steps[:n_steps], states[n_prefix:], atol=1e-5)
    assert np.isnan(steps[n_steps:]).all()
    if n_prefix:
        token = embed(vision_folders / name, photos[:1], pooling="cls", **options)
        np.testing.assert_allclose(token[0], states[0], atol=1e-5)
    if layer is not None:
        auto = embed(vision_folders / name, photos[:1], **options)
        np.testing.assert_allclose(auto, token if n_prefix else mean, atol=1e-6)


@pytest.mark.parametrize("layer", [None, 0, 1])
def test_feature_maps_of_convolutional_networks(vision_folders, vision_configs, photos, layer):
    outputs = reference(vision_folders, vision_configs, "convnext", photos[0])
    states = outputs.last_hidden_state if layer is None else outputs.hidden_states[layer]
    states = states[0].numpy()  # (features, rows, columns)
    options = {"layer": layer, "normalize": False}
    mean = embed(vision_folders / "convnext", photos[:1], pooling="mean", **options)
    np.testing.assert_allclose(mean[0], states.mean(axis=(1, 2)), atol=1e-5)
    patches = embed(vision_folders / "convnext", photos[:1], pooling=None, max_steps=64, **options)
    n_steps = states.shape[1] * states.shape[2]
    steps = patches.reshape(64, -1)[:n_steps]
    np.testing.assert_allclose(steps, states.reshape(len(states), -1).T, atol=1e-5)


def test_patches_in_row_major_order(vision_folders):
    # below the first block, patch embeddings change only where the image changes
    grey = np.full((32, 32, 3), 128, np.uint8)
    spot = grey.copy()
    spot[:8, 24:] = 255  # the fourth patch of sixteen
    options = {"pooling": None, "layer": 0, "normalize": False}
    for max_steps, position in ((16, 3), (4, 1)):
        steps = embed(vision_folders / "vit", [grey, spot], max_steps=max_steps, **options)
        change = np.abs(np.diff(steps.reshape(2, max_steps, 16), axis=0)[0]).sum(axis=1)
        assert np.flatnonzero(change > 1e-6).tolist() == [position]


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
def test_coarsened_grid(shape, max_steps, coarse):
    grid = np.random.default_rng(0).normal(size=(*shape, 2)).astype(np.float32)
    pooled = torch.nn.functional.adaptive_avg_pool2d(torch.tensor(grid).permute(2, 0, 1), coarse)
    expected = pooled.permute(1, 2, 0).reshape(-1, 2).numpy()
    np.testing.assert_allclose(_coarsen(grid, max_steps), expected, atol=1e-6)
    np.testing.assert_array_equal(_coarsen(grid, 1000), grid.reshape(-1, 2))


def test_patches_are_a_sequence_block(vision_folders, photos, monkeypatch):
    extractor = ImageEmbedder(vision_folders / "vit", pooling=None, max_steps=9, device="cpu")
    table = make_extractor(image=extractor).fit_transform({"image": [*photos, None]})
    assert table.columns[[0, -1]].tolist() == ["image__emb000@000", "image__emb015@008"]
    (data,) = BlockLayout.from_names(table.columns).read(table)
    assert data.values.shape == (5, 9, 16)
    assert data.steps.sum(axis=1).tolist() == [9, 9, 9, 9, 0]
    np.testing.assert_allclose(np.linalg.norm(data.values[0], axis=1), 1, rtol=1e-5)


# -- degenerate images ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["vit", "clip", "convnext", "siglip"])
def test_degenerate_images(vision_folders, name):
    rng = np.random.default_rng(0)
    cells = [np.full((1, 1), 0.5), np.zeros((3, 50, 3), np.uint8), np.ones((50, 3, 4), np.uint8)]
    cells += [rng.integers(0, 256, (1, 3, 3), np.uint8), rng.integers(0, 256, (3, 1, 3), np.uint8)]
    cells += [rng.integers(0, 65536, (40, 40), np.uint16)]
    assert np.isfinite(embed(vision_folders / name, cells)).all()


def test_memory_of_extreme_aspect_ratios(vision_folders):
    # resized to a short side of 40 pixels it would take 2.4 GB
    cells = [np.zeros((1, 500_000), np.uint8), np.zeros((500_000, 1), np.uint8)]
    embed(vision_folders / "clip", [np.zeros((9, 9), np.uint8)])
    tracemalloc.start()
    assert np.isfinite(embed(vision_folders / "clip", cells)).all()
    assert tracemalloc.get_traced_memory()[1] < 50e6
    tracemalloc.stop()


def test_processor_output_of_different_sizes(vision_folders, photos, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(vision_folders / "convnext", folder)
    processor = {"image_processor_type": "CLIPImageProcessor", "do_center_crop": False}
    processor["size"] = {"shortest_edge": 32}
    (folder / "preprocessor_config.json").write_text(json.dumps(processor))
    cells = [*photos, photos[0].swapaxes(0, 1).copy()]
    features = embed(folder, cells)
    single = np.vstack([embed(folder, [cell]) for cell in cells])
    np.testing.assert_allclose(features, single, atol=1e-5)


def test_loaded_photo_is_small(vision_folders):
    loaded = ImageEmbedder(vision_folders / "clip", device="cpu")._load(
        np.zeros((900, 1600), np.uint8)
    )
    assert {name: value.nbytes for name, value in loaded.items()} == {"pixel_values": 12288}


def test_unusable_cell_errors(vision_folders, photos):
    cells = [photos[0], b"no picture", photos[1]]
    with pytest.raises(CellError, match=r"^ImageEmbedder: row 1, cell 10 bytes: Pillow finds no"):
        embed(vision_folders / "vit", cells)
    with pytest.warns(UserWarning, match=r"^ImageEmbedder: 1 of 3 cells could not be used"):
        features = embed(vision_folders / "vit", cells, on_error="missing")
    assert np.isnan(features).any(axis=1).tolist() == [False, True, False]
    with pytest.raises(CellError, match="more than max_pixels=9"):
        embed(vision_folders / "vit", photos, max_pixels=9)
