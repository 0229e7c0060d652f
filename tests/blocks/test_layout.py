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
            [1, nan, 1, 1, 1, nan, nan, nan, 1, nan],  # single NaN is no absence, a whole step is
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
    # 0.4 and 1.6 are what SMOTE makes of 0/1 and 1/2
    X = np.array([[5, 5, 1, 2, 1, 1], [5, 5, 0.4, 0, 1, 0.6], [5, 5, 0.6, 1.4, 1, 0.4]])
    a, b = layout.read(X)
    assert a.present.tolist() == [True, False, True]
    assert a.steps.tolist() == [[True, True], [False, False], [True, False]]
    assert b.present.tolist() == [True, True, False]


def test_a_feature_called_length_is_a_feature():
    [block] = BlockLayout.from_names(["text__length", "text__caps"]).blocks
    assert block.features == ("length", "caps")


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


def test_parts_are_blocks_of_one_modality():
    layout = BlockLayout.from_names(["audio__mel__a@0", "audio__mel__a@1", "audio__f0__mean"])
    assert [b.name for b in layout.blocks] == ["audio__mel", "audio__f0"]
    assert layout.modalities == ("audio",)


def test_select_includes_indicators():
    names = ["a__x", "b__x", "c__x", "a__present", "b__present", "c__present"]
    layout = BlockLayout.from_names(names)
    assert layout.select(["a", "c"]).tolist() == [0, 2, 3, 5]
    with pytest.raises(BlockError, match="no column belongs to the modality 'd'; the table has a"):
        layout.select(["d"])


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["a__x", "y"], "column 1 'y' names no modality"),
        (["a__x", "__y"], "column 1 '__y' names no modality"),
        (["a__x", "a__"], "column 1 'a__' names no modality"),
        (["a__x@k"], "column 0 'a__x@k': what follows '@' must be indices"),
        (["a__x@"], "column 0 'a__x@': what follows '@'"),
        (["a__x", "a__y@1"], "column 1 'a__y@1' has 1 indices, but the block 'a' started with 0"),
        (["a__x@0", "a__x@2"], "column 1 is 'a__x@2', but 'a__x@1' was expected"),
        (["a__x@1", "a__x@0"], "column 0 is 'a__x@1', but 'a__x@0' was expected"),
        (["a__x@0", "a__y@0", "a__x@1"], "the block 'a' ends at column 2"),
        (["a__x", "b__x", "a__y"], "column 2 'a__y' continues the block 'a', which ended before"),
        (["a__x", "a__x"], "column name 'a__x' is duplicated \\(columns 0 and 1\\)"),
        (["a__x", "b__present"], "'b__present' belongs to a block that has no columns"),
        (["a__x@0@0", "a__y@0@0"], "a block is flat"),
        (["a__x@0@0@0@0"], "a block is flat"),
    ],
)
def test_an_error_names_the_column_that_breaks_the_pattern(names, message):
    with pytest.raises(BlockError, match=message):
        BlockLayout.from_names(names)


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


def test_statistics_pool_time_and_pixels_and_skip_missing_values():
    layout = BlockLayout.from_shapes({"s": (2, 1), "i": (2, 1, 2), "f": 2})
    nan = np.nan
    X = np.array([[1, 3, 0, 2, 10, 10, 7, 1.0], [5, nan, 4, 6, 10, 10, nan, 3], [nan] * 8])
    seq, image, flat = layout.read(X)
    mean, scale = seq.statistics()
    np.testing.assert_allclose(mean, [3.0])
    np.testing.assert_allclose(scale, [np.std([1, 3, 5])])
    mean, scale = image.statistics()
    assert mean.shape == (2, 1, 1)
    np.testing.assert_allclose(mean.ravel(), [3, 10])
    np.testing.assert_allclose(scale.ravel(), [np.std([0, 2, 4, 6]), 1])  # constant: one
    mean, scale = flat.statistics()
    np.testing.assert_allclose(mean, [7, 2])
    np.testing.assert_allclose(scale, [1, 1])


def test_statistics_are_stable_far_from_zero():
    values = 1e8 + np.random.default_rng(0).normal(size=(5000, 1))
    [block] = BlockLayout.from_shapes({"a": 1}).read(values)
    mean, scale = block.statistics()
    np.testing.assert_allclose(mean, values.mean(0))
    np.testing.assert_allclose(scale, values.std(0))


def test_zero_rows():
    layout = BlockLayout.from_shapes(SHAPES)
    for block in layout.read(np.empty((0, layout.n_columns))):
        assert len(block.present) == 0
