"""The benchmark of samplers."""

import pandas as pd


def test_table_has_growth_and_ratios(script):
    sampling = script("sampling")
    rows = [
        (name, side, n, seconds * n / 500, 1.5, 2 * n)
        for name, (_, peer) in sampling.PAIRS.items()
        for side, seconds in (("ours", 1.0), ("imbalanced-learn", 4.0))
        if side == "ours" or peer is not None
        for n in (500, 1000)
    ]
    columns = ["sampler", "side", "rows", "seconds", "memory", "out"]
    table = sampling._table(pd.DataFrame(rows, columns=columns), [500, 1000])
    assert "| ModalitySMOTE | 500 | 1.00 | | 1.5 | 1,000 | 4.00 | | 1.5 | 1,000 | 0.25 |" in table
    assert "| 1,000 | 2.00 | 2.0 | 1.5 | 2,000 | 8.00 | 2.0 | 1.5 | 2,000 | 0.25 |" in table
    assert "| ModalityMixup | 500 | 1.00 | | 1.5 | 1,000 | | | | | |" in table


def test_every_row_has_a_modality(script):
    X, y = script("sampling").make_table(200, seed=0)
    assert X.shape == (200, 1000)
    assert X.notna().any(axis=1).all()
    assert set(y) == {"negative", "neutral", "positive"}
