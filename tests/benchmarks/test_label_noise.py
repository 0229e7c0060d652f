"""The benchmark of label noise."""

from argparse import Namespace

import pandas as pd
import pytest


def test_shares_recovered_and_choice(script):
    label_noise = script("label_noise")
    f1_macro = {  # at 0, 10 and 30 % flipped
        "unfiltered": (0.8, 0.7, 0.6),
        "removed, prune='class'": (0.8, 0.75, 0.7),
        "downweighted": (0.8, 0.7, 0.65),
    }
    scores = pd.DataFrame(
        {"part": part, "flips": flips, "filter": name, "seed": 0, "f1_macro": f1, "data": "sst2"}
        for part in ("val", "test")
        for name, values in f1_macro.items()
        for flips, f1 in zip(label_noise.FLIPS, values, strict=True)
    )
    assert label_noise.recovered(scores, "test", 0.3, "downweighted") == pytest.approx(0.25)
    page = label_noise.format_page(scores, Namespace(machine="a machine"))
    assert "**removed, prune='class'**" in page
    assert "- sst2: +50% at 10% flipped, +50% at 30% flipped" in page
