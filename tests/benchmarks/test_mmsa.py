"""The comparison with MMSA, without MMSA."""

import pickle

import numpy as np
import pytest


def test_nothing_is_measured_without_mmsa(script, tmp_path, capsys, monkeypatch):
    mmsa = script("mmsa")
    monkeypatch.setattr(mmsa, "find_spec", lambda name: None)
    mmsa.main(["--output", str(tmp_path)])
    assert "MMSA is not installed" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", ["spoken", "full"])
def test_features_are_zero_after_the_end_of_a_row(script, tmp_path, kind):
    mmsa = script("mmsa")
    rows = mmsa.make_rows(12, kind, seed=0)
    assert (rows["n_words"] == 50).all() == (kind == "full")
    mmsa.write_features({"train": rows, "valid": rows}, tmp_path / "features.pkl")
    written = pickle.loads((tmp_path / "features.pkl").read_bytes())["test"]
    for name, shape in mmsa.SHAPES.items():
        assert written[name].shape == (12, *shape)
        for row, length in zip(written[name], written[f"{name}_lengths"], strict=True):
            assert row[:length].any(axis=1).all()
            assert not row[length:].any()
    table = mmsa._to_table(rows)
    assert np.isnan(table).any() == (kind == "spoken")


def test_page_and_time_of_this_project(script, monkeypatch, tmp_path):
    mmsa = script("mmsa")
    monkeypatch.setattr(mmsa, "find_spec", lambda name: name)
    monkeypatch.setattr(mmsa, "version", lambda name: "2.2.1")
    monkeypatch.setattr(mmsa, "run_mmsa", lambda *args: ([1.0, 2.0], 1_000_000))
    monkeypatch.setattr(mmsa, "N_TRAIN", 24)
    monkeypatch.setattr(mmsa, "N_VALID", 8)
    mmsa.main(["--only", "tfn", "--repeats", "1", "--threads", "1", "--output", str(tmp_path)])
    page = (tmp_path / "mmsa.md").read_text()
    assert page.count("| TFN |") == 2
    assert "1,000,000" in page
