"""The benchmark of training one network."""


def test_speed(script, tmp_path, capsys, monkeypatch):
    training = script("training")
    monkeypatch.setattr(training, "BATCHES", (128,))
    monkeypatch.setattr(training, "SIZES", (1, 2))
    speed = ["--quick", "--part", "speed", "--device", "cpu"]
    training.main([*speed, "--output", str(tmp_path / "page")])
    printed = capsys.readouterr().out
    assert "| 128 |" in printed
    assert "| 400 |" in printed
    assert "an overhead of" in printed
    assert not (tmp_path / "page").exists()


def test_precision(script, tmp_path, capsys):
    training = script("training")
    output = tmp_path / "page"
    common = ["--quick", "--device", "cpu", "--part", "precision", "--output", str(output)]
    training.main(common)
    printed = capsys.readouterr().out
    assert "## bfloat16" in printed
    assert "| default, 600 rows, batches of 128 | bfloat16 |" in printed
    assert not output.exists()


def test_memory_section_replaces_the_old_one(script, tmp_path, capsys, monkeypatch):
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
