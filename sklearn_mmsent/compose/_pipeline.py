"""A pipeline in which every transformer outputs named columns."""

import warnings

import pandas as pd
from imblearn import pipeline as imblearn_pipeline
from sklearn.base import is_classifier, is_regressor

from sklearn_mmsent.blocks.block import SEPARATOR
from sklearn_mmsent.blocks.names import carried_columns
from sklearn_mmsent.utils._sklearn import _name_estimators, _set_output

_CONTAINER = "blocks"


class Pipeline(imblearn_pipeline.Pipeline):
    """An imbalanced-learn pipeline that keeps column names and masks.

    Each transformer, even one that a grid search sets later, outputs a
    DataFrame. The indicator columns of :class:`FillBlocks` bypass all
    transformers, so that a scaler does not standardise lengths. Otherwise it
    behaves like :class:`imblearn.pipeline.Pipeline`: samplers act in ``fit`` only.

    Parameters
    ----------
    steps : list of (str, estimator) tuples
        Transformers and samplers, and the final estimator.
    transform_input : list of str or None, default=None
        Metadata that is transformed by the steps before its consumer, such as
        ``["X_val"]``; requires metadata routing.
    memory : str, object with ``cache`` or None, default=None
        Cache of fitted transformers; None for none.
    verbose : bool, default=False
        Whether to print the time of each step.

    See Also
    --------
    make_pipeline : Names the steps automatically.
    imblearn.pipeline.Pipeline : Loses the names at the first scaler.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sklearn_mmsent import FillBlocks
    >>> from sklearn_mmsent.compose import Pipeline
    >>> X = pd.DataFrame({"text__a": [1.0, 3.0], "face__smile": [0.5, np.nan]})
    >>> pipe = Pipeline([("fill", FillBlocks()), ("scale", StandardScaler())])
    >>> pipe.fit_transform(X)["face__present"].tolist()
    [1.0, 0.0]
    """

    def fit(self, X, y=None, **params):
        """Fit all steps.

        Parameters
        ----------
        X : DataFrame, array-like or list
            Training rows, in the form that the first step accepts.
        y : array-like of shape (n_samples,) or None, default=None
            Targets.
        **params : dict
            Metadata for the steps, as in scikit-learn's pipelines.

        Returns
        -------
        self : object
            The fitted pipeline.

        Raises
        ------
        TypeError
            If a step cannot output column names.
        ValueError
            If a step computes weights of rows, which would be lost.
        """
        self._check_row_weights()
        self._warn_about_leakage(params)
        return super().fit(X, y, **params)

    def _validate_steps(self):
        super()._validate_steps()
        for position, (name, step) in enumerate(self.steps, start=1):
            if not hasattr(step, "transform"):
                continue  # "passthrough", a sampler or a final predictor
            if is_classifier(step) or is_regressor(step):
                continue  # stacking transforms its own input, which is no table
            if hasattr(step, "set_output"):
                step.set_output(transform=_CONTAINER)
            elif position < len(self.steps):
                raise TypeError(
                    f"step {name!r} ({type(step).__name__}) cannot output column names: it has no "
                    "set_output. Implement get_feature_names_out (see TransformerMixin), or use it "
                    "inside make_extractor(...) if it reads a raw column."
                )

    def _check_row_weights(self):
        for name, step in self.steps[:-1]:
            if getattr(step, "_weighs_rows", False):
                raise ValueError(
                    f"step {name!r} ({type(step).__name__}) computes weights of rows, which a "
                    "pipeline does not pass on. Pass it as sampler=... of a fusion estimator, or "
                    "remove rows instead (how='remove')."
                )

    def _warn_about_leakage(self, params):
        final_name, final = self.steps[-1]
        samplers = [name for name, step in self.steps[:-1] if hasattr(step, "fit_resample")]
        validated = any(name.rpartition(SEPARATOR)[2] == "X_val" for name in params)
        held_out = hasattr(final, "sampler") and getattr(final, "early_stopping", False)
        if samplers and held_out and not validated:
            warnings.warn(
                f"{type(final).__name__} (step {final_name!r}) stops early on validation rows "
                f"that it holds out after the sampler {samplers[0]!r}, so synthetic copies of them "
                f"leak into training. Pass the sampler as {type(final).__name__}(sampler=...) "
                "instead, which resamples after the split; or pass X_val, or set "
                "early_stopping=False.",
                UserWarning,
                stacklevel=3,
            )


def make_pipeline(*steps, memory=None, transform_input=None, verbose=False) -> Pipeline:
    """Build a :class:`Pipeline` with steps named after their classes.

    Parameters
    ----------
    *steps : estimators
        Transformers, samplers and the final estimator.
    memory : str, object with ``cache`` or None, default=None
        Cache of fitted transformers; None for none.
    transform_input : list of str or None, default=None
        Metadata that is transformed by the steps before its consumer.
    verbose : bool, default=False
        Whether to print the time of each step.

    Returns
    -------
    Pipeline
        With steps named after their classes in lower case.

    See Also
    --------
    make_extractor : Builds the first step, from raw cells to named columns.

    Examples
    --------
    >>> from imblearn.over_sampling import SMOTE
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_mmsent import FillBlocks, make_pipeline
    >>> list(make_pipeline(FillBlocks(), SMOTE(), LogisticRegression()).named_steps)
    ['fillblocks', 'smote', 'logisticregression']
    """
    return Pipeline(
        _name_estimators(steps), memory=memory, transform_input=transform_input, verbose=verbose
    )


class _BlockFrames(_set_output.PandasAdapter):
    """scikit-learn's pandas output, followed by the indicator columns of the input.

    The output of every transformer passes through ``set_output``, which
    scikit-learn allows to extend by adapters.
    """

    container_lib = _CONTAINER

    def create_container(self, X_output, X_original, columns, inplace=True):
        columns = _set_output.get_columns(columns)
        is_frame = isinstance(X_output, pd.DataFrame) and columns is not None
        if is_frame and len(columns) != X_output.shape[1]:
            return X_output  # already done by the transform that fit_transform called
        frame = super().create_container(X_output, X_original, columns, inplace=inplace)
        if not isinstance(X_original, pd.DataFrame):
            return frame
        kept, indicators = carried_columns(X_original.columns, frame.columns)
        if not indicators and len(kept) == frame.shape[1]:
            return frame
        return pd.concat([frame[kept], X_original[indicators].set_axis(frame.index)], axis=1)


_set_output.ADAPTERS_MANAGER.register(_BlockFrames())
