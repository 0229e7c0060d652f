"""TextAugmenter: synonym replacement, random insertion, swap and deletion of words."""

import re
from collections.abc import Mapping
from functools import lru_cache
from numbers import Real

from sklearn_mmsent.exceptions import MissingDependencyError
from sklearn_mmsent.feature_extraction.text.io import read_text
from sklearn_mmsent.sampling._base import BaseRowSampler
from sklearn_mmsent.sampling.augmentation._base import BaseAugmenter
from sklearn_mmsent.utils._documentation import document_shared_parameters
from sklearn_mmsent.utils._optional import import_optional
from sklearn_mmsent.utils._sklearn import Interval, StrOptions

_FRACTION = Interval(Real, 0, 1, closed="both")
_CORE = re.compile(r"^(\W*)(.*?)(\W*)$", re.DOTALL)
_NEGATIONS = {"no", "not", "never", "none", "nor", "nothing", "nobody", "nowhere", "neither"}


@document_shared_parameters(BaseRowSampler)
class TextAugmenter(BaseAugmenter):
    """Over-sample by copies of rows with a few words of the text changed (EDA [1]_).

    One of four operations is drawn for each new text: replace words by synonyms, insert synonyms
    at random positions, swap words, or delete words. Words that carry, negate or intensify
    sentiment, hashtags, URLs and emoji are left in place, so that the label remains valid.

    Parameters
    ----------
    columns : str or list of str, default="text"
        Columns to augment. An empty list copies rows unchanged.
    sampling_strategy : float, str, dict or callable, default="auto"
        Target number of rows of each class, as in imbalanced-learn: "auto" raises every class to
        the size of the largest. Ignored if `factor` is given.
    factor : int or None, default=None
        Number of new rows per row, whatever its label; y may then hold intensities.
    replace, insert, swap, delete : float, default=0.1
        Fraction of the words of a text affected by the operation, at least one word; 0 disables
        the operation.
    synonyms : "wordnet", mapping or callable, default="wordnet"
        Source of synonyms: English WordNet, as installed for the package wn, or a mapping or
        function from a lower-case word to a list of words.
    on_error : {"raise", "missing"}, default="raise"
        How to handle a cell that cannot be used: raise a `CellError`, or make it missing in the
        new rows and warn once with the count.
    n_jobs : int or None, default=None
        Number of parallel processes; None means 1.
    random_state : int, RandomState instance or None, default=None
        Controls the randomness; pass an int for reproducible results.

    Raises
    ------
    MissingDependencyError
        If ``synonyms="wordnet"`` and the package or the English lexicon is not installed.

    See Also
    --------
    ModalitySMOTE : Makes new rows from embeddings instead of texts.

    Notes
    -----
    Words that carry sentiment are those of the VADER lexicon [2]_ (extra "text"); they are not
    used as synonyms either. Download the WordNet lexicon once with
    ``python -m wn download oewn:2024``; it is then read offline. Synonyms cover all senses of a
    word, as in [1]_. Inflected forms that WordNet does not list, such as plurals, are not
    replaced.

    White space between words becomes a single space. A text without words to change is copied.

    References
    ----------
    .. [1] J. Wei and K. Zou, "EDA: Easy data augmentation techniques for boosting performance on
       text classification tasks", EMNLP 2019.
    .. [2] C. J. Hutto and E. Gilbert, "VADER: A parsimonious rule-based model for sentiment
       analysis of social media text", ICWSM 2014.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn_mmsent.sampling import TextAugmenter
    >>> X = pd.DataFrame({"text": ["not a bad film at all", "the film was dull"]})
    >>> augmenter = TextAugmenter(
    ...     factor=1, insert=0, swap=0, delete=0, synonyms={"film": ["movie"]}, random_state=0
    ... )
    >>> X_new, y_new = augmenter.fit_resample(X, ["pos", "neg"])
    >>> X_new["text"].tolist()[2:], y_new[2:]
    (['not a bad movie at all', 'the movie was dull'], ['pos', 'neg'])
    """

    _parameter_constraints: dict = {
        **BaseAugmenter._parameter_constraints,
        **{key: [_FRACTION] for key in ("replace", "insert", "swap", "delete")},
        "synonyms": [StrOptions({"wordnet"}), Mapping, callable],
    }

    def __init__(
        self,
        columns="text",
        *,
        sampling_strategy="auto",
        factor=None,
        replace=0.1,
        insert=0.1,
        swap=0.1,
        delete=0.1,
        synonyms="wordnet",
        on_error="raise",
        n_jobs=None,
        random_state=None,
    ):
        self.columns = columns
        self.sampling_strategy = sampling_strategy
        self.factor = factor
        self.replace = replace
        self.insert = insert
        self.swap = swap
        self.delete = delete
        self.synonyms = synonyms
        self.on_error = on_error
        self.n_jobs = n_jobs
        self.random_state = random_state

    def _prepare(self):
        _protected()
        if self.replace or self.insert:
            self._synonyms_of("film")

    def _augment(self, cell, rng):
        words = read_text(cell).split()
        free = [i for i, word in enumerate(words) if _is_free(word)]
        changes = [
            (change, max(1, round(share * len(words))))
            for change, share in (
                (self._replace, self.replace),
                (self._insert, self.insert),
                (self._swap, self.swap),
                (self._delete, self.delete),
            )
            if share
        ]
        # if an operation has no effect, the next one is tried
        for number in rng.permutation(len(changes)):
            change, n = changes[number]
            changed = change(words, free, n, rng)
            if changed != words:
                return " ".join(changed)
        return " ".join(words)

    # -- operations: words, indices that may change, number of changes, generator -------------

    def _replace(self, words, free, n, rng):
        words, left = list(words), n
        for i in rng.permutation(free).astype(int):
            start, core, end = _CORE.match(words[i]).groups()
            if left and (others := self._synonyms_of(core.lower())):
                other = others[rng.integers(len(others))]
                words[i] = start + (other.capitalize() if core[0].isupper() else other) + end
                left -= 1
        return words

    def _insert(self, words, free, n, rng):
        words, left = list(words), n
        cores = [_CORE.match(words[i])[2].lower() for i in free]
        for core in (cores[i] for i in rng.permutation(len(cores))):
            if left and (others := self._synonyms_of(core)):
                words.insert(rng.integers(len(words) + 1), others[rng.integers(len(others))])
                left -= 1
        return words

    def _swap(self, words, free, n, rng):
        words = list(words)
        for _ in range(n if len(free) > 1 else 0):
            i, j = rng.choice(free, 2, replace=False)
            words[i], words[j] = words[j], words[i]
        return words

    def _delete(self, words, free, n, rng):
        n = min(n, len(free), len(words) - 1)  # an empty text would be missing
        deleted = set(rng.permutation(free)[:n].tolist())
        return [word for i, word in enumerate(words) if i not in deleted]

    def _synonyms_of(self, word):
        if isinstance(self.synonyms, Mapping):
            found = self.synonyms.get(word, ())
        elif callable(self.synonyms):
            found = self.synonyms(word)
        else:
            found = _from_wordnet(word)
        return [other for other in found if other != word and _is_neutral(other)]


def _is_free(word):
    """Return whether a word may change: a plain word without sentiment."""
    core = _CORE.match(word)[2]
    plain = bool(core) and core.replace("'", "").replace("-", "").isalpha()
    has_emoji = any(not char.isascii() and not char.isalnum() for char in word)
    return plain and not has_emoji and word[0] not in "@#" and _is_neutral(word)


def _is_neutral(words):
    """Return whether none of the words carries, negates or intensifies sentiment."""
    protected = _protected()
    for word in words.lower().replace("\u2019", "'").split():
        core = _CORE.match(word)[2]
        if word in protected or core in protected or core.endswith("n't"):
            return False
    return True


@lru_cache(maxsize=1)
def _protected():
    """Return the words that carry, negate or intensify sentiment."""
    vader = import_optional(
        "vaderSentiment.vaderSentiment", extra="augment", needed_by="TextAugmenter"
    )
    lexicon = vader.SentimentIntensityAnalyzer().lexicon
    boosters = {part for words in vader.BOOSTER_DICT for part in words.split()}
    return frozenset({*lexicon, *vader.NEGATE, *_NEGATIONS, *boosters, "but"})


@lru_cache(maxsize=1)
def _wordnet():
    wn = import_optional("wn", extra="augment", needed_by="TextAugmenter")
    try:
        return wn.Wordnet(lang="en", expand="")
    except wn.Error as error:
        raise MissingDependencyError(
            "TextAugmenter needs English WordNet for synonyms, but the package wn has no English "
            "lexicon yet. Download one with: python -m wn download oewn:2024 (or pass synonyms=, "
            "a mapping from words to lists of words)."
        ) from error


@lru_cache(maxsize=100_000)
def _from_wordnet(word):
    lemmas = [lemma for synset in _wordnet().synsets(word) for lemma in synset.lemmas()]
    return tuple(dict.fromkeys(lemma.replace("_", " ") for lemma in lemmas))
