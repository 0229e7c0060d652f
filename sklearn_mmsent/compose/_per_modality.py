"""PerModality: any transformer of numbers, applied block by block."""

import math

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn import config_context
from sklearn.base import BaseEstimator, MetaEstimatorMixin, TransformerMixin, clone
from sklearn.utils.validation import check_is_fitted

from sklearn_mmsent.blocks import BlockLayout, numbered_names
from sklearn_mmsent.blocks.block import SEPARATOR
from sklearn_mmsent.exceptions import BlockError
from sklearn_mmsent.utils._sklearn import HasMethods, _check_feature_names_in, _fit_context
from sklearn_mmsent.utils._validation import check_table


class PerModality(MetaEstimatorMixin, TransformerMixin, BaseEstimator):
    """Apply a clone of a transformer to each block of a table, and keep the names.

    For scalers, imputers, PCA, selection, clipping: used as they are, they mix the modalities or
    lose the names by which blocks are found. Here each block has a clone of its own that learns
    from the rows that have the block and sees no others, and what it makes stays in its block:
    ``text__pca0``, ``text__pca1``. Rows without the block stay without it.

    In a sequence block each real time step is an observation, in an image each pixel is one of
    the channels. So a scaler learns one number per feature, pooled over time, PCA reduces the
    features of each step, and padding stays padding.

    Parameters
    ----------
    transformer : transformer
        Any transformer or pipeline of numeric tables. Its own parameters are reached as
        ``transformer__<parameter>``.

    modalities : list of str or None, default=None
        Modalities (``"audio"``: each of its blocks) or blocks (``"audio__mfcc"``) to apply it
        to; the others pass through. None means all.

    Attributes
    ----------
    transformers_ : dict of str to transformer
        The fitted clone of each chosen block.

    layout_ : BlockLayout
        The blocks of the table seen in ``fit``.

    n_features_in_ : int
        Number of columns seen in ``fit``.

    feature_names_in_ : ndarray of str objects of shape (n_features_in_,)
        Their names, where the table had names.

    Raises
    ------
    BlockError
        If a chosen name is not in the table, if no training row has a chosen block, if the
        transformer fails on a block, or changes the number of an image's channels. The message
        names the block.

    See Also
    --------
    SelectModalities : Keeps whole modalities and drops the others.
    FillBlocks : Fills what is missing, also whole blocks; imputers inside `PerModality` fill
        single values alone.

    Notes
    -----
    The columns with which `FillBlocks` remembers what was missing are carried along untouched.
    Behind `FillBlocks` the clones still learn from what was really there, and then transform the
    filled values too, so that the table stays free of NaN.

    A selector that needs a target gets that of the row for each of its time steps.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from sklearn.decomposition import PCA
    >>> from sklearn_mmsent import PerModality
    >>> X = pd.DataFrame(
    ...     {"text__a": [1.0, 3.0, 5.0], "text__b": [2.0, 0.0, 4.0], "face__x": [np.nan, 1.0, 2.0]}
    ... )
    >>> PerModality(PCA(1), ["text"]).set_output(transform="pandas").fit_transform(X).round(1)
       text__pca0  face__x
    0        -1.4      NaN
    1        -1.4      1.0
    2         2.8      2.0
    """

    _parameter_constraints: dict = {
        "transformer": [HasMethods(["fit", "transform"])],
        "modalities": [list, tuple, None],
    }

    def __init__(self, transformer, modalities=None):
        self.transformer = transformer
        self.modalities = modalities

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y=None):
        """Fit a clone of the transformer on each chosen block.

        Parameters
        ----------
        X : DataFrame or ndarray of shape (n_samples, n_features)
            A numeric table with NaN where something is missing, or one that `FillBlocks` filled.
        y : array-like of shape (n_samples,) or None, default=None
            Targets, for transformers that use them.

        Returns
        -------
        self : object
            The fitted transformer.
        """
        X = check_table(self, X, reset=True)
        self.layout_ = BlockLayout.of(X, owner=type(self).__name__)
        chosen = self._chosen_names()
        self.transformers_, self._features_out = {}, {}
        for block, data in zip(self.layout_.blocks, self.layout_.read(X), strict=True):
            self._features_out[block.name] = _features(block)
            if block.name in chosen:
                self._fit_block(block, data, None if y is None else np.asarray(y))
        return self

    def transform(self, X):
        """Transform each chosen block by its own clone.

        Parameters
        ----------
        X : DataFrame or ndarray of shape (n_samples, n_features)
            A table with the columns seen in ``fit``.

        Returns
        -------
        DataFrame or ndarray of shape (n_samples, n_features_out)
            The blocks in table order, then the columns of `FillBlocks`. A DataFrame where one
            came in: dtypes differ from block to block.
        """
        check_is_fitted(self)
        X = check_table(self, X, reset=False)
        parts = [
            self._transform_block(block, data)
            for block, data in zip(self.layout_.blocks, self.layout_.read(X), strict=True)
        ]
        marks = self._indicator_columns()
        if not isinstance(X, pd.DataFrame):
            return np.hstack([*parts, X[:, marks]] if marks else parts)
        names = self.get_feature_names_out()
        table = pd.concat([pd.DataFrame(part, index=X.index) for part in parts], axis=1)
        if marks:
            table = pd.concat([table, X.iloc[:, marks]], axis=1)
        return table.set_axis(names, axis=1)

    def get_feature_names_out(self, input_features=None):
        """Return the column names, each new one with the prefix of its block.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            Names of the columns; None takes those seen in ``fit``.

        Returns
        -------
        ndarray of str objects
            Column names of the transformed table.
        """
        check_is_fitted(self)
        names_in = _check_feature_names_in(self, input_features)
        names = [
            name
            for block in self.layout_.blocks
            for name in _names_out(block, self._features_out[block.name], names_in)
        ]
        return np.asarray([*names, *names_in[self._indicator_columns()]], dtype=object)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        if hasattr(self.transformer, "__sklearn_tags__"):
            inner = self.transformer.__sklearn_tags__()
            tags.target_tags.required = inner.target_tags.required
            if inner.transformer_tags is not None:
                tags.transformer_tags = inner.transformer_tags
        tags.input_tags.allow_nan = True
        return tags

    def _chosen_names(self):
        blocks = self.layout_.blocks
        if self.modalities is None:
            return {block.name for block in blocks}
        known = {block.name for block in blocks} | set(self.layout_.modalities)
        if unknown := [name for name in self.modalities if name not in known]:
            raise BlockError(
                f"PerModality: no column belongs to {unknown[0]!r}; the table has "
                f"{', '.join(sorted(known))}."
            )
        wanted = set(self.modalities)
        return {block.name for block in blocks if {block.name, block.modality} & wanted}

    def _indicator_columns(self):
        """Columns that `FillBlocks` wrote, without those of blocks that have lost every column."""
        return sorted(
            column
            for block in self.layout_.blocks
            for column in (block.present_column, block.length_column)
            if column is not None and self._features_out[block.name]
        )

    def _fit_block(self, block, data, y):
        observed, rows = _observations(block, data.values), _real(block, data)
        if not rows.any():
            raise BlockError(
                f"PerModality: no training row has the block {block.name!r}, so "
                f"{self._inner_name()} has nothing to learn from. Leave it out of 'modalities', or "
                "drop it with SelectModalities."
            )
        if y is not None:
            y = np.repeat(y, rows[0].size, axis=0)[rows.ravel()]
        with config_context(transform_output="default"), self._naming(block, observed[rows]):
            inner = clone(self.transformer)
            if hasattr(inner, "set_output"):
                inner.set_output(transform="default")
            frame = _frame(block, observed[rows])
            inner.fit(frame, y)
            self.transformers_[block.name] = inner
            features = _features_out(inner, frame)
        if block.kind == "image" and len(features) != len(_features(block)):
            raise BlockError(
                f"PerModality: {self._inner_name()} makes {len(features)} of the "
                f"{len(_features(block))} channels of the image block {block.name!r}. Images can "
                "be scaled, clipped and imputed per channel, but not change their number of "
                "channels."
            )
        self._features_out[block.name] = _features(block) if block.kind == "image" else features

    def _transform_block(self, block, data):
        n_rows = len(data.values)
        inner = self.transformers_.get(block.name)
        if inner is None:
            return data.values.reshape(n_rows, block.width)
        observed, rows = _observations(block, data.values), _real(block, data)
        if block.present_column is not None:
            rows = np.ones_like(rows)  # what was filled stays filled
        n_out = len(self._features_out[block.name])
        if not rows.any():
            out = np.full((*rows.shape, n_out), np.nan, np.float32)
        else:
            with config_context(transform_output="default"), self._naming(block, observed[rows]):
                made = _array(inner.transform(_frame(block, observed[rows])))
            if rows.all():
                out = made.reshape(*rows.shape, n_out)
            else:
                dtype = made.dtype if made.dtype.kind == "f" else np.float64
                out = np.full((*rows.shape, n_out), np.nan, dtype)
                out[rows] = made
        if block.kind == "image":
            out = np.moveaxis(out, -1, 1)
        return out.reshape(n_rows, math.prod(out.shape[1:]))  # -1 is no width for zero rows

    def _inner_name(self):
        return type(self.transformer).__name__

    def _naming(self, block, observed):
        return _NamedErrors(self._inner_name(), block, observed)


class _NamedErrors:
    """Add to what a transformer complains of the name of the block it was given."""

    def __init__(self, transformer, block, observed):
        self._transformer, self._block, self._observed = transformer, block, observed

    def __enter__(self):
        return self

    def __exit__(self, kind, error, traceback):
        if error is None:
            return
        n, n_features = self._observed.shape
        what = (
            f"PerModality: {self._transformer} failed on the block {self._block.name!r} "
            f"({n} observations of {n_features} features)"
        )
        if not isinstance(error, ValueError):
            error.add_note(what)
            return
        hint = ""
        if self._observed.dtype.kind == "f" and np.isnan(self._observed).any():
            hint = (
                "\nSingle values are missing in it: fill them first, for instance with "
                f"PerModality(make_pipeline(SimpleImputer(), {self._transformer}(...)))."
            )
        raise BlockError(f"{what}: {error}{hint}") from error


def _observations(block, values):
    """Turn a block's rows to (n_samples, ..., n_features): channels of an image go last."""
    return np.moveaxis(values, 1, -1) if block.kind == "image" else values


def _real(block, data):
    """Tell which observations are really there, as bool of shape (n_samples, ...)."""
    if data.steps is not None:
        return data.steps & data.present[:, None]
    if block.kind == "image":
        return np.broadcast_to(data.present[:, None, None], (len(data.present), *block.shape[1:]))
    return data.present


def _features(block):
    """Names of what an observation of the block consists of."""
    n = block.shape[0] if block.kind == "image" else block.shape[-1]
    if len(block.features) == n:
        return block.features
    return tuple(numbered_names(block.features[0], n))


def _frame(block, observed):
    return pd.DataFrame(observed, columns=list(_features(block)))


def _features_out(inner, frame):
    """Names of what the fitted transformer makes, free of the marks that names of blocks carry."""
    try:
        names = inner.get_feature_names_out() if hasattr(inner, "get_feature_names_out") else None
    except AttributeError:  # a pipeline with a step that has none
        names = None
    if names is None:
        width = _array(inner.transform(frame.iloc[:1])).shape[1]
        if width == frame.shape[1]:
            return tuple(frame.columns)
        names = [f"{type(inner).__name__.lower()}{i}" for i in range(width)]
    known = set(frame.columns)
    return tuple(
        name if name in known else str(name).replace(SEPARATOR, "_").replace("@", "_")
        for name in names
    )


def _names_out(block, features, names_in):
    """Names of a block's columns; what the transformer has kept keeps its name."""
    before = _features(block)
    if features == before:
        return list(names_in[block.columns])
    prefix = block.name + SEPARATOR
    if block.kind == "flat":
        old = dict(zip(before, names_in[block.columns], strict=True))
        return [old.get(feature, prefix + feature) for feature in features]
    first_of_step = names_in[block.start : block.stop : block.shape[-1]]
    indices = [name.split("@")[1] for name in first_of_step]  # their zeros in front stay
    return [f"{prefix}{feature}@{index}" for index in indices for feature in features]


def _array(made):
    made = made.toarray() if sparse.issparse(made) else np.asarray(made)
    return made.reshape(-1, 1) if made.ndim == 1 else made
