"""Features kept on disk, by content, so that nothing is extracted twice."""

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
from sklearn_mmsent.feature_extraction.cells import content_key
from sklearn_mmsent.utils._pipeline import pipeline_steps
from sklearn_mmsent.utils._sklearn import Interval, InvalidParameterError, _fit_context

_BATCHES_PER_CLAIM = 8
_PAUSE, _LONGEST_PAUSE = 0.02, 1.0  # seconds between looks for what other processes make


class Cached(MetaEstimatorMixin, TransformerMixin, BaseEstimator):
    """An extractor whose results are kept on disk and found again by content.

    Each distinct cell is extracted once, whatever table, row, fold, search trial, process or
    script it turns up in; processes that need the same cells at the same time share the work. A
    result is found by what the cell holds (a file's bytes, not its path), the extractor's class
    and parameters, the model's files, and the versions of the libraries that compute it. Cells
    that fail are tried again each time.

    Parameters
    ----------
    extractor : BaseExtractor or Pipeline
        An extractor that learns nothing from its training rows, such as `TextEmbedder`; or a
        pipeline of cell transformers that ends in one, such as ``make_pipeline(AudioDenoiser(),
        LogMel())``. What is kept is found by the cells that enter the pipeline.
    location : str or Path
        Folder of the store, made if it is not there; on a local disk. Any number of extractors
        and processes may share it.
    max_bytes : int, default=10 * 2**30
        Size that the store may reach. What was used longest ago is dropped first.

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
        In `fit`, if `extractor` learns from its training rows: its results belong to one fold
        and must not reach another.

    See Also
    --------
    TextEmbedder : Gains most, since its model is slow.
    TfidfEmbedder : Cannot be cached, since it learns from the training texts, and is fast.

    Notes
    -----
    ``len(cached)``, ``cached.size()`` and ``cached.clear()`` speak of the whole store at
    `location`. It holds plain float32 numbers and no pickles, so that a store from elsewhere can
    lie, but not run anything.

    What comes out of the store equals bit for bit what went in. A model whose last digit
    depends on which texts share a batch may give a text that joins a half-filled store another
    last digit (under 1e-5) than a run without a store would.

    Cells whose content cannot be told, such as objects of other libraries, are extracted each
    time. The code of an extractor is part of what results are found by, that of functions that
    it calls is not: after editing those, call `clear`.

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
                f"from its training rows. Got {name}, whose results differ from fold to fold: "
                f"kept, they would carry test rows into training. Use {name} without Cached."
            )
        self.extractor_ = extractor.fit(X, y)
        self.n_features_in_ = 1
        self.n_features_out_ = self.extractor_.n_features_out_
        return self

    def transform(self, X):
        """Look up one row of features per cell, and extract those that are not there yet.

        Parameters
        ----------
        X : Series, one-column DataFrame, ndarray or list of shape (n_samples,)
            Raw cells; None, NaN and empty ones are missing.

        Returns
        -------
        ndarray of shape (n_samples, n_features_out_), float32
            What the extractor's own `transform` gives.

        Raises
        ------
        CellError
            As the extractor raises it.
        DataFormatError
            If the store cannot be read or written.
        """
        check_is_fitted(self, "n_features_out_")
        column = self.extractor_._read_column(X)
        by_value = column.group(content_key)
        prefix = _extractor_key(self.extractor_)
        rows_of = {}  # two paths to files of equal content are one cell
        for rows in by_value:
            key = self._key(prefix, column.cells[rows[0]])
            rows_of.setdefault(rows[0] if key is None else key, []).extend(rows)
        cells = [column.cells[rows[0]] for rows in rows_of.values()]
        extracted = self._look_up_or_extract(cells, list(rows_of))
        return self.extractor_._assemble(column, list(rows_of.values()), extracted)

    def get_feature_names_out(self, input_features=None):
        """Return the extractor's names of the output columns.

        Parameters
        ----------
        input_features : ignored
            Present for scikit-learn's pipelines.

        Returns
        -------
        ndarray of str objects of shape (n_features_out_,)
            Names.
        """
        check_is_fitted(self, "n_features_out_")
        return self.extractor_.get_feature_names_out(input_features)

    def size(self):
        """Return the size of the store.

        Returns
        -------
        int
            Bytes on disk.
        """
        return FeatureStore(self.location).size()

    def clear(self):
        """Drop everything in the store, also what other extractors keep there."""
        FeatureStore(self.location).clear()

    def __len__(self):
        return len(FeatureStore(self.location))

    def __bool__(self):
        return True  # an empty store is no missing step of a pipeline

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        last = pipeline_steps(self.extractor)[-1]
        if isinstance(last, BaseExtractor):
            inner = last.__sklearn_tags__()
            tags.input_tags, tags.transformer_tags = inner.input_tags, inner.transformer_tags
        return tags

    def _key(self, prefix, cell):
        """Return the key of a cell, or None if its content cannot be told."""
        try:
            content = self.extractor_._cell_content(cell)
        except OSError:
            return None  # the extractor itself finds the words for it
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
            mine, owner = [], uuid.uuid4().hex
            try:
                mine = self._claim(store, todo, keys, owner)
                yield from self._extract_and_keep(store, mine, cells, keys)
            finally:
                store.release(owner)
            if mine:
                todo = sorted(set(todo).difference(mine))
                continue
            # all that is left is being made by other processes, or was just now
            known = store.get([keys[i] for i in todo])
            hits = [i for i in todo if keys[i] in known and len(known[keys[i]]) == width]
            if hits:
                pause = _PAUSE
                yield hits, [known[keys[i]] for i in hits], {}
                todo = sorted(set(todo).difference(hits))
            else:
                time.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)

    def _claim(self, store, todo, keys, owner):
        """Choose the next cells to extract, so that no other process extracts them too."""
        unkeyed = [i for i in todo if not isinstance(keys[i], bytes)]
        if unkeyed:
            return unkeyed
        n_cells = _BATCHES_PER_CLAIM * self.extractor_.batch_size
        for start in range(0, len(todo), n_cells):
            some = todo[start : start + n_cells]
            claimed = store.claim([keys[i] for i in some], owner)
            if claimed:
                return [i for i in some if keys[i] in claimed]
        return []

    def _extract_and_keep(self, store, todo, cells, keys):
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
    """Digest all that results of an extractor, or a cell transformer, depend on beside the cell."""
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
    """Turn a parameter into nested tuples of which `repr` tells all."""
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
        f"Cached cannot tell two values of type {type(value).__name__} apart, which {owner} has as "
        f"a parameter ({value!r:.80}). Use numbers, strings, arrays, and lists or dicts of them."
    )


def _digest(value):
    """Digest nested tuples of str, bytes, numbers and None."""
    return hashlib.blake2b(repr(value).encode("utf-8", "surrogatepass"), digest_size=20).digest()


@lru_cache
def _version(distribution):
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return ""


@lru_cache
def _source(cls):
    """Return a digest of the code of a class's module; empty where there is none to read."""
    try:
        return _digest(inspect.getsource(sys.modules[cls.__module__]))
    except (OSError, TypeError, KeyError):
        return b""
