"""Base class of extractors: one column of raw cells in, one block of float32 out."""

from abc import ABCMeta, abstractmethod
from contextlib import closing
from numbers import Integral

import numpy as np
from joblib import Parallel, delayed
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from sklearn_mmsent.feature_extraction.cells import (
    CellColumn,
    CellInputMixin,
    apply_to_cell,
    content_key,
    file_content,
)
from sklearn_mmsent.utils._sklearn import Interval, StrOptions, _fit_context


class BaseExtractor(CellInputMixin, TransformerMixin, BaseEstimator, metaclass=ABCMeta):
    """Base class of extractors: one column of raw cells in, one block of float32 out.

    A subclass implements ``_load`` (decode and check one cell), ``_encode`` (a batch of loaded
    cells to numbers) and ``_feature_names``, and sets `modality`. One that learns from its
    training cells also implements ``_fit_cells`` and sets ``_stateless = False``.

    This class does the rest. Missing cells become rows of NaN. Equal cells are encoded once.
    Cells are processed in batches, in parallel if requested, so that memory does not grow with
    their number. Errors name the row, the column and the cell.

    Attributes
    ----------
    modality : {"audio", "image", "text", "video"} or None
        Class attribute: what the cells are. Determines how streams and timelines cut the column.
    on_error : {"raise", "missing"}, default="raise"
        How to handle a cell that cannot be used, such as a damaged file, or a number instead of
        text: raise a `CellError`, or treat it as missing and warn once with the count.
    batch_size : int, default=32
        Number of cells that are encoded at once.
    n_jobs : int or None, default=None
        Number of batches processed in parallel; None means 1.
    n_features_in_ : int
        Always 1, the column of cells.
    n_features_out_ : int
        Number of output columns.

    See Also
    --------
    CellTransformer : Returns cells of the same modality instead of numbers.

    Notes
    -----
    `on_error`, `batch_size` and `n_jobs` are parameters of a subclass whose constructor takes
    them; otherwise the defaults hold. The number and names of the columns must follow from
    parameters and never from data, so that all folds of a cross-validation have equal columns.
    The result of a cell must not depend on the other cells of its batch.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_mmsent.exceptions import CellError
    >>> from sklearn_mmsent.feature_extraction import BaseExtractor
    >>> class TextLength(BaseExtractor):
    ...     modality = "text"
    ...
    ...     def _load(self, cell):
    ...         if not isinstance(cell, str):
    ...             raise CellError(f"expected a text, got {type(cell).__name__}")
    ...         return cell
    ...
    ...     def _encode(self, loaded):
    ...         return np.array([[len(text), len(text.split())] for text in loaded])
    ...
    ...     def _feature_names(self):
    ...         return ["characters", "words"]
    >>> TextLength().fit_transform(["so good", None, "bad"])
    array([[ 7.,  2.],
           [nan, nan],
           [ 3.,  1.]], dtype=float32)
    """

    modality = None
    on_error = "raise"
    batch_size = 32
    n_jobs = None

    #: False for extractors whose numbers depend on the rows they were fitted on.
    _stateless = True

    #: Installed distributions whose version may change a number; `Cached` keys results by them.
    _libraries = ("numpy", "scipy", "torch", "scikit-image", "pillow", "soundfile")

    #: Parameters that do not change the result.
    _neutral_parameters = ("on_error", "batch_size", "n_jobs")

    _parameter_constraints: dict = {
        "on_error": [StrOptions({"raise", "missing"})],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "n_jobs": [None, Integral],
    }

    # -- what a subclass implements ----------------------------------------------------------

    @abstractmethod
    def _load(self, cell):
        """Decode and check one present cell; raise CellError or OSError if it is unusable.

        None means that there is nothing to encode: the row will be missing.
        """

    @abstractmethod
    def _encode(self, loaded):
        """Return the features of a list of loaded cells, of shape (n_cells, n_features)."""

    @abstractmethod
    def _feature_names(self):
        """Return the names of the output columns as a list of str.

        The helpers in ``sklearn_mmsent.blocks`` number them.
        """

    def _fit_cells(self, loaded, y):
        """Learn from the loaded present cells of the training rows (a list)."""

    def _order(self, cells):
        """Return the order, a list of positions, in which cells are best encoded."""
        return list(range(len(cells)))

    def _cell_content(self, cell):
        """Return the content of a cell as hashable bytes, str and tuples, or None if unknown.

        `Cached` looks results up by it. A path stands for the content of the file, but a text is
        never a path.
        """
        if self.modality == "text" and isinstance(cell, str):
            return ("text", cell)
        return file_content(cell)

    def _fingerprint(self):
        """Return a str of what results depend on besides parameters and library versions."""
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
            loaded = column.apply(self._load, owner=self._owner, on_error=self.on_error)
            self._fit_cells([item for item in loaded if item is not None], y)
        self.n_features_out_ = len(self._feature_names())
        self.n_features_in_ = 1
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
            Features; a row of NaN where the cell is missing (or unusable, with
            ``on_error="missing"``).

        Raises
        ------
        CellError
            With ``on_error="raise"``, for the first unusable cell: the message names row, column,
            cell and cause.
        """
        check_is_fitted(self, "n_features_out_")
        return self.transform_column(self._read_column(X))

    def transform_column(self, column):
        """Extract the features of a column that has been read already.

        Parameters
        ----------
        column : CellColumn
            Raw cells.

        Returns
        -------
        ndarray of shape (n_samples, n_features_out_), float32
            As from `transform`.
        """
        distinct = column.group(content_key)
        extracted = self._extract_all([column.cells[rows[0]] for rows in distinct])
        return self._assemble(column, distinct, extracted)

    # -- shared implementation, also used by Cached ------------------------------------------

    @property
    def _owner(self):
        """Name used in error messages."""
        return type(self).__name__

    def _read_column(self, X):
        return CellColumn.read(X, owner=self._owner)

    def _extract_all(self, cells):
        """Load and encode cells; yield (positions, block, errors by position) batch by batch."""
        order = self._order(cells)
        starts = range(0, len(cells), self.batch_size)  # gen_batches does not accept zero cells
        batches = [order[start : start + self.batch_size] for start in starts]
        if len(batches) < 2:
            for batch in batches:
                yield batch, *self._extract([cells[i] for i in batch], batch)
            return
        stopped = False

        def tasks():
            for batch in batches:
                if stopped:
                    return
                yield delayed(self._extract)([cells[i] for i in batch], batch)

        results = Parallel(n_jobs=self.n_jobs, return_as="generator")(tasks())
        try:
            for batch in batches:
                yield batch, *next(results)
        finally:
            # after an early stop, wait for the running batches: joblib would kill the workers,
            # which takes longer and warns
            stopped = True
            for _ in results:
                pass

    def _extract(self, cells, positions):
        """Load and encode a batch; return its block, and the errors by position."""
        loaded = [apply_to_cell(self._load, cell) for cell in cells]
        failed = [isinstance(item, Exception) for item in loaded]
        good = [i for i, item in enumerate(loaded) if item is not None and not failed[i]]
        block = np.full((len(cells), self.n_features_out_), np.nan, dtype=np.float32)
        if good:
            rows = slice(None) if len(good) == len(cells) else good
            block[rows] = self._encode([loaded[i] for i in good])
        return block, {positions[i]: item for i, item in enumerate(loaded) if failed[i]}

    def _assemble(self, column, distinct, extracted):
        """Copy the features of distinct cells to all their rows; report unusable cells."""
        features = np.full((len(column.cells), self.n_features_out_), np.nan, dtype=np.float32)
        failed = {}
        with closing(extracted):
            for positions, block, errors in extracted:
                for position, cell_features in zip(positions, block, strict=True):
                    rows = distinct[position]
                    # an integer is several times faster than a list, which counts for single rows
                    features[rows[0] if len(rows) == 1 else rows] = cell_features
                for position, error in errors.items():
                    failed |= dict.fromkeys(distinct[position], error)
                if failed and self.on_error == "raise":
                    break  # the caller waits for the message, not for the remaining files
        column.report(failed, owner=self._owner, on_error=self.on_error)
        return features
