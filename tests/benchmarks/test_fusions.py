"""The benchmark of fusions."""

import pandas as pd


def test_scores_and_speed_share_a_page(script, utterances, tmp_path, capsys):
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
