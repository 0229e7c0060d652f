"""Steps of a fitted pipeline as functions of plain arrays.

scikit-learn's transformers and estimators that were fitted on named columns want a DataFrame, to
compare the names. For one row that costs more than the numbers do. Here names are compared once,
when the functions are made, and a twin of each step without names then reads arrays.
"""

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.pipeline import FeatureUnion
from sklearn.pipeline import Pipeline as SklearnPipeline

from sklearn_mmsent.blocks.block import SEPARATOR
from sklearn_mmsent.blocks.filling import fill_arrays
from sklearn_mmsent.blocks.names import carried_columns
from sklearn_mmsent.compose import FillBlocks, Pipeline, PresentCells, SelectModalities
from sklearn_mmsent.estimators._base import BaseFusion
from sklearn_mmsent.exceptions import CellError
from sklearn_mmsent.feature_extraction import BaseExtractor, Cached, CellTransformer
from sklearn_mmsent.feature_extraction.cells import CellColumn, is_missing

# -- from a cell to numbers ----------------------------------------------------------------------


def parts_of(extractor):
    """List what a fitted MultimodalExtractor consists of.

    Returns
    -------
    list of (str, transformer, column or list of columns)
        A modality of several parts gives each of them, named ``<modality>__<part>``.
    """
    found = []
    for name, transformer, columns in extractor.transformers_:
        union = isinstance(transformer, FeatureUnion) and not transformer.transformer_weights
        if union and not any(isinstance(part, str) for _, part in transformer.transformer_list):
            found += [
                (f"{name}{SEPARATOR}{part}", inner, columns)
                for part, inner in transformer.transformer_list
            ]
        elif not (isinstance(transformer, str) and transformer == "drop"):
            found.append((name, transformer, columns))
    return found


def cell_function(transformer, column):
    """Make a function from one cell to an array of shape (n_features,).

    Parameters
    ----------
    transformer : transformer
        Fitted, of one raw column.
    column : str
        Its name, for messages.
    """
    if isinstance(transformer, Cached):  # a row that is seen once is not worth a place on disk
        transformer = transformer.extractor_
    steps = _steps(transformer)
    if isinstance(steps[-1], Cached):
        steps[-1] = steps[-1].extractor_
    if isinstance(steps[-1], BaseExtractor) and all(
        isinstance(step, CellTransformer) for step in steps[:-1]
    ):
        return lambda cell: _extracted(steps, cell, column)
    if isinstance(transformer, PresentCells):
        nothing = np.full(len(transformer.get_feature_names_out()), np.nan, dtype=np.float32)
        return lambda cell: (
            nothing if is_missing(cell) else np.asarray(transformer.transform([cell]))[0]
        )
    return lambda cell: np.asarray(
        transformer.transform(pd.Series([cell], name=column, dtype=object))
    )[0]


def _steps(transformer):
    if not isinstance(transformer, SklearnPipeline):
        return [transformer]
    steps = [step for _, step in transformer.steps if step not in (None, "passthrough")]
    return [inner for step in steps for inner in _steps(step)] or [transformer]


def _extracted(steps, cell, column):
    *before, extractor = steps
    for step in before:
        cell = _tried(step, cell, column, step._convert)
        if cell is None:
            break
    row = _tried(extractor, cell, column, lambda cell: _encoded(extractor, cell))
    return np.full(extractor.n_features_out_, np.nan, dtype=np.float32) if row is None else row


def _encoded(extractor, cell):
    block, errors = extractor._extract([cell])
    if errors:
        raise errors[0][1]
    return block[0]


def _tried(step, cell, column, function):
    """Apply a function to a cell that is there; complain of a bad one as the step itself does."""
    if is_missing(cell):
        return None
    try:
        return function(cell)
    except (CellError, OSError) as error:
        CellColumn([cell], None, column).report(
            {0: error}, owner=type(step).__name__, on_error=step.on_error, stacklevel=6
        )
        return None


# -- from numbers to numbers ---------------------------------------------------------------------


def step_function(step, names, *, carries):
    """Make a function from arrays to arrays, (n_rows, n_columns), of a fitted transformer.

    Parameters
    ----------
    step : transformer
        A step of a pipeline.
    names : list of str
        Of the columns that come.
    carries : bool
        Whether the pipeline carries indicators past the step, as :class:`Pipeline` does.

    Returns
    -------
    function : callable
        Of an array.
    names : list of str
        Of the columns that it gives.
    """
    made = [str(name) for name in step.get_feature_names_out()]
    function = _plain_function(step, names)
    if not carries:
        return function, made
    kept, marks = carried_columns(names, made)
    if not marks and len(kept) == len(made):
        return function, made
    stay, carried = [made.index(name) for name in kept], [names.index(name) for name in marks]
    return lambda X: np.hstack([function(X)[:, stay], X[:, carried]]), [*kept, *marks]


def _plain_function(step, names):
    if isinstance(step, FillBlocks):
        return lambda X: np.hstack(
            fill_arrays(step.layout_.blocks, step.layout_.read(X), step.fill_values_)
        )
    if isinstance(step, SelectModalities):
        return lambda X: X[:, step.columns_]
    if _is_free_of_names(step):
        return without_names(step).transform
    index = pd.Index(names, dtype=object)
    made = [str(name) for name in step.get_feature_names_out()]
    return lambda X: step.transform(pd.DataFrame(X, columns=index))[made].to_numpy()


def method_function(estimator, method, names):
    """Make a function from an array to what a method of the final estimator predicts."""
    if isinstance(estimator, BaseFusion) or _is_free_of_names(estimator):
        return getattr(without_names(estimator), method)
    index = pd.Index(names, dtype=object)
    return lambda X: getattr(estimator, method)(pd.DataFrame(X, columns=index))


def without_names(estimator):
    """Make a twin of a fitted estimator that shares all but the names it was fitted on."""
    twin = object.__new__(type(estimator))
    twin.__dict__.update(vars(estimator))
    twin.__dict__.pop("feature_names_in_", None)
    twin.__dict__["_sklearn_output_config"] = {"transform": "default"}
    return twin


def _is_free_of_names(estimator):
    """Whether a plain estimator of scikit-learn holds no other one that knows names."""
    return type(estimator).__module__.startswith("sklearn.") and not any(
        map(_knows_names, vars(estimator).values())
    )


def _knows_names(value):
    if isinstance(value, BaseEstimator):
        return hasattr(value, "feature_names_in_") or not _is_free_of_names(value)
    if isinstance(value, dict):
        return any(map(_knows_names, value.values()))
    if isinstance(value, list | tuple):
        return any(map(_knows_names, value))
    return False


def carries_indicators(pipeline):
    """Whether a pipeline is one of this package's."""
    return isinstance(pipeline, Pipeline)
