"""Cross-validation whose folds are trained at once."""

import numpy as np
from sklearn.model_selection import cross_val_predict, cross_validate
from sklearn.preprocessing import LabelEncoder
from sklearn.utils import indexable

from sklearn_mmsent.model_selection._replay import FrozenSplits, Replay, note_folds
from sklearn_mmsent.model_selection.batched_fit import fit_batched

_PER_CLASS = ("decision_function", "predict_proba", "predict_log_proba")


def batched_cross_validate(
    estimator,
    X,
    y=None,
    *,
    groups=None,
    scoring=None,
    cv=None,
    verbose=0,
    params=None,
    return_train_score=False,
    return_estimator=False,
    return_indices=False,
    error_score=float("nan"),
    batched="auto",
):
    """Score an estimator by cross-validation, the networks of all folds trained together.

    In all else it is :func:`sklearn.model_selection.cross_validate`. Networks that have a
    `checkpoint_dir` resume where a killed run left them.

    Parameters
    ----------
    estimator : estimator
        A fusion estimator, or a pipeline that ends in one; any other is fitted fold by fold.
    X : DataFrame or array-like of shape (n_samples, n_features)
        Rows.
    y : array-like of shape (n_samples,) or None, default=None
        Targets.
    groups : array-like of shape (n_samples,) or None, default=None
        Group labels for the splitter.
    scoring : str, callable, list, tuple, dict or None, default=None
        What is scored; None takes the estimator's own score.
    cv : int, splitter, iterable or None, default=None
        How rows are split; None means five folds.
    verbose : int, default=0
        How much is printed of the scoring.
    params : dict or None, default=None
        Metadata for ``fit``, the splitter and the scorer.
    return_train_score : bool, default=False
        Whether to score the training rows, too.
    return_estimator : bool, default=False
        Whether to return the fitted estimators.
    return_indices : bool, default=False
        Whether to return the rows of each split.
    error_score : "raise" or float, default=float("nan")
        Score of a fold whose fit fails.
    batched : "auto" or bool, default="auto"
        Whether networks are trained at once: "auto" lets a short measurement decide.

    Returns
    -------
    dict of str to array
        As from scikit-learn; ``fit_time`` is each fold's share of the time of all.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from sklearn_mmsent import FusionClassifier, batched_cross_validate
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame(rng.normal(size=(200, 2)), columns=["text__tone", "face__smile"])
    >>> y = np.where(X["text__tone"] > X["face__smile"], "happy", "sad")
    >>> clf = FusionClassifier(max_epochs=20, random_state=0)
    >>> bool(batched_cross_validate(clf, X, y)["test_score"].mean() > 0.9)
    True
    """
    X, y = indexable(X, y)
    splits = FrozenSplits(cv, y, estimator)
    options = {"cv": splits, "scoring": scoring, "groups": groups, "params": params}
    folds = note_folds(estimator, X, y, **options)
    fits = fit_batched(estimator, [{}], folds, batched=batched)
    results = cross_validate(
        Replay(estimator, fits),
        X,
        y,
        **options,
        n_jobs=1,
        verbose=verbose,
        return_train_score=return_train_score,
        return_indices=return_indices,
        error_score=error_score,
    )
    results["fit_time"][:] = [fit.seconds for fit in fits]
    if return_estimator:
        results["estimator"] = [fit.estimator for fit in fits]
    return results


def batched_cross_val_predict(
    estimator,
    X,
    y=None,
    *,
    groups=None,
    cv=None,
    verbose=0,
    params=None,
    method="predict",
    batched="auto",
):
    """Predict each row by networks that have not seen it, all trained together.

    In all else it is :func:`sklearn.model_selection.cross_val_predict`.

    Parameters
    ----------
    estimator : estimator
        A fusion estimator, or a pipeline that ends in one; any other is fitted fold by fold.
    X : DataFrame or array-like of shape (n_samples, n_features)
        Rows.
    y : array-like of shape (n_samples,) or None, default=None
        Targets.
    groups : array-like of shape (n_samples,) or None, default=None
        Group labels for the splitter.
    cv : int, splitter, iterable or None, default=None
        How rows are split, each into one test part; None means five folds.
    verbose : int, default=0
        How much is printed of the predictions.
    params : dict or None, default=None
        Metadata for ``fit`` and the splitter.
    method : str, default="predict"
        Method of the estimator to call.
    batched : "auto" or bool, default="auto"
        Whether networks are trained at once: "auto" lets a short measurement decide.

    Returns
    -------
    ndarray
        What the method gives, row by row.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from sklearn_mmsent import FusionRegressor
    >>> from sklearn_mmsent.model_selection import batched_cross_val_predict
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame(rng.normal(size=(200, 2)), columns=["text__tone", "face__smile"])
    >>> y = X["text__tone"] + X["face__smile"]
    >>> predicted = batched_cross_val_predict(FusionRegressor(max_epochs=20, random_state=0), X, y)
    >>> bool(np.corrcoef(predicted, y)[0, 1] > 0.9)
    True
    """
    X, y = indexable(X, y)
    if method in _PER_CLASS and np.ndim(y) == 1:
        # as scikit-learn does, so that columns mean the same classes in all folds
        y = LabelEncoder().fit_transform(y)
    splits = FrozenSplits(cv, y, estimator)
    options = {"cv": splits, "groups": groups, "params": params}
    folds = note_folds(estimator, X, y, scoring=None, **options)
    replay = Replay(estimator, fit_batched(estimator, [{}], folds, batched=batched))
    return cross_val_predict(replay, X, y, **options, n_jobs=1, verbose=verbose, method=method)
