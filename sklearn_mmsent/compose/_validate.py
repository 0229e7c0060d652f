"""How the transformers of numeric tables take their input."""

import pandas as pd
from sklearn.utils.validation import validate_data

from sklearn_mmsent.blocks import check_unique
from sklearn_mmsent.exceptions import BlockError


def check_table(estimator, X, *, reset):
    """Check a table of numbers, a DataFrame without turning it into one array of one dtype.

    Parameters
    ----------
    estimator : estimator
        Whose names and number of columns are set or compared.
    X : DataFrame, ndarray or nested list of shape (n_samples, n_features)
        The table.
    reset : bool
        Whether this is `fit`.

    Returns
    -------
    DataFrame or ndarray
        The table; a DataFrame as it is.

    Raises
    ------
    BlockError
        If a column name stands twice, or there is nothing to learn from.
    ValueError
        If names or number of columns are not those of `fit`.
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
