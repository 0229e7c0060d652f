"""Comparison: markdown, CSV and representation."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB

from sklearn_mmsent import compare

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 2))
Y = np.where(X[:, 0] + 0.5 * RNG.normal(size=60) > 0, "glad", "sad")
MODELS = {"line": LogisticRegression(), "bayes": GaussianNB()}
SCORING = ["accuracy", "f1_macro"]


@pytest.fixture(name="comparison", scope="module")
def _comparison():
    return compare(MODELS, X, Y, cv=3, n_repeats=2, baseline="line", scoring=SCORING)


def test_markdown(comparison):
    text = comparison.to_markdown(digits=2)
    lines = text.splitlines()
    assert lines[0] == (
        "| model | accuracy | f1_macro | 95 % interval of f1_macro | p (Holm) | fit s | predict s |"
    )
    assert [line.split(" | ")[0] for line in lines[2:5]] == ["| constant", "| line", "| bayes"]
    row = comparison.table.loc["constant", "f1_macro"]
    assert f"| {row['mean']:.2f} ± {row['std']:.2f} | {row['low']:.2f} to" in lines[2]
    assert f"| {row['p_holm']:.2g} |" in lines[2]
    assert " | - | " in lines[3]  # the baseline is not tested against itself
    assert text.count("**") == 2 * len(SCORING)
    assert lines[-1] == comparison.note
    assert "6 splits in 2 repeats; interval corrected for shared training rows" in comparison.note
    assert "paired t-test against 'line'" in comparison.note
    one = comparison.to_markdown(["accuracy"])
    assert "| 95 % interval | p (Holm) |" in one
    with pytest.raises(ValueError, match="unknown score 'r2'"):
        comparison.to_markdown(["r2"])


def test_csv(comparison, tmp_path):
    comparison.to_csv(tmp_path / "table.csv")
    table = pd.read_csv(tmp_path / "table.csv", index_col="model")
    np.testing.assert_allclose(table["f1_macro_p"], comparison.table["f1_macro", "p"])
    assert {"accuracy_mean", "accuracy_low", "seconds_fit", "seconds_predict"} <= set(table)


def test_representation_in_notebooks(comparison):
    assert repr(comparison).startswith("<Comparison of constant, line, bayes; best by f1_macro: ")
    assert "<table" in comparison._repr_html_()
