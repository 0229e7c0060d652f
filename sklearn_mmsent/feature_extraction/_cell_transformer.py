"""What comes before an extractor: one column of raw cells in, one of raw cells out."""

from abc import ABCMeta, abstractmethod

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from sklearn_mmsent.exceptions import CellError
from sklearn_mmsent.feature_extraction.cells import CellColumn, is_missing
from sklearn_mmsent.utils._sklearn import StrOptions, _fit_context


class CellTransformer(TransformerMixin, BaseEstimator, metaclass=ABCMeta):
    """One column of raw cells in, one column of raw cells of the same modality out.

    Stands before an extractor in a pipeline. Learns nothing. The container stays what it was, so
    that an extractor behind it still names the user's row and column; missing cells stay as they
    are. A subclass writes ``_convert``.
    """

    #: Installed distributions whose version may change a cell; `Cached` keys results by them.
    _libraries = ("numpy", "scipy", "scikit-image", "pillow", "soundfile", "av")

    #: Parameters that say how to work and not what comes out.
    _neutral_parameters = ("on_error",)

    _parameter_constraints: dict = {"on_error": [StrOptions({"raise", "missing"})]}

    @abstractmethod
    def _convert(self, cell):
        """Return what one present cell becomes; raise CellError or OSError if it is unusable."""

    def _fingerprint(self):
        """Return, as a str, what results depend on beside parameters and library versions."""
        return ""

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Check the parameters; nothing is learnt.

        Parameters
        ----------
        X : Series, one-column DataFrame, ndarray or list of shape (n_samples,)
            Raw cells; None, NaN and empty ones are missing.
        y : ignored
            Present for scikit-learn's pipelines.

        Returns
        -------
        self : object
            The fitted transformer.
        """
        self._name = CellColumn.read(X, owner=type(self).__name__).name
        self.n_features_in_ = 1
        return self

    def transform(self, X):
        """Convert each present cell.

        Parameters
        ----------
        X : Series, one-column DataFrame, ndarray or list of shape (n_samples,)
            Raw cells; None, NaN and empty ones are missing.

        Returns
        -------
        Series, DataFrame or ndarray of object of shape (n_samples,)
            Converted cells: a Series for a Series, a DataFrame for a DataFrame, an array for all
            else.

        Raises
        ------
        CellError
            With ``on_error="raise"``, for the first cell that cannot be used: the
            message names row, column, cell and cause.
        """
        check_is_fitted(self)
        column = CellColumn.read(X, owner=type(self).__name__)
        cells = np.empty(len(column.cells), dtype=object)
        failed = {}
        for row, cell in enumerate(column.cells):
            try:
                cells[row] = cell if is_missing(cell) else self._convert(cell)
            except (CellError, OSError) as error:
                failed[row] = error
        column.report(failed, owner=type(self).__name__, on_error=self.on_error, stacklevel=4)
        if isinstance(X, pd.Series):
            return pd.Series(cells, index=X.index, name=X.name, dtype=object)
        if isinstance(X, pd.DataFrame):
            return pd.DataFrame({X.columns[0]: pd.Series(cells, index=X.index, dtype=object)})
        return cells

    def get_feature_names_out(self, input_features=None):
        """Return the name of the column.

        Parameters
        ----------
        input_features : ignored
            Present for scikit-learn's pipelines.

        Returns
        -------
        ndarray of str objects of shape (1,)
            The name seen in `fit`; ``"cell"`` where there was none.
        """
        check_is_fitted(self)
        return np.asarray([self._name or "cell"], dtype=object)

    def __sklearn_is_fitted__(self):
        return hasattr(self, "n_features_in_")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        tags.input_tags.string = True
        tags.input_tags.allow_nan = True
        tags.transformer_tags.preserves_dtype = []
        return tags
