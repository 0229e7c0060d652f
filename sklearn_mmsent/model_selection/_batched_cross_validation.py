"""Cross-validation that trains the networks of all folds in batches."""

import numpy as np
from sklearn.model_selection import cross_val_predict, cross_validate
from sklearn.preprocessing import LabelEncoder
from sklearn.utils import indexable

from sklearn_mmsent.model_selection._replay import FrozenSplits, Replay, record_folds
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
) -> dict:
    """Evaluate an estimator by cross-validation, training the networks of all folds in batches.

    Otherwise identical to :func:`sklearn.model_selection.cross_validate`. Networks with a
    `checkpoint_dir` resume after an interruption.

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
        Scores to compute; None uses the estimator's ``score``.
    cv : int, splitter, iterable or None, default=None
        Cross-validation splits; None means five folds.
    verbose : int, default=0
        Verbosity of the scoring.
    params : dict or None, default=None
        Metadata for ``fit``, the splitter and the scorer.
    return_train_score : bool, default=False
        Whether to compute scores on the training rows as well.
    return_estimator : bool, default=False
        Whether to return the fitted estimators.
    return_indices : bool, default=False
        Whether to return the row indices of each split.
    error_score : "raise" or float, default=float("nan")
        Score of a fold whose fit fails.
    batched : "auto" or bool, default="auto"
        Whether to train networks in batches; "auto" decides by a short timing.

    Returns
    -------
    dict of str to array
        As from scikit-learn; ``fit_time`` is the fold's share of the total time.

    See Also
    --------
    compare : Several models on the same splits, with significance tests.

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
    folds = record_folds(estimator, X, y, **options)
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
) -> np.ndarray:
    """Return out-of-fold predictions, training the networks of all folds in batches.

    Otherwise identical to :func:`sklearn.model_selection.cross_val_predict`.

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
        Cross-validation splits that test each row once; None means five folds.
    verbose : int, default=0
        Verbosity of the predictions.
    params : dict or None, default=None
        Metadata for ``fit`` and the splitter.
    method : str, default="predict"
        Method of the estimator to call.
    batched : "auto" or bool, default="auto"
        Whether to train networks in batches; "auto" decides by a short timing.

    Returns
    -------
    ndarray
        Output of the method for each row.

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
        # as scikit-learn does, so that columns are those of the same classes in all folds
        y = LabelEncoder().fit_transform(y)
    splits = FrozenSplits(cv, y, estimator)
    options = {"cv": splits, "groups": groups, "params": params}
    folds = record_folds(estimator, X, y, scoring=None, **options)
    replay = Replay(estimator, fit_batched(estimator, [{}], folds, batched=batched))
    return cross_val_predict(replay, X, y, **options, n_jobs=1, verbose=verbose, method=method)
