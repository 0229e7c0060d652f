"""The benchmark of searches and ensembles, on very little."""

from pathlib import Path

import pandas as pd
import pytest
import torch

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def search(script):
    return script("search")


def test_quick_measures_all_and_writes_nothing(search, tmp_path, capsys):
    threads = torch.get_num_threads()
    search.main(["--quick", "--threads", "1", "--output", str(tmp_path / "results")])
    page = capsys.readouterr().out
    for what in ("members", "search", "ensemble"):
        assert f"| {what} | 32 | 1 |" in page
    assert not (tmp_path / "results").exists()
    assert torch.get_num_threads() == threads


def test_writes_a_page_and_all_repeats(search, tmp_path, monkeypatch):
    monkeypatch.setattr(search, "GRID", {name: values[:1] for name, values in search.GRID.items()})
    small = ["--rows", "90", "--epochs", "1", "--repeats", "2", "--members", "2"]
    search.main([*small, "--threads", "1", "--batch-sizes", "32", "--output", str(tmp_path)])
    assert (
        (tmp_path / "search.md").read_text().startswith("# Folds, candidates and seeds at once\n")
    )
    table = pd.read_csv(tmp_path / "search.csv")
    assert table["what"].value_counts().to_dict() == {"members": 2, "search": 2, "ensemble": 2}
    ratio = table["one_by_one_seconds"] / table["together_seconds"]
    assert table["ratio"].to_numpy() == pytest.approx(ratio.to_numpy(), rel=0.01)
