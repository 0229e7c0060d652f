"""A pipeline whose every step hands on named columns."""

import warnings

import pandas as pd
from imblearn import pipeline as imblearn_pipeline
from sklearn.base import is_classifier, is_regressor

from sklearn_mmsent.blocks.block import SEPARATOR
from sklearn_mmsent.blocks.names import carried_columns
from sklearn_mmsent.utils._sklearn import _name_estimators, _set_output

_CONTAINER = "blocks"


class Pipeline(imblearn_pipeline.Pipeline):
    """An imbalanced-learn pipeline in which names and masks survive every step.

    Each transformer, also one that a grid search swaps in later, hands on a
    DataFrame; and the columns with which :class:`FillBlocks` remembers what was
    missing pass every transformer untouched, so that a scaler does not turn
    lengths into z-scores. In all else it is
    :class:`imblearn.pipeline.Pipeline`: samplers act in ``fit`` only.

    Parameters
    ----------
    steps : list of (str, estimator) tuples
        Transformers and samplers, and the final estimator.
    transform_input : list of str or None, default=None
        Metadata that the steps before its consumer transform, such as
        ``["X_val"]``; needs scikit-learn's metadata routing.
    memory : str, object with ``cache`` or None, default=None
        Where fitted transformers are cached; None caches nothing.
    verbose : bool, default=False
        Whether to print the time of each step.

    See Also
    --------
    make_pipeline : The same without having to name the steps.
    imblearn.pipeline.Pipeline : Hands on what each step happens to return; names
        are lost at the first scaler.

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
        """Fit all steps in turn.

        Parameters
        ----------
        X : DataFrame, array-like or list
            Training rows, as the first step expects them.
        y : array-like of shape (n_samples,) or None, default=None
            Targets.
        **params : dict
            Metadata for the steps, as in scikit-learn's pipelines.

        Returns
        -------
        self : object
            The fitted pipeline.
        """
        self._refuse_lost_weights()
        self._warn_of_a_leak(params)
        return super().fit(X, y, **params)

    def _validate_steps(self):
        super()._validate_steps()
        for position, (name, step) in enumerate(self.steps, start=1):
            if not hasattr(step, "transform"):
                continue  # "passthrough", a sampler, or a final predictor
            if is_classifier(step) or is_regressor(step):
                continue  # stacking, which reads what it transforms itself, and not as a table
            if hasattr(step, "set_output"):
                step.set_output(transform=_CONTAINER)
            elif position < len(self.steps):
                raise TypeError(
                    f"step {name!r} ({type(step).__name__}) cannot hand on column names: it has no "
                    "set_output. Give it get_feature_names_out (see TransformerMixin), or use it "
                    "inside make_extractor(...) if it reads a raw column."
                )

    def _refuse_lost_weights(self):
        for name, step in self.steps[:-1]:
            if getattr(step, "_weighs_rows", False):
                raise ValueError(
                    f"step {name!r} ({type(step).__name__}) finds weights of rows, which no step "
                    "of a pipeline hands on. Pass it as sampler=... of a fusion estimator, or let "
                    "it leave rows out (how='remove')."
                )

    def _warn_of_a_leak(self, params):
        final_name, final = self.steps[-1]
        samplers = [name for name, step in self.steps[:-1] if hasattr(step, "fit_resample")]
        validated = any(name.rpartition(SEPARATOR)[2] == "X_val" for name in params)
        held_out = hasattr(final, "sampler") and getattr(final, "early_stopping", False)
        if samplers and held_out and not validated:
            warnings.warn(
                f"{type(final).__name__} (step {final_name!r}) stops early on rows that it takes "
                f"from what the sampler {samplers[0]!r} made, so blends of its validation rows are "
                f"trained on. Pass the sampler as {type(final).__name__}(sampler=...) instead: it "
                "then acts after the split. Or give X_val, or set early_stopping=False.",
                UserWarning,
                stacklevel=3,
            )


def make_pipeline(*steps, memory=None, transform_input=None, verbose=False) -> Pipeline:
    """Build a :class:`Pipeline`, naming the steps by their classes.

    Parameters
    ----------
    *steps : estimators
        Transformers, samplers and the final estimator.
    memory : str, object with ``cache`` or None, default=None
        Where fitted transformers are cached; None caches nothing.
    transform_input : list of str or None, default=None
        Metadata that the steps before its consumer transform.
    verbose : bool, default=False
        Whether to print the time of each step.

    Returns
    -------
    Pipeline
        With steps named by their classes in lower case.

    See Also
    --------
    make_extractor : Makes the first step, from raw cells to named columns.

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
    """scikit-learn's pandas output, with the indicator columns carried past the transformer.

    ``set_output`` is the one place through which every transformer's result
    passes, whoever wrote it, and its adapters are scikit-learn's way to extend it.
    """

    container_lib = _CONTAINER

    def create_container(self, X_output, X_original, columns, inplace=True):
        columns = _set_output.get_columns(columns)
        made = isinstance(X_output, pd.DataFrame) and columns is not None
        if made and len(columns) != X_output.shape[1]:
            return X_output  # transform was here already, for the fit_transform that called it
        frame = super().create_container(X_output, X_original, columns, inplace=inplace)
        if not isinstance(X_original, pd.DataFrame):
            return frame
        kept, marks = carried_columns(X_original.columns, frame.columns)
        if not marks and len(kept) == frame.shape[1]:
            return frame
        return pd.concat([frame[kept], X_original[marks].set_axis(frame.index)], axis=1)


_set_output.ADAPTERS_MANAGER.register(_BlockFrames())
