"""The page about inspection runs as it stands."""

import re
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

from matplotlib import pyplot as plt

PAGE = Path(__file__).parents[2] / "docs" / "inspection.md"


def test_page_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    namespace = {}
    for snippet in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.S):
        exec(compile(snippet, PAGE.name, "exec"), namespace)
    plt.close("all")
