"""Conflict between unimodal predictions."""

import numpy as np

from sklearn_mmsent.inspection._conflict import conflict_of_classes, contradictions

MOODS = np.array(["negative", "neutral", "positive"])


def test_conflict_is_the_probability_of_a_contradiction():
    matrix = contradictions(MOODS, [("negative", "positive")], owner="test")
    p = np.array([[0.8, 0.1, 0.1], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [1 / 3, 1 / 3, 1 / 3]])
    q = np.array([[0.1, 0.1, 0.8], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [1 / 3, 1 / 3, 1 / 3]])
    expected = [0.65 / (0.65 + 0.17), 0.0, 0.0, 0.4]
    np.testing.assert_allclose(conflict_of_classes([p, q], matrix), expected)
    anything = contradictions(MOODS, None, owner="test")
    np.testing.assert_allclose(conflict_of_classes([p, q], anything), 1 - (p * q).sum(axis=1))


def test_pairs_with_a_missing_modality_are_ignored():
    p = np.array([[1.0, 0.0], [1.0, 0.0], [np.nan, np.nan]])
    q = np.array([[0.0, 1.0], [np.nan, np.nan], [np.nan, np.nan]])
    r = np.array([[0.0, 1.0], [0.5, 0.5], [0.3, 0.7]])
    found = conflict_of_classes([p, q, r], contradictions(np.arange(2), None, owner="test"))
    np.testing.assert_allclose(found, [2 / 3, 0.5, np.nan])
