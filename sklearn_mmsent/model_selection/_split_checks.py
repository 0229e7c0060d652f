"""Cutting rows into folds, and telling what is wrong with them before anything is fitted."""

import warnings
from numbers import Integral

import numpy as np
import pandas as pd
from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold, StratifiedKFold
from sklearn.model_selection._split import GroupsConsumerMixin, check_cv
from sklearn.utils.validation import _num_samples

N_FOLDS = 5


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


def choose_splitter(cv, y, *, classifier, groups=None, random_state=0):
    """Choose how rows are split: with groups never through one, else shuffled.

    Parameters
    ----------
    cv : int, splitter, iterable of (train, test) pairs or None
        None means five folds. An int and None become ``StratifiedGroupKFold`` or ``GroupKFold``
        where there are groups, else ``StratifiedKFold`` or ``KFold``, all shuffled. Anything else
        stays what it is.
    y : array-like of shape (n_samples,) or (n_samples, n_targets)
        Targets; several are not stratified.
    classifier : bool
        Whether targets are classes.
    groups : array-like of shape (n_samples,) or None, default=None
        Speaker, video, film ... of each row.
    random_state : int, default=0
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
    return kinds[stratified, groups is not None](cv, shuffle=True, random_state=random_state)


def split_rows(splitter, X, y, groups=None, *, classifier, owner):
    """Split rows, and refuse splits whose scores would mean nothing.

    Parameters
    ----------
    splitter : splitter
        As `choose_splitter` gives it.
    X : DataFrame or array-like of shape (n_samples, ...)
        Rows.
    y : array-like of shape (n_samples,) or (n_samples, n_targets)
        Targets.
    groups : array-like of shape (n_samples,) or None, default=None
        Speaker, video, film ... of each row.
    classifier : bool
        Whether targets are classes.
    owner : str
        Who asks, for messages, such as "compare".

    Returns
    -------
    list of (ndarray of int, ndarray of int) tuples
        Rows to fit on, and rows to score.

    Raises
    ------
    ValueError
        If there are more folds than groups or rows, a class lies in a single group, a part is
        empty, a class is missing from a training part, or a row is on both sides.

    Warns
    -----
    UserWarning
        If the splits cut through groups, each group has a single row, a test part lacks a class or
        has a single row.
    """
    groups = None if groups is None else np.asarray(groups)
    labels = np.asarray(y) if classifier and np.ndim(y) == 1 else None
    _check_units(splitter, labels, groups, _num_samples(X), owner)
    with warnings.catch_warnings():
        # the same is told below, with names, and only where it comes true
        warnings.filterwarnings("ignore", message="The least populated class in y has only")
        warnings.filterwarnings("ignore", message="The groups parameter is ignored")
        splits = [(np.asarray(a), np.asarray(b)) for a, b in splitter.split(X, y, groups)]
    splits = [tuple(np.flatnonzero(p) if p.dtype == bool else p for p in pair) for pair in splits]
    check_splits(splits, y, groups, classifier=classifier, owner=owner)
    return splits


def check_splits(splits, y, groups=None, *, classifier, owner):
    """Refuse splits whose scores would mean nothing, and warn of those that mean little.

    Parameters
    ----------
    splits : list of (ndarray of int, ndarray of int) tuples
        Rows to fit on, and rows to score.
    y : array-like of shape (n_samples,) or (n_samples, n_targets)
        Targets.
    groups : array-like of shape (n_samples,) or None, default=None
        Speaker, video, film ... of each row.
    classifier : bool
        Whether targets are classes.
    owner : str
        Who asks, for messages.

    Raises
    ------
    ValueError, with a UserWarning for what is no error
        As `split_rows` does.
    """
    if not splits:
        raise ValueError(f"{owner}: cv gave no splits.")
    labels = np.asarray(y) if classifier and np.ndim(y) == 1 else None
    lacking, cut, lonely = [], [], []
    for fold, (train, test) in enumerate(splits):
        for name, part in (("training", train), ("test", test)):
            if len(part) == 0:
                raise ValueError(
                    f"{owner}: the {name} part of fold {fold} is empty. Use fewer folds."
                )
        if len(both := np.intersect1d(train, test)):
            raise ValueError(
                f"{owner}: fold {fold} tests {len(both)} of the rows that it trains on, row "
                f"{both[0]} among them; its score would be of what was learned by heart."
            )
        if len(test) == 1:
            lonely.append(fold)
        if groups is not None and len(
            np.intersect1d(np.take(groups, train), np.take(groups, test))
        ):
            cut.append(fold)
        if labels is not None:
            classes = np.unique(labels[np.concatenate([train, test])])
            if len(missing := np.setdiff1d(classes, labels[train])):
                raise ValueError(
                    f"{owner}: the training part of fold {fold} has no row of class "
                    f"{_name(missing[0])}, which its test part has: no model could ever predict "
                    "it. Use fewer folds, leave out or join small classes, or stratify."
                )
            if len(missing := np.setdiff1d(np.unique(labels), labels[test])):
                lacking.append((fold, missing[0]))
    _warn(cut, lonely, lacking, len(splits), owner)


def _check_units(splitter, labels, groups, n_rows, owner):
    """Compare the number of folds with what there is to share out."""
    grouped = isinstance(splitter, GroupsConsumerMixin)
    if grouped and groups is None:
        raise ValueError(
            f"{owner}: {type(splitter).__name__} splits by groups, but none were given. Pass "
            "groups=, the speaker, video, film ... of each row."
        )
    if groups is not None and len(groups) == len(np.unique(groups)):
        warnings.warn(
            f"{owner}: each of the {len(groups)} groups has a single row, so that they keep "
            "nothing together. Pass who or what rows have in common, such as the speaker, or no "
            "groups at all.",
            UserWarning,
            stacklevel=4,
        )
    n_folds = getattr(splitter, "n_splits", None)
    units, what = (np.unique(groups), "groups") if grouped else (range(n_rows), "rows")
    if isinstance(n_folds, Integral) and type(splitter) in _PARTITIONS and n_folds > len(units):
        raise ValueError(
            f"{owner}: {n_folds} folds cannot be made of {len(units)} {what}. Use at most "
            f"{len(units)} folds (cv={max(2, len(units))})."
        )
    if grouped and labels is not None:
        for label in np.unique(labels):
            owners = np.unique(groups[labels == label])
            if len(owners) == 1:
                raise ValueError(
                    f"{owner}: class {_name(label)} lies in a single group, {_name(owners[0])}: it "
                    "cannot be both learned and tested. Leave the class out, or join it to another."
                )


#: Splitters that deal rows, or groups, out to `n_splits` folds.
_PARTITIONS = {KFold, StratifiedKFold, GroupKFold, StratifiedGroupKFold}


def _warn(cut, lonely, lacking, n_splits, owner):
    messages = []
    if cut:
        messages.append(
            f"{len(cut)} of {n_splits} splits cut through groups (fold {cut[0]} first): rows of "
            "one group are trained on and tested, which flatters. An int as cv keeps groups whole."
        )
    if lonely:
        messages.append(
            f"the test part of {len(lonely)} of {n_splits} folds (fold {lonely[0]} first) is a "
            "single row, on which F1 and correlation tell nothing. Use fewer folds."
        )
    if lacking:
        fold, label = lacking[0]
        messages.append(
            f"the test part of {len(lacking)} of {n_splits} folds lacks a class (fold {fold} has "
            f"no {_name(label)}): macro averages there are over fewer classes. Use fewer folds, or "
            "read weighted averages."
        )
    for message in messages:
        warnings.warn(f"{owner}: {message}", UserWarning, stacklevel=5)


def _name(label):
    return repr(label.item() if isinstance(label, np.generic) else label)
