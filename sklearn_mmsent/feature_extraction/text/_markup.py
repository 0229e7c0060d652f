"""Plain text from HTML, hashtags and elongated words.

All functions run in linear time.
"""

import html
import re

# Only HTML tag names count as tags, so that "<3", ">:(" and "a <b" in a formula are kept.
_TAGS = (
    "a|abbr|acronym|address|area|article|aside|audio|b|base|bdi|bdo|big|blockquote|body|br|"
    "button|canvas|caption|center|cite|code|col|colgroup|data|datalist|dd|del|details|dfn|"
    "dialog|dir|div|dl|dt|em|embed|fieldset|figcaption|figure|font|footer|form|frame|frameset|"
    "h1|h2|h3|h4|h5|h6|head|header|hr|html|i|iframe|img|input|ins|kbd|label|legend|li|link|"
    "main|map|mark|menu|meta|meter|nav|noscript|object|ol|optgroup|option|output|p|param|"
    "picture|pre|progress|q|rp|rt|ruby|s|samp|script|section|select|small|source|span|strike|"
    "strong|style|sub|summary|sup|svg|table|tbody|td|template|textarea|tfoot|th|thead|time|"
    "title|tr|track|tt|u|ul|var|video|wbr"
)
_TAG = re.compile(rf"</?(?:{_TAGS})(?:\s[^<>]*)?/?>|<!doctype[^<>]*>", re.IGNORECASE)
_SKIPPED = (
    (re.compile(r"<!--"), re.compile(r"-->")),
    (re.compile(r"<script\b[^<>]*>", re.IGNORECASE), re.compile(r"</script\s*>", re.IGNORECASE)),
    (re.compile(r"<style\b[^<>]*>", re.IGNORECASE), re.compile(r"</style\s*>", re.IGNORECASE)),
)
# inside a word these change only weight or slant; a space there would split the word
_INLINE = re.compile(r"</?(?:b|i|em|strong|u|s|span|font|small|big|mark|sub|sup)\b", re.IGNORECASE)

_RUN = re.compile(r"([^\W\d_])\1{2,}", re.IGNORECASE)


def strip_html(text):
    """Decode character references and remove tags, comments, scripts and styles."""
    text = html.unescape(text)
    if "<" not in text:
        return text
    for opening, closing in _SKIPPED:
        text = _drop_between(text, opening, closing)
    return _TAG.sub(lambda tag: "" if _INLINE.match(tag[0]) else " ", text)


def _drop_between(text, opening, closing):
    kept, position = [], 0
    while (start := opening.search(text, position)) is not None:
        end = closing.search(text, start.end())
        if end is None:  # none of the following is closed either
            break
        kept += [text[position : start.start()], " "]
        position = end.end()
    return "".join([*kept, text[position:]])


def split_hashtag(tag):
    """Split "NotMyPresident2016" and "not_my_president" into words."""
    words, start = [], 0
    for i in range(1, len(tag)):
        before, current = tag[i - 1], tag[i]
        ends_acronym = before.isupper() and current.isupper() and tag[i + 1 : i + 2].islower()
        starts_word = (
            current == "_"
            or before == "_"
            or (current.isupper() and not before.isupper())
            or current.isdigit() != before.isdigit()
            or ends_acronym
        )
        if starts_word:
            words.append(tag[start:i])
            start = i
    words.append(tag[start:])
    return " ".join(word for word in words if word.strip("_"))


def shorten_runs(text):
    """Shorten runs of three or more of the same letter to two.

    Words of one letter three times, such as "III" or "www", are kept.
    """

    def shorten(run):
        start, end = run.span()
        is_word = not (text[start - 1 : start].isalnum() or text[end : end + 1].isalnum())
        return run[0] if is_word and end - start == 3 else run[0][:2]

    return _RUN.sub(shorten, text)
