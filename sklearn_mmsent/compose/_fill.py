"""FillBlocks: fill missing values, and record them as columns."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from sklearn_mmsent.blocks import BlockLayout
from sklearn_mmsent.blocks.filling import fill_table, indicator_names
from sklearn_mmsent.utils._sklearn import StrOptions, _check_feature_names_in, _fit_context
from sklearn_mmsent.utils._validation import check_table


class FillBlocks(TransformerMixin, BaseEstimator):
    """Fill missing blocks, padding and single values, and record what was missing.

    For steps that do not accept NaN: most samplers of imbalanced-learn, PCA,
    feature selection, most classifiers. Missing values are replaced by the
    feature's mean over the training rows (pooled over the valid steps of a
    sequence, per channel of an image). Columns, names and dtypes are kept; for
    each block, ``<block>__present`` (1 or 0) and, for sequences,
    ``<block>__length`` (number of valid steps) are appended. Fusion estimators
    rebuild their masks from them, even after SMOTE has interpolated them.

    Fusion estimators accept NaN and do not need this step.

    Parameters
    ----------
    strategy : {"mean", "zero"}, default="mean"
        Replacement of missing values: the feature's training mean, or zero.
    modalities : "auto", mapping or None, default="auto"
        Blocks of the table; "auto" reads the column names. See
        :meth:`sklearn_mmsent.blocks.BlockLayout.of`.

    Attributes
    ----------
    layout_ : BlockLayout
        The blocks of the table seen in ``fit``.
    fill_values_ : list of ndarray
        For each block, the replacements, of a shape that broadcasts to the
        block's.
    n_features_in_ : int
        Number of columns seen in ``fit``.
    feature_names_in_ : ndarray of str objects of shape (n_features_in_,)
        Names of the columns, if the table had names.

    See Also
    --------
    sklearn.impute.SimpleImputer : Per column: imputes padding like data, drops
        columns that are all NaN, and does not record what was missing.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> X = pd.DataFrame({"text__a": [1.0, 3.0], "face__smile": [0.5, np.nan]})
    >>> FillBlocks().fit_transform(X).loc[1].tolist()
    [3.0, 0.5, 1.0, 0.0]
    """

    _parameter_constraints: dict = {
        "strategy": [StrOptions({"mean", "zero"})],
        "modalities": [StrOptions({"auto"}), Mapping, None],
    }

    def __init__(self, strategy="mean", *, modalities="auto"):
        self.strategy = strategy
        self.modalities = modalities

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Find the blocks and compute their means.

        Parameters
        ----------
        X : DataFrame or ndarray of shape (n_samples, n_features)
            A numeric table with NaN where something is missing.
        y : ignored
            Present for scikit-learn's pipelines.

        Returns
        -------
        self : object
            The fitted transformer.
        """
        X = check_table(self, X, reset=True)
        self.layout_ = BlockLayout.of(X, self.modalities, owner=type(self).__name__)
        self.fill_values_ = []
        for block in self.layout_.read(X):
            mean, _ = block.statistics()
            self.fill_values_.append(mean if self.strategy == "mean" else np.zeros_like(mean))
        return self

    def transform(self, X):
        """Fill a table and append the indicators.

        Parameters
        ----------
        X : DataFrame or ndarray of shape (n_samples, n_features)
            A table with the columns seen in ``fit``.

        Returns
        -------
        DataFrame or ndarray of shape (n_samples, n_features + n_indicators)
            A DataFrame if `X` is one: dtypes differ between blocks.
        """
        check_is_fitted(self)
        X = check_table(self, X, reset=False)
        frame = fill_table(
            self.layout_.blocks, self.layout_.read(X), self.fill_values_, self._column_names()
        )
        return frame.set_axis(X.index) if isinstance(X, pd.DataFrame) else frame.to_numpy()

    def get_feature_names_out(self, input_features=None):
        """Return the column names, followed by those of the indicators.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            Names of the columns; None takes those seen in ``fit``.

        Returns
        -------
        ndarray of str objects
            Column names of the filled table.
        """
        check_is_fitted(self)
        if input_features is not None or hasattr(self, "feature_names_in_"):
            input_features = _check_feature_names_in(self, input_features)
        names = self._column_names(input_features)
        return np.asarray([*names, *indicator_names(self.layout_.blocks)], dtype=object)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    def _column_names(self, names=None):
        """Return the names of the blocks' columns: those of the table, or generated ones."""
        names = getattr(self, "feature_names_in_", None) if names is None else names
        blocks = self.layout_.blocks
        if names is None:
            return [name for block in blocks for name in block.column_names()]
        return [name for block in blocks for name in names[block.columns]]
