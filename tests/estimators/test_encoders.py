"""The preset of encoders for raw input: which encoder a block gets, and that it learns."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from sklearn_mmsent import FusionClassifier, FusionRegressor, make_clips
from sklearn_mmsent.blocks import BlockLayout
from sklearn_mmsent.feature_extraction.audio.io import read_audio
from sklearn_mmsent.feature_extraction.image import Pixels
from sklearn_mmsent.nn import Conv1dEncoder, Conv2dEncoder, MLPEncoder

PRESET = "cnn-end-to-end"
QUICK = {"encoders": PRESET, "max_epochs": 1, "random_state": 0, "early_stopping": False}


def table(shapes, n=6):
    layout = BlockLayout.from_shapes(shapes)
    names = [name for block in layout.blocks for name in block.column_names()]
    values = np.random.default_rng(0).normal(size=(n, len(names))).astype(np.float32)
    return pd.DataFrame(values, columns=names), np.arange(n) % 2


def encoders(shapes, **params):
    clf = FusionClassifier(**{**QUICK, **params}).fit(*table(shapes))
    assert np.isfinite(clf.predict_proba(table(shapes)[0])).all()
    return clf.net_.module_.encoders


def test_each_kind_of_block_gets_its_layers():
    text, image, audio = encoders({"text": 20, "image": (3, 16, 16), "audio": (1600, 1)})
    dense = [layer for layer in text.layers if isinstance(layer, torch.nn.Linear)]
    assert [(layer.in_features, layer.out_features) for layer in dense] == [(20, 128), (128, 64)]
    assert isinstance(image, Conv2dEncoder)
    assert [tuple(layer.conv.weight.shape) for layer in image.layers] == [
        (64, 3, 3, 3),
        (128, 64, 3, 3),
    ]
    assert isinstance(audio, Conv1dEncoder)
    assert [tuple(layer.conv.weight.shape) for layer in audio.layers] == [
        (64, 1, 80),
        (128, 64, 3),
    ]
    assert [(layer.stride, layer.pool) for layer in audio.layers] == [(4, 4), (1, 4)]


def test_short_and_many_featured_sequences_get_small_kernels():
    for shape in [(999, 1), (1200, 3)]:
        (encoder,) = encoders({"audio": shape})
        assert [layer.conv.kernel_size for layer in encoder.layers] == [(5,), (5,)]


SIZES = [(1, 1), (2, 1), (7, 5), (48, 48), (65, 33), (100, 100)]
STEPS = [1, 2, 79, 1000, 1001, 16001]


@pytest.mark.parametrize(("size", "n_steps"), list(zip(SIZES, STEPS, strict=True)))
def test_blocks_of_any_size_are_read(size, n_steps):
    encoders({"image": (3, *size), "audio": (n_steps, 1), "text": 1})


@pytest.mark.parametrize("fusion", ["gated", "bottleneck"])
def test_the_preset_works_with_fusions_of_vectors_and_sequences(fusion):
    encoders({"image": (1, 9, 9), "audio": (1100, 1), "text": 5}, fusion=fusion)


def test_the_preset_can_be_searched_and_set_by_block():
    audio, text = encoders({"audio": (50, 2), "text": 5}, encoders={"audio": PRESET})
    assert isinstance(audio, Conv1dEncoder)
    assert text.layers[0].out_features == 64
    audio, text = encoders({"audio": (50, 2), "text": 5}, encoders={"audio": (PRESET, {"pool": 4})})
    assert [layer.pool for layer in audio.layers] == [4, 4]
    X, y = table({"text": 5}, n=20)
    search = GridSearchCV(FusionRegressor(**QUICK), {"encoders": ["auto", PRESET]}, cv=2)
    assert len(search.fit(X, y).cv_results_["params"]) == 2
    assert clone(search.best_estimator_).encoders in ("auto", PRESET)
    with pytest.raises(ValueError, match=r"parameter of FusionClassifier must be .*cnn-end-to-end"):
        FusionClassifier(encoders="cnn-end-to-and").fit(X, y)
    with pytest.raises(ValueError, match=r"unknown encoder 'cnn' .* cnn-end-to-end, .*gru"):
        FusionClassifier(encoders={"text": "cnn"}).fit(X, y)


def test_hidden_layers_of_the_mlp():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        plain = MLPEncoder((3,), 4, 0.2)
        torch.manual_seed(0)
        explicit = MLPEncoder((3,), 4, 0.2, hidden=(4,))
    for name, value in plain.state_dict().items():
        assert torch.equal(value, explicit.state_dict()[name])
    # files of earlier versions fit: layers 0 and 3, around ReLU and dropout
    assert list(plain.state_dict()) == [
        f"layers.{i}.{w}" for i in (0, 3) for w in ("weight", "bias")
    ]
    deep = MLPEncoder((3, 2), 4, 0.5, hidden=(8, 5))
    assert [n for n, _ in deep.layers.named_children()] == [str(i) for i in range(8)]
    for wrong, message in [((), "one entry or more"), ((0,), "a positive integer. Got 0")]:
        with pytest.raises(ValueError, match="MLPEncoder: hidden .*" + message):
            MLPEncoder((3,), 4, 0.2, hidden=wrong)


@pytest.fixture(name="clips", scope="module")
def _clips(tmp_path_factory):
    """Faces as pixels and voices as samples at 4 kHz, the first 0.75 seconds of them."""
    classes = ("negative", "positive")
    data = make_clips(
        tmp_path_factory.mktemp("clips"),
        100,
        modalities=("image", "audio"),
        classes=classes,
        interaction="agreeing",
        noise=0.1,
        random_state=0,
    )
    pixels = Pixels(size=(24, 24), color="gray")
    image = pixels.fit_transform(data.X["image"].tolist())
    table = pd.DataFrame(image, columns=pixels.get_feature_names_out()).add_prefix("image__")
    samples = [waveform(path) for path in data.X["audio"]]
    block = BlockLayout.from_shapes({"audio": (3000, 1)}).blocks[0]
    sound = pd.DataFrame(np.stack(samples), columns=block.column_names())
    return pd.concat([table, sound], axis=1), data.y


def waveform(path):
    samples = read_audio(path, sample_rate=4000, max_seconds=5)[:3000]
    return np.pad(samples, (0, 3000 - len(samples)), constant_values=np.nan).astype(np.float32)


def test_the_preset_learns_from_pixels_and_samples(clips):
    X, y = clips
    clf = FusionClassifier(
        encoders=PRESET, lr=1e-3, weight_decay=0.0, max_epochs=12, early_stopping=False,
        random_state=0,
    )  # fmt: skip
    assert clf.fit(X[:70], y[:70]).score(X[70:], y[70:]) > 0.7
    before = clf.predict_proba(X[70:])
    for modality in ("image", "audio"):
        without = X[70:].copy()
        without.loc[:, without.columns.str.startswith(modality)] = np.nan
        assert np.abs(clf.predict_proba(without) - before).max() > 1e-3
