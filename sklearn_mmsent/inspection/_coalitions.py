"""Values of coalitions of modalities, and their Shapley values.

Shapley (1953), A value for n-person games, Contributions to the theory of games II; as importance
of the inputs of a model: Lundberg, Lee (2017), A unified approach to interpreting model
predictions, NeurIPS. A coalition is a number whose bit m is set if modality m is in it.
"""

from math import factorial

import numpy as np

#: Largest number of modalities of which all subsets are evaluated.
MAX_MODALITIES = 12


def check_number(n, *, owner):
    """Raise ValueError if `n` modalities have more subsets than can be evaluated."""
    if n > MAX_MODALITIES:
        raise ValueError(
            f"{owner}: exact Shapley values of {n} modalities need {2**n:,} predictions of all "
            f"rows; at most {MAX_MODALITIES} modalities ({2**MAX_MODALITIES:,} predictions) are "
            "supported. Join some with modalities={'face': ['vision', 'motion'], ...}, or use "
            f"method='ablation' or 'permutation', which need {n + 1} predictions."
        )


def values_of(rows, value, coalitions, *, by, orders):
    """Evaluate coalitions of modalities, with all other modalities removed.

    `value` maps an estimator and rows to a number or an array; `by` is "masking" or "permutation",
    for which `orders` holds permutations of the rows.

    Returns arrays of shape (n_repeats, ...) by coalition; a single repeat for "masking", which
    draws nothing.
    """
    values = {}
    for coalition in coalitions:
        absent = [name for m, name in enumerate(rows.names) if not coalition >> m & 1]
        if by == "masking":
            tables = [rows.masked(absent)]
        else:
            tables = (rows.permuted(absent, order) for order in (orders if absent else [None]))
        found = np.stack([np.asarray(value(rows.estimator, table), float) for table in tables])
        n_repeats = 1 if by == "masking" else len(orders)
        values[coalition] = np.broadcast_to(found, (n_repeats, *found.shape[1:]))
    return values


def shapley(values, n):
    """Return Shapley values (n, ...) of `n` modalities from the values of all 2^n coalitions.

    Their sum is the value of all modalities minus that of none.
    """
    shares = [factorial(s) * factorial(n - s - 1) / factorial(n) for s in range(n)]
    return np.stack(
        [
            sum(
                shares[coalition.bit_count()] * (values[coalition | 1 << m] - values[coalition])
                for coalition in range(2**n)
                if not coalition >> m & 1
            )
            for m in range(n)
        ]
    )
