"""TfidfEmbedder: projection, vocabulary and invalid parameters."""

import numpy as np
import pytest

from sklearn_mmsent.exceptions import CellError
from sklearn_mmsent.feature_extraction.text import TfidfEmbedder

TEXTS = [
    "what a lovely film, full of joy!",
    "joy and love in every scene",
    "a terrible bore, full of hate",
    "hate every boring minute",
    None,
]


@pytest.mark.parametrize("n_components", [1, 2, 3, 1200])
def test_width_is_independent_of_the_data(n_components):
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


def test_directions_not_spanned_by_training_texts_are_zero():
    embedder = TfidfEmbedder(4, normalize=False).fit(["same words", "same words", "other things"])
    assert (embedder.singular_values_ > 0).sum() == 2
    np.testing.assert_array_equal(embedder.transform(["same things other"])[:, 2:], 0)


def test_vocabulary_of_one_term():
    features = TfidfEmbedder(3).fit_transform(["a", "a", "a"])
    np.testing.assert_allclose(features, [[1, 0, 0]] * 3, rtol=1e-6)


def test_text_without_known_terms_is_zero():
    np.testing.assert_array_equal(TfidfEmbedder(2).fit(TEXTS).transform(["xyz"]), [[0, 0]])


def test_fit_without_texts():
    with pytest.warns(UserWarning, match="TfidfEmbedder: no training cell holds a text"):
        embedder = TfidfEmbedder(2).fit([None, "", float("nan")])
    features = embedder.transform(["a text", None])
    assert features.shape == (2, 2)
    assert np.isnan(features).all()


def test_empty_vocabulary_error():
    with pytest.raises(CellError, match=r"TfidfEmbedder found no terms .*min_df=5") as caught:
        TfidfEmbedder(min_df=5).fit(TEXTS)
    assert caught.value.__cause__ is not None
    with pytest.raises(CellError, match=r"TfidfEmbedder found no terms"):
        TfidfEmbedder(min_df=1.0).fit(TEXTS)


def test_character_ngrams_match_word_forms():
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
        ({"word_ngrams": None}, "no terms to count"),
    ],
)
def test_invalid_ngrams(parameters, message):
    with pytest.raises(ValueError, match=message):
        TfidfEmbedder(**parameters).fit(TEXTS)


@pytest.mark.parametrize("random_state", [0, None, np.random.RandomState(3)])
def test_global_generator_is_untouched(random_state):
    before = np.random.get_state()[1].copy()  # noqa: NPY002 - the global state is tested
    TfidfEmbedder(2, random_state=random_state).fit_transform(TEXTS)
    np.testing.assert_array_equal(before, np.random.get_state()[1])  # noqa: NPY002
