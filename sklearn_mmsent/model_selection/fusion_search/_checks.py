"""What is wrong with a search, said before its first trial."""

import difflib
import warnings
from collections.abc import Mapping
from numbers import Integral

import numpy as np
import pandas as pd
from sklearn.base import is_classifier
from sklearn.model_selection import GroupKFold, StratifiedGroupKFold, check_cv
from sklearn.utils.multiclass import type_of_target

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
    classifier = is_classifier(estimator)
    labels = None
    if classifier and y is not None and type_of_target(y) in ("binary", "multiclass"):
        labels = np.ravel(y)
    grouped = groups is not None and (cv is None or isinstance(cv, Integral))
    if groups is not None:
        _check_groups(groups, X, cv)
    if grouped:
        n_splits = 5 if cv is None else cv
        cv = (StratifiedGroupKFold if labels is not None else GroupKFold)(n_splits)
        split_params = {"groups": groups}
    splitter = check_cv(cv, y, classifier=classifier)
    splits = [(np.asarray(a), np.asarray(b)) for a, b in splitter.split(X, y, **split_params)]
    if not splits:
        raise ValueError(f"{_WHO}: cv gives no folds.")
    for f, (train, test) in enumerate(splits):
        if len(train) == 0 or len(test) == 0:
            which = "training" if len(train) == 0 else "test"
            raise ValueError(
                f"{_WHO}: fold {f} has no {which} rows. Take fewer folds, or another splitter."
            )
    if labels is not None:
        _check_classes(labels, splits)
    return splits


def _check_groups(groups, X, cv):
    sizes = pd.Series(np.asarray(groups)).value_counts()
    n_splits = cv if isinstance(cv, Integral) else getattr(cv, "n_splits", 5 if cv is None else 0)
    if isinstance(n_splits, Integral) and n_splits > len(sizes):
        raise ValueError(
            f"{_WHO}: {n_splits} folds cannot be made of {len(sizes)} groups, of which each is in "
            f"one fold. Take cv={max(2, len(sizes))} at most, or more groups."
        )
    if len(sizes) == len(np.asarray(groups)) > 1:
        warnings.warn(
            f"{_WHO}: each of the {len(sizes)} rows is a group of its own, so that groups keep "
            "nothing together. Groups are speakers, videos, films; are these numbers of rows?",
            UserWarning,
            stacklevel=4,
        )


def _check_classes(y, splits):
    classes = pd.unique(pd.Series(y).dropna())
    for f, (train, test) in enumerate(splits):
        lacking = [label for label in classes if not (y[train] == label).any()]
        if lacking:
            n = int((y == lacking[0]).sum())
            raise ValueError(
                f"{_WHO}: no training row of fold {f} is of the class {lacking[0]!r}, which "
                f"{n} rows of all have: its {int((y[test] == lacking[0]).sum())} test rows could "
                "not be predicted right by any candidate. Take fewer folds, StratifiedKFold or "
                "StratifiedGroupKFold, or join the class with another."
            )
        lacking = [label for label in classes if not (y[test] == label).any()]
        if lacking:
            warnings.warn(
                f"{_WHO}: no test row of fold {f} is of the class {lacking[0]!r}, so that averages "
                "over classes are not the same there as elsewhere. Take fewer folds, or "
                "StratifiedKFold or StratifiedGroupKFold.",
                UserWarning,
                stacklevel=4,
            )
            return


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
