"""What every extractor shares: one column of raw cells in, one block of float32 out."""

from abc import ABCMeta, abstractmethod
from contextlib import closing
from numbers import Integral

import numpy as np
from joblib import Parallel, delayed
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from sklearn_mmsent.exceptions import CellError
from sklearn_mmsent.feature_extraction.cells import (
    CellColumn,
    content_key,
    file_content,
    is_missing,
)
from sklearn_mmsent.utils._sklearn import Interval, StrOptions, _fit_context


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

    #: Installed distributions whose version may change a number; `Cached` keys results by them.
    _libraries = ("numpy", "scipy", "torch", "scikit-image", "pillow", "soundfile")

    #: Parameters that say how to work and not what comes out.
    _neutral_parameters = ("on_error", "batch_size", "n_jobs")

    _parameter_constraints: dict = {
        "on_error": [StrOptions({"raise", "missing"})],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "n_jobs": [None, Integral],
    }

    # -- what a new extractor writes ---------------------------------------------------------

    @abstractmethod
    def _load(self, cell):
        """Decode and check one present cell; raise CellError or OSError if it is unusable.

        None says that the cell holds nothing to encode: its row will be missing.
        """

    @abstractmethod
    def _encode(self, loaded):
        """Turn a list of loaded cells into an array of shape (n_cells, n_features)."""

    @abstractmethod
    def _feature_names(self):
        """Return the names of the output columns as a list of str."""

    def _fit_cells(self, loaded, y):
        """Learn from the loaded present cells of the training rows (a list), if need be."""

    def _order(self, cells):
        """Return the order, a list of positions, in which cells are best encoded."""
        return list(range(len(cells)))

    def _cell_content(self, cell):
        """Return what a cell holds as hashable bytes, str and tuples, or None if unknown.

        `Cached` finds results by it. A path stands for what the file holds.
        """
        return file_content(cell)

    def _fingerprint(self):
        """Return, as a str, what results depend on beside parameters and library versions."""
        return ""

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
            self._fit_cells([r for r in results if _is_loaded(r)], y)
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
        distinct = column.group(content_key)
        extracted = self._extract_all([column.cells[rows[0]] for rows in distinct])
        return self._assemble(column, distinct, extracted)

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
        return tags

    # -- the template's own parts ------------------------------------------------------------

    def _read_column(self, X):
        return CellColumn.read(X, owner=type(self).__name__)

    def _load_or_error(self, cell):
        try:
            return self._load(cell)
        except (CellError, OSError) as error:
            return error

    def _extract_all(self, cells):
        """Load and encode cells; yield (positions, block, errors by position) batch by batch."""
        order = self._order(cells)
        starts = range(0, len(cells), self.batch_size)  # gen_batches refuses zero cells
        batches = [order[start : start + self.batch_size] for start in starts]
        n_jobs = self.n_jobs if len(batches) > 1 else 1
        stopped = False

        def tasks():
            for batch in batches:
                if stopped:
                    return
                yield delayed(self._extract)([cells[i] for i in batch])

        results = Parallel(n_jobs=n_jobs, return_as="generator")(tasks())
        try:
            for batch in batches:
                block, errors = next(results)
                yield batch, block, {batch[i]: error for i, error in errors}
        finally:
            # whoever stops early waits for the batches under way: joblib's own way is to kill
            # the workers, which takes longer and warns
            stopped = True
            for _ in results:
                pass

    def _assemble(self, column, distinct, extracted):
        """Put the features of distinct cells into all their rows; report what failed."""
        features = np.full((len(column.cells), self.n_features_out_), np.nan, dtype=np.float32)
        failed = {}
        with closing(extracted):
            for positions, block, errors in extracted:
                for position, cell_features in zip(positions, block, strict=True):
                    features[distinct[position]] = cell_features
                for position, error in errors.items():
                    failed |= dict.fromkeys(distinct[position], error)
                if failed and self.on_error == "raise":
                    break  # the caller waits for the message, not for the remaining files
        self._report(column, failed)
        return features

    def _extract(self, cells):
        """Load and encode a batch; give back its block and the errors by position."""
        loaded = [self._load_or_error(cell) for cell in cells]
        good = [i for i, item in enumerate(loaded) if _is_loaded(item)]
        block = np.full((len(cells), self.n_features_out_), np.nan, dtype=np.float32)
        if good:
            block[good] = self._encode([loaded[i] for i in good])
        return block, [(i, item) for i, item in enumerate(loaded) if _is_error(item)]

    def _report(self, column, failed):
        """Raise for the first failed row, or warn once with the count, as `on_error` says."""
        # over the wrappers of set_output, to whoever called transform
        column.report(failed, owner=type(self).__name__, on_error=self.on_error, stacklevel=6)


def _is_error(item):
    return isinstance(item, Exception)


def _is_loaded(item):
    return item is not None and not _is_error(item)
