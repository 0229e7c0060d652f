"""Scores of subsets of the rows, from stored predictions."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import sem, t
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, roc_auc_score
from sklearn.model_selection import LeaveOneGroupOut

from sklearn_mmsent import (
    FillBlocks,
    FusionClassifier,
    classification_scores,
    compare,
    make_pipeline,
)
from sklearn_mmsent.model_selection.comparison._breakdown import _jackknife

N = 120
RNG = np.random.default_rng(0)
X = pd.DataFrame(RNG.normal(size=(N, 4)), columns=["text__a", "text__b", "face__a", "face__b"])
Y = np.where(X["text__a"] + 0.3 * RNG.normal(size=N) > 0, "glad", "sad")
X.loc[:29, ["text__a", "text__b"]] = np.nan
X.loc[90:, ["face__a", "face__b"]] = np.nan
GROUPS = np.arange(N) % 12
LINE = {"line": make_pipeline(FillBlocks(), LogisticRegression())}


@pytest.fixture(name="comparison", scope="module")
def _comparison():
    return compare(LINE, X, Y, groups=GROUPS, cv=4, scoring=["accuracy", "f1_macro", "roc_auc"])


def test_subsets_are_scored_on_their_rows(comparison):
    table = comparison.breakdown()
    assert table.index.names == ["model", "part"]
    line = table.loc["line"]
    assert line["rows"].to_dict() == {"face": 30, "text": 30, "text+face": 60}
    predicted = comparison.predictions("line")["predicted"].to_numpy()
    rows = {"face": slice(0, 30), "text+face": slice(30, 90), "text": slice(90, N)}
    for part, where in rows.items():
        assert line.loc[part, ("accuracy", "mean")] == accuracy_score(Y[where], predicted[where])
    assert line.loc["text", ("f1_macro", "mean")] > line.loc["face", ("f1_macro", "mean")] + 0.2
    interval = line["accuracy"]
    assert (interval["low"] < interval["mean"]).all()
    assert (interval["mean"] < interval["high"]).all()


def test_stored_probabilities_are_scored(comparison):
    records = [record for record in comparison.records if record.model == "line"]
    probabilities = np.empty(N)
    for record in records:
        responses = record.responses.responses
        (method,) = set(responses) - {"predict"}
        values = responses[method]
        probabilities[record.split.test] = values if values.ndim == 1 else values[:, 1]
    where = slice(90, N)
    expected = roc_auc_score(Y[where] == "sad", probabilities[where])
    table = comparison.breakdown(models=["line"], scores=["roc_auc"])
    assert table.loc[("line", "text"), ("roc_auc", "mean")] == pytest.approx(expected)


def test_breakdown_by_group_and_by_given_labels(comparison):
    table = comparison.breakdown("group", models=["line"], scores=["accuracy"])
    assert table.index.get_level_values("part").tolist() == list(range(12))
    assert table["rows"].eq(10).all()
    halves = comparison.breakdown(np.repeat(["first", "second"], 60), scores=["accuracy"])
    assert halves.loc["line"]["rows"].tolist() == [60, 60]
    mean = halves.loc["line"]["accuracy", "mean"].mean()
    predicted = comparison.predictions("line")
    assert mean == pytest.approx((predicted["true"] == predicted["predicted"]).mean())


def test_repeats_and_seeds_are_pooled():
    models = {"net": FusionClassifier(max_epochs=1)}
    comparison = compare(models, X, Y, cv=3, n_repeats=2, seeds=(0, 1), scoring=["accuracy"])
    whole = comparison.breakdown(np.zeros(N), models=["net"])
    assert whole["rows"].tolist() == [N]
    predicted = comparison.predictions("net")
    assert len(predicted) == 4 * N
    right = (predicted["true"] == predicted["predicted"]).mean()
    assert whole["accuracy", "mean"].tolist() == [pytest.approx(right)]


def test_the_interval_of_a_mean_is_that_of_its_standard_error():
    values = RNG.normal(size=20)
    cells = _jackknife(
        lambda at: values[at].mean(keepdims=True), np.arange(20), np.arange(20), ["m"], 0.95
    )
    half = t.ppf(0.975, 19) * sem(values)
    assert cells["m", "high"] - cells["m", "mean"] == pytest.approx(half)
    assert cells["m", "low"] == pytest.approx(values.mean() - half)


def test_rows_of_one_group_are_left_out_together():
    """Twelve groups of equal rows are worth twelve rows."""
    y = np.where(GROUPS % 2, "glad", "sad")
    wrong = GROUPS < 3
    rows = pd.DataFrame({"text__a": np.where(wrong, -1.0, 1.0) * (GROUPS % 2 - 0.5)})
    options = {"cv": 3, "scoring": ["accuracy"]}
    widths = []
    for groups in (None, GROUPS):
        comparison = compare({"line": LogisticRegression()}, rows, y, groups=groups, **options)
        table = comparison.breakdown(np.zeros(N), models=["line"])["accuracy"]
        widths.append(float((table["high"] - table["low"]).iloc[0]))
    assert widths[1] > 2 * widths[0]


def test_default_scores_of_subsets_with_one_class_or_one_row():
    comparison = compare(LINE, X, Y, cv=3)
    parts = np.where(Y == "sad", "sad", "glad").astype(object)
    parts[0] = "first"
    table = comparison.breakdown(parts)
    assert len(table) == 6
    assert set(table.columns.get_level_values(0)) == {"rows", *classification_scores(Y, Y)}
    assert np.isnan(table.loc[("line", "first"), ("accuracy", "low")])


def test_breakdown_with_one_group_per_fold():
    groups = np.arange(N) // 30
    y = np.where(np.arange(N) < 30, "glad", Y)
    with pytest.warns(UserWarning, match="lacks a class"):
        comparison = compare(LINE, X, y, groups=groups, cv=LeaveOneGroupOut(), scoring=["accuracy"])
    table = comparison.breakdown("group", models=["line"])
    own = comparison.results.query("model == 'line'")["accuracy"].to_numpy()
    np.testing.assert_allclose(table["accuracy", "mean"], own)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"by": "speaker"}, "by must be 'presence', 'group' or an array"),
        ({"by": np.zeros(3)}, r"one label for each of the 120 rows; got shape \(3,\)"),
        ({"models": ["tree"]}, "unknown model 'tree'"),
        ({"scores": ["r2"]}, "unknown score 'r2'"),
    ],
)
def test_invalid_arguments_raise_an_error(comparison, arguments, message):
    with pytest.raises(ValueError, match=message):
        comparison.breakdown(**arguments)


def test_breakdown_without_groups_or_names():
    comparison = compare({"line": LogisticRegression()}, X.fillna(0).to_numpy(), Y, cv=3)
    with pytest.raises(ValueError, match="needs groups"):
        comparison.breakdown("group")
    with pytest.raises(ValueError, match="needs a DataFrame"):
        comparison.breakdown()
