"""Plain text out of HTML, hashtags and elongated words.

All of it takes time linear in the length of the text, whatever the text.
"""

import html
import re

# Only what is a tag of HTML is taken for one: "<3", ">:(" and "a <b" in a formula stay.
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
_UNREAD = (
    (re.compile(r"<!--"), re.compile(r"-->")),
    (re.compile(r"<script\b[^<>]*>", re.IGNORECASE), re.compile(r"</script\s*>", re.IGNORECASE)),
    (re.compile(r"<style\b[^<>]*>", re.IGNORECASE), re.compile(r"</style\s*>", re.IGNORECASE)),
)
# inside a word these carry weight or slant only; a blank there would cut it in two
_INLINE = re.compile(r"</?(?:b|i|em|strong|u|s|span|font|small|big|mark|sub|sup)\b", re.IGNORECASE)

_RUN = re.compile(r"([^\W\d_])\1{2,}", re.IGNORECASE)


def strip_html(text):
    """Turn character references to characters, and drop tags, comments, scripts and styles."""
    text = html.unescape(text)
    if "<" not in text:
        return text
    for opening, closing in _UNREAD:
        text = _drop_between(text, opening, closing)
    return _TAG.sub(lambda tag: "" if _INLINE.match(tag[0]) else " ", text)


def _drop_between(text, opening, closing):
    kept, position = [], 0
    while (start := opening.search(text, position)) is not None:
        end = closing.search(text, start.end())
        if end is None:  # never closed: no more of them can be
            break
        kept += [text[position : start.start()], " "]
        position = end.end()
    return "".join([*kept, text[position:]])


def split_hashtag(tag):
    """Cut "NotMyPresident2016" and "not_my_president" into words."""
    words, start = [], 0
    for i in range(1, len(tag)):
        before, here = tag[i - 1], tag[i]
        ends_acronym = before.isupper() and here.isupper() and tag[i + 1 : i + 2].islower()
        begins = (
            here == "_"
            or before == "_"
            or (here.isupper() and not before.isupper())
            or here.isdigit() != before.isdigit()
            or ends_acronym
        )
        if begins:
            words.append(tag[start:i])
            start = i
    words.append(tag[start:])
    return " ".join(word for word in words if word.strip("_"))


def shorten_runs(text):
    """Reduce a letter that stands three times or more in a row to two of it.

    A word that is one letter three times, such as "III" or "www", stays.
    """

    def shorten(run):
        start, end = run.span()
        alone = not (text[start - 1 : start].isalnum() or text[end : end + 1].isalnum())
        return run[0] if alone and end - start == 3 else run[0][:2]

    return _RUN.sub(shorten, text)
