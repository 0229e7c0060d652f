"""What is wrong with a search, said before its first trial."""

import difflib
from collections.abc import Mapping

import numpy as np
from sklearn.base import is_classifier
from sklearn.utils.multiclass import type_of_target

from sklearn_mmsent.model_selection.splits import SEARCH, choose_splitter
from sklearn_mmsent.model_selection.splits import split_rows as split_rows_of
from sklearn_mmsent.spaces.domains import Choices, DependsOn

_WHO = "FusionSearchCV"


def check_names(space, estimator):
    """Raise an error if a space names a parameter that the estimator does not have.

    Parameters
    ----------
    space : SearchSpace
        Names, and what to try; what it puts in the place of a step brings parameters of its own.
    estimator : estimator
        What is searched.
    """
    known = set(estimator.get_params(deep=True))
    for name, domain in space.items():
        for value in _values(domain):
            if hasattr(value, "get_params") and not isinstance(value, type):
                known |= {f"{name}__{own}" for own in value.get_params(deep=True)}
    for name in space:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            last = name.rpartition("__")[2]
            close = close or sorted((k for k in known if k.rpartition("__")[2] == last), key=len)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            raise ValueError(
                f"{_WHO}: the search space has {name!r}, which is no parameter of "
                f"{type(estimator).__name__}.{hint}"
            )


def split_rows(cv, estimator, X, y, groups, split_params):
    """Split rows into folds, once for the whole search, and check them.

    Parameters
    ----------
    cv : int, splitter, iterable or None
        How. A number of folds, or None for five, keeps groups together where there are some.
    estimator : estimator
        What is searched.
    X, y, groups : array-like
        Rows.
    split_params : dict
        Metadata of the splitter.

    Returns
    -------
    list of (ndarray, ndarray)
        Training and test rows.
    """
    if is_classifier(estimator) and y is not None:
        classifier = type_of_target(y) in ("binary", "multiclass")
        y = np.ravel(y) if classifier else y
    else:
        classifier = False
    splitter = choose_splitter(cv, y, classifier=classifier, groups=groups, shuffle=False)
    params = {name: value for name, value in split_params.items() if name != "groups"}
    return split_rows_of(
        splitter,
        X,
        y,
        groups,
        classifier=classifier,
        owner=_WHO,
        use=SEARCH,
        params=params,
    )


def _values(domain):
    """Return the values that a domain lists."""
    if isinstance(domain, DependsOn):
        cases = [*domain.cases.values(), domain.otherwise]
        return [value for case in cases if case is not None for value in _values(case)]
    return list(domain.values.values()) if isinstance(domain, Choices) else []


def earlier_candidates(start_from, n):
    """Return the candidates that a search begins with.

    Parameters
    ----------
    start_from : None, FusionSearchCV, Study, mapping or list of mapping
        An earlier search or study, or values of parameters.
    n : int
        How many to take of a search or study, the best first.

    Returns
    -------
    list of dict
    """
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
        f"{_WHO}: start_from takes a fitted FusionSearchCV, a study of Optuna, or dicts of "
        f"parameters. Got {type(start_from).__name__} instead."
    )
