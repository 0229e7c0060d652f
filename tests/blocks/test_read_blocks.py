import numpy as np
import pandas as pd
import pytest

from sklearn_mmsent.blocks import BlockLayout
from sklearn_mmsent.exceptions import BlockError


def test_a_tensor_is_a_reshape_of_the_slice():
    layout = BlockLayout.from_shapes({"audio": (3, 2)})
    X = np.arange(12.0).reshape(2, 6)
    [audio] = layout.read(X)
    assert audio.values[1].tolist() == [[6, 7], [8, 9], [10, 11]]


def test_masks_follow_from_nan():
    layout = BlockLayout.from_shapes({"text": 2, "audio": (3, 2), "image": (1, 1, 2)})
    nan = np.nan
    X = np.array(
        [
            [
                1,
                nan,
                1,
                1,
                1,
                nan,
                nan,
                nan,
                1,
                nan,
            ],  # only a step of NaN is padding
            [nan, nan, nan, nan, nan, nan, nan, nan, nan, nan],
            [1, 1, nan, nan, 1, 1, nan, nan, 1, 1],  # a gap in the middle
        ]
    )
    text, audio, image = layout.read(X)
    assert text.present.tolist() == [True, False, True]
    assert audio.present.tolist() == [True, False, True]
    assert audio.steps.tolist() == [[True, True, False], [False] * 3, [False, True, False]]
    assert image.present.tolist() == [True, False, True]
    assert text.steps is None
    assert image.steps is None


def test_indicators_give_the_masks_of_filled_tables():
    names = ["a__x@0", "a__x@1", "a__present", "a__length", "b__x", "b__present"]
    layout = BlockLayout.from_names(names)
    # fractions, such as SMOTE's interpolations, are rounded
    X = np.array([[5, 5, 1, 2, 1, 1], [5, 5, 0.4, 0, 1, 0.6], [5, 5, 0.6, 1.4, 1, 0.4]])
    a, b = layout.read(X)
    assert a.present.tolist() == [True, False, True]
    assert a.steps.tolist() == [[True, True], [False, False], [True, False]]
    assert b.present.tolist() == [True, True, False]


def test_blocks_keep_their_dtype_and_the_table_is_not_modified():
    table = pd.DataFrame(
        {
            "image__pixel@0@0@0": np.array([200, 3], np.uint8),
            "image__pixel@0@0@1": np.array([1, 2], np.uint8),
            "text__a": np.array([1.0, np.nan], np.float32),
        }
    )
    before = table.copy()
    image, text = BlockLayout.of(table).read(table)
    assert image.values.dtype == np.uint8
    assert text.values.dtype == np.float32
    pd.testing.assert_frame_equal(table, before)
    assert all(b.values.flags.c_contiguous for b in (image, text))


def test_nullable_dtypes_become_nan():
    table = pd.DataFrame({"a__x": pd.array([1, None], dtype="Int64"), "a__y": [0.5, 0.25]})
    [block] = BlockLayout.of(table).read(table)
    np.testing.assert_array_equal(block.values, [[1, 0.5], [np.nan, 0.25]])


@pytest.mark.parametrize("value", [np.inf, -np.inf])
def test_an_error_names_the_infinite_value(value):
    table = pd.DataFrame({"text__a": [1.0, 2.0], "text__b": [1.0, value]})
    with pytest.raises(BlockError, match=r"row 1, column 1 'text__b' is -?inf"):
        BlockLayout.of(table).read(table)


def test_opposite_infinities_are_found():
    with pytest.raises(BlockError, match="contains infinity"):
        BlockLayout.from_names(["a__x", "a__y"]).read([[np.inf, -np.inf]])


def test_huge_numbers_are_not_infinite():
    [block] = BlockLayout.from_names(["a__x", "a__y"]).read([[1e308, 1e308]])
    assert block.present.all()


def test_an_error_names_a_text_column():
    table = pd.DataFrame({"text__a": ["fine", "bad"]})
    with pytest.raises(BlockError, match="column 'text__a' has dtype"):
        BlockLayout.of(table).read(table)


def test_rescaled_indicators_raise():
    table = pd.DataFrame({"a__x": [1.0, 2.0], "a__present": [0.5, -2.0]})
    with pytest.raises(BlockError, match=r"column 1 'a__present'.*appears to have been rescaled"):
        BlockLayout.of(table).read(table)
    with pytest.raises(BlockError, match=r"column 1 '.*appears to have been rescaled"):
        BlockLayout.of(table).read(table.to_numpy())


def test_zero_rows():
    layout = BlockLayout.from_shapes({"text": 4, "audio": (3, 2), "image": (2, 3, 4)})
    for block in layout.read(np.empty((0, layout.n_columns))):
        assert len(block.present) == 0
