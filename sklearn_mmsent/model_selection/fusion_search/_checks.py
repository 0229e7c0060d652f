"""Checks of a search before its first trial."""

from collections.abc import Mapping

import numpy as np
from sklearn.base import is_classifier
from sklearn.utils.multiclass import type_of_target

from sklearn_mmsent.model_selection import splits
from sklearn_mmsent.spaces.domains import Choices, DependsOn
from sklearn_mmsent.utils._messages import did_you_mean

_OWNER = "FusionSearchCV"


def check_names(space, estimator):
    """Check that the estimator has the parameters of a search space.

    The parameters of estimators among the values of the space are known as well.
    """
    known = set(estimator.get_params(deep=True))
    for name, domain in space.items():
        for value in _values(domain):
            if hasattr(value, "get_params") and not isinstance(value, type):
                known |= {f"{name}__{param}" for param in value.get_params(deep=True)}
    for name in space:
        if name not in known:
            last = name.rpartition("__")[2]
            nested = sorted((k for k in known if k.rpartition("__")[2] == last), key=len)
            hint = did_you_mean(name, known)
            if not hint and nested:
                hint = f" Did you mean {nested[0]!r}?"
            raise ValueError(
                f"{_OWNER}: the search space has {name!r}, which is no parameter of "
                f"{type(estimator).__name__}.{hint}"
            )


def split_rows(cv, estimator, X, y, groups, split_params):
    """Return the splits of the whole search, after checks."""
    if is_classifier(estimator) and y is not None:
        classifier = type_of_target(y) in ("binary", "multiclass")
        y = np.ravel(y) if classifier else y
    else:
        classifier = False
    splitter = splits.choose_splitter(cv, y, classifier=classifier, groups=groups, shuffle=False)
    params = {name: value for name, value in split_params.items() if name != "groups"}
    return splits.split_rows(
        splitter,
        X,
        y,
        groups,
        classifier=classifier,
        owner=_OWNER,
        purpose=splits.SEARCH,
        params=params,
    )


def _values(domain):
    """Return the values of a list of choices, with or without a condition."""
    if isinstance(domain, DependsOn):
        cases = [*domain.cases.values(), domain.otherwise]
        return [value for case in cases if case is not None for value in _values(case)]
    return list(domain.values.values()) if isinstance(domain, Choices) else []


def earlier_candidates(start_from, n):
    """Return the first candidates of a search: the n best of a search or study, or given dicts."""
    if start_from is None:
        return []
    study = getattr(start_from, "study_", start_from)
    if hasattr(study, "get_trials"):
        complete = [t for t in study.get_trials(deepcopy=False) if t.state.name == "COMPLETE"]
        best = sorted(complete, key=lambda t: t.value, reverse=study.direction.name == "MAXIMIZE")
        return [trial.params for trial in best[:n]]
    if isinstance(start_from, Mapping):
        return [dict(start_from)]
    if isinstance(start_from, (list, tuple)) and all(isinstance(c, Mapping) for c in start_from):
        return [dict(candidate) for candidate in start_from]
    raise TypeError(
        f"{_OWNER}: start_from must be a fitted FusionSearchCV, a study of Optuna, or dicts of "
        f"parameters. Got {type(start_from).__name__} instead."
    )
