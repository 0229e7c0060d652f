"""Splits of rows into folds, and the checks before anything is fitted."""

import warnings

import numpy as np
import pytest
from sklearn.model_selection import GroupKFold, KFold, LeaveOneGroupOut, StratifiedGroupKFold

from sklearn_mmsent.model_selection.splits import (
    OUT_OF_FOLD,
    SCORING,
    SEARCH,
    check_rows,
    check_splits,
    choose_splitter,
    split_rows,
)

Y = np.array(["sad", "glad"] * 12)
GROUPS = np.repeat(list("abcdefgh"), 3)
X = np.zeros((24, 2))
ME = {"classifier": True, "owner": "me"}


def split(cv, y=Y, groups=GROUPS, **options):
    options = ME | options
    splitter = choose_splitter(cv, y, classifier=options["classifier"], groups=groups)
    return split_rows(splitter, np.zeros((len(y), 2)), y, groups, **options)


@pytest.mark.parametrize("classifier", [True, False])
@pytest.mark.parametrize("grouped", [True, False])
def test_groups_stay_together_and_every_row_is_tested_once(classifier, grouped):
    y = Y if classifier else np.arange(24.0)
    groups = GROUPS if grouped else None
    splits = split(4, y, groups, classifier=classifier)
    assert sorted(np.concatenate([test for _, test in splits])) == list(range(24))
    for train, test in splits:
        assert not set(train) & set(test)
        if grouped:
            assert not set(GROUPS[train]) & set(GROUPS[test])
        if classifier and not grouped:
            assert np.mean(Y[test] == "sad") == 0.5


def test_the_seed_determines_the_shuffle_and_five_folds_are_the_default():
    tests = [
        [
            tuple(test)
            for _, test in choose_splitter(None, Y, classifier=True, random_state=seed).split(X, Y)
        ]
        for seed in (0, 0, 1)
    ]
    assert len(tests[0]) == 5
    assert tests[0] == tests[1] != tests[2]


def test_a_splitter_and_pairs_are_used_unchanged():
    splitter = GroupKFold(2)
    assert choose_splitter(splitter, Y, classifier=True, groups=GROUPS) is splitter
    mask = np.arange(24) < 12
    ((train, test),) = split([(mask, ~mask)])
    assert train.tolist() == list(range(12))
    assert test.tolist() == list(range(12, 24))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"y": Y[:-1]}, "X has 24, y has 23, groups has 24"),
        ({"groups": GROUPS[1:]}, "groups has 23"),
        (
            {"y": np.append(Y[:-1].astype(object), None)},
            "y is missing .* in 1 of 24 rows, .* row 23",
        ),
        ({"y": np.append(np.nan, np.zeros(23))}, "y is missing .* first in row 0"),
        ({"groups": np.append([np.nan, np.nan], np.zeros(22))}, "groups is missing .* in 2 of 24"),
        ({"X": X[:0], "y": Y[:0], "groups": None}, "X has no rows"),
    ],
)
def test_mismatched_rows_raise_an_error(change, message):
    with pytest.raises(ValueError, match=f"^me: .*{message}"):
        check_rows(**{"X": X, "y": Y, "groups": GROUPS} | change, owner="me")


def test_a_table_of_targets_may_have_missing_values():
    check_rows(X, np.full((24, 2), np.nan), owner="me")


@pytest.mark.parametrize("cv", [9, GroupKFold(9), StratifiedGroupKFold(9)])
def test_more_folds_than_groups_raise_an_error(cv):
    with pytest.raises(ValueError, match=r"9 folds cannot be made of 8 groups\. Use at most 8"):
        split(cv)


def test_more_folds_than_rows_raise_an_error():
    with pytest.raises(ValueError, match=r"30 folds cannot be made of 24 rows \(n_samples=24\)"):
        split(30, groups=None)


def test_a_class_in_a_single_group_raises_an_error():
    y = np.where(np.arange(24) < 3, "angry", Y)
    with pytest.raises(ValueError, match="class 'angry' occurs in a single group, 'a'"):
        split(4, y)


def test_a_class_missing_in_training_rows_is_an_error_and_in_test_rows_a_warning():
    y = np.repeat(["sad", "glad"], 12)
    first, second = np.arange(12), np.arange(12, 24)
    with pytest.raises(ValueError, match="training part of fold 0 has no row of class 'glad'"):
        check_splits([(first, second)], y, **ME)
    check_splits([(first, second)], y, classifier=False, owner="me")
    with pytest.warns(UserWarning, match=r"1 of 1 folds lacks a class \(fold 0 has no 'sad'\)"):
        check_splits([(np.arange(18), np.arange(18, 24))], y, **ME)


def test_no_warning_precedes_an_error():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with pytest.raises(ValueError, match="has no row of class"):
            split([(np.arange(6), [7]), *HALVES], np.repeat(["sad", "so"], 12), np.arange(24) % 2)
    assert not caught


def test_groups_in_both_parts_raise_a_warning():
    with pytest.warns(UserWarning, match="2 of 2 splits have groups in both parts"):
        split(KFold(2, shuffle=True, random_state=0))


def test_groups_of_one_row_raise_a_warning():
    with pytest.warns(UserWarning, match="each of the 24 groups has a single row"):
        split(3, groups=np.arange(24))
    groups = np.array([0, *[1] * 11, *[2] * 12])
    with pytest.warns(UserWarning, match=r"test part of 1 of 3 folds \(fold 0 first\) is a single"):
        split(LeaveOneGroupOut(), groups=groups, classifier=False)


@pytest.mark.parametrize(
    ("splits", "message"),
    [
        ([], "gave no splits"),
        ([(np.arange(5), np.arange(0))], "test part of fold 0 is empty"),
        ([(np.arange(5), np.arange(4, 9))], "fold 0 has 1 rows in both parts, such as row 4"),
    ],
)
def test_invalid_splits_raise_an_error(splits, message):
    with pytest.raises(ValueError, match=message):
        check_splits(splits, Y, **ME)


def test_a_group_splitter_without_groups_raises_an_error():
    with pytest.raises(ValueError, match="GroupKFold splits by groups, but none were given"):
        split(GroupKFold(2), groups=None)


A, B = np.arange(12), np.arange(12, 24)
HALVES = [(A, B), (B, A)]
THIRDS = [(np.setdiff1d(np.arange(24), test), test) for test in np.split(np.arange(24), 3)]
RARE = np.where(np.isin(np.arange(24), [0, 8]), "rare", Y)  # not in the last third


@pytest.mark.parametrize(
    ("fault", "splits", "y", "groups", "results"),
    [
        ("tests row 12 0 times", [(B, A)], Y, None, (0, 0, 2)),
        ("fold 0 has 12 rows in both parts", [(np.arange(24), A), (A, B)], Y, None, (2, 0, 2)),
        (
            "2 of 2 splits have groups in both parts",
            HALVES,
            Y,
            np.tile([1, 2], 12),
            (1, 1, 2),
        ),
        ("has no row of class 'sad'", HALVES[::-1], np.repeat(["sad", "so"], 12), None, (2, 2, 1)),
        ("fold 2 has no 'rare'", THIRDS, RARE, None, (1, 1, 0)),
        ("is a single row", [(B[-1:], np.arange(23)), (A, B[-1:])], X[:, 0], None, (1, 0, 0)),
        ("each of the 24 groups has a single row", HALVES, Y, np.arange(24), (1, 1, 0)),
    ],
)
def test_errors_depend_on_the_purpose_of_the_splits(fault, splits, y, groups, results):
    for purpose, result in zip((SCORING, SEARCH, OUT_OF_FOLD), results, strict=True):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            if result == 2:
                with pytest.raises(ValueError, match=fault):
                    split(splits, y, groups, purpose=purpose)
            else:
                split(splits, y, groups, purpose=purpose)
                assert result == any(fault in str(warning.message) for warning in caught)
