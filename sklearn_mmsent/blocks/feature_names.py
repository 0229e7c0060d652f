"""How features are named and numbered, in one place.

Numbers count from 0 and are zero-padded to the width of the largest one, at least three digits, so
that names sort and one extractor's names look like another's.
"""

import numpy as np


def numbered_names(prefix, n):
    """Return names of numbered features.

    Parameters
    ----------
    prefix : str
        What precedes the number.
    n : int
        Number of features.

    Returns
    -------
    list of str
        Of length `n`.

    Examples
    --------
    >>> numbered_names("emb", 3)
    ['emb000', 'emb001', 'emb002']
    """
    return [prefix + number for number in _numbers(n)]


def indexed_names(names, *extents):
    """Return names of features along inner axes; indices vary slowest, features fastest.

    Parameters
    ----------
    names : sequence of str
        Names of the features.
    *extents : int
        Lengths of the inner axes, slowest first: one for a sequence, three for an image.

    Returns
    -------
    list of str
        Each name followed by ``@`` and an index for each axis.

    Examples
    --------
    >>> indexed_names(["pitch", "loudness"], 2)
    ['pitch@000', 'loudness@000', 'pitch@001', 'loudness@001']
    """
    numbers = [_numbers(extent) for extent in extents]
    suffixes = [
        "".join(f"@{axis[i]}" for axis, i in zip(numbers, index, strict=True))
        for index in np.ndindex(*extents)
    ]
    return [name + suffix for suffix in suffixes for name in names]


def statistic_names(names, statistics):
    """Return names of statistics over time, those of one feature next to each other.

    Parameters
    ----------
    names : sequence of str
        Names of the features.
    statistics : sequence of str
        Names of the statistics, such as ``("mean", "std")``.

    Returns
    -------
    list of str
        ``<name>_<statistic>``.

    Examples
    --------
    >>> statistic_names(["pitch"], ["mean", "std"])
    ['pitch_mean', 'pitch_std']
    """
    return [f"{name}_{statistic}" for name in names for statistic in statistics]


def segment_names(names, n_segments):
    """Return names of features in each of the consecutive segments of a clip.

    Parameters
    ----------
    names : sequence of str
        Names of the features.
    n_segments : int
        Number of segments; with one, the names stay as they are.

    Returns
    -------
    list of str
        ``<name>_segment<number>``, the features of one segment next to each other.

    Examples
    --------
    >>> segment_names(["pitch"], 2)
    ['pitch_segment000', 'pitch_segment001']
    """
    if n_segments == 1:
        return list(names)
    return [f"{name}_segment{number}" for number in _numbers(n_segments) for name in names]


def _numbers(n):
    width = max(3, len(str(n - 1)))
    return [f"{i:0{width}}" for i in range(n)]
