"""Checks of tables and labels."""

import numpy as np
import pandas as pd
from sklearn.utils.validation import validate_data

from sklearn_mmsent.exceptions import BlockError


def check_table(estimator, X, *, reset):
    """Check a numeric table; a DataFrame keeps the dtypes of its columns.

    Parameters
    ----------
    estimator : estimator
        Names and number of columns are stored in it, or compared with it.
    X : DataFrame, ndarray or nested list of shape (n_samples, n_features)
        The table.
    reset : bool
        Whether this is `fit`.

    Returns
    -------
    DataFrame or ndarray
        The table; a DataFrame unchanged.

    Raises
    ------
    BlockError
        If a column name is duplicated, or `fit` has no rows.
    ValueError
        If names or number of columns differ from those of `fit`.
    """
    if not isinstance(X, pd.DataFrame):
        return validate_data(
            estimator, X, reset=reset, dtype="numeric", ensure_all_finite=False, estimator=estimator
        )
    check_unique(X.columns)
    validate_data(estimator, X, reset=reset, skip_check_array=True)
    if len(X) == 0 and reset:
        raise BlockError(
            f"{type(estimator).__name__}: found 0 samples; a minimum of 1 is required to learn "
            "from."
        )
    return X


def check_unique(names):
    """Raise an error if a column name is duplicated.

    Parameters
    ----------
    names : iterable
        Column names.

    Raises
    ------
    BlockError
        Names the column and both positions.
    """
    if getattr(names, "is_unique", False):
        return  # a pandas Index caches it
    first = {}
    for column, name in enumerate(names):
        if first.setdefault(name, column) != column:
            raise BlockError(
                f"column name {name!r} is duplicated (columns {first[name]} and {column}). "
                "Column names must be unique."
            )


def check_labels(y, *, owner):
    """Raise an error if a label is infinite or missing.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)
        Labels.
    owner : str
        Name used in error messages.

    Raises
    ------
    ValueError
        Names the first row.
    """
    if y.dtype.kind == "f" and np.isinf(y).any():
        raise ValueError(
            f"{owner}: Input y contains infinity or a value too large for a label, at row "
            f"{int(np.argmax(np.isinf(y)))}. Label the row, or drop it."
        )
    missing = pd.isna(y)
    if missing.any():
        row = int(np.argmax(missing))
        raise ValueError(
            f"{owner}: Input y contains NaN: row {row} has no label (nor have "
            f"{int(missing.sum()) - 1} others). Drop rows without a label, or label them."
        )
