"""The benchmark of batched searches and ensembles."""

import pandas as pd
import pytest
import torch


@pytest.fixture
def search(script):
    return script("search")


def test_quick_run_measures_all_cases_and_writes_nothing(search, tmp_path, capsys):
    threads = torch.get_num_threads()
    search.main(["--quick", "--threads", "1", "--output", str(tmp_path / "results")])
    page = capsys.readouterr().out
    for case in ("batching", "search", "ensemble"):
        assert f"| {case} | 32 | 1 |" in page
    assert not (tmp_path / "results").exists()
    assert torch.get_num_threads() == threads


def test_page_and_csv(search, tmp_path, monkeypatch):
    monkeypatch.setattr(search, "GRID", {name: values[:1] for name, values in search.GRID.items()})
    small = ["--rows", "90", "--epochs", "1", "--repeats", "2", "--members", "2"]
    search.main([*small, "--threads", "1", "--batch-sizes", "32", "--output", str(tmp_path)])
    assert "| ensemble | 32 | 1 |" in (tmp_path / "search.md").read_text()
    table = pd.read_csv(tmp_path / "search.csv")
    assert table["case"].value_counts().to_dict() == {"batching": 2, "search": 2, "ensemble": 2}
    ratio = table["one_by_one_seconds"] / table["batched_seconds"]
    assert table["ratio"].to_numpy() == pytest.approx(ratio.to_numpy(), rel=0.01)
