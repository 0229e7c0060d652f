"""Word vectors, pooled or as a sequence."""

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
from sklearn_mmsent.feature_extraction.text._base import TextExtractor
from sklearn_mmsent.feature_extraction.text._vector_files import load_vectors
from sklearn_mmsent.utils._documentation import document_shared_parameters
from sklearn_mmsent.utils._optional import import_optional
from sklearn_mmsent.utils._sklearn import HasMethods, Interval, StrOptions

_WORD = re.compile(r"\w+(?:['\u2019]\w+)*|[^\w\s]")


@document_shared_parameters(BaseExtractor)
class Word2VecEmbedder(TextExtractor):
    """Word vectors of texts, pooled or as a sequence.

    Trains word2vec [1]_ on the training texts, or uses given vectors (word2vec, GloVe, fastText
    ``.vec``). As a sequence it provides recurrent and attention encoders with one step per word.

    Parameters
    ----------
    n_components : int, default=100
        Size of the trained vectors. Ignored with `vectors`.
    vectors : str, Path, KeyedVectors or None, default=None
        Text or binary file in the format of word2vec or GloVe (also ``.gz``), which is loaded once
        per process and not pickled; or an object of gensim, which is pickled and cloned. None
        trains on the training texts.
    pooling : {"mean", "tfidf"} or None, default="mean"
        "mean" averages the vectors of the known words; "tfidf" weights them by inverse document
        frequency; None returns a sequence block with one word per step.
    max_steps : int, default=50
        With ``pooling=None``, number of words in the sequence block. Longer texts are truncated,
        shorter ones padded with NaN.
    lowercase : bool, default=True
        Whether to convert words to lower case. Unknown words are always looked up in lower
        case.
    window : int, default=5
        Maximum distance between a word and its context words in training.
    min_count : int, default=2
        Minimum frequency of a word in training; rarer words are unknown.
    epochs : int, default=20
        Number of training epochs.
    random_state : int, RandomState instance or None, default=0
        Seed of the training, which runs in one thread for reproducibility. None uses a fresh seed
        and does not touch the global generator of numpy.
    batch_size : int, default=256
        Number of texts looked up at a time.

    Attributes
    ----------
    vectors_ : KeyedVectors or None
        Trained or given vectors; None if they are in a file or there were no training texts.
    idf_ : dict of str to float or None
        Inverse document frequency of each known word, with ``pooling="tfidf"``.
    n_features_out_ : int
        Size of the vectors, times `max_steps` for a sequence.

    Raises
    ------
    CellError
        If no word occurs `min_count` times in the training texts.
    DataFormatError
        If a file of vectors cannot be read.

    See Also
    --------
    TfidfEmbedder : Better for few training texts; not a sequence.
    TextEmbedder : Encodes whole sentences instead of single words; slower.

    Notes
    -----
    A word is a run of letters and digits, or any other single character. Unknown words are
    ignored in pooled vectors, and are steps of zeros in a sequence. A text without any known word
    is zero and not missing.

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
        text = super()._load(cell)
        return _WORD.findall(text.lower() if self.lowercase else text)

    def _fit_cells(self, loaded, y):
        self.idf_ = None
        self.vectors_ = self._train(loaded) if self.vectors is None else self.vectors
        if isinstance(self.vectors_, str | Path):
            self.vectors_ = None  # vectors of files are not pickled
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
                f"Word2VecEmbedder: no word occurs {self.min_count} times in {len(texts)} training "
                "texts. Lower min_count, or pass vectors."
            )
        word2vec = import_optional(
            "gensim.models.word2vec", extra="text", needed_by=type(self).__name__
        )
        random_state = self.random_state
        if random_state is None:
            random_state = np.random.RandomState()  # not the global generator
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
        self._unseen_idf = float(np.log(1 + len(texts)) + 1)

    def _pooled(self, words, vectors):
        rows = [i for i in map(_finder(vectors), words) if i is not None]
        if not rows:
            return np.zeros(vectors.vector_size, dtype=np.float32)
        weights = None
        if self.pooling == "tfidf":
            weights = [self.idf_.get(vectors.index_to_key[i], self._unseen_idf) for i in rows]
        # aggregated by distinct word, of which long texts have few
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
