"""The models of a comparison: their names, what they take, and searches among them."""

import warnings
from collections import Counter

from sklearn.base import is_classifier, is_regressor
from sklearn.dummy import DummyClassifier, DummyRegressor

from sklearn_mmsent.compose.parts import final_step
from sklearn_mmsent.model_selection._batched_search import BatchedGridSearchCV
from sklearn_mmsent.model_selection.splits import choose_splitter, split_rows, splits_inside

CONSTANT = "constant"
INNER_FOLDS = 3


def name_models(estimators):
    """Return estimators by name; those without one are called after their class.

    Parameters
    ----------
    estimators : estimator, list of estimators, list of (str, estimator) tuples or dict
        As :func:`compare` takes them.

    Returns
    -------
    dict of str to estimator
        In the order given.
    """
    if hasattr(estimators, "fit"):
        estimators = [estimators]
    pairs = list(estimators.items()) if isinstance(estimators, dict) else list(estimators)
    if not all(isinstance(pair, tuple) for pair in pairs):
        pairs = [(type(estimator).__name__, estimator) for estimator in pairs]
    for name, estimator in pairs:
        if not isinstance(name, str) or not hasattr(estimator, "fit"):
            raise TypeError(
                f"compare: estimators must be estimators with names that are strings; got "
                f"{name!r}: {estimator!r}."
            )
    twice = [name for name, n in Counter(name for name, _ in pairs).items() if n > 1]
    if twice:
        raise ValueError(
            f"compare: {twice[0]!r} names several models. Give each its own name: "
            "compare({'small': ..., 'large': ...}, ...)."
        )
    if not pairs:
        raise ValueError("compare: estimators is empty; there is nothing to compare.")
    return dict(pairs)


def are_classifiers(models):
    """Tell whether all models predict classes; refuse a mixture, and what is neither.

    Parameters
    ----------
    models : dict of str to estimator
        By name.

    Returns
    -------
    bool
        False if all are regressors.
    """
    kinds = {name: _kind(model) for name, model in models.items()}
    for name, kind in kinds.items():
        if kind is None:
            raise ValueError(
                f"compare: {name!r} ({type(models[name]).__name__}) is neither a classifier nor a "
                "regressor, so that there is no constant to compare it with. Compare targets one "
                "by one."
            )
    if len(set(kinds.values())) > 1:
        some = {kind: name for name, kind in kinds.items()}
        raise ValueError(
            f"compare: {some['classifier']!r} is a classifier and {some['regressor']!r} a "
            "regressor; there is no score for both."
        )
    return "classifier" in kinds.values()


def _kind(model):
    if is_classifier(model):
        return "classifier"
    if is_regressor(model):
        return "regressor"
    inner = getattr(model, "estimator", None)  # OptunaSearchCV does not tell
    return None if inner is None else _kind(inner)


def with_constant(models, *, classifier):
    """Put a constant predictor first, where the models have none yet.

    Parameters
    ----------
    models : dict of str to estimator
        By name.
    classifier : bool
        Whether they predict classes.

    Returns
    -------
    models : dict of str to estimator
        With it.
    name : str
        Of the constant predictor.
    """
    for name, model in models.items():
        if isinstance(model, DummyClassifier | DummyRegressor):
            return models, name
    if CONSTANT in models:
        raise ValueError(
            f"compare: {CONSTANT!r} is the name of the constant predictor that is always compared; "
            f"give {type(models[CONSTANT]).__name__} another."
        )
    return {CONSTANT: DummyClassifier() if classifier else DummyRegressor(), **models}, CONSTANT


def with_searches(models, spaces, *, scoring):
    """Wrap models into searches over their parameters.

    Parameters
    ----------
    models : dict of str to estimator
        By name.
    spaces : dict of str to dict, or to list of dicts
        Grids of some of the models, by name.
    scoring : scorer
        What the searches maximise.

    Returns
    -------
    dict of str to estimator
        All models.
    """
    unknown = [name for name in spaces if name not in models]
    if unknown:
        raise ValueError(
            f"compare: nested searches {unknown[0]!r}, which is not among the models: "
            f"{', '.join(models)}."
        )
    return models | {
        name: BatchedGridSearchCV(models[name], grid, scoring=scoring, cv=INNER_FOLDS)
        for name, grid in spaces.items()
    }


def check_inner_splits(name, model, y, groups, splits, *, classifier):
    """Split the training part of every fold as a search inside will, and tell what is wrong.

    Parameters
    ----------
    name : str
        Of the model.
    model : estimator
        Its inner folds keep groups whole if they can; nothing is done for what is no search.
    y, groups : ndarray of shape (n_samples,) or None
        Of all rows.
    splits : list of (train, test) pairs
        The outer ones.
    classifier : bool
        Whether it predicts classes.
    """
    final = final_step(model)
    if not splits_inside(final):
        return
    owner = f"compare, folds inside of {name!r}"
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        for train, _ in splits:
            splitter = choose_splitter(final.cv, y[train], classifier=classifier)
            inside = None if groups is None else groups[train]
            split_rows(splitter, train, y[train], inside, classifier=classifier, owner=owner)
    if told:  # what is wrong with one outer fold is often wrong with all
        warnings.warn(told[0].message, stacklevel=2)
