"""Fusion networks inside an estimator, and the rows that reach them."""

from sklearn.pipeline import Pipeline

from sklearn_mmsent.estimators import BaseFusion


def networks_of(estimator, X, *, owner):
    """Return the fusion estimators inside an estimator, and the rows transformed for them.

    The estimator is a fitted fusion estimator, a deep ensemble of them, a pipeline that ends in
    one, or a search over one; for others, a TypeError is raised.
    """
    final = getattr(estimator, "best_estimator_", estimator)
    while isinstance(final, Pipeline):
        if len(final.steps) > 1:
            X = final[:-1].transform(X)
        final = final.steps[-1][1]
    networks = getattr(final, "estimators_", None) or [final]
    if not all(isinstance(network, BaseFusion) for network in networks):
        raise TypeError(
            f"{owner} requires a fusion network; got {type(final).__name__}. Pass a fitted "
            "FusionClassifier, FusionRegressor or FusionMultitask, an ensemble of them, or a "
            "pipeline that ends in one."
        )
    return networks, X
