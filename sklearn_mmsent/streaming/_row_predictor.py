"""RowPredictor: predict one row at a time, without pandas."""

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline as SklearnPipeline
from sklearn.utils.validation import check_is_fitted

from sklearn_mmsent.compose import MultimodalExtractor, Pipeline
from sklearn_mmsent.streaming._row_steps import (
    cell_function,
    is_from_sklearn,
    method_function,
    step_function,
    without_names,
)


class RowPredictor:
    """Predict single rows, given as dicts, without building a table.

    For services that answer one request at a time. Predictions equal those of the pipeline for a
    DataFrame of one row, up to rounding, and are several times faster: column names are compared
    once, in the constructor, and cells then go directly through the extractors, and arrays through
    the other steps. Steps that only accept a DataFrame (`PerModality`, stacking) receive one.

    Parameters
    ----------
    pipeline : Pipeline
        Fitted; starts with the result of :func:`make_extractor` and ends with a predictor. Later
        changes of it have no effect.

    Attributes
    ----------
    columns_ : list of str
        Raw columns that a row may have.
    feature_names_ : list of str
        Names of the features that the last step reads.

    See Also
    --------
    StreamingPredictor : Predicts sliding windows of streams.

    Notes
    -----
    `Cached` extractors bypass their store, which would otherwise keep each row of a service. A
    column that the dict lacks is missing, as in ``pipeline.predict(row)``.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_mmsent import (
    ...     FillBlocks,
    ...     RowPredictor,
    ...     TfidfEmbedder,
    ...     make_extractor,
    ...     make_pipeline,
    ... )
    >>> X = pd.DataFrame({"text": ["good fun", "good", "bad fun", "bad"]})
    >>> pipe = make_pipeline(
    ...     make_extractor(text=TfidfEmbedder(n_components=2)), FillBlocks(), LogisticRegression()
    ... )
    >>> row = RowPredictor(pipe.fit(X, ["pos", "pos", "neg", "neg"]))
    >>> row.predict_one({"text": "it was good"}), row.predict_proba_one({"text": "bad"}).shape
    (np.str_('pos'), (2,))
    """

    def __init__(self, pipeline):
        self.pipeline = pipeline
        self.extractor, steps, self._estimator = _split_steps(pipeline)
        self.columns_ = [str(name) for name in self.extractor.feature_names_in_]
        self.parts = [
            (
                part.name,
                [part.column] if isinstance(part.column, str) else part.column,
                _function(part),
            )
            for part in self.extractor.parts()
        ]
        names = [str(name) for name in self.extractor.get_feature_names_out()]
        self._functions = []
        for step in steps:
            function, names = step_function(step, names, carries=isinstance(pipeline, Pipeline))
            self._functions.append(function)
        self.feature_names_ = names
        self._methods = {}

    def predict_one(self, row):
        """Predict one row.

        Parameters
        ----------
        row : dict of str to object
            Raw column to cell; absent columns are missing.

        Returns
        -------
        object
            A label or an intensity.

        Raises
        ------
        CellError
            If a key is unknown, or a cell is unusable and its extractor has
            ``on_error="raise"``.
        """
        return self.apply(row, "predict")

    def predict_proba_one(self, row):
        """Predict the class probabilities of one row.

        Parameters
        ----------
        row : dict of str to object
            Raw column to cell; absent columns are missing.

        Returns
        -------
        ndarray of shape (n_classes,)
            In the order of the pipeline's ``classes_``.
        """
        return self.apply(row, "predict_proba")

    def apply(self, row, method="predict", *, features=None):
        """Call a method of the last step for one row.

        Parameters
        ----------
        row : dict of str to object
            Raw column to cell; absent columns are missing.
        method : str, default="predict"
            Name of a prediction method, such as "decision_function".
        features : dict of str to ndarray or None, default=None
            See `extract`.

        Returns
        -------
        object
            Prediction of the one row.
        """
        return self.apply_features(self.extract(row, features), method)

    def extract(self, row, features=None):
        """Extract the features of one row.

        Parameters
        ----------
        row : dict of str to object
            Raw column to cell; absent columns are missing.
        features : dict of str to ndarray or None, default=None
            Features that are known already, of shape (n_features,), by modality or
            ``<modality>__<part>``.

        Returns
        -------
        ndarray of shape (n_features,)
            Output of the pipeline's first step.
        """
        self.extractor._known_columns(row)
        features = features or {}
        return np.concatenate(
            [
                features[name]
                if name in features
                else function(*[row.get(column) for column in columns])
                for name, columns, function in self.parts
            ]
        )

    def apply_features(self, features, method="predict"):
        """Call a method of the last step for features from `extract`."""
        if method not in self._methods:
            self._methods[method] = method_function(self._estimator, method, self.feature_names_)
        X = features[None]
        for function in self._functions:
            X = function(X)
        return self._methods[method](X)[0]


def _split_steps(pipeline):
    """Return the extractor, the transformers after it and the estimator of a fitted pipeline."""
    steps = [step for _, step in pipeline.steps] if isinstance(pipeline, SklearnPipeline) else []
    if not steps or not isinstance(steps[0], MultimodalExtractor) or len(steps) < 2:
        found = type(pipeline).__name__
        if steps:
            found += f" of {', '.join(type(step).__name__ for step in steps)}"
        raise TypeError(
            "expected a fitted pipeline from raw cells to predictions, such as "
            f"make_pipeline(make_extractor(audio=LogMel()), FusionClassifier()); got {found}, "
            "which does not define modalities. Put make_extractor(...) before it."
        )
    extractor, *between, estimator = steps
    check_is_fitted(extractor)
    check_is_fitted(estimator)
    if extractor.transformer_weights:
        raise TypeError("transformer_weights of the extractor are not supported for single rows.")
    between = [
        step
        for step in between
        if step not in (None, "passthrough") and hasattr(step, "transform")  # and no sampler
    ]
    return extractor, between, estimator


def _function(part):
    """Return a function from the cells of a part's raw columns to its features."""
    transformer = part.transformer
    if isinstance(part.column, str):
        return cell_function(transformer, part.column)
    if hasattr(transformer, "feature_names_in_") and is_from_sklearn(transformer):
        nameless = without_names(transformer)
        return lambda *cells: np.asarray(nameless.transform(np.array([cells], dtype=float)))[0]
    return lambda *cells: np.asarray(
        transformer.transform(pd.DataFrame([cells], columns=part.column))
    )[0]
