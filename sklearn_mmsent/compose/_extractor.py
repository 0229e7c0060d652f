"""make_extractor: compose extractors into a transformer of raw tables."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.utils.validation import check_is_fitted

from sklearn_mmsent.blocks.block import SEPARATOR
from sklearn_mmsent.exceptions import CellError
from sklearn_mmsent.feature_extraction import BaseExtractor, Cached, CellTransformer
from sklearn_mmsent.feature_extraction.cells import CellColumn, CellInputMixin, is_missing
from sklearn_mmsent.utils._sklearn import HasMethods, _fit_context


class ExtractorPart(NamedTuple):
    """A part of a fitted `MultimodalExtractor`: one transformer of the table.

    Parameters
    ----------
    name : str
        ``"<modality>"``, or ``"<modality>__<part>"`` where a modality has several.
    column : str or list of str
        Raw column that the transformer reads; a list for a transformer of tables.
    transformer : transformer
        The fitted transformer.

    Examples
    --------
    >>> from sklearn_mmsent import TfidfEmbedder, make_extractor
    >>> extract = make_extractor(text=("review", TfidfEmbedder(n_components=2)))
    >>> [part] = extract.fit({"review": ["good", "bad"]}).parts()
    >>> part.name, part.column, part.transformer.modality
    ('text', 'review', 'text')
    """

    name: str
    column: str | list
    transformer: TransformerMixin


class MultimodalExtractor(ColumnTransformer):
    """Transform a raw table, one column per modality, to a numeric table of named blocks.

    Built by :func:`make_extractor`. A
    :class:`~sklearn.compose.ColumnTransformer` that names its columns
    ``<modality>__<feature>``, always outputs a DataFrame, and also accepts a
    single row as a dict.

    Parameters
    ----------
    transformers : list of (str, transformer, columns) tuples
        Modality, its transformer, and the raw column or columns that it reads.
    remainder : {"drop", "passthrough"} or estimator, default="drop"
        Treatment of the other columns.
    sparse_threshold : float, default=0
        Density below which the output is sparse; never, by default.
    n_jobs : int or None, default=None
        Number of modalities extracted in parallel; None means 1.
    transformer_weights : dict or None, default=None
        Factors by modality.
    verbose : bool, default=False
        Whether to print the time of each modality.
    verbose_feature_names_out : bool, default=True
        Whether names are prefixed by their modality, which the package needs.

    See Also
    --------
    make_extractor : Builds it.

    Examples
    --------
    >>> from sklearn_mmsent import TfidfEmbedder, make_extractor
    >>> extract = make_extractor(text=("review", TfidfEmbedder(n_components=2)))
    >>> extract.fit_transform({"review": ["good fun", "bad fun", "good"]}).shape
    (3, 2)
    """

    def __init__(
        self,
        transformers,
        *,
        remainder="drop",
        sparse_threshold=0.0,
        n_jobs=None,
        transformer_weights=None,
        verbose=False,
        verbose_feature_names_out=True,
    ):
        super().__init__(
            transformers,
            remainder=remainder,
            sparse_threshold=sparse_threshold,
            n_jobs=n_jobs,
            transformer_weights=transformer_weights,
            verbose=verbose,
            verbose_feature_names_out=verbose_feature_names_out,
        )

    def fit_transform(self, X, y=None, **params):
        """Fit the transformers of all modalities, and extract.

        Parameters
        ----------
        X : DataFrame or dict of str to sequence
            Raw table of shape (n_samples, n_columns).
        y : array-like of shape (n_samples,) or None, default=None
            Targets, for transformers that use them.
        **params : dict
            Metadata for the transformers.

        Returns
        -------
        DataFrame of shape (n_samples, n_features)
            The numeric table.
        """
        self.set_output(transform="pandas")
        return super().fit_transform(pd.DataFrame(X) if isinstance(X, Mapping) else X, y, **params)

    def transform(self, X, **params):
        """Extract the numeric table.

        Parameters
        ----------
        X : DataFrame or dict
            Raw table of shape (n_samples, n_columns), or a single row as a dict
            of column to cell. Columns that a dict lacks are missing.
        **params : dict
            Metadata for the transformers.

        Returns
        -------
        DataFrame of shape (n_samples, n_features)
            The numeric table.

        Raises
        ------
        CellError
            If a dict has a key that ``fit`` did not see.
        """
        check_is_fitted(self)
        return super().transform(self._row(X) if isinstance(X, Mapping) else X, **params)

    def parts(self):
        """Return the parts: which transformer reads which raw column.

        Returns
        -------
        list of ExtractorPart
            In the order of their blocks. A union with weights is a single part.
        """
        check_is_fitted(self)
        found = []
        for name, transformer, columns in self.transformers_:
            if isinstance(transformer, str):  # "drop"
                continue
            column = self._column_names(columns)
            if isinstance(transformer, FeatureUnion) and not (
                transformer.transformer_weights
                or any(isinstance(inner, str) for _, inner in transformer.transformer_list)
            ):
                found += [
                    ExtractorPart(f"{name}{SEPARATOR}{part}", column, inner)
                    for part, inner in transformer.transformer_list
                ]
            else:
                found.append(ExtractorPart(name, column, transformer))
        return found

    def _column_names(self, columns):
        if isinstance(columns, list | tuple | np.ndarray):
            return [self._column_names(column) for column in columns]
        if isinstance(columns, int | np.integer):
            return str(self.feature_names_in_[columns])
        return str(columns)

    def _row(self, X):
        known = self._known_columns(X)
        return pd.DataFrame({key: pd.Series([X.get(key)], dtype=object) for key in known})

    def _known_columns(self, X):
        """Return the columns seen in `fit`; raise CellError if a row has other keys."""
        known = list(self.feature_names_in_)
        unknown = [key for key in X if key not in known]
        if unknown or not X:
            found = f"the unknown column {unknown[0]!r}" if unknown else "an empty dict"
            raise CellError(
                f"{type(self).__name__}: a row given as a dict has {found}; it was fitted on "
                f"{', '.join(map(repr, known))}."
            )
        return known


class PresentCells(CellInputMixin, TransformerMixin, BaseEstimator):
    """Allow any transformer to read a raw column with missing cells.

    The transformer is fitted on, and applied to, the present cells only; missing ones become rows
    of NaN. :func:`make_extractor` wraps transformers of other packages in it.

    Parameters
    ----------
    transformer : transformer
        Any transformer or pipeline of one column of cells with
        ``get_feature_names_out``, such as ``make_pipeline(TfidfVectorizer(),
        TruncatedSVD())``.

    Attributes
    ----------
    transformer_ : transformer
        The fitted clone.

    Examples
    --------
    >>> from sklearn.feature_extraction.text import CountVectorizer
    >>> counts = PresentCells(CountVectorizer()).fit_transform(["good good", None])
    >>> counts.tolist()
    [[2.0], [nan]]
    """

    _parameter_constraints: dict = {"transformer": [HasMethods(["fit", "transform"])]}

    def __init__(self, transformer):
        self.transformer = transformer

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y=None):
        """Fit the transformer on the present cells.

        Parameters
        ----------
        X : Series, list or ndarray of shape (n_samples,)
            Raw cells.
        y : array-like of shape (n_samples,) or None, default=None
            Targets.

        Returns
        -------
        self : object
            The fitted transformer.
        """
        cells, present = self._split(X)
        if not present.any():
            raise CellError(
                f"{type(self.transformer).__name__} cannot be fitted: all {len(present)} "
                "cells of its column are missing."
            )
        y = None if y is None else np.asarray(y)[present]
        self.transformer_ = clone(self.transformer).fit(cells, y)
        return self

    def transform(self, X):
        """Transform the present cells; missing ones become rows of NaN.

        Parameters
        ----------
        X : Series, list or ndarray of shape (n_samples,)
            Raw cells.

        Returns
        -------
        ndarray of shape (n_samples, n_features), float32
            Features.
        """
        check_is_fitted(self)
        cells, present = self._split(X)
        features = np.full((len(present), len(self.get_feature_names_out())), np.nan, np.float32)
        if present.any():
            block = self.transformer_.transform(cells)
            features[present] = block.toarray() if sparse.issparse(block) else np.asarray(block)
        return features

    def get_feature_names_out(self, input_features=None):
        """Return the transformer's names.

        Parameters
        ----------
        input_features : ignored
            Present for scikit-learn's pipelines.

        Returns
        -------
        ndarray of str objects
            Names of the output columns.
        """
        check_is_fitted(self)
        return np.asarray(self.transformer_.get_feature_names_out(), dtype=object)

    def _split(self, X):
        cells = CellColumn.read(X, owner=type(self.transformer).__name__).cells
        present = np.array([not is_missing(cell) for cell in cells], dtype=bool)
        return [cell for cell in cells if not is_missing(cell)], present


def make_extractor(*, n_jobs=None, **modalities) -> MultimodalExtractor:
    """Compose extractors into one transformer from a raw table to a numeric one.

    Parameters
    ----------
    n_jobs : int or None, default=None
        Number of modalities extracted in parallel; None means 1.
    **modalities : (column, transformer) tuple or transformer
        One keyword per modality. The tuple names the raw column that the
        transformer reads (name, or position in an array; a list of them for a
        transformer of numeric tables); a transformer alone reads the column
        named like the modality. A pipeline may convert cells first, such as
        ``make_pipeline(TextCleaner(), TfidfEmbedder())``. A dict of transformers
        gives the modality one part for each. Transformers of other packages see
        the present cells only (see ``PresentCells``).

    Returns
    -------
    MultimodalExtractor
        Names its columns ``<modality>__<feature>``, or
        ``<modality>__<part>__<feature>``.

    Raises
    ------
    ValueError
        If there is no modality, or a value is not of this form.

    See Also
    --------
    make_pipeline : Combines it with samplers and an estimator.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sklearn_mmsent import TfidfEmbedder, make_extractor
    >>> extract = make_extractor(
    ...     text=("review", TfidfEmbedder(n_components=2)), motion=(["head"], StandardScaler())
    ... )
    >>> X = pd.DataFrame({"review": ["good fun", None, "good"], "head": [1.0, 2.0, 3.0]})
    >>> extract.fit_transform(X).columns.tolist()
    ['text__lsa000', 'text__lsa001', 'motion__head']
    """
    if not modalities:
        raise ValueError(
            "make_extractor needs at least one modality, such as "
            "text=('review', TfidfEmbedder()); got none."
        )
    return MultimodalExtractor(
        [(name, *_transformer_and_column(name, value)) for name, value in modalities.items()],
        n_jobs=n_jobs,
    )


def _transformer_and_column(modality, value):
    if SEPARATOR in modality:
        raise ValueError(f"modality names must not contain {SEPARATOR!r}; got {modality!r}.")
    if not isinstance(value, tuple):
        value = modality, value
    if len(value) != 2 or not isinstance(value[0], str | int | list):
        raise ValueError(
            f"make_extractor: {modality}= must be a transformer or a (column, transformer) tuple, "
            f"the column a name, a position or a list of them; got {value!r}."
        )
    column, transformer = value
    if isinstance(transformer, Mapping):
        transformer = FeatureUnion(
            [(part, _wrap_if_needed(t, column)) for part, t in transformer.items()]
        )
    return _wrap_if_needed(transformer, column), column


def _wrap_if_needed(transformer, column):
    """Wrap a transformer that does not tolerate missing cells, unless it reads a table."""
    if isinstance(transformer, str) or isinstance(column, list):
        return transformer
    parts = (
        [part for _, part in transformer.transformer_list]
        if isinstance(transformer, FeatureUnion)
        else [transformer]
    )
    return transformer if all(map(_tolerates_missing_cells, parts)) else PresentCells(transformer)


def _tolerates_missing_cells(transformer):
    if isinstance(transformer, Pipeline):
        return all(_tolerates_missing_cells(step) for _, step in transformer.steps)
    tolerant = BaseExtractor | Cached | CellTransformer | PresentCells
    return isinstance(transformer, tolerant) or transformer == "passthrough"
