"""SentimentLexicon."""

import sys
import time

import numpy as np
import pytest

from sklearn_mmsent.exceptions import CellError, MissingDependencyError
from sklearn_mmsent.feature_extraction.text import SentimentLexicon, lexicon


def test_scores_equal_vader():
    # examples from the VADER documentation
    texts = {
        "VADER is smart, handsome, and funny.": [0.0, 0.254, 0.746, 0.8316],
        "VADER is VERY SMART, handsome, and FUNNY!!!": [0.0, 0.233, 0.767, 0.9342],
        "VADER is not smart, handsome, nor funny.": [0.646, 0.354, 0.0, -0.7424],
        "Today SUX!": [0.779, 0.221, 0.0, -0.5461],
    }
    features = SentimentLexicon().fit_transform(list(texts))
    np.testing.assert_allclose(features, list(texts.values()), atol=1e-6)


def test_words_and_marks_are_counted():
    counter = SentimentLexicon(counts=True).fit([])
    row = counter.transform(["I LOVE it, don\u2019t you? NOT bad!!! A 10"])[0]
    names = counter.get_feature_names_out().tolist()
    counts = dict(zip(names, row, strict=True))
    assert [counts[name] for name in names[4:]] == [9, 1, 1, 2, 3, 1]
    assert counts["compound"] == row[3] > 0


def test_words_beyond_max_words_are_ignored():
    score = SentimentLexicon(max_words=3).fit([])
    np.testing.assert_array_equal(*score.transform(["a fine day awful hate", "a fine day "]))
    assert score.transform(["😀😀😀😡😡😡"])[0, 0] == 0


@pytest.mark.parametrize(
    "text",
    [
        "good but bad " * 80_000,
        "😀" * 250_000,
        "x" * 1_000_000,
        "!" * 1_000_000,
        "lone \ud800 surrogate",
        "null \0 byte",
        "\u200b",
        "!",
        "中文没有空格",
        "ภาษาไทย",
        "שלום",
        "مرحبا",
    ],
    ids=lambda text: ascii(text[:12]),
)
def test_unusual_texts_are_scored_in_time(text):
    start = time.perf_counter()
    assert np.isfinite(SentimentLexicon(counts=True).fit_transform([text])).all()
    assert time.perf_counter() - start < 20  # quadratic run time would take minutes


@pytest.mark.parametrize("cell", [3, b"bytes", ["words"]])
def test_non_text_cell_error(cell):
    with pytest.raises(CellError, match=r"SentimentLexicon: row 1, cell .*expected a text"):
        SentimentLexicon().fit_transform(["fine", cell])


def test_missing_package_error_names_the_extra(monkeypatch):
    lexicon._analyzer.cache_clear()
    monkeypatch.setitem(sys.modules, "vaderSentiment", None)
    monkeypatch.delitem(sys.modules, "vaderSentiment.vaderSentiment", raising=False)
    with pytest.raises(MissingDependencyError, match=r"SentimentLexicon needs .*\[text\]"):
        SentimentLexicon().fit_transform(["fine"])
