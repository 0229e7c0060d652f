"""Cached: keep features on disk, by the content of cells."""

import hashlib
import inspect
import sys
import time
import uuid
from functools import lru_cache
from importlib import metadata
from numbers import Integral
from pathlib import Path

import numpy as np
from sklearn.base import BaseEstimator, MetaEstimatorMixin, TransformerMixin, clone
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from sklearn_mmsent.feature_extraction._base import BaseExtractor
from sklearn_mmsent.feature_extraction._cell_transformer import CellTransformer
from sklearn_mmsent.feature_extraction._chained_extractor import as_extractor
from sklearn_mmsent.feature_extraction._store import FeatureStore
from sklearn_mmsent.feature_extraction.cells import CellInputMixin, content_key
from sklearn_mmsent.utils._pipeline import pipeline_steps
from sklearn_mmsent.utils._sklearn import Interval, InvalidParameterError, _fit_context

_BATCHES_PER_CLAIM = 8
_PAUSE, _MAX_PAUSE = 0.02, 1.0  # seconds between checks for results of other processes


class Cached(CellInputMixin, MetaEstimatorMixin, TransformerMixin, BaseEstimator):
    """Cache the results of an extractor on disk, by the content of cells.

    Each distinct cell is extracted once across tables, folds, search trials, processes and
    scripts; processes that need the same cells at the same time share the work. The key of a
    result consists of the content of the cell (the bytes of a file, not its path), the class and
    parameters of the extractor, the files of its model, and the versions of the libraries that
    compute it. Cells that fail are not cached.

    Parameters
    ----------
    extractor : BaseExtractor or Pipeline
        An extractor that learns nothing from its training rows, such as `TextEmbedder`; or a
        pipeline of cell transformers that ends in one, such as ``make_pipeline(AudioDenoiser(),
        LogMel())``, whose results are cached by the cells that enter it.
    location : str or Path
        Folder of the store, created if needed; on a local disk. Several extractors and processes
        may share it.
    max_bytes : int, default=10 * 2**30
        Maximum size of the store. The least recently used results are dropped first.

    Attributes
    ----------
    extractor_ : BaseExtractor
        The fitted extractor.
    n_features_in_ : int
        Always 1, the column of cells.
    n_features_out_ : int
        Number of columns.

    Raises
    ------
    InvalidParameterError
        In `fit`, if `extractor` learns from its training rows: its results differ between folds.

    See Also
    --------
    TextEmbedder : Benefits most, since its model is slow.
    TfidfEmbedder : Cannot be cached, since it learns from the training texts.

    Notes
    -----
    ``len(cached)``, ``cached.size()`` and ``cached.clear()`` apply to the entire store at
    `location`. It contains float32 values and no pickles: an untrusted store can be wrong, but
    cannot execute code.

    Results are returned bit for bit as they were stored. Where the last digit of a model depends
    on the other cells of a batch, results that are added to a partly filled store may differ from
    those without a store (by less than 1e-5).

    Cells of unknown content, such as objects of other libraries, are extracted each time. The code
    of an extractor is part of the key, but not that of functions that it calls: call `clear` after
    editing them.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from sklearn_mmsent import Cached
    >>> from sklearn_mmsent.feature_extraction.image import Pixels
    >>> pictures = [np.zeros((8, 8, 3)), np.ones((8, 8, 3)), np.zeros((8, 8, 3))]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     cached = Cached(Pixels(size=(2, 2)), folder)
    ...     X = cached.fit_transform(pictures)
    ...     print(X.shape, len(cached))
    (3, 12) 2
    """

    _parameter_constraints: dict = {
        "extractor": [BaseExtractor, Pipeline],
        "location": [str, Path],
        "max_bytes": [Interval(Integral, 2**20, None, closed="left")],
    }

    def __init__(self, extractor, location, *, max_bytes=10 * 2**30):
        self.extractor = extractor
        self.location = location
        self.max_bytes = max_bytes

    @property
    def modality(self):
        """The modality of the extractor."""
        return getattr(pipeline_steps(self.extractor)[-1], "modality", None)

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y=None):
        """Check the parameters and fit the extractor, which learns nothing.

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
        extractor = as_extractor(clone(self.extractor), "Cached")
        if not extractor._stateless:
            name = type(getattr(extractor, "extractor", extractor)).__name__
            raise InvalidParameterError(
                f"The 'extractor' parameter of Cached must be an extractor that learns nothing "
                f"from its training rows. Got {name}, whose results differ between folds: cached, "
                f"they would leak test rows into training. Use {name} without Cached."
            )
        self.extractor_ = extractor.fit(X, y)
        self.n_features_in_ = 1
        self.n_features_out_ = self.extractor_.n_features_out_
        return self

    def transform(self, X):
        """Look up one row of features per cell, and extract those that are not in the store.

        Parameters
        ----------
        X : Series, one-column DataFrame, ndarray or list of shape (n_samples,)
            Raw cells; None, NaN and empty ones are missing.

        Returns
        -------
        ndarray of shape (n_samples, n_features_out_), float32
            As from the extractor.

        Raises
        ------
        CellError
            As from the extractor.
        DataFormatError
            If the store cannot be read or written.
        """
        check_is_fitted(self, "n_features_out_")
        column = self.extractor_._read_column(X)
        by_value = column.group(content_key)
        prefix = _extractor_key(self.extractor_)
        rows_of = {}  # files of equal content are one cell
        for rows in by_value:
            key = self._key(prefix, column.cells[rows[0]])
            rows_of.setdefault(rows[0] if key is None else key, []).extend(rows)
        cells = [column.cells[rows[0]] for rows in rows_of.values()]
        extracted = self._look_up_or_extract(cells, list(rows_of))
        return self.extractor_._assemble(column, list(rows_of.values()), extracted)

    def size(self):
        """Return the size of the store.

        Returns
        -------
        int
            Bytes on disk.
        """
        return FeatureStore(self.location).size()

    def clear(self):
        """Delete all results in the store, including those of other extractors."""
        FeatureStore(self.location).clear()

    def __len__(self):
        return len(FeatureStore(self.location))

    def __bool__(self):
        return True  # an empty store must not be falsy: pipelines skip such steps

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        last = pipeline_steps(self.extractor)[-1]
        if isinstance(last, BaseExtractor):
            inner = last.__sklearn_tags__()
            tags.input_tags, tags.transformer_tags = inner.input_tags, inner.transformer_tags
        return tags

    def _feature_names(self):
        return self.extractor_._feature_names()

    def _key(self, prefix, cell):
        """Return the key of a cell, or None if its content is unknown."""
        try:
            content = self.extractor_._cell_content(cell)
        except OSError:
            return None  # the extractor raises a better error
        return None if content is None else _digest((prefix, content))

    def _look_up_or_extract(self, cells, keys):
        store = FeatureStore(self.location)
        known = store.get([key for key in keys if isinstance(key, bytes)])
        width = self.n_features_out_
        hits = [i for i, key in enumerate(keys) if key in known and len(known[key]) == width]
        if hits:
            yield hits, [known[keys[i]] for i in hits], {}
        todo = sorted(set(range(len(keys))).difference(hits))
        pause = _PAUSE
        while todo:
            claimed, owner = [], uuid.uuid4().hex
            try:
                claimed = self._claim(store, todo, keys, owner)
                yield from self._extract_and_store(store, claimed, cells, keys)
            finally:
                store.release(owner)
            if claimed:
                todo = sorted(set(todo).difference(claimed))
                continue
            # other processes are extracting the remaining cells, or have just done so
            known = store.get([keys[i] for i in todo])
            hits = [i for i in todo if keys[i] in known and len(known[keys[i]]) == width]
            if hits:
                pause = _PAUSE
                yield hits, [known[keys[i]] for i in hits], {}
                todo = sorted(set(todo).difference(hits))
            else:
                time.sleep(pause)
                pause = min(2 * pause, _MAX_PAUSE)

    def _claim(self, store, todo, keys, owner):
        """Return the next cells to extract, reserved for this process."""
        unkeyed = [i for i in todo if not isinstance(keys[i], bytes)]
        if unkeyed:
            return unkeyed
        n_cells = _BATCHES_PER_CLAIM * self.extractor_.batch_size
        for start in range(0, len(todo), n_cells):
            candidates = todo[start : start + n_cells]
            claimed = store.claim([keys[i] for i in candidates], owner)
            if claimed:
                return [i for i in candidates if keys[i] in claimed]
        return []

    def _extract_and_store(self, store, todo, cells, keys):
        for positions, block, errors in self.extractor_._extract_all([cells[i] for i in todo]):
            fresh = {
                keys[todo[i]]: row
                for i, row in zip(positions, block, strict=True)
                if i not in errors and isinstance(keys[todo[i]], bytes)
            }
            if fresh:
                store.put(fresh, self.max_bytes)
            yield [todo[i] for i in positions], block, {todo[i]: e for i, e in errors.items()}


def _extractor_key(extractor):
    """Return a digest of all that results depend on besides the cell."""
    parameters = {
        name: value
        for name, value in extractor.get_params(deep=False).items()
        if name not in extractor._neutral_parameters
    }
    return _digest(
        (
            f"{type(extractor).__module__}.{type(extractor).__qualname__}",
            _plain(parameters, type(extractor).__name__),
            tuple(map(_version, ("sklearn-mmsent", *extractor._libraries))),
            tuple(
                _source(cls)
                for cls in type(extractor).__mro__
                if issubclass(cls, BaseExtractor | CellTransformer)
            ),
            extractor._fingerprint(),
        )
    )


def _plain(value, owner):
    """Return a parameter as nested tuples whose `repr` is unique."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, str | bytes | bool | int | float):
        return value
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, BaseExtractor | CellTransformer):
        return _extractor_key(value)
    if isinstance(value, Pipeline):
        return _plain([step for _, step in value.steps], owner)
    if isinstance(value, np.ndarray) and not value.dtype.hasobject:
        return content_key(value)
    if isinstance(value, tuple | list):
        return tuple(_plain(item, owner) for item in value)
    if isinstance(value, dict):
        return tuple((_plain(key, owner), _plain(value[key], owner)) for key in sorted(value))
    raise InvalidParameterError(
        f"Cached cannot compare values of type {type(value).__name__}, such as a parameter of "
        f"{owner} ({value!r:.80}). Use numbers, strings, arrays, and lists or dicts of them."
    )


def _digest(value):
    """Return a digest of nested tuples of str, bytes, numbers and None."""
    return hashlib.blake2b(repr(value).encode("utf-8", "surrogatepass"), digest_size=20).digest()


@lru_cache
def _version(distribution):
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return ""


@lru_cache
def _source(cls):
    """Return a digest of the code of a class's module; empty if it is not available."""
    try:
        return _digest(inspect.getsource(sys.modules[cls.__module__]))
    except (OSError, TypeError, KeyError):
        return b""
