"""Named statistics over the steps of a sequence."""

import re

import numpy as np

_STATISTIC = re.compile(r"mean|std|min|max|p\d\d")


def check_statistics(names, owner):
    """Raise a ValueError if names of statistics are unknown or repeated, or if there are none.

    Names are "mean", "std", "min", "max" and percentiles "p00" to "p99".
    """
    unknown = [name for name in names if not _STATISTIC.fullmatch(str(name))]
    repeated = len(set(names)) < len(names)
    if unknown or repeated or not names:
        raise ValueError(
            f"The 'statistics' parameter of {owner} must name, each once, any of 'mean', 'std', "
            f"'min', 'max' and percentiles 'p00' to 'p99'. Got {names!r} instead."
        )


def summarize(steps, names):
    """Return statistics over the steps (T, F) of one sequence without NaN, (F, len(names))."""
    # in float64, so that the deviation of a constant feature is zero
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
