"""Word2VecEmbedder with trained and given vectors."""

import pickle
import sys

import numpy as np
import pytest
from gensim.models import KeyedVectors
from sklearn.base import clone

from sklearn_mmsent import FusionClassifier, make_extractor, make_pipeline
from sklearn_mmsent.blocks import BlockLayout
from sklearn_mmsent.exceptions import CellError, DataFormatError, MissingDependencyError
from sklearn_mmsent.feature_extraction.text import Word2VecEmbedder, _vector_files

TEXTS = ["a fine film, a fine day", "a bad film", "the day is fine", None, "the film is bad"]
GIVEN = {"good": [1.0, 0.0, 0.0], "bad": [0.0, 1.0, 0.0], "Film": [0.0, 0.0, 2.0], "é": [1, 1, 1]}


@pytest.fixture(scope="module")
def given():
    vectors = KeyedVectors(3)
    vectors.add_vectors(list(GIVEN), np.array(list(GIVEN.values()), dtype=np.float32))
    return vectors


def write(vectors, folder, kind):
    path = folder / f"vectors.{kind}"
    options = {"glove": {"write_header": False}, "bin": {"binary": True}}
    vectors.save_word2vec_format(str(path), **options.get(kind.removesuffix(".gz"), {}))
    return path


# -- given ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["txt", "bin", "glove", "txt.gz", "bin.gz"])
def test_files_equal_the_object(given, tmp_path, kind):
    path = write(given, tmp_path, kind)
    texts = ["good good bad", "unknown", "É film", None]
    expected = [[2 / 3, 1 / 3, 0], [0, 0, 0], [1, 1, 1], [np.nan] * 3]
    for vectors in (given, path, str(path)):
        embedder = Word2VecEmbedder(vectors=vectors)
        np.testing.assert_allclose(embedder.fit_transform(texts), expected, rtol=1e-6)
        assert embedder.n_features_out_ == 3


def test_case_is_kept_on_request(given):
    cased = Word2VecEmbedder(vectors=given, lowercase=False).fit([])
    np.testing.assert_array_equal(
        cased.transform(["Film", "film", "GOOD"]), [[0, 0, 2], [0, 0, 0], [1, 0, 0]]
    )


def test_tfidf_pooling_weights_words_by_idf(given):
    texts = ["good", "good", "bad good", None]
    embedder = Word2VecEmbedder(vectors=given, pooling="tfidf").fit(texts)
    good, bad, unseen = np.log(4 / 4) + 1, np.log(4 / 2) + 1, np.log(4) + 1
    assert embedder.idf_ == pytest.approx({"good": good, "bad": bad})
    a, b = embedder.transform(["good bad", "good é x"])
    np.testing.assert_allclose(a, [good / (good + bad), bad / (good + bad), 0], rtol=1e-6)
    share = unseen / (good + unseen)
    np.testing.assert_allclose(b, [1, share, share], rtol=1e-6)


def test_without_pooling_a_text_is_a_sequence_block(given):
    embedder = Word2VecEmbedder(vectors=given, pooling=None, max_steps=3)
    extract = make_extractor(text=embedder)
    table = extract.fit_transform({"text": ["good! bad good", "good", None, "x"]})
    (block,) = BlockLayout.from_names(table.columns).blocks
    assert (block.name, block.kind, block.shape) == ("text", "sequence", (3, 3))
    (data,) = BlockLayout.from_names(table.columns).read(table)
    assert data.steps.tolist() == [
        [True] * 3,
        [True, False, False],
        [False] * 3,
        [True, False, False],
    ]
    np.testing.assert_array_equal(data.values[0], [[1, 0, 0], [0, 0, 0], [0, 1, 0]])
    np.testing.assert_array_equal(data.values[3, 0], 0)


def test_file_is_loaded_once_and_not_pickled(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    vectors = KeyedVectors(50)
    vectors.add_vectors([f"w{i}" for i in range(500)], rng.normal(size=(500, 50)).astype("f"))
    loads, load = [], _vector_files._load
    monkeypatch.setattr(_vector_files, "_load", lambda path: loads.append(path) or load(path))
    embedder = Word2VecEmbedder(vectors=write(vectors, tmp_path, "bin"), pooling="tfidf")
    features = embedder.fit_transform(["w1 w2", "w2"])
    clone(embedder).fit(["w1"])
    dump = pickle.dumps(embedder)
    assert len(dump) < 5_000
    np.testing.assert_array_equal(pickle.loads(dump).transform(["w1 w2", "w2"]), features)
    assert len(loads) == 1


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0" * 100,
        b"some prose in a file\nand more\n",
        b"3 2\na 1 2\n",
        b"2 2\na 1 2\nb 1\n",
        b"a 1 2\nb 1\n",
        b"1 2\na 1 nan\n",
        b"a 1 inf\n",
        b"9999999999999 300\na " + b"\1" * 50,
        b"2 3\na " + b"\1" * 5,
        b"0 3\n",
        b"2 0\na\nb\n",
        b"a 1 2\n\nb 1 2\n",
        pickle.dumps({"a": [1, 2]}),
    ],
    ids=range(14),
)
def test_corrupt_file_error(tmp_path, content):
    path = tmp_path / "vectors"
    path.write_bytes(content)
    with pytest.raises(
        DataFormatError, match=r"^Word2VecEmbedder.* file of word vectors '.*vectors'"
    ):
        Word2VecEmbedder(vectors=path).fit(TEXTS)


def test_words_with_spaces_and_duplicates(tmp_path):
    path = tmp_path / "vectors.txt"
    path.write_text("first 1 2\nin two 3 4\nfirst 5 6\n")
    vectors = _vector_files.load_vectors(path)
    assert vectors.index_to_key == ["first", "in two"]
    np.testing.assert_array_equal(vectors.vectors, [[1, 2], [3, 4]])


def test_missing_file_error(tmp_path):
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(DataFormatError, match="Word2VecEmbedder cannot read the file"):
            Word2VecEmbedder(vectors=path).fit(TEXTS)


# -- trained -------------------------------------------------------------------------------------


@pytest.mark.parametrize("pooling", ["mean", "tfidf", None])
def test_same_seed_gives_same_vectors(pooling):
    embedder = Word2VecEmbedder(8, pooling=pooling, max_steps=3)
    features = embedder.fit_transform(TEXTS)
    np.testing.assert_array_equal(clone(embedder).fit_transform(TEXTS), features)
    other = clone(embedder).set_params(random_state=1).fit_transform(TEXTS)
    assert not np.allclose(other, features, equal_nan=True)


def test_words_in_equal_contexts_are_similar():
    rng = np.random.default_rng(0)
    colours, beasts = ["red", "blue", "green"], ["dog", "cat", "cow"]
    texts = [f"the {rng.choice(colours)} car and a {rng.choice(beasts)} runs" for _ in range(400)]
    embedder = Word2VecEmbedder(16, window=1).fit(texts)
    red, blue, dog = (embedder.transform([word])[0] for word in ("red", "blue", "dog"))
    cosine = lambda a, b: a @ b / np.linalg.norm(a) / np.linalg.norm(b)  # noqa: E731
    assert cosine(red, blue) > cosine(red, dog)


@pytest.mark.parametrize("random_state", [None, np.random.RandomState(3)])
def test_global_generators_are_untouched(random_state, global_states):
    before = global_states()
    Word2VecEmbedder(4, random_state=random_state).fit_transform(TEXTS)
    assert global_states() == before


def test_fit_without_texts():
    with pytest.warns(UserWarning, match="Word2VecEmbedder: no training cell holds a text"):
        embedder = Word2VecEmbedder(2, pooling="tfidf").fit([None, ""])
    assert np.isnan(embedder.transform(["a text"])).all()
    with pytest.raises(CellError, match="no word occurs 3 times in 2 training texts"):
        Word2VecEmbedder(2, min_count=3).fit(["a b", "b c"])


@pytest.mark.parametrize("pooling", ["mean", "tfidf", None])
@pytest.mark.parametrize(
    "text",
    [
        "lone \ud800",
        "\0",
        "\u200b",
        "!",
        "😀",
        "中文没有空格",
        "ภาษา",
        "שלום",
        "word " * 200_000,
        "x" * 10**6,
    ],
    ids=lambda text: ascii(text[:8]),
)
def test_unusual_texts_give_finite_features(text, pooling):
    embedder = Word2VecEmbedder(4, pooling=pooling, max_steps=2, epochs=1, min_count=1)
    features = embedder.fit_transform([text, "fine"])
    assert np.isfinite(features[:, :4]).all()


def test_non_text_cell_error():
    with pytest.raises(CellError, match=r"Word2VecEmbedder: row 1, cell .*expected a text"):
        Word2VecEmbedder(2).fit(["fine fine", 3])


def test_sequence_as_network_input():
    pipe = make_pipeline(
        make_extractor(text=Word2VecEmbedder(4, pooling=None, max_steps=5)),
        FusionClassifier(max_epochs=2, early_stopping=False, random_state=0),
    )
    y = [1, 0, 1, 0, 0]
    assert pipe.fit({"text": TEXTS}, y).predict({"text": "a fine day"}).shape == (1,)


def test_missing_package_error_names_the_extra(monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == "gensim"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "gensim", None)
    with pytest.raises(MissingDependencyError, match=r"Word2VecEmbedder needs .*\[text\]"):
        Word2VecEmbedder().fit(TEXTS)
