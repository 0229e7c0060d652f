"""Texts as vectors of their words."""

import re
import warnings
from collections import Counter
from numbers import Integral
from pathlib import Path

import numpy as np
from sklearn.utils import check_random_state

from sklearn_mmsent.blocks import indexed_names, numbered_names
from sklearn_mmsent.exceptions import CellError
from sklearn_mmsent.feature_extraction._base import BaseExtractor
from sklearn_mmsent.feature_extraction.text._word_vectors import load_vectors
from sklearn_mmsent.feature_extraction.text.io import read_text
from sklearn_mmsent.utils._optional import import_optional
from sklearn_mmsent.utils._sklearn import HasMethods, Interval, StrOptions

_WORD = re.compile(r"\w+(?:['\u2019]\w+)*|[^\w\s]")


class Word2VecEmbedder(BaseExtractor):
    """Vectors of a text's words, pooled to one or as a sequence.

    Trains word2vec on the present training texts, or takes vectors that were trained elsewhere
    (word2vec, GloVe, fastText's ``.vec``). As a sequence it feeds recurrent and attention
    encoders with one step per word.

    Parameters
    ----------
    n_components : int, default=100
        Length of the vectors that are trained. With `vectors`, theirs counts.

    vectors : str, Path, KeyedVectors or None, default=None
        A text or binary file in the formats of word2vec or GloVe (also ``.gz``), which a process
        loads once and pickles do not carry; or gensim's object, which pickles and clones do
        carry. None trains on the training texts.

    pooling : {"mean", "tfidf"} or None, default="mean"
        "mean" averages the vectors of the known words; "tfidf" weights them by how few training
        texts have the word; None gives a sequence block of one word per step.

    max_steps : int, default=50
        Words of a sequence; what follows is cut off, and shorter texts are padded with NaN. Has
        no effect with pooling.

    lowercase : bool, default=True
        Whether to turn words to small letters. A word that is not known is looked up in small
        letters in any case.

    window : int, default=5
        Largest distance between words that are neighbours, in training.

    min_count : int, default=2
        Words that the training texts have less often are unknown, in training.

    epochs : int, default=20
        Passes over the training texts, in training.

    random_state : int, RandomState instance or None, default=0
        Seed of the training, which runs in one thread so that the same seed gives the same
        vectors. None draws a fresh one, without touching numpy's global generator.

    on_error : {"raise", "missing"}, default="raise"
        How to handle a cell that is not text: raise a `CellError`, or treat it as missing and warn
        once with the count.

    batch_size : int, default=256
        Texts that are looked up at a time.

    n_jobs : int or None, default=None
        Number of batches processed in parallel; None means 1.

    Attributes
    ----------
    vectors_ : KeyedVectors or None
        Trained or given vectors; None if they are in a file, or there was nothing to train on.

    idf_ : dict of str to float or None
        Weight of each known word that the training texts have, with ``pooling="tfidf"``.

    n_features_in_ : int
        Always 1, the column of cells.

    n_features_out_ : int
        Length of the vectors, times `max_steps` for a sequence.

    Raises
    ------
    CellError
        If no word stands `min_count` times in the training texts.
    DataFormatError
        If a file of vectors cannot be read.

    See Also
    --------
    TfidfEmbedder : Better where training texts are few; knows no sequence.
    TextEmbedder : Knows whole sentences instead of single words; slower.

    Notes
    -----
    A word is a run of letters and digits, or any other sign by itself. Unknown words do not count
    in a pooled vector, and are steps of zeros in a sequence. A text without a known word is zero,
    and not missing.

    References
    ----------
    .. [1] T. Mikolov, I. Sutskever, K. Chen, G. Corrado and J. Dean, "Distributed
       representations of words and phrases and their compositionality", NeurIPS, 2013.

    Examples
    --------
    >>> from sklearn_mmsent.feature_extraction.text import Word2VecEmbedder
    >>> texts = ["a fine film", "a fine day", "a film", None]
    >>> Word2VecEmbedder(4).fit_transform(texts).shape
    (4, 4)
    >>> words = Word2VecEmbedder(4, pooling=None, max_steps=3).fit(texts)
    >>> words.get_feature_names_out()[[0, 3, 4, 11]].tolist()
    ['w2v000@000', 'w2v003@000', 'w2v000@001', 'w2v003@002']
    """

    _stateless = False
    _libraries = ("numpy", "gensim")
    _parameter_constraints: dict = {
        **BaseExtractor._parameter_constraints,
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "vectors": [str, Path, HasMethods(["get_vector", "get_index"]), None],
        "pooling": [StrOptions({"mean", "tfidf"}), None],
        "max_steps": [Interval(Integral, 1, None, closed="left")],
        "lowercase": ["boolean"],
        "window": [Interval(Integral, 1, None, closed="left")],
        "min_count": [Interval(Integral, 1, None, closed="left")],
        "epochs": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        n_components=100,
        *,
        vectors=None,
        pooling="mean",
        max_steps=50,
        lowercase=True,
        window=5,
        min_count=2,
        epochs=20,
        random_state=0,
        on_error="raise",
        batch_size=256,
        n_jobs=None,
    ):
        self.n_components = n_components
        self.vectors = vectors
        self.pooling = pooling
        self.max_steps = max_steps
        self.lowercase = lowercase
        self.window = window
        self.min_count = min_count
        self.epochs = epochs
        self.random_state = random_state
        self.on_error = on_error
        self.batch_size = batch_size
        self.n_jobs = n_jobs

    def _load(self, cell):
        text = read_text(cell)
        return _WORD.findall(text.lower() if self.lowercase else text)

    def _fit_cells(self, loaded, y):
        self.idf_ = None
        self.vectors_ = self._train(loaded) if self.vectors is None else self.vectors
        if isinstance(self.vectors_, str | Path):
            self.vectors_ = None  # the file's stay out of pickles
        vectors = self._known_vectors()
        if self.pooling == "tfidf" and vectors is not None:
            self._fit_weights(loaded, vectors)

    def _encode(self, loaded):
        vectors = self._known_vectors()
        if vectors is None:
            return np.full((len(loaded), len(self._feature_names())), np.nan, dtype=np.float32)
        encode = self._sequence if self.pooling is None else self._pooled
        return np.stack([encode(words, vectors) for words in loaded])

    def _feature_names(self):
        vectors = self._known_vectors()
        names = numbered_names("w2v", self.n_components if vectors is None else vectors.vector_size)
        if self.pooling is not None:
            return names
        return indexed_names(names, self.max_steps)

    def _known_vectors(self):
        if isinstance(self.vectors, str | Path):
            return load_vectors(self.vectors)
        return self.vectors_

    def _train(self, texts):
        if not texts:
            warnings.warn(
                "Word2VecEmbedder: no training cell holds a text, so there is nothing to learn "
                "from, and every row of its block will be missing (NaN).",
                UserWarning,
                stacklevel=5,
            )
            return None
        if max(Counter(word for text in texts for word in text).values()) < self.min_count:
            raise CellError(
                f"Word2VecEmbedder: no word stands {self.min_count} times in {len(texts)} training "
                "texts. Lower min_count, or give vectors."
            )
        word2vec = import_optional(
            "gensim.models.word2vec", extra="text", needed_by=type(self).__name__
        )
        random_state = self.random_state
        if random_state is None:
            random_state = np.random.RandomState()  # sklearn would take the global one
        return word2vec.Word2Vec(
            texts,
            vector_size=self.n_components,
            window=self.window,
            min_count=self.min_count,
            epochs=self.epochs,
            sg=1,
            workers=1,
            seed=int(check_random_state(random_state).randint(2**31 - 1)),
        ).wv

    def _fit_weights(self, texts, vectors):
        known = ({i for i in map(_finder(vectors), text) if i is not None} for text in texts)
        counts = Counter(i for text in known for i in text)
        self.idf_ = {
            vectors.index_to_key[i]: float(np.log((1 + len(texts)) / (1 + n)) + 1)
            for i, n in sorted(counts.items())
        }
        self._idf_of_unseen = float(np.log(1 + len(texts)) + 1)

    def _pooled(self, words, vectors):
        rows = [i for i in map(_finder(vectors), words) if i is not None]
        if not rows:
            return np.zeros(vectors.vector_size, dtype=np.float32)
        weights = None
        if self.pooling == "tfidf":
            weights = [self.idf_.get(vectors.index_to_key[i], self._idf_of_unseen) for i in rows]
        # counted first: a megabyte of text has few distinct words
        distinct, weight = np.unique(rows, return_inverse=True)
        weight = np.bincount(weight, weights, minlength=len(distinct))
        return (weight / weight.sum()) @ vectors.vectors[distinct]

    def _sequence(self, words, vectors):
        steps = np.full((self.max_steps, vectors.vector_size), np.nan, dtype=np.float32)
        find = _finder(vectors)
        for step, word in enumerate(words[: self.max_steps]):
            row = find(word)
            steps[step] = 0 if row is None else vectors.vectors[row]
        return steps.ravel()


def _finder(vectors):
    """Return a function from a word to its row, or None."""
    rows = vectors.key_to_index

    def find(word):
        row = rows.get(word)
        return rows.get(word.lower()) if row is None else row

    return find
