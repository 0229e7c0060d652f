"""The benchmark of few labels, on files in the layout of the real data."""

import numpy as np
import pandas as pd
import pytest


@pytest.fixture(name="few_shot")
def _few_shot(script, monkeypatch):
    module = script("few_shot")
    monkeypatch.setattr(module, "SHOTS", (2, 3))
    return module


def run(few_shot, folder, *arguments):
    options = ["--data", str(folder), "--only", "mosi", "--draws", "2", "--text-model", "tfidf"]
    few_shot.main([*options, *arguments])


def test_page(few_shot, utterances, tmp_path):
    run(few_shot, utterances, "--output", str(tmp_path))
    scores = pd.read_csv(tmp_path / "few_shot.csv")
    assert len(scores) == 2 * 2 * len(few_shot.MODELS)
    assert scores["f1_macro"].between(0, 1).all()
    page = (tmp_path / "few_shot.md").read_text()
    assert page.count("| mosi polarity |") == 2
    assert str(tmp_path) not in page
    assert (tmp_path / "few_shot.png").stat().st_size > 10_000


def test_validation_part_writes_no_page(few_shot, utterances, tmp_path):
    run(few_shot, utterances, "--part", "val", "--output", str(tmp_path / "none"))
    assert not (tmp_path / "none").exists()


def test_drawn_rows_are_balanced_and_from_the_pool(few_shot):
    y, pool = np.array(["a", "b"] * 20), np.arange(10, 30)
    rows = few_shot.draw_rows(y, pool, 4, 0)
    assert set(rows) <= set(pool)
    assert sorted(y[rows]) == ["a"] * 4 + ["b"] * 4
    assert list(rows) != list(few_shot.draw_rows(y, pool, 4, 1))
