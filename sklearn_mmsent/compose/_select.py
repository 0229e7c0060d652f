"""SelectModalities: select modalities of a table by name."""

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from sklearn_mmsent.blocks import BlockLayout
from sklearn_mmsent.utils._sklearn import _check_feature_names_in, _fit_context
from sklearn_mmsent.utils._validation import check_table


class SelectModalities(TransformerMixin, BaseEstimator):
    """Select the columns of some modalities, including their indicators.

    Parameters
    ----------
    modalities : list of str
        Names of the selected modalities.

    Attributes
    ----------
    columns_ : ndarray of int
        Positions of the selected columns.
    n_features_in_ : int
        Number of columns seen in ``fit``.
    feature_names_in_ : ndarray of str objects of shape (n_features_in_,)
        Names of the columns.

    See Also
    --------
    sklearn.compose.make_column_selector : By pattern or dtype instead of by modality.

    Examples
    --------
    >>> import pandas as pd
    >>> X = pd.DataFrame({"text__a": [1.0], "text__b": [2.0], "face__smile": [0.5]})
    >>> SelectModalities(["text"]).fit_transform(X).columns.tolist()
    ['text__a', 'text__b']
    """

    _parameter_constraints: dict = {"modalities": [list, tuple]}

    def __init__(self, modalities):
        self.modalities = modalities

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Find the columns.

        Parameters
        ----------
        X : DataFrame of shape (n_samples, n_features)
            A numeric table with the package's column names.
        y : ignored
            Present for scikit-learn's pipelines.

        Returns
        -------
        self : object
            The fitted transformer.

        Raises
        ------
        BlockError
            If a modality has no column in the table.
        """
        X = check_table(self, X, reset=True)
        layout = BlockLayout.of(X, owner=type(self).__name__)
        self.columns_ = layout.select(self.modalities)
        return self

    def transform(self, X):
        """Select the columns.

        Parameters
        ----------
        X : DataFrame or ndarray of shape (n_samples, n_features)
            A table with the columns seen in ``fit``.

        Returns
        -------
        DataFrame or ndarray of shape (n_samples, len(columns_))
            The chosen columns, in table order.
        """
        check_is_fitted(self)
        X = check_table(self, X, reset=False)
        return X.iloc[:, self.columns_] if isinstance(X, pd.DataFrame) else X[:, self.columns_]

    def get_feature_names_out(self, input_features=None):
        """Return the names of the selected columns.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            Names of the columns; None takes those seen in ``fit``.

        Returns
        -------
        ndarray of str objects
            Names of the selected columns.
        """
        check_is_fitted(self)
        return np.asarray(_check_feature_names_in(self, input_features))[self.columns_]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags
