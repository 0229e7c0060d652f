"""Summaries: one row per model, and markdown."""

import numpy as np
import pandas as pd
import pytest

from sklearn_mmsent.model_selection.comparison._significance import (
    corrected_interval,
    paired_p,
)
from sklearn_mmsent.model_selection.comparison.summary import summarize, to_markdown

FIRST = np.array([0.81, 0.79, 0.84, 0.77, 0.80])
SECOND = np.array([0.78, 0.77, 0.80, 0.78, 0.76])


def fits(scores, **columns):
    """Return one row per fit, from scores by model and unit."""
    return pd.DataFrame(
        {"model": model, **dict(zip(columns, at, strict=True)), "f1": f1}
        for model, values in scores.items()
        for f1, *at in zip(values, *columns.values(), strict=False)
    )


def test_pairs_are_splits_with_averaged_seeds():
    keys = {"fold": [0, 1, 0, 1], "seed": [0, 0, 1, 1]}
    results = fits({"a": [0.5, 0.7, 0.7, 0.9], "b": [0.4, 0.5]}, **keys)
    results = results.assign(fit_rows=8, test_rows=4)
    table = summarize(results, ["f1"], baseline="b")["f1"]
    assert table.loc["a", "mean"] == pytest.approx(0.7)
    assert table.loc["a", "std"] == pytest.approx(results["f1"][:4].std())
    assert table.loc["a", "difference"] == pytest.approx(0.25)
    units = np.array([0.6, 0.8])
    assert table.loc["a", "low"] == pytest.approx(corrected_interval(units, 0.5, 0.95)[0])
    assert table.loc["a", "p"] == pytest.approx(paired_p(units - [0.4, 0.5], 0.5, "nadeau-bengio"))
    assert np.isnan(table.loc["b", "p"])


def test_pairs_do_not_depend_on_the_order_of_rows():
    keys = {"fold": range(5), "repeat": [0] * 5}
    results = fits({"a": FIRST, "b": SECOND}, **keys).assign(fit_rows=8, test_rows=2)
    table = summarize(results, ["f1"], baseline="b")
    mixed = pd.concat([results[:5], results[5:].sample(frac=1, random_state=0)])
    pd.testing.assert_frame_equal(summarize(mixed, ["f1"], baseline="b"), table)
    assert table.loc["a", ("f1", "p")] == paired_p(FIRST - SECOND, 0.25, "nadeau-bengio")


def test_pairs_of_a_single_split_are_seeds():
    results = fits({"a": FIRST, "b": [0.7]}, seed=range(5))
    table = summarize(results, ["f1"], baseline="b")["f1"]
    assert table.loc["a", "p"] == paired_p(FIRST - 0.7, 0.0, "nadeau-bengio")
    assert np.isnan(table.loc["b", ["std", "low", "high"]].astype(float)).all()


def test_a_failed_fit_makes_the_summary_nan():
    results = fits({"a": [0.5, np.nan], "b": [0.4, 0.5]}, fold=[0, 1])
    table = summarize(results, ["f1"], baseline="b")["f1"]
    assert np.isnan(table.loc["a"].drop("p_holm").astype(float)).all()


def test_markdown():
    results = fits({"b": [0.5, 0.7, 0.9], "a": [0.2]}, seed=range(3))
    table = to_markdown(summarize(results, ["f1"]), ["f1"])
    assert table.splitlines()[2:] == ["| b | **0.700** ± 0.200 |", "| a | 0.200 |"]
    undefined = summarize(fits({"a": [np.nan], "b": [np.nan]}, seed=[0]), ["f1"])
    assert to_markdown(undefined, ["f1"]).splitlines()[2:] == ["| a | - |", "| b | - |"]


def test_the_lowest_error_is_the_best():
    results = [{"model": m, "mae": v, "fit_seconds": 1.0} for m, v in (("a", 0.5), ("b", 0.4))]
    table = summarize(results, ["mae"])
    assert "**0.400**" in to_markdown(table, ["mae"])
    assert table.loc["a", ("seconds", "fit")] == 1.0
