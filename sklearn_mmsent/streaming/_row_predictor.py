"""RowPredictor: one row at a time, without pandas."""

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline as SklearnPipeline
from sklearn.utils.validation import check_is_fitted

from sklearn_mmsent.compose import MultimodalExtractor
from sklearn_mmsent.streaming._row_steps import (
    carries_indicators,
    cell_function,
    method_function,
    parts_of,
    step_function,
    without_names,
)


class RowPredictor:
    """Predict one row, a dict, without making a table of it.

    For services that answer one question at a time. What the pipeline predicts for a DataFrame of
    one row comes out, to rounding, several times sooner: names of columns are compared once, here,
    and cells then go straight through the extractors, and arrays through the other steps. A step
    that can only read a DataFrame (`PerModality`, stacking) is given one.

    Parameters
    ----------
    pipeline : Pipeline
        Fitted; its first step is what :func:`make_extractor` gives, its last one predicts. What it
        learns later is not seen.

    Attributes
    ----------
    columns_ : list of str
        Raw columns that a row may have.
    feature_names_ : list of str
        Columns of the numbers that the last step reads.

    See Also
    --------
    StreamingPredictor : Cuts streams into windows, and predicts these.

    Notes
    -----
    `Cached` extractors compute without a look into their store: on disk each row of a service
    would stay for ever. A missing column counts as missing, as in ``pipeline.predict(row)``.

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
        self.extractor, steps, self._estimator = _cut(pipeline)
        self.columns_ = [str(name) for name in self.extractor.feature_names_in_]
        self.parts = [
            (name, _columns(columns, self.columns_), _part(transformer, columns, self.columns_))
            for name, transformer, columns in parts_of(self.extractor)
        ]
        names = [str(name) for name in self.extractor.get_feature_names_out()]
        self._functions = []
        for step in steps:
            function, names = step_function(step, names, carries=carries_indicators(pipeline))
            self._functions.append(function)
        self.feature_names_ = names
        self._methods = {}

    def predict_one(self, row):
        """Predict one row.

        Parameters
        ----------
        row : dict of str to object
            Raw column to cell; what is not there is missing.

        Returns
        -------
        object
            A label, or an intensity.

        Raises
        ------
        CellError
            If a key is unknown, or a cell cannot be used and its extractor has
            ``on_error="raise"``.
        """
        return self.apply(row, "predict")

    def predict_proba_one(self, row):
        """Predict the probabilities of one row's classes.

        Parameters
        ----------
        row : dict of str to object
            Raw column to cell; what is not there is missing.

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
            Raw column to cell; what is not there is missing.
        method : str, default="predict"
            Name of a method that predicts, such as "decision_function".
        features : dict of str to ndarray or None, default=None
            By modality, or ``<modality>__<part>``, what is known already of what its extractor
            gives, of shape (n_features,).

        Returns
        -------
        object
            What the method gives of the one row.
        """
        return self.apply_features(self.extract(row, features), method)

    def extract(self, row, features=None):
        """Extract one row.

        Parameters
        ----------
        row : dict of str to object
            Raw column to cell; what is not there is missing.
        features : dict of str to ndarray or None, default=None
            By modality, what is known already.

        Returns
        -------
        ndarray of shape (n_features,)
            What the pipeline's first step gives.
        """
        self.extractor._known_columns(row)
        features = features or {}
        return np.concatenate(
            [
                features[name]
                if name in features
                else part(*[row.get(column) for column in columns])
                for name, columns, part in self.parts
            ]
        )

    def apply_features(self, features, method="predict"):
        """Call a method of the last step for what `extract` gives."""
        if method not in self._methods:
            self._methods[method] = method_function(self._estimator, method, self.feature_names_)
        X = features[None]
        for function in self._functions:
            X = function(X)
        return self._methods[method](X)[0]


def _cut(pipeline):
    """Give the extractor, the transformers behind it and the estimator of a fitted pipeline."""
    steps = [step for _, step in pipeline.steps] if isinstance(pipeline, SklearnPipeline) else []
    if not steps or not isinstance(steps[0], MultimodalExtractor) or len(steps) < 2:
        came = type(pipeline).__name__
        if steps:
            came += f" of {', '.join(type(step).__name__ for step in steps)}"
        raise TypeError(
            "a fitted pipeline from raw cells to predictions is needed, such as "
            f"make_pipeline(make_extractor(audio=LogMel()), FusionClassifier()); got {came}, which "
            "does not say what its modalities are. Put make_extractor(...) before it."
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


def _columns(columns, known):
    """Give the names of the raw columns that one modality reads."""
    columns = columns if isinstance(columns, list | tuple | np.ndarray) else [columns]
    return [known[c] if isinstance(c, int | np.integer) else str(c) for c in columns]


def _part(transformer, columns, known):
    """Make a function from the cells of one modality's columns to its numbers."""
    if isinstance(columns, str | int):
        return cell_function(transformer, _columns(columns, known)[0])
    if hasattr(transformer, "feature_names_in_") and type(transformer).__module__.startswith(
        "sklearn."
    ):
        twin = without_names(transformer)
        return lambda *cells: np.asarray(twin.transform(np.array([cells], dtype=float)))[0]
    names = _columns(columns, known)
    return lambda *cells: np.asarray(transformer.transform(pd.DataFrame([cells], columns=names)))[0]
