"""What modalities are worth together, and how that is shared among them.

Shapley (1953), A value for n-person games, Contributions to the theory of games II; as importance
of the inputs of a model: Lundberg, Lee (2017), A unified approach to interpreting model
predictions, NeurIPS. A coalition is a number whose bit m tells whether modality m is in it.
"""

from math import factorial

import numpy as np

#: Modalities whose subsets are all evaluated, at most.
MOST = 12


def check_number(n, *, owner):
    """Refuse more modalities than have a manageable number of subsets.

    Parameters
    ----------
    n : int
        Number of modalities.
    owner : str
        Who asks, for the message.
    """
    if n > MOST:
        raise ValueError(
            f"{owner}: exact Shapley values of {n} modalities need {2**n:,} predictions of all "
            f"rows; at most {MOST} modalities ({2**MOST:,}) are taken. Join some, with "
            "modalities={'face': ['vision', 'motion'], ...}, or ask by method='ablation' or "
            f"'permutation', which need {n + 1}."
        )


def values_of(rows, value, coalitions, *, by, orders):
    """Evaluate coalitions of modalities.

    Parameters
    ----------
    rows : Rows
        What is predicted.
    value : callable
        Maps an estimator and rows to a number, or an array.
    coalitions : iterable of int
        Which modalities are there; the others are taken away.
    by : {"masking", "permutation"}
        How.
    orders : list of ndarray of int
        Orders of the rows, for permutation.

    Returns
    -------
    dict of int to ndarray of shape (n_repeats, ...)
        Values by coalition; a single repeat where nothing is drawn.
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
    """Return the Shapley values of modalities.

    Parameters
    ----------
    values : dict of int to ndarray of shape (...)
        Of all 2^n coalitions.
    n : int
        Number of modalities.

    Returns
    -------
    ndarray of shape (n, ...)
        They sum to the value of all modalities less that of none.
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
