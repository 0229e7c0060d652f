"""The networks at the end of an estimator, and the rows as they reach them."""

from sklearn.pipeline import Pipeline

from sklearn_mmsent.estimators._base import BaseFusion


def networks_of(estimator, X, *, owner):
    """Return the fusion estimators inside an estimator, and what rows are to them.

    Parameters
    ----------
    estimator : estimator
        Fitted: a fusion estimator, a deep ensemble of them, a pipeline that ends in one, or a
        search whose best is one.
    X : DataFrame or array-like of shape (n_samples, n_columns)
        What it predicts.
    owner : str
        Who asks, for messages.

    Returns
    -------
    networks : list of BaseFusion
        One, or the members of an ensemble.
    X : DataFrame or array-like
        What they predict.
    """
    final = getattr(estimator, "best_estimator_", estimator)
    while isinstance(final, Pipeline):
        if len(final.steps) > 1:
            X = final[:-1].transform(X)
        final = final.steps[-1][1]
    networks = getattr(final, "estimators_", None) or [final]
    if not all(isinstance(network, BaseFusion) for network in networks):
        raise TypeError(
            f"{owner} reads fusion networks, and {type(final).__name__} is none. Take a fitted "
            "FusionClassifier, FusionRegressor or FusionMultitask, an ensemble of them, or a "
            "pipeline that ends in one."
        )
    return networks, X
