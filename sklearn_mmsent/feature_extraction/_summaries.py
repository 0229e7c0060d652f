"""Statistics over the steps of a sequence, by name."""

import re

import numpy as np

_STATISTIC = re.compile(r"mean|std|min|max|p\d\d")


def check_statistics(names, owner):
    """Refuse a list of statistics with an unknown or repeated name, or none.

    Parameters
    ----------
    names : sequence of str
        "mean", "std", "min", "max" and percentiles "p00" to "p99".
    owner : str
        Whose parameter it is, for the message.

    Raises
    ------
    ValueError
        Says what is allowed.
    """
    unknown = [name for name in names if not _STATISTIC.fullmatch(str(name))]
    repeated = len(set(names)) < len(names)
    if unknown or repeated or not names:
        raise ValueError(
            f"The 'statistics' parameter of {owner} must name, each once, any of 'mean', 'std', "
            f"'min', 'max' and percentiles 'p00' to 'p99'. Got {names!r} instead."
        )


def summarize(steps, names):
    """Summarise the steps of one sequence.

    Parameters
    ----------
    steps : ndarray of shape (T, F)
        At least one step, no NaN.
    names : sequence of str
        As `check_statistics` allows.

    Returns
    -------
    ndarray of shape (F, len(names))
        In the order of `names`.
    """
    # in float64, so that a constant feature has no spread
    steps = steps.astype(np.float64)
    plain = {"mean": np.mean, "std": np.std, "min": np.min, "max": np.max}
    return np.stack(
        [
            plain[name](steps, axis=0)
            if name in plain
            else np.percentile(steps, int(name[1:]), axis=0)
            for name in names
        ],
        axis=-1,
    )
