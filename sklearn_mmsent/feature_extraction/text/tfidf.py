"""Latent semantic analysis of texts."""

import warnings
from numbers import Integral

import numpy as np
import scipy.sparse as sp
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.utils import check_random_state
from sklearn.utils.extmath import randomized_svd, svd_flip

from sklearn_mmsent.blocks import numbered_names
from sklearn_mmsent.exceptions import CellError
from sklearn_mmsent.feature_extraction._base import BaseExtractor
from sklearn_mmsent.feature_extraction.text._base import TextExtractor
from sklearn_mmsent.utils._documentation import document_shared_parameters
from sklearn_mmsent.utils._sklearn import Interval, RealNotInt


@document_shared_parameters(BaseExtractor)
class TfidfEmbedder(TextExtractor):
    """Latent semantic analysis: tf-idf weighted terms, reduced to a few dense columns.

    Needs no model and no download: vocabulary, weights and projection [1]_ are learned from the
    training texts. `TextEmbedder` uses a pretrained model instead.

    Parameters
    ----------
    n_components : int, default=100
        Number of output columns. If the training texts span fewer dimensions, the remaining
        columns are zero, so that the width does not depend on the data.
    word_ngrams : tuple of two int or None, default=(1, 2)
        Minimum and maximum n of word n-grams. A word is a run of letters and digits; every other
        character, such as "!" or an emoji, is a separate word. None disables them.
    char_ngrams : tuple of two int or None, default=None
        Minimum and maximum n of character n-grams inside words, for example ``(2, 5)``: useful for
        misspelt texts, rich inflection, and scripts without spaces. None disables them.
    max_features : int, default=20_000
        Maximum number of terms, each of words and of characters; the most frequent are kept.
    min_df : int or float, default=1
        Minimum document frequency of a term: a number of texts if int, a fraction if float.
    normalize : bool, default=True
        Whether to scale each row to unit norm. A text without any known term stays zero.
    random_state : int, RandomState instance or None, default=0
        Controls the randomised singular value decomposition; pass an int for reproducible results.
        None uses a fresh seed and does not touch the global generator of numpy.
    batch_size : int, default=1024
        Number of texts whose term counts are in memory at a time in `transform`.

    Attributes
    ----------
    components_ : ndarray of shape (n_terms, n_components) or None
        Projection from terms to columns; None if all training cells were missing.
    singular_values_ : ndarray of shape (n_components,) or None
        Singular values, 0 for unused columns.
    vectorizers_ : list of TfidfVectorizer
        The fitted vectorizers of words and of characters.
    n_features_out_ : int
        Equal to `n_components`.

    See Also
    --------
    TextEmbedder : Pretrained; better unless there are many training texts or no model supports
        the language.

    References
    ----------
    .. [1] S. Deerwester, S. T. Dumais, G. W. Furnas, T. K. Landauer and R. Harshman, "Indexing
       by latent semantic analysis", Journal of the American Society for Information Science
       41(6), 1990.

    Examples
    --------
    >>> from sklearn_mmsent import TfidfEmbedder
    >>> texts = ["a fine film", "a fine day", "what a bore!", None]
    >>> embedder = TfidfEmbedder(n_components=2)
    >>> embedder.fit_transform(texts).round(2)
    array([[ 0.98, -0.19],
           [ 0.98, -0.19],
           [ 0.27,  0.96],
           [  nan,   nan]], dtype=float32)
    """

    _stateless = False
    _libraries = ("numpy", "scipy", "scikit-learn")
    _parameter_constraints: dict = {
        **BaseExtractor._parameter_constraints,
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "word_ngrams": [tuple, None],
        "char_ngrams": [tuple, None],
        "max_features": [Interval(Integral, 1, None, closed="left")],
        "min_df": [
            Interval(Integral, 1, None, closed="left"),
            Interval(RealNotInt, 0, 1, closed="both"),
        ],
        "normalize": ["boolean"],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        n_components=100,
        *,
        word_ngrams=(1, 2),
        char_ngrams=None,
        max_features=20_000,
        min_df=1,
        normalize=True,
        random_state=0,
        on_error="raise",
        batch_size=1024,
        n_jobs=None,
    ):
        self.n_components = n_components
        self.word_ngrams = word_ngrams
        self.char_ngrams = char_ngrams
        self.max_features = max_features
        self.min_df = min_df
        self.normalize = normalize
        self.random_state = random_state
        self.on_error = on_error
        self.batch_size = batch_size
        self.n_jobs = n_jobs

    def _fit_cells(self, loaded, y):
        self.vectorizers_ = self._make_vectorizers()
        self.components_ = self.singular_values_ = None
        if not loaded:
            warnings.warn(
                "TfidfEmbedder: no training cell holds a text, so there is nothing to learn "
                "from, and every row of its block will be missing (NaN).",
                UserWarning,
                stacklevel=4,
            )
            return
        try:
            terms = sp.hstack([v.fit_transform(loaded) for v in self.vectorizers_], format="csr")
        except ValueError as error:
            raise CellError(
                f"TfidfEmbedder found no terms in {len(loaded)} training texts "
                f"with min_df={self.min_df!r} ({error}). Lower min_df, or set char_ngrams=(2, 5)."
            ) from error
        self._fit_projection(terms)

    def _encode(self, loaded):
        if self.components_ is None:
            return np.full((len(loaded), self.n_components), np.nan, dtype=np.float32)
        terms = sp.hstack([v.transform(loaded) for v in self.vectorizers_], format="csr")
        features = terms @ self.components_
        if self.normalize:
            lengths = np.linalg.norm(features, axis=1, keepdims=True)
            features /= np.where(lengths > 0, lengths, 1)
        return features

    def _feature_names(self):
        return numbered_names("lsa", self.n_components)

    def _make_vectorizers(self):
        ranges = {"word_ngrams": self.word_ngrams, "char_ngrams": self.char_ngrams}
        for name, bounds in ranges.items():
            whole = bounds is None or all(isinstance(n, Integral) for n in bounds)
            if not whole or (bounds is not None and not (len(bounds) == 2 and _increasing(bounds))):
                raise ValueError(
                    f"The {name!r} parameter of TfidfEmbedder must be None or two integers "
                    f"(smallest, largest), both at least 1. Got {bounds!r} instead."
                )
        if self.word_ngrams is None and self.char_ngrams is None:
            raise ValueError(
                "TfidfEmbedder has no terms to count: word_ngrams and char_ngrams are both None. "
                "Set one of them, for instance word_ngrams=(1, 2)."
            )
        common = {
            "max_features": self.max_features,
            "min_df": self.min_df,
            "sublinear_tf": True,
            "dtype": np.float32,
        }
        vectorizers = []
        if self.word_ngrams is not None:
            # the default pattern drops one-letter words, punctuation and emoji
            pattern = r"\w+|[^\w\s]"
            vectorizers.append(
                TfidfVectorizer(token_pattern=pattern, ngram_range=self.word_ngrams, **common)
            )
        if self.char_ngrams is not None:
            vectorizers.append(
                TfidfVectorizer(analyzer="char_wb", ngram_range=self.char_ngrams, **common)
            )
        return vectorizers

    def _fit_projection(self, terms):
        random_state = self.random_state
        if random_state is None:
            random_state = np.random.RandomState()  # not the global generator
        k = min(self.n_components, *terms.shape)
        _, values, directions = randomized_svd(
            terms,
            k,
            n_iter=5,
            flip_sign=False,
            random_state=check_random_state(random_state),
        )
        _, directions = svd_flip(None, directions, u_based_decision=False)
        # directions not spanned by the training texts are arbitrary and must not be used
        spanned = values > values[0] * np.sqrt(np.finfo(np.float32).eps)
        k = int(spanned.sum())
        self.components_ = np.zeros((terms.shape[1], self.n_components), dtype=np.float32)
        self.components_[:, :k] = directions[:k].T
        self.singular_values_ = np.zeros(self.n_components)
        self.singular_values_[:k] = values[:k]


def _increasing(bounds):
    return 1 <= bounds[0] <= bounds[1]
