"""Cutting rows into folds, and telling what is wrong with them before anything is fitted."""

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
class Use:
    """What folds are for: which faults are errors then, which are warned of; others are none.

    Parameters
    ----------
    errors, warnings : frozenset of str
        Of: "not once", rows that are not tested exactly once; "seen", that are also trained on;
        "cut", groups on both sides; "lone", groups of one row; "unlearned", classes that are tested
        but not trained on; "untested", classes that a test part lacks; "single", a test part of one
        row.
    """

    errors: frozenset
    warnings: frozenset


#: To tell how good models are.
SCORES = Use(frozenset({"seen", "unlearned"}), frozenset({"cut", "lone", "single", "untested"}))
#: To choose among candidates, as scikit-learn's searches do on any rows that one likes.
SEARCH = Use(frozenset({"unlearned"}), frozenset({"cut", "lone", "untested"}))
#: To predict every row by models that have not seen it.
OUT_OF_FOLD = Use(frozenset({"not once", "seen", "cut"}), frozenset({"unlearned"}))


def check_rows(X, y, groups=None, *, owner):
    """Refuse rows, targets and groups that do not belong together.

    Parameters
    ----------
    X : DataFrame or array-like of shape (n_samples, ...)
        Rows.
    y : array-like of shape (n_samples,) or (n_samples, n_targets)
        Targets. Only a table of several may have gaps, which mean "not labelled".
    groups : array-like of shape (n_samples,) or None, default=None
        Speaker, video, film ... of each row.
    owner : str
        Who asks, for messages.

    Raises
    ------
    ValueError
        If lengths differ, or a target or a group is missing.
    """
    lengths = {"X": _num_samples(X), "y": _num_samples(y)}
    if groups is not None:
        lengths["groups"] = _num_samples(groups)
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{name} has {n}" for name, n in lengths.items())
        raise ValueError(f"{owner}: X, y and groups must have one entry per row; {told}.")
    if lengths["X"] == 0:
        raise ValueError(f"{owner}: there are no rows.")
    for name, column, advice in (
        ("y", y, "Leave out rows without a target"),
        ("groups", groups, "Give every row a group, one of its own where none is known"),
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
    """Choose how rows are split: with groups never through one.

    Parameters
    ----------
    cv : int, splitter, iterable of (train, test) pairs or None
        None means five folds. An int and None become ``StratifiedGroupKFold`` or ``GroupKFold``
        where there are groups, else ``StratifiedKFold`` or ``KFold``. Anything else stays what it
        is.
    y : array-like of shape (n_samples,) or (n_samples, n_targets)
        Targets; several are not stratified.
    classifier : bool
        Whether targets are classes.
    groups : array-like of shape (n_samples,) or None, default=None
        Speaker, video, film ... of each row.
    shuffle : bool, default=True
        Whether folds are shuffled.
    random_state : int, RandomState or None, default=0
        Of the shuffle.

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


def split_rows(splitter, X, y, groups=None, *, classifier, owner, use=SCORES, params=None):
    """Split rows, and refuse splits that are of no use.

    Parameters
    ----------
    splitter : splitter
        As `choose_splitter` gives it.
    X : DataFrame or array-like of shape (n_samples, ...)
        Rows.
    y : array-like of shape (n_samples,) or (n_samples, n_targets), or None
        Targets.
    groups : array-like of shape (n_samples,) or None, default=None
        Speaker, video, film ... of each row.
    classifier : bool
        Whether targets are classes.
    owner : str
        Who asks, for messages, such as "compare".
    use : Use, default=SCORES
        What the splits are for.
    params : dict or None, default=None
        Other metadata of the splitter.

    Returns
    -------
    list of (ndarray of int, ndarray of int) tuples
        Rows to fit on, and rows to score.

    Raises
    ------
    ValueError
        If there are more folds than groups or rows, or than rows of any class; if a part is empty;
        or for what `use` says.

    Warns
    -----
    UserWarning
        For what `use` says.
    """
    groups = None if groups is None else np.asarray(groups)
    n_rows = _num_samples(X)
    _check_units(splitter, _labels(y, classifier), groups, n_rows, owner, use)
    with warnings.catch_warnings():
        # the same is told below, with names, and only where it comes true
        warnings.filterwarnings("ignore", message="The least populated class in y has only")
        warnings.filterwarnings("ignore", message="The groups parameter is ignored")
        pairs = splitter.split(X, y, groups, **(params or {}))
        splits = [(np.asarray(a), np.asarray(b)) for a, b in pairs]
    splits = [tuple(np.flatnonzero(p) if p.dtype == bool else p for p in pair) for pair in splits]
    if splits and "not once" in use.errors:
        _check_each_row_once(splits, n_rows, owner)
    check_splits(splits, y, groups, classifier=classifier, owner=owner, use=use)
    return splits


def check_splits(splits, y, groups=None, *, classifier, owner, use=SCORES):
    """Refuse splits that are of no use, and warn of those that are of little.

    Parameters
    ----------
    splits : list of (ndarray of int, ndarray of int) tuples
        Rows to fit on, and rows to score.
    y : array-like of shape (n_samples,) or (n_samples, n_targets), or None
        Targets.
    groups : array-like of shape (n_samples,) or None, default=None
        Speaker, video, film ... of each row.
    classifier : bool
        Whether targets are classes.
    owner : str
        Who asks, for messages.
    use : Use, default=SCORES
        What the splits are for.

    Raises
    ------
    ValueError, with a UserWarning for what is no error
        As `split_rows` does.
    """
    if not splits:
        raise ValueError(f"{owner}: cv gave no splits.")
    labels = _labels(y, classifier)
    found = {}  # fault: folds that have it, and of the first what it is about
    for fold, (train, test) in enumerate(splits):
        for name, part in (("training", train), ("test", test)):
            if len(part) == 0:
                raise ValueError(
                    f"{owner}: the {name} part of fold {fold} is empty. Use fewer folds."
                )
        for fault, about in _faults(train, test, labels, groups):
            found.setdefault(fault, []).append((fold, about))
    for fault, places in sorted(found.items(), key=lambda item: item[0] not in use.errors):
        _tell(fault, _MESSAGES[fault](places, len(splits)), owner, use)


def _faults(train, test, labels, groups):
    """Yield what is wrong with a fold, and one example."""
    if len(both := np.intersect1d(train, test)):
        yield "seen", both
    if groups is not None and len(
        both := np.intersect1d(np.take(groups, train), np.take(groups, test))
    ):
        yield "cut", both[0]
    if len(test) == 1:
        yield "single", None
    if labels is not None:
        learned, tested = np.unique(labels[train]), np.unique(labels[test])
        if len(missing := np.setdiff1d(tested, learned)):
            yield "unlearned", missing[0]
        if len(missing := np.setdiff1d(np.unique(labels), tested)):
            yield "untested", missing[0]


def _seen(places, n):
    fold, rows = places[0]
    return (
        f"fold {fold} tests {len(rows)} of the rows that it trains on, row {rows[0]} among them; "
        "its score would be of what was learned by heart."
    )


def _cut(places, n):
    fold, group = places[0]
    return (
        f"{len(places)} of {n} splits cut through groups (fold {fold} first, through the group "
        f"{_name(group)}): rows of one group are trained on and tested, which flatters. An int as "
        "cv keeps groups whole."
    )


def _single(places, n):
    return (
        f"the test part of {len(places)} of {n} folds (fold {places[0][0]} first) is a single row, "
        "on which F1 and correlation tell nothing. Use fewer folds."
    )


def _unlearned(places, n):
    fold, label = places[0]
    return (
        f"the training part of fold {fold} has no row of class {_name(label)}, which its test part "
        "has: no model could ever predict it there, its probability is 0. Use fewer folds, leave "
        "out or join small classes, or stratify."
    )


def _untested(places, n):
    fold, label = places[0]
    return (
        f"the test part of {len(places)} of {n} folds lacks a class (fold {fold} has no "
        f"{_name(label)}): macro averages there are over fewer classes. Use fewer folds, or read "
        "weighted averages."
    )


_MESSAGES = {
    "seen": _seen,
    "cut": _cut,
    "single": _single,
    "unlearned": _unlearned,
    "untested": _untested,
}


def _tell(fault, message, owner, use):
    """Raise an error or warn, as the use has it."""
    if fault in use.errors:
        raise ValueError(f"{owner}: {message}")
    if fault in use.warnings:
        warnings.warn(f"{owner}: {message}", UserWarning, stacklevel=5)


def _check_each_row_once(splits, n_rows, owner):
    times = np.bincount(np.concatenate([test for _, test in splits]), minlength=n_rows)
    if (times != 1).any():
        row = int(np.argmax(times != 1))
        raise ValueError(
            f"{owner}: cv must predict each row once, but predicts row {row} {times[row]} times. "
            "Take an int or a splitter such as StratifiedGroupKFold."
        )


def _check_units(splitter, labels, groups, n_rows, owner, use):
    """Compare the number of folds with what there is to share out."""
    grouped = isinstance(splitter, GroupsConsumerMixin)
    if grouped and groups is None:
        raise ValueError(
            f"{owner}: {type(splitter).__name__} splits by groups, but none were given. Pass "
            "groups=, the speaker, video, film ... of each row."
        )
    if groups is not None and len(groups) == len(np.unique(groups)):
        message = (
            f"each of the {len(groups)} groups has a single row, so that they keep nothing "
            "together. Pass who or what rows have in common, such as the speaker, or no groups at "
            "all."
        )
        _tell("lone", message, owner, use)
    if type(splitter) in _PARTITIONS:
        n_folds = splitter.n_splits
        n_units, what = n_rows, f"rows (n_samples={n_rows})"  # scikit-learn's checks read it so
        if grouped:
            n_units, what = len(np.unique(groups)), "groups"
        _check_shares(n_folds, n_units, what, owner)
        if labels is not None and isinstance(splitter, StratifiedKFold | StratifiedGroupKFold):
            largest = np.unique(labels, return_counts=True)[1].max()
            if largest < n_folds:
                raise ValueError(
                    f"{owner}: no class has more than {largest} rows, so that {n_folds} stratified "
                    f"folds cannot be made. Use at most {max(largest, 2)} folds, or get more rows."
                )
    if grouped and labels is not None and "unlearned" in use.errors:
        for label in np.unique(labels):
            owners = np.unique(groups[labels == label])
            if len(owners) == 1:
                raise ValueError(
                    f"{owner}: class {_name(label)} lies in a single group, {_name(owners[0])}: it "
                    "cannot be both learned and tested. Leave the class out, or join it to another."
                )


#: Splitters that deal rows, or groups, out to `n_splits` folds.
_PARTITIONS = {KFold, StratifiedKFold, GroupKFold, StratifiedGroupKFold}


def _check_shares(n_folds, n_units, what, owner):
    if n_folds > n_units:
        remedy = f"Use at most {n_units} folds (cv={n_units})." if n_units > 1 else "Get more."
        raise ValueError(f"{owner}: {n_folds} folds cannot be made of {n_units} {what}. {remedy}")


def _labels(y, classifier):
    """Return targets that are classes, of one column; else None."""
    return np.asarray(y) if classifier and np.ndim(y) == 1 else None


def _name(label):
    return repr(label.item() if isinstance(label, np.generic) else label)


def splits_inside(final):
    """Tell whether an estimator, which is no pipeline, splits rows and may be given groups."""
    takes = isinstance(final, BaseSearchCV) or has_fit_parameter(final, "groups")
    return takes and "cv" in final.get_params(deep=False)


def with_whole_groups(model, y, groups, *, classifier, random_state=0):
    """Let a model keep groups together where the folds inside of it are but a number.

    Parameters
    ----------
    model : estimator
        Perhaps a search, or a pipeline that ends in one. It is not changed.
    y : ndarray of shape (n_samples,) or (n_samples, n_targets)
        Targets.
    groups : ndarray of shape (n_samples,) or None
        Of the rows; None leaves the model as it is.
    classifier : bool
        Whether it predicts classes.
    random_state : int, RandomState or None, default=0
        Of the shuffle.

    Returns
    -------
    estimator
        A clone, or the model itself if there is nothing to do: also a search that was fitted
        before, which has its candidates.
    """
    final = final_step(model)
    if groups is None or hasattr(final, "cv_results_") or not splits_inside(final):
        return model
    if not isinstance(final.cv, Integral | None):
        return model
    cv = choose_splitter(
        final.cv, y, classifier=classifier, groups=groups, random_state=random_state
    )
    model = clone(model)
    final_step(model).set_params(cv=cv)
    return model
