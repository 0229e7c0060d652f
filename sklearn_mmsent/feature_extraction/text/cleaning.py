"""Normalisation of web texts."""

import re

from sklearn_mmsent.feature_extraction._cell_transformer import CellTransformer
from sklearn_mmsent.feature_extraction.text._markup import shorten_runs, split_hashtag, strip_html
from sklearn_mmsent.feature_extraction.text.io import read_text
from sklearn_mmsent.utils._documentation import document_shared_parameters
from sklearn_mmsent.utils._optional import import_optional
from sklearn_mmsent.utils._sklearn import StrOptions

_URL = re.compile(r"\b(?:https?://|ftp://|www\.)[^\s<>\"]*[^\s<>\"'.,:;!?)\]}…]", re.IGNORECASE)
_MENTION = re.compile(r"(?<![\w@.])@\w+")
_HASHTAG = re.compile(r"(?<![\w#&])#(?!\d+\b)(\w+)")
_NOT_EMOJI = "©®™"  # although Unicode lists them as emoji
_SKIN_TONE = re.compile(r"_(?:medium[-_])?(?:light|dark|medium)_skin_tone(?=:)")


@document_shared_parameters(CellTransformer)
class TextCleaner(CellTransformer):
    """Normalise texts from the web and keep what carries sentiment.

    Maps a column of texts to a column of texts; place it before a text extractor in a pipeline.
    Capitals, emoticons, ``"!!!"`` and negations are kept; emoji become words. Nothing is learned
    in fit. Missing cells stay missing.

    Parameters
    ----------
    fix_encoding : bool, default=True
        Whether to repair wrong decodings (``"cafÃ©"`` to ``"café"``), replace curly quotes,
        ligatures, full-width letters and control characters, and compose characters (NFC).
    html : bool, default=True
        Whether to decode character references (``"&amp;"``) and remove tags, comments, scripts and
        styles. Only HTML tag names count as tags, so ``"<3"`` is kept.
    urls : {"replace", "remove", "keep"}, default="replace"
        How to handle URLs: "replace" substitutes ``"http"``, as expected by models trained on
        posts.
    mentions : {"replace", "remove", "keep"}, default="replace"
        How to handle ``"@name"``: "replace" substitutes ``"@user"``, so that the sentence keeps
        its subject. Email addresses are kept.
    hashtags : {"split", "remove", "keep"}, default="split"
        How to handle ``"#SoHappy"``: "split" removes the sign and splits words at capitals, digits
        and underscores, ``"So Happy"``. ``"#1"`` is kept.
    emoji : {"words", "remove", "keep"}, default="words"
        How to handle emoji: "words" substitutes their English names, without skin tones.
    elongations : bool, default=True
        Whether to shorten runs of three or more of the same letter to two: ``"goooood"`` becomes
        ``"good"``, and ``"sooooo"`` becomes ``"soo"``, which still differs from ``"so"``.
    whitespace : bool, default=True
        Whether to replace runs of white space, including line breaks, by one space and strip the
        ends.
    lowercase : bool, default=False
        Whether to convert to lower case. Capitals often mean emphasis, and uncased models and
        lexicons do it themselves.

    See Also
    --------
    make_extractor : Accepts a pipeline of a cleaner and an extractor for a modality.
    TfidfEmbedder : Benefits most from cleaning, since its vocabulary is learned from the texts.
    TextEmbedder : Models trained on edited prose benefit too.

    Notes
    -----
    Steps are applied in the order of the parameters; the defaults for URLs and mentions follow
    [1]_. A text that becomes empty is a missing cell for extractors. Lone surrogates are replaced
    by the Unicode replacement character.

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

    modality = "text"

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
        # URLs are split off first, since they may contain '#', '@' or repeated letters
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
            text = self._replace_emoji(text)
        return shorten_runs(text) if self.elongations else text

    def _replace_emoji(self, text):
        emoji = import_optional("emoji", extra="text", needed_by="TextCleaner")

        def replace(sign, data):
            if sign in _NOT_EMOJI:
                return sign
            return " " if self.emoji == "remove" else f" {_words(data['en'])} "

        return emoji.replace_emoji(text, replace)


def _words(name):
    return _SKIN_TONE.sub("", name).strip(":").replace("_", " ")
