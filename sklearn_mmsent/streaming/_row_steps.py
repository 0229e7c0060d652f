"""Steps of a fitted pipeline as functions of plain arrays.

Transformers and estimators that were fitted on named columns expect a DataFrame, to compare the
names, which takes longer than to compute one row. Here names are compared once, when the functions
are created; a copy of each step without names then reads arrays.
"""

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator

from sklearn_mmsent.blocks.filling import fill_arrays
from sklearn_mmsent.blocks.names import carried_columns
from sklearn_mmsent.compose import FillBlocks, PresentCells, SelectModalities
from sklearn_mmsent.estimators import BaseFusion
from sklearn_mmsent.feature_extraction import BaseExtractor, Cached, CellTransformer
from sklearn_mmsent.feature_extraction.cells import CellColumn, is_missing
from sklearn_mmsent.utils._pipeline import pipeline_steps

# -- from a cell to features ---------------------------------------------------------------------


def cell_function(transformer, column):
    """Return a function from one cell to features of shape (n_features,).

    Parameters
    ----------
    transformer : transformer
        Fitted; reads one raw column.
    column : str
        Name of the column, used in error messages.

    Returns
    -------
    callable
        Of one cell.
    """
    steps = [
        step.extractor_ if isinstance(step, Cached) else step
        for step in pipeline_steps(transformer)
    ]
    if isinstance(steps[-1], BaseExtractor) and all(
        isinstance(step, CellTransformer) for step in steps[:-1]
    ):
        return lambda cell: _extract_cell(steps, CellColumn([cell], name=column))
    if isinstance(transformer, PresentCells):
        nothing = np.full(len(transformer.get_feature_names_out()), np.nan, dtype=np.float32)
        return lambda cell: (
            nothing if is_missing(cell) else np.asarray(transformer.transform([cell]))[0]
        )
    return lambda cell: np.asarray(
        transformer.transform(pd.Series([cell], name=column, dtype=object))
    )[0]


def _extract_cell(steps, column):
    for step in steps:
        column = step.transform_column(column)
    return column[0]


# -- from features to features -----------------------------------------------------------------


def step_function(step, names, *, carries):
    """Return a function from arrays to arrays, (n_rows, n_columns), for a fitted transformer.

    Parameters
    ----------
    step : transformer
        A step of a pipeline.
    names : list of str
        Names of its input columns.
    carries : bool
        Whether indicators bypass the step, as in :class:`~sklearn_mmsent.compose.Pipeline`.

    Returns
    -------
    function : callable
        Of an array.
    names : list of str
        Names of its output columns.
    """
    names_out = [str(name) for name in step.get_feature_names_out()]
    function = _array_function(step, names)
    if not carries:
        return function, names_out
    kept, indicators = carried_columns(names, names_out)
    if not indicators and len(kept) == len(names_out):
        return function, names_out
    stay = [names_out.index(name) for name in kept]
    carried = [names.index(name) for name in indicators]
    return lambda X: np.hstack([function(X)[:, stay], X[:, carried]]), [*kept, *indicators]


def _array_function(step, names):
    if isinstance(step, FillBlocks):
        return lambda X: np.hstack(
            fill_arrays(step.layout_.blocks, step.layout_.read(X), step.fill_values_)
        )
    if isinstance(step, SelectModalities):
        return lambda X: X[:, step.columns_]
    if _accepts_arrays(step):
        return without_names(step).transform
    columns = pd.Index(names, dtype=object)
    names_out = [str(name) for name in step.get_feature_names_out()]
    return lambda X: step.transform(pd.DataFrame(X, columns=columns))[names_out].to_numpy()


def method_function(estimator, method, names):
    """Return a function from an array to predictions of the final estimator.

    Parameters
    ----------
    estimator : estimator
        Fitted.
    method : str
        Name of a prediction method.
    names : list of str
        Names of its input columns.
    """
    if isinstance(estimator, BaseFusion) or _accepts_arrays(estimator):
        return getattr(without_names(estimator), method)
    columns = pd.Index(names, dtype=object)
    return lambda X: getattr(estimator, method)(pd.DataFrame(X, columns=columns))


def without_names(estimator):
    """Return a copy of a fitted estimator that shares everything but its input names."""
    copy = object.__new__(type(estimator))
    copy.__dict__.update(vars(estimator))
    copy.__dict__.pop("feature_names_in_", None)
    copy.__dict__["_sklearn_output_config"] = {"transform": "default"}
    return copy


def is_from_sklearn(estimator):
    """Return whether scikit-learn defines the class of an estimator."""
    return type(estimator).__module__.startswith("sklearn.")


def _accepts_arrays(estimator):
    """Return whether a scikit-learn estimator contains no other one with input names."""
    return is_from_sklearn(estimator) and not any(map(_has_names, vars(estimator).values()))


def _has_names(value):
    if isinstance(value, BaseEstimator):
        return hasattr(value, "feature_names_in_") or not _accepts_arrays(value)
    if isinstance(value, dict):
        return any(map(_has_names, value.values()))
    if isinstance(value, list | tuple):
        return any(map(_has_names, value))
    return False
