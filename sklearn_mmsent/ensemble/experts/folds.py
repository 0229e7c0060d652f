"""Folds for out-of-fold predictions: each row tested once, no group on both sides."""

import warnings
from numbers import Integral

import numpy as np
from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold, StratifiedKFold

N_FOLDS = 5


def make_folds(cv, X, y, groups=None, *, classifier, random_state=None, owner):
    """Split rows into folds, and tell what is wrong with them before anything is fitted.

    Parameters
    ----------
    cv : int, splitter, iterable of (train, test) pairs or None
        None means five. An int is that many shuffled folds, through which no group is cut,
        stratified for a classifier.
    X : DataFrame or ndarray of shape (n_samples, ...)
        Rows.
    y : ndarray of shape (n_samples,)
        Targets.
    groups : ndarray of shape (n_samples,) or None, default=None
        Speaker, video, film ... of each row.
    classifier : bool
        Whether targets are classes.
    random_state : int, RandomState or None, default=None
        Decides the shuffle.
    owner : str
        Who asks, for messages.

    Returns
    -------
    list of (ndarray of int, ndarray of int) tuples
        Rows to fit on and rows to predict.

    Raises
    ------
    ValueError
        If there are more folds than rows or groups, a row is not predicted exactly once, or a group
        is on both sides.

    Warns
    -----
    UserWarning
        If a fold's training rows lack a class, which then has probability zero there.
    """
    cv = N_FOLDS if cv is None else cv
    if isinstance(cv, Integral):
        cv = _splitter(cv, y, groups, classifier, random_state, owner)
    if hasattr(cv, "split"):
        asks = cv.get_metadata_routing().split.requests.get("groups") is True
        with warnings.catch_warnings():
            # told below, with the class, where it comes true
            warnings.filterwarnings("ignore", message="The least populated class in y has only")
            splits = list(cv.split(X, y, groups if asks else None))
    else:
        splits = list(cv)
    rows = np.arange(len(y))
    splits = [(rows[train], rows[test]) for train, test in splits]  # masks become numbers
    _check_each_row_once(splits, len(y), owner)
    if groups is not None:
        _check_groups(splits, groups, owner)
    if classifier:
        _warn_of_unknown_classes(splits, y, owner)
    return splits


def _splitter(n_folds, y, groups, classifier, random_state, owner):
    units, what = (y, "rows") if groups is None else (np.unique(groups), "groups")
    if len(units) < n_folds:
        remedy = f"Set cv to {len(units)} or less." if len(units) > 1 else f"Get more {what}."
        raise ValueError(
            f"{owner}: {n_folds} folds need as many {what} at least, but there are "
            f"{len(units)} (n_samples={len(y)}). {remedy}"
        )
    if classifier and (largest := np.unique(y, return_counts=True)[1].max()) < n_folds:
        raise ValueError(
            f"{owner}: no class has more than {largest} rows, so that {n_folds} stratified folds "
            f"cannot be made. Set cv to {max(largest, 2)} or less, or get more rows."
        )
    kinds = {
        (True, True): StratifiedGroupKFold,
        (True, False): StratifiedKFold,
        (False, True): GroupKFold,
        (False, False): KFold,
    }
    kind = kinds[classifier, groups is not None]
    return kind(n_folds, shuffle=True, random_state=random_state)


def _check_each_row_once(splits, n_rows, owner):
    if not splits:
        raise ValueError(f"{owner}: cv gave no splits.")
    times = np.bincount(np.concatenate([test for _, test in splits]), minlength=n_rows)
    if (times != 1).any():
        row = int(np.argmax(times != 1))
        raise ValueError(
            f"{owner}: cv must predict each row once, but predicts row {row} {times[row]} times. "
            "Take an int or a splitter such as StratifiedGroupKFold."
        )
    for fold, (train, test) in enumerate(splits):
        if len(both := np.intersect1d(train, test)):
            raise ValueError(
                f"{owner}: fold {fold} trains on {len(both)} of the rows that it predicts, row "
                f"{both[0]} among them."
            )


def _check_groups(splits, groups, owner):
    for fold, (train, test) in enumerate(splits):
        if len(both := np.intersect1d(groups[train], groups[test])):
            raise ValueError(
                f"{owner}: fold {fold} of cv has rows of the group {both.tolist()[0]!r} on both "
                f"sides ({len(both)} such groups). Give cv as an int, which keeps groups together, "
                "or a splitter such as GroupKFold."
            )


def _warn_of_unknown_classes(splits, y, owner):
    classes = np.unique(y)
    for fold, (train, _) in enumerate(splits):
        if len(unknown := np.setdiff1d(classes, y[train])):
            warnings.warn(
                f"{owner}: the class {unknown.tolist()[0]!r} is in no training row of fold {fold}, "
                "so that its probability is 0 there. Take fewer folds, or join small classes.",
                UserWarning,
                stacklevel=4,
            )
            return
