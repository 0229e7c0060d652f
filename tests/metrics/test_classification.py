"""Classification scores equal those of scikit-learn; bad input."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, f1_score, precision_score, recall_score

from sklearn_mmsent import classification_scores

CLASSES = np.array(["negative", "neutral", "positive"])


@pytest.fixture
def labels():
    rng = np.random.default_rng(0)
    return CLASSES[rng.choice(3, 80, p=[0.2, 0.2, 0.6])], CLASSES[rng.choice(3, 80)]


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("container", [np.asarray, list, pd.Series, pd.Categorical])
def test_equals_sklearn(labels, container, weighted):
    weight = np.random.default_rng(1).random(80) if weighted else None
    scores = classification_scores(*map(container, labels), sample_weight=weight)
    assert scores.pop("accuracy") == accuracy_score(*labels, sample_weight=weight)
    functions = {"precision": precision_score, "recall": recall_score, "f1": f1_score}
    assert set(scores) == {f"{f}_{a}" for f in functions for a in ("macro", "weighted")}
    for name, value in scores.items():
        function, average = name.split("_")
        expected = functions[function](*labels, average=average, sample_weight=weight)
        assert value == pytest.approx(expected, abs=1e-12)


def test_micro_averages_are_given_where_they_differ_from_accuracy(labels):
    subset = classification_scores(*labels, labels=["negative", "positive"])
    assert subset["f1_micro"] != subset["accuracy"]
    assert "f1_micro" not in classification_scores(*labels, labels=[*CLASSES, "mixed"])
    several = classification_scores(np.eye(3, dtype=int), np.ones((3, 3), dtype=int))
    assert several["recall_micro"] == 1.0
    assert several["accuracy"] == 0.0


def test_classes_without_predictions_count_zero_without_a_warning():
    scores = classification_scores(["a", "b", "c"], ["a", "a", "a"])
    assert scores["f1_macro"] == pytest.approx(0.5 / 3)
    only_one = classification_scores(["a", "a"], ["a", "a"], labels=["a", "b"])
    assert only_one["f1_macro"] == 0.5


@pytest.mark.parametrize(
    ("t", "p", "error", "message"),
    [
        ([1, 0], [1], ValueError, "inconsistent numbers of samples"),
        (["a", None], ["a", "b"], ValueError, "y_true has no label in 1 rows, first in row 1"),
        ([1, 0], [1, np.nan], ValueError, "y_pred has no label in 1 rows"),
        ([], [], ValueError, "y_true has no rows"),
        ([1, 0], [0.3, 0.2], TypeError, "y_pred is continuous"),
    ],
)
def test_bad_input(t, p, error, message):
    with pytest.raises(error, match=message):
        classification_scores(t, p)
