"""The benchmark of searches at equal time."""

from argparse import Namespace

import numpy as np
import pandas as pd
import pytest


@pytest.fixture
def hpo(script):
    return script("hpo")


@pytest.mark.slow
def test_quick_run_compares_all_searches_and_writes_nothing(hpo, tmp_path, capsys):
    hpo.main(["--quick", "--output", str(tmp_path / "results")])
    page = capsys.readouterr().out
    for search in ("RandomizedSearchCV", "OptunaSearchCV", "FusionSearchCV"):
        assert f"| generated | {search} | 0." in page or f"| generated | {search} | 1." in page
    assert not (tmp_path / "results").exists()


def test_searches_that_miss_the_target_count_as_more_than_one(hpo):
    rows = [
        {
            "data": "generated",
            "search": search,
            "seed": seed,
            "budget_seconds": 10.0,
            "f1": f1,
            "validation_f1": f1,
            "scored": 4,
            "tried": 8,
            "reached_seconds": 10 * share,
            "share": share,
        }
        for search, shares in (("A", (0.1, 0.2, 0.3)), ("B", (0.5, np.inf, np.inf)))
        for seed, (share, f1) in enumerate(zip(shares, (0.5, 0.6, 0.7), strict=True))
    ]
    page = hpo._page(pd.DataFrame(rows), Namespace(folds=3, candidates=4, seeds=3))
    scores = "0.6000 ± 0.0816 | 0.6000 ± 0.0816 | 4 (8)"
    assert f"| generated | A | {scores} | 0.20 (0.10 to 0.30) |" in page
    assert f"| generated | B | {scores} | > 1 (0.50 to > 1) |" in page
    assert "generated 10 s" in page


def test_parts_of_generated_rows_share_no_group(hpo):
    data = hpo._load(hpo.GENERATED, None, None)
    assert set(data.split) == {"train", "val"}
    both = {part: set(data.groups[data.split == part]) for part in ("train", "val")}
    assert not both["train"] & both["val"]
