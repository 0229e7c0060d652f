"""Wording that several error messages share."""

import difflib


def did_you_mean(name, known):
    """Return a question that names what is nearly called like this, or an empty text."""
    close = difflib.get_close_matches(name, known, n=1)
    return f" Did you mean {close[0]!r}?" if close else ""


def first_line(error):
    """Return an error in a line."""
    return f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
