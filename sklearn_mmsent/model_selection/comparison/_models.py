"""The models of a comparison: their names, what they take, and searches among them."""

import warnings
from collections import Counter
from numbers import Integral

from sklearn.base import clone, is_classifier, is_regressor
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.model_selection._search import BaseSearchCV
from sklearn.pipeline import Pipeline
from sklearn.utils._metadata_requests import _routing_enabled
from sklearn.utils.metadata_routing import get_routing_for_object
from sklearn.utils.validation import has_fit_parameter

from sklearn_mmsent.model_selection._offsets import TunedOffsetsClassifierCV
from sklearn_mmsent.model_selection._search import BatchedGridSearchCV
from sklearn_mmsent.model_selection._split_checks import choose_splitter, split_rows

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


def final_step(model):
    """Return the estimator at the end of a pipeline, or the model itself."""
    while isinstance(model, Pipeline):
        model = model.steps[-1][1]
    return model


def with_grouped_searches(model, y, groups, *, classifier):
    """Return a clone whose inner folds keep groups whole, where they are but a number.

    Parameters
    ----------
    model : estimator
        Perhaps a search, or a pipeline that ends in one.
    y : ndarray of shape (n_samples,) or (n_samples, n_targets)
        Targets.
    groups : ndarray of shape (n_samples,) or None
        Of the rows; None leaves the search as it is.
    classifier : bool
        Whether it predicts classes.

    Returns
    -------
    estimator
        Unfitted.
    """
    model = clone(model)
    final = final_step(model)
    if groups is not None and _splits_by_groups(final):
        cv = final.cv
        if cv is None or isinstance(cv, Integral):
            final.set_params(cv=choose_splitter(cv, y, classifier=classifier, groups=groups))
    return model


def check_inner_splits(name, model, y, groups, splits, *, classifier):
    """Split the training part of every fold as a search inside will, and tell what is wrong.

    Parameters
    ----------
    name : str
        Of the model.
    model : estimator
        As `with_grouped_searches` gives it; nothing is done for what is no search.
    y, groups : ndarray of shape (n_samples,) or None
        Of all rows.
    splits : list of (train, test) pairs
        The outer ones.
    classifier : bool
        Whether it predicts classes.
    """
    final = final_step(model)
    if not (isinstance(final, BaseSearchCV) or _splits_by_groups(final)):
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


def _splits_by_groups(final):
    return "cv" in final.get_params(deep=False) and _groups_parameter(final) is not None


def seed_everywhere(model, seed):
    """Set every ``random_state`` of a model and its parts, and return the model."""
    return model.set_params(**seed_params(model, seed))


def seed_params(model, seed):
    """Return every ``random_state`` of a model and its parts, with a seed."""
    names = [name for name in model.get_params() if name.split("__")[-1] == "random_state"]
    return dict.fromkeys(names, seed)


def uses_seeds(model):
    """Tell whether a seed may change what a model learns."""
    constant = isinstance(model, DummyClassifier | DummyRegressor)
    varied = constant and getattr(model, "strategy", None) in ("stratified", "uniform")
    return bool(seed_params(model, 0)) and (varied or not constant)


def fit_params_of(model, groups, params):
    """Choose of groups and other metadata what a model takes in ``fit``.

    Parameters
    ----------
    model : estimator
        Unfitted.
    groups : ndarray of shape (n_samples,) or None
        Of all rows.
    params : dict of str to object
        Other metadata, by name. With metadata routing, a model is given what it requests.

    Returns
    -------
    dict of str to object
        Under the names by which the model takes them.
    """
    offered = dict(params) if groups is None else {"groups": groups, **params}
    if _routing_enabled():
        wanted = get_routing_for_object(model).consumes("fit", offered)
        return {name: offered[name] for name in wanted}
    taken = {}
    prefix, final = "", model
    while isinstance(final, Pipeline):
        prefix, final = f"{prefix}{final.steps[-1][0]}__", final.steps[-1][1]
    for name, value in offered.items():
        step, _, rest = name.partition("__")
        if rest and isinstance(model, Pipeline) and step in model.named_steps:
            taken[name] = value
        elif name == "groups":
            if parameter := _groups_parameter(final):
                taken[prefix + parameter] = value
            inner = _inner_groups(final)
            if inner:
                taken[prefix + inner] = value
        else:
            inner = final.estimator if isinstance(final, BaseSearchCV) else final
            if has_fit_parameter(inner, name):
                taken[prefix + name] = value
    return taken


def _groups_parameter(final):
    """Return "groups" if an estimator takes them in ``fit``, None if it does not."""
    by_keyword = isinstance(final, BaseSearchCV | TunedOffsetsClassifierCV)
    return "groups" if by_keyword or has_fit_parameter(final, "groups") else None


def _inner_groups(final):
    """Return how a search hands groups to the end of the pipeline that it searches, too."""
    inner = getattr(final, "estimator", None)
    by_keyword = isinstance(final, BaseSearchCV) and not has_fit_parameter(final, "groups")
    if not (by_keyword and isinstance(inner, Pipeline)):
        return None
    step, last = inner.steps[-1]
    return f"{step}__groups" if _groups_parameter(last) else None
