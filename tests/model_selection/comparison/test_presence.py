"""Modalities that are present in each row."""

import numpy as np
import pandas as pd

from sklearn_mmsent import (
    FillBlocks,
)
from sklearn_mmsent.model_selection.comparison._presence import presence_patterns


def test_presence_patterns_of_raw_cells():
    table = pd.DataFrame(
        {
            "text": ["fine", None, " ", "well"],
            "photo": ["a.jpg", "b.jpg", None, float("nan")],
            "sound": [np.zeros(3), np.zeros(0), None, b"RIFF"],
        }
    )
    assert presence_patterns(table).tolist() == ["text+photo+sound", "photo", "none", "text+sound"]


def test_presence_patterns_of_blocks(named_table):
    table, _, layout = named_table(60, missing=0.3)
    expected = {
        block.name: v.present for block, v in zip(layout.blocks, layout.read(table), strict=True)
    }
    names = [
        "+".join(name for name in expected if expected[name][row]) or "none" for row in range(60)
    ]
    assert len(set(names)) > 4
    assert presence_patterns(table).tolist() == names
    filled = FillBlocks().fit_transform(table)
    assert presence_patterns(filled).tolist() == names
    mixed = table.assign(words=["fine", None] * 30)
    assert presence_patterns(mixed)[1] == names[1]
    assert presence_patterns(mixed)[0] == f"{names[0]}+words"


def test_columns_without_modalities_have_no_patterns():
    assert presence_patterns(np.zeros((3, 2))) is None
    assert presence_patterns(pd.DataFrame(np.zeros((3, 2)))) is None
    assert presence_patterns(pd.DataFrame({"__a": [1.0], "b__@1": [2.0]})) is None
