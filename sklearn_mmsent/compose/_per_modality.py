"""PerModality: apply a transformer to each block."""

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
    """Apply a clone of a transformer to each block of a table, keeping column names.

    For scalers, imputers, PCA, feature selection, clipping, which by themselves would mix
    modalities or lose the names of blocks. The clone of a block is fitted on, and applied to, the
    rows that have the block; its output stays in the block: ``text__pca0``, ``text__pca1``. Rows
    without the block stay missing.

    Observations are the valid time steps of a sequence, and the pixels of an image. So a scaler
    learns one value per feature, pooled over time, PCA reduces the features of each step, and
    padding stays padding.

    Parameters
    ----------
    transformer : transformer
        Any transformer or pipeline of numeric tables. Its parameters are available as
        ``transformer__<parameter>``.

    modalities : list of str or None, default=None
        Modalities (``"audio"``: all its blocks) or blocks (``"audio__mfcc"``) that are
        transformed; others pass through. None means all.

    Attributes
    ----------
    transformers_ : dict of str to transformer
        The fitted clone of each selected block.

    layout_ : BlockLayout
        The blocks of the table seen in ``fit``.

    n_features_in_ : int
        Number of columns seen in ``fit``.

    feature_names_in_ : ndarray of str objects of shape (n_features_in_,)
        Names of the columns, if the table had names.

    Raises
    ------
    BlockError
        If a selected block is not in the table or missing in all training rows, or if the
        transformer fails on a block or changes the number of channels of an image. The message
        names the block.

    See Also
    --------
    SelectModalities : Selects entire modalities.
    FillBlocks : Also fills missing blocks; imputers inside `PerModality` fill single values only.

    Notes
    -----
    Indicator columns of `FillBlocks` pass through. After `FillBlocks` the clones are still fitted
    on valid values only, but also transform filled ones, so that the table stays free of NaN.

    The target of each time step is that of its row.

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
        """Fit a clone of the transformer on each selected block.

        Parameters
        ----------
        X : DataFrame or ndarray of shape (n_samples, n_features)
            A numeric table with NaN for missing values, or one that `FillBlocks` filled.
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
        """Transform each selected block by its clone.

        Parameters
        ----------
        X : DataFrame or ndarray of shape (n_samples, n_features)
            A table with the columns seen in ``fit``.

        Returns
        -------
        DataFrame or ndarray of shape (n_samples, n_features_out)
            The blocks in table order, then the columns of `FillBlocks`. A DataFrame if `X` is
            one: dtypes differ between blocks.
        """
        check_is_fitted(self)
        X = check_table(self, X, reset=False)
        parts = [
            self._transform_block(block, data)
            for block, data in zip(self.layout_.blocks, self.layout_.read(X), strict=True)
        ]
        indicators = self._indicator_columns()
        if not isinstance(X, pd.DataFrame):
            return np.hstack([*parts, X[:, indicators]] if indicators else parts)
        names = self.get_feature_names_out()
        table = pd.concat([pd.DataFrame(part, index=X.index) for part in parts], axis=1)
        if indicators:
            table = pd.concat([table, X.iloc[:, indicators]], axis=1)
        return table.set_axis(names, axis=1)

    def get_feature_names_out(self, input_features=None):
        """Return the column names, prefixed by the block.

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
        """Return the columns of `FillBlocks`, without those of blocks that lost all columns."""
        return sorted(
            column
            for block in self.layout_.blocks
            for column in (block.present_column, block.length_column)
            if column is not None and self._features_out[block.name]
        )

    def _fit_block(self, block, data, y):
        observed, rows = _observations(block, data.values), _valid(block, data)
        if not rows.any():
            raise BlockError(
                f"PerModality: no training row has the block {block.name!r}, so "
                f"{self._inner_name()} cannot be fitted. Exclude it from 'modalities', or drop it "
                "with SelectModalities."
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
                f"{len(_features(block))} channels of the image block {block.name!r}. The "
                "transformer of an image must keep the number of channels."
            )
        self._features_out[block.name] = _features(block) if block.kind == "image" else features

    def _transform_block(self, block, data):
        n_rows = len(data.values)
        inner = self.transformers_.get(block.name)
        if inner is None:
            return data.values.reshape(n_rows, block.width)
        observed, rows = _observations(block, data.values), _valid(block, data)
        if block.present_column is not None:
            rows = np.ones_like(rows)  # filled values stay filled
        n_out = len(self._features_out[block.name])
        if not rows.any():
            out = np.full((*rows.shape, n_out), np.nan, np.float32)
        else:
            with config_context(transform_output="default"), self._naming(block, observed[rows]):
                output = _array(inner.transform(_frame(block, observed[rows])))
            if rows.all():
                out = output.reshape(*rows.shape, n_out)
            else:
                dtype = output.dtype if output.dtype.kind == "f" else np.float64
                out = np.full((*rows.shape, n_out), np.nan, dtype)
                out[rows] = output
        if block.kind == "image":
            out = np.moveaxis(out, -1, 1)
        return out.reshape(n_rows, math.prod(out.shape[1:]))  # -1 is ambiguous for zero rows

    def _inner_name(self):
        return type(self.transformer).__name__

    def _naming(self, block, observed):
        return _NamedErrors(self._inner_name(), block, observed)


class _NamedErrors:
    """Context manager that adds the name of the block to errors of a transformer."""

    def __init__(self, transformer, block, observed):
        self._transformer, self._block, self._observed = transformer, block, observed

    def __enter__(self):
        return self

    def __exit__(self, kind, error, traceback):
        if error is None:
            return
        n, n_features = self._observed.shape
        message = (
            f"PerModality: {self._transformer} failed on the block {self._block.name!r} "
            f"({n} observations of {n_features} features)"
        )
        if not isinstance(error, ValueError):
            error.add_note(message)
            return
        hint = ""
        if self._observed.dtype.kind == "f" and np.isnan(self._observed).any():
            hint = (
                "\nIt contains missing values: impute them first, for instance with "
                f"PerModality(make_pipeline(SimpleImputer(), {self._transformer}(...)))."
            )
        raise BlockError(f"{message}: {error}{hint}") from error


def _observations(block, values):
    """Return the rows of a block as (n_samples, ..., n_features), channels of an image last."""
    return np.moveaxis(values, 1, -1) if block.kind == "image" else values


def _valid(block, data):
    """Return the mask of valid observations, of shape (n_samples, ...)."""
    if data.steps is not None:
        return data.steps & data.present[:, None]
    if block.kind == "image":
        return np.broadcast_to(data.present[:, None, None], (len(data.present), *block.shape[1:]))
    return data.present


def _features(block):
    """Return the names of the features of one observation."""
    n = block.shape[0] if block.kind == "image" else block.shape[-1]
    if len(block.features) == n:
        return block.features
    return tuple(numbered_names(block.features[0], n))


def _frame(block, observed):
    return pd.DataFrame(observed, columns=list(_features(block)))


def _features_out(inner, frame):
    """Return the output names of the fitted transformer, without separators of block names."""
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
    """Return the names of a block's columns; kept features keep their names."""
    before = _features(block)
    if features == before:
        return list(names_in[block.columns])
    prefix = block.name + SEPARATOR
    if block.kind == "flat":
        old = dict(zip(before, names_in[block.columns], strict=True))
        return [old.get(feature, prefix + feature) for feature in features]
    first_of_step = names_in[block.start : block.stop : block.shape[-1]]
    indices = [name.split("@")[1] for name in first_of_step]  # with their leading zeros
    return [f"{prefix}{feature}@{index}" for index in indices for feature in features]


def _array(output):
    output = output.toarray() if sparse.issparse(output) else np.asarray(output)
    return output.reshape(-1, 1) if output.ndim == 1 else output
