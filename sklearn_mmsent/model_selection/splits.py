"""Splitting rows into folds, with checks before anything is fitted."""

import warnings
from dataclasses import dataclass
from numbers import Integral

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    StratifiedGroupKFold,
    StratifiedKFold,
    check_cv,
)
from sklearn.utils.validation import has_fit_parameter

from sklearn_mmsent.compose.parts import final_step
from sklearn_mmsent.utils._sklearn import BaseSearchCV, GroupsConsumerMixin, _num_samples

N_FOLDS = 5


@dataclass(frozen=True)
class Purpose:
    """Purpose of splits: which of their faults raise an error and which a warning.

    Parameters
    ----------
    errors, warnings : frozenset of str
        Faults: "not once", rows that are not tested exactly once; "overlap", rows in both parts;
        "split group", groups in both parts; "single-row groups"; "unlearned class", a class that is
        in the test part only; "untested class", a class that a test part lacks; "single row", a
        test part of one row.
    """

    errors: frozenset
    warnings: frozenset


#: Estimating scores.
SCORING = Purpose(
    errors=frozenset({"overlap", "unlearned class"}),
    warnings=frozenset({"split group", "single-row groups", "single row", "untested class"}),
)
#: Choosing among candidates; overlapping rows are allowed, as in scikit-learn's searches.
SEARCH = Purpose(
    errors=frozenset({"unlearned class"}),
    warnings=frozenset({"split group", "single-row groups", "untested class"}),
)
#: Predicting every row by a model that was not fitted on it.
OUT_OF_FOLD = Purpose(
    errors=frozenset({"not once", "overlap", "split group"}),
    warnings=frozenset({"unlearned class"}),
)


def check_rows(X, y, groups=None, *, owner):
    """Check that X, y and groups have the same length and no missing entries.

    Only a table of several targets may have missing values, for unlabelled rows.
    """
    lengths = {"X": _num_samples(X), "y": _num_samples(y)}
    if groups is not None:
        lengths["groups"] = _num_samples(groups)
    if len(set(lengths.values())) > 1:
        found = ", ".join(f"{name} has {n}" for name, n in lengths.items())
        raise ValueError(f"{owner}: X, y and groups must have one entry per row; {found}.")
    if lengths["X"] == 0:
        raise ValueError(f"{owner}: X has no rows.")
    for name, column, advice in (
        ("y", y, "Drop rows without a target"),
        ("groups", groups, "Assign a group to every row, such as a unique one where it is unknown"),
    ):
        if column is None or np.ndim(column) != 1:
            continue
        missing = np.flatnonzero(pd.isna(np.asarray(column, dtype=object)))
        if len(missing):
            raise ValueError(
                f"{owner}: {name} is missing (None or NaN) in {len(missing)} of {lengths['X']} "
                f"rows, first in row {missing[0]}. {advice}."
            )


def choose_splitter(cv, y, *, classifier, groups=None, shuffle=True, random_state=0):
    """Return a splitter; with groups, one that keeps each group in a single fold.

    Parameters
    ----------
    cv : int, splitter, iterable of (train, test) pairs or None
        None means five folds. An int and None become ``StratifiedGroupKFold`` or ``GroupKFold``
        with groups, ``StratifiedKFold`` or ``KFold`` without. Others are passed to ``check_cv``.
    y : array-like of shape (n_samples,) or (n_samples, n_targets)
        Targets; tables of several are not stratified.
    classifier : bool
        Whether targets are classes.
    groups : array-like of shape (n_samples,) or None, default=None
        Speaker, video, film ... of each row.
    shuffle : bool, default=True
        Whether to shuffle.
    random_state : int, RandomState or None, default=0
        Seed of the shuffle.

    Returns
    -------
    splitter
        With ``split`` and ``get_n_splits``.
    """
    cv = N_FOLDS if cv is None else cv
    if not isinstance(cv, Integral):
        return check_cv(cv, y, classifier=classifier)
    stratified = classifier and np.ndim(y) == 1
    kinds = {
        (True, True): StratifiedGroupKFold,
        (True, False): StratifiedKFold,
        (False, True): GroupKFold,
        (False, False): KFold,
    }
    kind = kinds[stratified, groups is not None]
    return kind(cv, shuffle=shuffle, random_state=random_state if shuffle else None)


def split_rows(splitter, X, y, groups=None, *, classifier, owner, purpose=SCORING, params=None):
    """Split rows, and check the splits.

    Parameters
    ----------
    splitter : splitter
        From `choose_splitter`.
    X : DataFrame or array-like of shape (n_samples, ...)
        Rows.
    y : array-like of shape (n_samples,) or (n_samples, n_targets), or None
        Targets.
    groups : array-like of shape (n_samples,) or None, default=None
        Speaker, video, film ... of each row.
    classifier : bool
        Whether targets are classes.
    owner : str
        Name used in error messages, such as "compare".
    purpose : Purpose, default=SCORING
        Purpose of the splits.
    params : dict or None, default=None
        Other metadata for the splitter.

    Returns
    -------
    list of (ndarray of int, ndarray of int) tuples
        Training rows and test rows.

    Raises
    ------
    ValueError
        If there are more folds than groups, rows or rows of any class, if a part is empty, or for
        an error of `purpose`.

    Warns
    -----
    UserWarning
        For a warning of `purpose`.
    """
    groups = None if groups is None else np.asarray(groups)
    n_rows = _num_samples(X)
    _check_units(splitter, _labels(y, classifier), groups, n_rows, owner, purpose)
    with warnings.catch_warnings():
        # reported below, with names, and only where it happens
        warnings.filterwarnings("ignore", message="The least populated class in y has only")
        warnings.filterwarnings("ignore", message="The groups parameter is ignored")
        pairs = splitter.split(X, y, groups, **(params or {}))
        splits = [(np.asarray(a), np.asarray(b)) for a, b in pairs]
    splits = [tuple(np.flatnonzero(p) if p.dtype == bool else p for p in pair) for pair in splits]
    if splits and "not once" in purpose.errors:
        _check_each_row_once(splits, n_rows, owner)
    check_splits(splits, y, groups, classifier=classifier, owner=owner, purpose=purpose)
    return splits


def check_splits(splits, y, groups=None, *, classifier, owner, purpose=SCORING):
    """Raise an error or a warning for faults of splits, depending on their purpose.

    Parameters and faults are those of `split_rows`.
    """
    if not splits:
        raise ValueError(f"{owner}: cv gave no splits.")
    labels = _labels(y, classifier)
    found = {}  # by fault: (fold, example) of each fold that has it
    for fold, (train, test) in enumerate(splits):
        for name, part in (("training", train), ("test", test)):
            if len(part) == 0:
                raise ValueError(
                    f"{owner}: the {name} part of fold {fold} is empty. Use fewer folds."
                )
        for fault, example in _faults(train, test, labels, groups):
            found.setdefault(fault, []).append((fold, example))
    for fault, places in sorted(found.items(), key=lambda item: item[0] not in purpose.errors):
        _report(fault, _MESSAGES[fault](places, len(splits)), owner, purpose)


def _faults(train, test, labels, groups):
    """Yield the faults of a fold, each with an example."""
    if len(both := np.intersect1d(train, test)):
        yield "overlap", both
    if groups is not None and len(
        both := np.intersect1d(np.take(groups, train), np.take(groups, test))
    ):
        yield "split group", both[0]
    if len(test) == 1:
        yield "single row", None
    if labels is not None:
        learned, tested = np.unique(labels[train]), np.unique(labels[test])
        if len(missing := np.setdiff1d(tested, learned)):
            yield "unlearned class", missing[0]
        if len(missing := np.setdiff1d(np.unique(labels), tested)):
            yield "untested class", missing[0]


def _overlap(places, n):
    fold, rows = places[0]
    return (
        f"fold {fold} has {len(rows)} rows in both parts, such as row {rows[0]}; its score would "
        "be inflated by memorised rows."
    )


def _split_group(places, n):
    fold, group = places[0]
    return (
        f"{len(places)} of {n} splits have groups in both parts (fold {fold}: group "
        f"{_name(group)}): groups leak between train and test, which inflates scores. An int as cv "
        "keeps groups together."
    )


def _single_row(places, n):
    return (
        f"the test part of {len(places)} of {n} folds (fold {places[0][0]} first) is a single row, "
        "for which F1 and correlation are meaningless. Use fewer folds."
    )


def _unlearned_class(places, n):
    fold, label = places[0]
    return (
        f"the training part of fold {fold} has no row of class {_name(label)}, which its test part "
        "has: no model can predict it, its probability is 0. Use fewer folds, drop or merge small "
        "classes, or stratify."
    )


def _untested_class(places, n):
    fold, label = places[0]
    return (
        f"the test part of {len(places)} of {n} folds lacks a class (fold {fold} has no "
        f"{_name(label)}): its macro averages are over fewer classes. Use fewer folds, or weighted "
        "averages."
    )


_MESSAGES = {
    "overlap": _overlap,
    "split group": _split_group,
    "single row": _single_row,
    "unlearned class": _unlearned_class,
    "untested class": _untested_class,
}


def _report(fault, message, owner, purpose):
    """Raise an error or a warning, depending on the purpose."""
    if fault in purpose.errors:
        raise ValueError(f"{owner}: {message}")
    if fault in purpose.warnings:
        warnings.warn(f"{owner}: {message}", UserWarning, stacklevel=5)


def _check_each_row_once(splits, n_rows, owner):
    times = np.bincount(np.concatenate([test for _, test in splits]), minlength=n_rows)
    if (times != 1).any():
        row = int(np.argmax(times != 1))
        raise ValueError(
            f"{owner}: cv must test each row once, but tests row {row} {times[row]} times. Use an "
            "int or a splitter such as StratifiedGroupKFold."
        )


def _check_units(splitter, labels, groups, n_rows, owner, purpose):
    """Check that there are enough rows, groups and rows of each class for the folds."""
    grouped = isinstance(splitter, GroupsConsumerMixin)
    if grouped and groups is None:
        raise ValueError(
            f"{owner}: {type(splitter).__name__} splits by groups, but none were given. Pass "
            "groups=, the speaker, video, film ... of each row."
        )
    if groups is not None and len(groups) == len(np.unique(groups)):
        message = (
            f"each of the {len(groups)} groups has a single row, so that groups have no effect. "
            "Pass what rows have in common, such as the speaker, or no groups."
        )
        _report("single-row groups", message, owner, purpose)
    if type(splitter) in _PARTITIONS:
        n_folds = splitter.n_splits
        n_units, kind = n_rows, f"rows (n_samples={n_rows})"  # scikit-learn's checks match this
        if grouped:
            n_units, kind = len(np.unique(groups)), "groups"
        _check_n_folds(n_folds, n_units, kind, owner)
        if labels is not None and isinstance(splitter, StratifiedKFold | StratifiedGroupKFold):
            largest = np.unique(labels, return_counts=True)[1].max()
            if largest < n_folds:
                raise ValueError(
                    f"{owner}: no class has more than {largest} rows, so that {n_folds} stratified "
                    f"folds cannot be made. Use at most {max(largest, 2)} folds, or get more rows."
                )
    if grouped and labels is not None and "unlearned class" in purpose.errors:
        for label in np.unique(labels):
            label_groups = np.unique(groups[labels == label])
            if len(label_groups) == 1:
                raise ValueError(
                    f"{owner}: class {_name(label)} occurs in a single group, "
                    f"{_name(label_groups[0])}, so that it cannot be in both parts. Drop the "
                    "class, or merge it with another."
                )


#: Splitters that partition rows, or groups, into `n_splits` folds.
_PARTITIONS = {KFold, StratifiedKFold, GroupKFold, StratifiedGroupKFold}


def _check_n_folds(n_folds, n_units, kind, owner):
    if n_folds > n_units:
        remedy = f"Use at most {n_units} folds (cv={n_units})." if n_units > 1 else "Get more."
        raise ValueError(f"{owner}: {n_folds} folds cannot be made of {n_units} {kind}. {remedy}")


def _labels(y, classifier):
    """Return the class labels; None for other targets."""
    return np.asarray(y) if classifier and np.ndim(y) == 1 else None


def _name(label):
    return repr(label.item() if isinstance(label, np.generic) else label)


def splits_rows(final):
    """Return whether an estimator that is no pipeline splits rows and takes groups."""
    takes = isinstance(final, BaseSearchCV) or has_fit_parameter(final, "groups")
    return takes and "cv" in final.get_params(deep=False)


def with_grouped_folds(model, y, groups, *, classifier, random_state=0):
    """Return a model whose inner folds keep groups together, where its `cv` is a number.

    The model is cloned if it changes. A fitted search does not: it has its candidates.
    """
    final = final_step(model)
    if groups is None or hasattr(final, "cv_results_") or not splits_rows(final):
        return model
    if not isinstance(final.cv, Integral | None):
        return model
    cv = choose_splitter(
        final.cv, y, classifier=classifier, groups=groups, random_state=random_state
    )
    model = clone(model)
    final_step(model).set_params(cv=cv)
    return model
