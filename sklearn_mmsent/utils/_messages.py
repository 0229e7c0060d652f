"""Wording shared by error messages."""

import difflib


def did_you_mean(name, known, n=1):
    """Return a question that names similar names.

    Parameters
    ----------
    name : str
        The unknown name.
    known : iterable of str
        Known names.
    n : int, default=1
        Largest number of suggestions.

    Returns
    -------
    str
        Starts with a blank; empty if no name is similar.
    """
    close = difflib.get_close_matches(name, known, n=n)
    return f" Did you mean {' or '.join(map(repr, close))}?" if close else ""


def first_line(error):
    """Return the type of an error and the first line of its message."""
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
