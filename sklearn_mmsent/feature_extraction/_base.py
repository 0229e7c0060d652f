"""What every extractor shares: one column of raw cells in, one block of float32 out."""

import warnings
from abc import ABCMeta, abstractmethod
from numbers import Integral

import numpy as np
from joblib import Parallel, delayed
from sklearn.base import BaseEstimator, TransformerMixin, _fit_context
from sklearn.utils import gen_batches
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from sklearn_mmsent.exceptions import CellError
from sklearn_mmsent.feature_extraction._cells import CellColumn, content_key, is_missing


class BaseExtractor(TransformerMixin, BaseEstimator, metaclass=ABCMeta):
    """One column of raw cells in, one block of float32 out.

    Think twice before adding anything to this class: it holds what *every*
    extractor needs. A new extractor writes ``_load`` (one cell, decoded and
    checked), ``_encode`` (a batch of loaded cells to numbers) and
    ``_feature_names``; it writes ``_fit_cells`` only if it learns from data.

    Missing cells become rows of NaN. Equal cells are encoded once. Cells pass
    through in batches, so that memory does not grow with their number.
    """

    #: False for extractors whose numbers depend on the rows they were fitted on.
    _stateless = True

    _parameter_constraints: dict = {
        "on_error": [StrOptions({"raise", "missing"})],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "n_jobs": [None, Integral],
    }

    # -- what a new extractor writes ---------------------------------------------------------

    @abstractmethod
    def _load(self, cell):
        """Decode and check one present cell; raise CellError or OSError if it is unusable."""

    @abstractmethod
    def _encode(self, loaded):
        """Turn a list of loaded cells into an array of shape (n_cells, n_features)."""

    @abstractmethod
    def _feature_names(self):
        """Return the names of the output columns as a list of str."""

    def _fit_cells(self, loaded, y):  # noqa: B027 - learning nothing is the usual case
        """Learn from the loaded present cells of the training rows (a list), if need be."""

    # -- scikit-learn's interface ------------------------------------------------------------

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Check the parameters and, for extractors that learn, learn from the present cells.

        Parameters
        ----------
        X : Series, one-column DataFrame, ndarray or list of shape (n_samples,)
            Raw cells; None, NaN and empty ones are missing.
        y : ignored
            Present for scikit-learn's pipelines.

        Returns
        -------
        self : object
            The fitted extractor.
        """
        column = self._read_column(X)
        if not self._stateless:
            present = [row for row, cell in enumerate(column.cells) if not is_missing(cell)]
            results = [self._load_or_error(column.cells[row]) for row in present]
            failed = {row: r for row, r in zip(present, results, strict=True) if _is_error(r)}
            self._report(column, failed)
            self._fit_cells([r for r in results if not _is_error(r)], y)
        self.n_features_in_ = 1
        self.n_features_out_ = len(self._feature_names())
        return self

    def transform(self, X):
        """Extract one row of features per cell.

        Parameters
        ----------
        X : Series, one-column DataFrame, ndarray or list of shape (n_samples,)
            Raw cells; None, NaN and empty ones are missing.

        Returns
        -------
        ndarray of shape (n_samples, n_features_out_), float32
            Features; a row of NaN where the cell is missing (or could not be
            read, with ``on_error="missing"``).

        Raises
        ------
        CellError
            With ``on_error="raise"``, for the first cell that cannot be used: the
            message names row, column, cell and cause.
        """
        check_is_fitted(self, "n_features_out_")
        column = self._read_column(X)
        rows_of = {}  # equal cells are encoded once
        for row, cell in enumerate(column.cells):
            if not is_missing(cell):
                rows_of.setdefault(content_key(cell), []).append(row)
        distinct = list(rows_of.values())

        features = np.full((len(column.cells), self.n_features_out_), np.nan, dtype=np.float32)
        failed = {}
        batches = list(gen_batches(len(distinct), self.batch_size))
        n_jobs = self.n_jobs if len(batches) > 1 else 1
        encoded = Parallel(n_jobs=n_jobs, return_as="generator")(
            delayed(self._extract)([column.cells[rows[0]] for rows in distinct[batch]])
            for batch in batches
        )
        for batch, (block, errors) in zip(batches, encoded, strict=True):
            for rows, row_features in zip(distinct[batch], block, strict=True):
                features[rows] = row_features
            failed |= {distinct[batch][i][0]: (error, distinct[batch][i]) for i, error in errors}
            if failed and self.on_error == "raise":
                break  # the caller waits for the message, not for the remaining files
        self._report(
            column,
            {row: error for error, rows in failed.values() for row in rows},
        )
        return features

    def get_feature_names_out(self, input_features=None):
        """Return the names of the output columns.

        Parameters
        ----------
        input_features : ignored
            Present for scikit-learn's pipelines.

        Returns
        -------
        ndarray of str objects of shape (n_features_out_,)
            Names as ``blocks`` reads them: a feature with inner axes carries
            its zero-padded indices after ``@``.
        """
        check_is_fitted(self, "n_features_out_")
        return np.asarray(self._feature_names(), dtype=object)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        tags.input_tags.string = True
        tags.input_tags.allow_nan = True
        tags.transformer_tags.preserves_dtype = []
        tags.requires_fit = not self._stateless
        tags.no_validation = False
        return tags

    # -- the template's own parts ------------------------------------------------------------

    def _read_column(self, X):
        return CellColumn.read(X, owner=type(self).__name__)

    def _load_or_error(self, cell):
        try:
            return self._load(cell)
        except (CellError, OSError) as error:
            return error

    def _extract(self, cells):
        """Load and encode a batch; give back its block and the errors by position."""
        loaded = [self._load_or_error(cell) for cell in cells]
        good = [i for i, item in enumerate(loaded) if not _is_error(item)]
        block = np.full((len(cells), self.n_features_out_), np.nan, dtype=np.float32)
        if good:
            block[good] = self._encode([loaded[i] for i in good])
        return block, [(i, item) for i, item in enumerate(loaded) if _is_error(item)]

    def _report(self, column, failed):
        """Raise for the first failed row, or warn once with the count, as `on_error` says."""
        if not failed:
            return
        row = min(failed)
        first = f"{column.where(row)}: {failed[row]}"
        name = type(self).__name__
        if self.on_error == "raise":
            raise CellError(
                f"{name}: {first}. Mend or empty this cell, or set on_error='missing' to "
                "treat unusable cells as missing."
            ) from failed[row]
        warnings.warn(
            f"{name}: {len(failed)} of {len(column.cells)} cells could not be used and count as "
            f"missing; the first is {first}.",
            UserWarning,
            stacklevel=3,
        )


def _is_error(item):
    return isinstance(item, Exception)
