"""Lexicon-based sentiment scores."""

import re
from functools import lru_cache
from itertools import islice
from numbers import Integral

from sklearn_mmsent.feature_extraction._base import BaseExtractor
from sklearn_mmsent.feature_extraction.text._base import TextExtractor
from sklearn_mmsent.utils._documentation import document_shared_parameters
from sklearn_mmsent.utils._optional import import_optional
from sklearn_mmsent.utils._sklearn import Interval

_SCORES = ["neg", "neu", "pos", "compound"]
_COUNTS = [
    "words",
    "positive_words",
    "negative_words",
    "capital_words",
    "exclamations",
    "questions",
]
_WORD = re.compile(r"\w+(?:['\u2019]\w+)*")
_UNIT = re.compile(r"\w+|[^\w\s\x00-\x7f]")  # VADER treats an emoji as a word


@document_shared_parameters(BaseExtractor)
class SentimentLexicon(TextExtractor):
    """Sentiment scores of English texts from the VADER lexicon and rules.

    VADER [1]_ looks up 7,500 words, emoticons and emoji in a lexicon rated by humans, and handles
    negation, emphasis ("very", capitals, "!!!") and "but". It was made for short posts. It gives
    a few interpretable columns, learns nothing and needs no model.

    Parameters
    ----------
    counts : bool, default=False
        Whether to add counts to the four scores: of words, of positive and of negative words in
        the lexicon (without the rules: "not good" counts as positive), of words of at least two
        letters in capitals, of exclamation marks and of question marks.
    max_words : int, default=1000
        Maximum number of words per text, counting an emoji as a word; longer texts are truncated.
        The run time of VADER is quadratic in the length, and its scores saturate much earlier.
    batch_size : int, default=1024
        Number of texts scored at a time.

    Attributes
    ----------
    n_features_out_ : int
        4, or 10 with `counts`.

    See Also
    --------
    TextEmbedder : Sentence embeddings, in the languages of the model.
    TextCleaner : Not needed here, since VADER handles emoticons, emoji and capitals.

    Notes
    -----
    ``neg``, ``neu`` and ``pos`` are the fractions of negative, neutral and positive words, between
    0 and 1; ``compound`` is the valence of the whole text, between -1 and 1. A text without any
    word of the lexicon has ``compound`` 0 and is not missing.

    References
    ----------
    .. [1] C. J. Hutto and E. Gilbert, "VADER: A parsimonious rule-based model for sentiment
       analysis of social media text", ICWSM, 2014.

    Examples
    --------
    >>> from sklearn_mmsent.feature_extraction.text import SentimentLexicon
    >>> lexicon = SentimentLexicon()
    >>> X = lexicon.fit_transform(["a GREAT film!!!", "not a great film", "it rains :(", None])
    >>> lexicon.get_feature_names_out()[-1], X[:, -1].round(1).tolist()
    ('compound', [0.8..., -0.5..., -0.4..., nan])
    """

    _libraries = ("vaderSentiment",)
    _parameter_constraints: dict = {
        **BaseExtractor._parameter_constraints,
        "counts": ["boolean"],
        "max_words": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self, *, counts=False, max_words=1000, on_error="raise", batch_size=1024, n_jobs=None
    ):
        self.counts = counts
        self.max_words = max_words
        self.on_error = on_error
        self.batch_size = batch_size
        self.n_jobs = n_jobs

    def _load(self, cell):
        text = super()._load(cell)
        beyond = next(islice(_UNIT.finditer(text), self.max_words, None), None)
        return text if beyond is None else text[: beyond.start()]

    def _encode(self, loaded):
        analyzer = _analyzer()
        rows = []
        for text in loaded:
            scores = analyzer.polarity_scores(text)
            row = [scores[name] for name in _SCORES]
            rows.append(row + _count(text, analyzer.lexicon) if self.counts else row)
        return rows

    def _feature_names(self):
        return _SCORES + _COUNTS if self.counts else _SCORES


@lru_cache(maxsize=1)
def _analyzer():
    library = import_optional(
        "vaderSentiment.vaderSentiment", extra="text", needed_by="SentimentLexicon"
    )
    return library.SentimentIntensityAnalyzer()


def _count(text, lexicon):
    words = _WORD.findall(text)
    valences = [lexicon.get(word.lower().replace("\u2019", "'"), 0.0) for word in words]
    return [
        len(words),
        sum(valence > 0 for valence in valences),
        sum(valence < 0 for valence in valences),
        sum(len(word) > 1 and word.isupper() for word in words),
        text.count("!"),
        text.count("?"),
    ]
