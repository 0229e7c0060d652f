"""The benchmark of streaming, on generated clips."""

import pandas as pd
import pytest


@pytest.fixture(name="streaming")
def _streaming(script):
    return script("streaming")


def test_page(streaming, tmp_path):
    names = ["audio: LogMel", "audio + text: LogMel + MFCC, TfidfEmbedder"]
    arguments = [
        "--minutes",
        "0.15",
        "--clips",
        "30",
        "--compared",
        "20",
        "--output",
        str(tmp_path),
    ]
    streaming.main([*arguments, "--only", *names])
    page = (tmp_path / "streaming.md").read_text()
    assert all(f"| {name} |" in page for name in names)
    assert "--minutes 0.15" in page
    scores = pd.read_csv(tmp_path / "streaming.csv")
    assert scores["windows"].tolist() == [33, 33]
    assert (scores["difference"] < 1e-5).all()


def test_quick_writes_nothing(streaming, tmp_path):
    arguments = ["--quick", "--clips", "30", "--compared", "3", "--output", str(tmp_path / "none")]
    streaming.main([*arguments, "--only", "audio: LogMel"])
    assert not (tmp_path / "none").exists()
