"""Base class of cell transformers: raw cells in, raw cells of the same modality out."""

from abc import ABCMeta, abstractmethod

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from sklearn_mmsent.feature_extraction.cells import CellColumn, CellInputMixin, is_missing
from sklearn_mmsent.utils._sklearn import StrOptions, _fit_context


class CellTransformer(CellInputMixin, TransformerMixin, BaseEstimator, metaclass=ABCMeta):
    """Base class of cell transformers: raw cells in, raw cells of the same modality out.

    A cell transformer precedes an extractor in a pipeline, to clean, denoise or crop cells, and
    learns nothing. A subclass implements ``_convert`` (one present cell to one cell) and sets
    `modality`. Containers and missing cells stay as they are, so that errors of the extractor
    still name the user's row and column.

    Attributes
    ----------
    modality : {"audio", "image", "text", "video"} or None
        Class attribute: what the cells are.
    on_error : {"raise", "missing"}, default="raise"
        How to handle a cell that cannot be used, such as a damaged file, or a number instead of
        text: raise a `CellError`, or treat it as missing and warn once with the count.
    n_features_in_ : int
        Always 1, the column of cells.

    See Also
    --------
    BaseExtractor : Returns numbers instead of cells.

    Notes
    -----
    `on_error` is a parameter of a subclass whose constructor takes it.

    Examples
    --------
    >>> from sklearn_mmsent.exceptions import CellError
    >>> from sklearn_mmsent.feature_extraction import CellTransformer
    >>> class LowerCase(CellTransformer):
    ...     modality = "text"
    ...
    ...     def _convert(self, cell):
    ...         if not isinstance(cell, str):
    ...             raise CellError(f"expected a text, got {type(cell).__name__}")
    ...         return cell.lower()
    >>> LowerCase().fit_transform(["So GOOD", None, "Bad"]).tolist()
    ['so good', None, 'bad']
    """

    modality = None
    on_error = "raise"

    #: Installed distributions whose version may change a cell; `Cached` keys results by them.
    _libraries = ("numpy", "scipy", "scikit-image", "pillow", "soundfile", "av")

    #: Parameters that do not change the result.
    _neutral_parameters = ("on_error",)

    _parameter_constraints: dict = {"on_error": [StrOptions({"raise", "missing"})]}

    @abstractmethod
    def _convert(self, cell):
        """Return the cell that replaces a present one; raise CellError or OSError if unusable."""

    def _fingerprint(self):
        """Return a str of what results depend on besides parameters and library versions."""
        return ""

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Check the parameters; nothing is learned.

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
            Converted cells: a Series for a Series, a DataFrame for a DataFrame, an array for any
            other input.

        Raises
        ------
        CellError
            With ``on_error="raise"``, for the first unusable cell: the message names row, column,
            cell and cause.
        """
        check_is_fitted(self)
        column = self.transform_column(CellColumn.read(X, owner=type(self).__name__))
        cells = np.empty(len(column.cells), dtype=object)
        for row, cell in enumerate(column.cells):  # an array of arrays would be stacked
            cells[row] = cell
        if isinstance(X, pd.Series):
            return pd.Series(cells, index=X.index, name=X.name, dtype=object)
        if isinstance(X, pd.DataFrame):
            return pd.DataFrame({X.columns[0]: pd.Series(cells, index=X.index, dtype=object)})
        return cells

    def transform_column(self, column):
        """Convert each present cell of a column that has been read already.

        Parameters
        ----------
        column : CellColumn
            Raw cells.

        Returns
        -------
        CellColumn
            Converted cells.
        """
        made = column.apply(self._convert, owner=type(self).__name__, on_error=self.on_error)
        return column.with_cells(
            [
                cell if is_missing(cell) else new
                for cell, new in zip(column.cells, made, strict=True)
            ]
        )

    def _feature_names(self):
        return [self._name or "cell"]

    def __sklearn_is_fitted__(self):
        return hasattr(self, "n_features_in_")
