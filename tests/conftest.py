"""Fixtures shared by several folders of tests."""

import json
import os
import random
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from sklearn_mmsent.blocks import BlockLayout
from sklearn_mmsent.utils import _memory


def named_table(n_samples=120, shapes=None, *, missing=0.0, seed=0, dtype="float32"):
    """Return a table of noisy, informative blocks, labels of three classes, and the layout.

    Sequences have padding, and blocks are missing at the rate `missing`.
    """
    shapes = shapes or {"text": 6, "audio": (5, 3), "image": (2, 3, 3)}
    rng = np.random.default_rng(seed)
    layout = BlockLayout.from_shapes(shapes)
    y = rng.integers(0, 3, n_samples)
    X = rng.normal(size=(n_samples, layout.n_columns)) + 0.9 * (y[:, None] - 1)
    for block in layout.blocks:
        if block.kind == "sequence":
            lengths = rng.integers(1, block.shape[0] + 1, n_samples)
            width = block.shape[1]
            for row, length in enumerate(lengths):
                X[row, block.start + length * width : block.stop] = np.nan
        X[rng.random(n_samples) < missing, block.columns] = np.nan
    names = [name for block in layout.blocks for name in block.column_names()]
    table = pd.DataFrame(X, columns=names).astype(dtype)
    return table, np.array(["neg", "neu", "pos"])[y], layout


@pytest.fixture(name="named_table")
def _named_table():
    return named_table


@pytest.fixture
def mapped(tmp_path, monkeypatch):
    """Return a function that maps arrays from files, with no memory to load them."""
    monkeypatch.setattr(_memory, "SMALL", 0)
    monkeypatch.setattr(_memory, "SHARE", {"cpu": 0, "cuda": 0})

    def from_file(array):
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.npy"
        np.save(path, array)
        return np.load(path, mmap_mode="r")

    return from_file


@pytest.fixture
def global_states():
    """Return a function that takes a snapshot of every global random number generator."""

    def snapshot():
        numpy_state = np.random.get_state()  # noqa: NPY002 - the legacy state is the one to guard
        torch_state = torch.random.get_rng_state().numpy().tobytes()
        return random.getstate(), numpy_state[1].tobytes(), numpy_state[2], torch_state

    return snapshot


# -- tiny vision models with random weights ------------------------------------------------------

VISION = {
    "hidden_size": 16,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "image_size": 32,
    "patch_size": 8,
}
TEXT = {**VISION, "vocab_size": 50, "max_position_embeddings": 8}
del TEXT["image_size"], TEXT["patch_size"]
SQUARE = {"size": {"height": 32, "width": 32}, "do_resize": True, "do_normalize": True}
CROP = {"size": {"shortest_edge": 40}, "crop_size": {"height": 32, "width": 32}}


@pytest.fixture(scope="session")
def vision_configs():
    """Name -> (class, config, content of preprocessor_config.json)."""
    import transformers as t

    vit = t.ViTConfig(**VISION)
    clip = t.CLIPConfig(vision_config=VISION, text_config=TEXT, projection_dim=12)
    siglip = t.SiglipConfig(vision_config=VISION, text_config=TEXT)
    resnet = t.ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1])
    convnext = t.ConvNextConfig(hidden_sizes=[8, 8, 16], depths=[1, 1, 1], num_stages=3)
    swin = t.SwinConfig(
        embed_dim=8, depths=[1, 1], num_heads=[1, 2], image_size=32, patch_size=4, window_size=4
    )
    registers = t.Dinov2WithRegistersConfig(**VISION, num_register_tokens=2)
    vit_processor = {"feature_extractor_type": "ViTFeatureExtractor", "size": 32}  # old format
    clip_processor = {"image_processor_type": "CLIPImageProcessor", **CROP}
    convnext_processor = {"image_processor_type": "ConvNextImageProcessor", "crop_pct": 0.875}
    convnext_processor["size"] = {"shortest_edge": 32}
    dino_processor = {"image_processor_type": "BitImageProcessor", **CROP}
    siglip_processor = {"image_processor_type": "SiglipImageProcessor", **SQUARE}
    return {
        "vit": (t.ViTModel, vit, vit_processor),
        "classifier": (t.ViTForImageClassification, vit, vit_processor),
        "mae": (t.ViTMAEModel, t.ViTMAEConfig(**VISION), vit_processor),
        "clip": (t.CLIPModel, clip, clip_processor),
        "tower": (
            t.CLIPVisionModelWithProjection,
            t.CLIPVisionConfig(**VISION, projection_dim=12),
            clip_processor,
        ),
        "siglip": (t.SiglipModel, siglip, siglip_processor),
        "dinov2": (t.Dinov2WithRegistersModel, registers, dino_processor),
        "swin": (t.SwinModel, swin, vit_processor),
        "resnet": (t.ResNetModel, resnet, convnext_processor),
        "convnext": (t.ConvNextModel, convnext, convnext_processor),
    }


@pytest.fixture(scope="session")
def vision_folders(vision_configs, tmp_path_factory):
    """Folder with one subfolder per model, saved by transformers."""
    from sklearn_mmsent.pretrained import loading

    root = tmp_path_factory.mktemp("models")
    with torch.random.fork_rng(), loading.quiet(), warnings.catch_warnings():
        torch.manual_seed(0)
        for name, (kind, config, processor) in vision_configs.items():
            kind(config).save_pretrained(root / name)
            (root / name / "preprocessor_config.json").write_text(json.dumps(processor))
    return root


@pytest.fixture(scope="session")
def photos():
    """Four images of different sizes."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (4, 6, 8, 3), dtype=np.uint8)
    return [np.kron(grid, np.ones((12, 9 + i, 1), np.uint8)) for i, grid in enumerate(coarse)]


@pytest.fixture(scope="session")
def real_data():
    """Return the folder of real data; skip the test if it is missing."""
    folder = os.environ.get("MMSENT_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("real data not found: set MMSENT_DATA to its folder")
    return Path(folder)


def pytest_make_parametrize_id(config, val, argname):
    """Name bytes by their length: their content may have a time stamp, unequal between workers."""
    return f"{len(val)}-bytes" if isinstance(val, bytes) else None
