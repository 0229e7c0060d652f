"""Models of a comparison: names, kinds, and searches among them."""

import warnings
from collections import Counter

from sklearn.base import is_classifier, is_regressor
from sklearn.dummy import DummyClassifier, DummyRegressor

from sklearn_mmsent.compose.parts import final_step
from sklearn_mmsent.model_selection._batched_search import BatchedGridSearchCV
from sklearn_mmsent.model_selection.splits import choose_splitter, split_rows, splits_rows

CONSTANT = "constant"
INNER_FOLDS = 3


def name_models(estimators):
    """Return estimators by name; unnamed ones are named after their class."""
    if hasattr(estimators, "fit"):
        estimators = [estimators]
    pairs = list(estimators.items()) if isinstance(estimators, dict) else list(estimators)
    if not all(isinstance(pair, tuple) for pair in pairs):
        pairs = [(type(estimator).__name__, estimator) for estimator in pairs]
    for name, estimator in pairs:
        if not isinstance(name, str) or not hasattr(estimator, "fit"):
            raise TypeError(
                f"compare: estimators must map names, which are strings, to estimators; got "
                f"{name!r}: {estimator!r}."
            )
    duplicates = [name for name, n in Counter(name for name, _ in pairs).items() if n > 1]
    if duplicates:
        raise ValueError(
            f"compare: {duplicates[0]!r} names several models. Use unique names: "
            "compare({'small': ..., 'large': ...}, ...)."
        )
    if not pairs:
        raise ValueError("compare: estimators is empty.")
    return dict(pairs)


def are_classifiers(models):
    """Return whether all models are classifiers; raise an error for mixed or unknown kinds."""
    kinds = {name: _kind(model) for name, model in models.items()}
    for name, kind in kinds.items():
        if kind is None:
            raise ValueError(
                f"compare: {name!r} ({type(models[name]).__name__}) is neither a classifier nor a "
                "regressor, so that it has no constant baseline. Compare targets one by one."
            )
    if len(set(kinds.values())) > 1:
        some = {kind: name for name, kind in kinds.items()}
        raise ValueError(
            f"compare: {some['classifier']!r} is a classifier and {some['regressor']!r} a "
            "regressor; they have no score in common."
        )
    return "classifier" in kinds.values()


def _kind(model):
    if is_classifier(model):
        return "classifier"
    if is_regressor(model):
        return "regressor"
    inner = getattr(model, "estimator", None)  # the tags of OptunaSearchCV do not say
    return None if inner is None else _kind(inner)


def with_constant(models, *, classifier):
    """Return the models and the name of the constant predictor, added first if there is none."""
    for name, model in models.items():
        if isinstance(model, DummyClassifier | DummyRegressor):
            return models, name
    if CONSTANT in models:
        raise ValueError(
            f"compare: {CONSTANT!r} is the name of the constant predictor, which is always added; "
            f"rename the {type(models[CONSTANT]).__name__}."
        )
    return {CONSTANT: DummyClassifier() if classifier else DummyRegressor(), **models}, CONSTANT


def with_searches(models, spaces, *, scoring):
    """Wrap the models that have a grid in searches."""
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
    """Check the inner splits of a model that splits rows, in each outer training part."""
    final = final_step(model)
    if not splits_rows(final):
        return
    owner = f"compare, inner folds of {name!r}"
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for train, _ in splits:
            splitter = choose_splitter(final.cv, y[train], classifier=classifier)
            inside = None if groups is None else groups[train]
            split_rows(splitter, train, y[train], inside, classifier=classifier, owner=owner)
    if caught:  # outer folds often have the same problem
        warnings.warn(caught[0].message, stacklevel=2)
