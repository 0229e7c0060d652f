import numpy as np
import pandas as pd
import pytest

from sklearn_mmsent.blocks import Block, BlockLayout
from sklearn_mmsent.exceptions import BlockError

SHAPES = {"text": 4, "audio__mfcc": (3, 2), "audio__loud": 1, "image": (2, 3, 4)}


def names_of(layout):
    return [name for block in layout.blocks for name in block.column_names()]


def test_names_slices_and_shapes_agree():
    layout = BlockLayout.from_shapes(SHAPES)
    again = BlockLayout.from_names(names_of(layout))
    assert again == layout
    assert [b.shape for b in again.blocks] == [(4,), (3, 2), (1,), (2, 3, 4)]
    assert [b.kind for b in again.blocks] == ["flat", "sequence", "flat", "image"]
    assert [b.columns for b in again.blocks] == [
        slice(0, 4),
        slice(4, 10),
        slice(10, 11),
        slice(11, 35),
    ]
    assert again.modalities == ("text", "audio", "image")


def test_indices_vary_slowest_and_names_sort():
    block = Block("audio", 0, ("a", "b"), (11,))
    names = block.column_names()
    assert names[:3] == ["audio__a@000", "audio__b@000", "audio__a@001"]
    assert names[-1] == "audio__b@010"


def test_select_includes_indicators():
    names = ["a__x", "b__x", "c__x", "a__present", "b__present", "c__present"]
    layout = BlockLayout.from_names(names)
    assert layout.select(["a", "c"]).tolist() == [0, 2, 3, 5]
    with pytest.raises(BlockError, match="no column belongs to the modality 'd'; the table has a"):
        layout.select(["d"])


def test_tables_without_names_are_one_block():
    X = np.ones((2, 3))
    with pytest.warns(UserWarning, match="Estimator: the table's columns name no modality"):
        layout = BlockLayout.of(X, owner="Estimator")
    assert layout.blocks[0].shape == (3,)
    assert BlockLayout.of(X, None) == layout
    numbered = pd.DataFrame(X)  # columns 0, 1, 2
    assert BlockLayout.of(numbered, None) == layout


def test_a_mapping_must_match_the_table():
    X = np.ones((2, 10))
    layout = BlockLayout.of(X, {"text": 4, "audio": (3, 2)})
    assert [b.shape for b in layout.blocks] == [(4,), (3, 2)]
    with pytest.raises(BlockError, match=r"add up to 9 columns \(text 9\), but the table has 10"):
        BlockLayout.of(X, {"text": 9})
    with pytest.raises(BlockError, match="block 'text' has shape"):
        BlockLayout.of(X, {"text": (1, 2, 3, 4)})
    with pytest.raises(BlockError, match="modalities must be 'auto', None or a mapping"):
        BlockLayout.of(X, 3)
