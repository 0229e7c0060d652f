"""Checks of the arguments of `fit` other than X and y."""

import numpy as np
import pandas as pd
from sklearn.utils.validation import column_or_1d

from sklearn_mmsent.utils._sklearn import _check_sample_weight


def check_weights(sample_weight, X, owner):
    """Return the weights of rows as floats; None for none.

    Parameters
    ----------
    sample_weight : array-like of shape (n_samples,) or None
        Weights.
    X : DataFrame or ndarray of shape (n_samples, n_features)
        The table.
    owner : str
        Name used in error messages.

    Returns
    -------
    ndarray of float of shape (n_samples,) or None

    Raises
    ------
    ValueError
        If the number of weights differs from that of rows, or one is negative.
    """
    if sample_weight is None:
        return None
    _check_length("sample_weight", sample_weight, X, owner)
    return _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)


def check_groups(groups, X, owner):
    """Return the groups of rows as an array; None for none.

    Parameters
    ----------
    groups : array-like of shape (n_samples,) or None
        Group of each row.
    X : DataFrame or ndarray of shape (n_samples, n_features)
        The table.
    owner : str
        Name used in error messages.

    Returns
    -------
    ndarray of shape (n_samples,) or None

    Raises
    ------
    ValueError
        If the number of groups differs from that of rows, or a row has none.
    """
    if groups is None:
        return None
    _check_length("groups", groups, X, owner)
    groups = column_or_1d(groups)
    if pd.isna(groups).any():
        row = int(np.argmax(pd.isna(groups)))
        raise ValueError(
            f"{owner}: groups has no value at row {row}. Give each row a group; a row that "
            "belongs to no other can be the only one of its group."
        )
    return groups


def check_validation(X_val, y_val, owner):
    """Raise an error if only one of X_val and y_val is given."""
    if (X_val is None) != (y_val is None):
        given, missing = ("X_val", "y_val") if y_val is None else ("y_val", "X_val")
        raise ValueError(f"{owner}: {given} is given without {missing}.")


def _check_length(name, values, X, owner):
    n = len(values) if hasattr(values, "__len__") else None
    if n is not None and n != len(X):
        raise ValueError(
            f"{owner}: {name} has {n} entries, but X has {len(X)} rows. After a sampler, metadata "
            f"no longer matches the rows: pass the sampler as {owner}(sampler=...), which applies "
            "it inside, after the validation split."
        )
