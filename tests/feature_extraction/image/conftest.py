"""Tiny vision models with random weights, and photos."""

import json
import warnings

import numpy as np
import pytest
import torch
import transformers

from sklearn_mmsent.pretrained import loading

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


@pytest.fixture(scope="session")
def model_configs():
    """Name -> (class, config, content of preprocessor_config.json)."""
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
    vit_processor = {"feature_extractor_type": "ViTFeatureExtractor", "size": 32}  # old format
    clip_processor = {"image_processor_type": "CLIPImageProcessor", **CROP}
    convnext_processor = {"image_processor_type": "ConvNextImageProcessor", "crop_pct": 0.875}
    convnext_processor["size"] = {"shortest_edge": 32}
    dino_processor = {"image_processor_type": "BitImageProcessor", **CROP}
    siglip_processor = {"image_processor_type": "SiglipImageProcessor", **SQUARE}
    return {
        "vit": (t.ViTModel, vit, vit_processor),
        "classifier": (t.ViTForImageClassification, vit, vit_processor),
        "mae": (t.ViTMAEModel, t.ViTMAEConfig(**TOWER), vit_processor),
        "clip": (t.CLIPModel, clip, clip_processor),
        "tower": (
            t.CLIPVisionModelWithProjection,
            t.CLIPVisionConfig(**TOWER, projection_dim=12),
            clip_processor,
        ),
        "siglip": (t.SiglipModel, siglip, siglip_processor),
        "dinov2": (t.Dinov2WithRegistersModel, registers, dino_processor),
        "swin": (t.SwinModel, swin, vit_processor),
        "resnet": (t.ResNetModel, resnet, convnext_processor),
        "convnext": (t.ConvNextModel, convnext, convnext_processor),
    }


@pytest.fixture(scope="session")
def folders(model_configs, tmp_path_factory):
    """Folder with one subfolder per model, saved by transformers."""
    root = tmp_path_factory.mktemp("models")
    with torch.random.fork_rng(), loading.quiet(), warnings.catch_warnings():
        torch.manual_seed(0)
        for name, (kind, config, processor) in model_configs.items():
            kind(config).save_pretrained(root / name)
            (root / name / "preprocessor_config.json").write_text(json.dumps(processor))
    return root


@pytest.fixture(scope="session")
def photos():
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (4, 6, 8, 3), dtype=np.uint8)
    return [np.kron(grid, np.ones((12, 9 + i, 1), np.uint8)) for i, grid in enumerate(coarse)]
