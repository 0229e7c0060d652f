"""Texts from the web, made plain for an extractor."""

import re

from sklearn_mmsent.feature_extraction._cell_transformer import CellTransformer
from sklearn_mmsent.feature_extraction.text._markup import shorten_runs, split_hashtag, strip_html
from sklearn_mmsent.feature_extraction.text.io import read_text
from sklearn_mmsent.utils._optional import import_optional
from sklearn_mmsent.utils._sklearn import StrOptions

_URL = re.compile(r"\b(?:https?://|ftp://|www\.)[^\s<>\"]*[^\s<>\"'.,:;!?)\]}…]", re.IGNORECASE)
_MENTION = re.compile(r"(?<![\w@.])@\w+")
_HASHTAG = re.compile(r"(?<![\w#&])#(?!\d+\b)(\w+)")
_NO_EMOJI = "©®™"  # Unicode counts these among them
_SKIN_TONE = re.compile(r"_(?:medium[-_])?(?:light|dark|medium)_skin_tone(?=:)")


class TextCleaner(CellTransformer):
    """Make texts from the web plain, without losing what carries mood.

    From a column of texts to a column of texts: stands before any extractor of texts in a
    pipeline. Capitals, emoticons, ``"!!!"`` and negations stay; emoji become words. It learns
    nothing, and what is missing stays missing.

    Parameters
    ----------
    fix_encoding : bool, default=True
        Whether to undo wrong decodings (``"cafÃ©"`` to ``"café"``), curly quotes, ligatures,
        full-width letters and control characters, and to compose characters (NFC).

    html : bool, default=True
        Whether to turn character references (``"&amp;"``) to characters and to drop tags,
        comments, scripts and styles. Only names of HTML's own tags count, so ``"<3"`` stays.

    urls : {"replace", "remove", "keep"}, default="replace"
        What becomes of web addresses: "replace" puts ``"http"`` in their place, as models that
        are trained on posts expect it.

    mentions : {"replace", "remove", "keep"}, default="replace"
        What becomes of ``"@name"``: "replace" puts ``"@user"`` in its place, so that the sentence
        keeps its subject. Mail addresses stay.

    hashtags : {"split", "remove", "keep"}, default="split"
        What becomes of ``"#SoHappy"``: "split" drops the sign and cuts the words at capitals,
        digits and underscores, ``"So Happy"``. ``"#1"`` stays.

    emoji : {"words", "remove", "keep"}, default="words"
        What becomes of emoji: "words" puts their English names, without skin tones.

    elongations : bool, default=True
        Whether to reduce a letter that stands three times or more in a row to two:
        ``"goooood"`` becomes ``"good"``, and ``"sooooo"`` becomes ``"soo"``, which still differs
        from ``"so"``.

    whitespace : bool, default=True
        Whether to turn each run of white space, line breaks included, to one blank, and to strip
        the ends.

    lowercase : bool, default=False
        Whether to turn all letters to small ones. Capitals often mean emphasis, and models and
        lexicons that do not distinguish them lower them by themselves.

    on_error : {"raise", "missing"}, default="raise"
        How to handle a cell that is not text: raise a `CellError`, or treat it as missing and warn
        once with the count.

    Attributes
    ----------
    n_features_in_ : int
        Always 1, the column of cells.

    See Also
    --------
    make_extractor : Takes a pipeline of a cleaner and an extractor for a modality.
    TfidfEmbedder : Gains most from cleaning, since it knows no words but those it has seen.
    TextEmbedder : Models trained on clean prose gain, too.

    Notes
    -----
    The steps are taken in the order of the parameters. A text of which nothing is left is an
    empty one, which extractors take as missing. Halves of Unicode surrogate pairs are replaced by
    the replacement character.

    References
    ----------
    .. [1] F. Barbieri, J. Camacho-Collados, L. Espinosa-Anke and L. Neves, "TweetEval: Unified
       benchmark and comparative evaluation for tweet classification", Findings of EMNLP, 2020.

    Examples
    --------
    >>> from sklearn_mmsent.feature_extraction.text import TextCleaner
    >>> posts = ["<b>Sooo</b> happy 😍 #BestDay, thx @ann www.x.org/1", None, "I &lt;3 cafÃ©s"]
    >>> for text in TextCleaner().fit_transform(posts):
    ...     print(text)
    Soo happy smiling face with heart-eyes Best Day, thx @user http
    None
    I <3 cafés
    """

    _parameter_constraints: dict = {
        **CellTransformer._parameter_constraints,
        "fix_encoding": ["boolean"],
        "html": ["boolean"],
        "urls": [StrOptions({"replace", "remove", "keep"})],
        "mentions": [StrOptions({"replace", "remove", "keep"})],
        "hashtags": [StrOptions({"split", "remove", "keep"})],
        "emoji": [StrOptions({"words", "remove", "keep"})],
        "elongations": ["boolean"],
        "whitespace": ["boolean"],
        "lowercase": ["boolean"],
    }

    def __init__(
        self,
        *,
        fix_encoding=True,
        html=True,
        urls="replace",
        mentions="replace",
        hashtags="split",
        emoji="words",
        elongations=True,
        whitespace=True,
        lowercase=False,
        on_error="raise",
    ):
        self.fix_encoding = fix_encoding
        self.html = html
        self.urls = urls
        self.mentions = mentions
        self.hashtags = hashtags
        self.emoji = emoji
        self.elongations = elongations
        self.whitespace = whitespace
        self.lowercase = lowercase
        self.on_error = on_error

    def _convert(self, cell):
        text = read_text(cell)
        if self.fix_encoding:
            ftfy = import_optional("ftfy", extra="text", needed_by="TextCleaner")
            text = ftfy.fix_text(text, unescape_html=False)
        if self.html:
            text = strip_html(text)
        # an address that is kept has a '#', an '@' or 'www' which mean something else
        pieces, addresses = _URL.split(text), _URL.findall(text)
        pieces = [self._clean_piece(piece) for piece in pieces]
        if self.urls != "keep":
            addresses = ["http" if self.urls == "replace" else " "] * len(addresses)
        text = "".join(part for pair in zip(pieces, [*addresses, ""], strict=True) for part in pair)
        if self.whitespace:
            text = " ".join(text.split())
        return text.lower() if self.lowercase else text

    def _clean_piece(self, text):
        if self.mentions != "keep":
            text = _MENTION.sub("@user" if self.mentions == "replace" else " ", text)
        if self.hashtags == "split":
            text = _HASHTAG.sub(lambda tag: split_hashtag(tag[1]), text)
        elif self.hashtags == "remove":
            text = _HASHTAG.sub(" ", text)
        if self.emoji != "keep" and not text.isascii():
            text = self._without_emoji(text)
        return shorten_runs(text) if self.elongations else text

    def _without_emoji(self, text):
        emoji = import_optional("emoji", extra="text", needed_by="TextCleaner")

        def replace(sign, data):
            if sign in _NO_EMOJI:
                return sign
            return " " if self.emoji == "remove" else f" {_words(data['en'])} "

        return emoji.replace_emoji(text, replace)


def _words(name):
    return _SKIN_TONE.sub("", name).strip(":").replace("_", " ")
