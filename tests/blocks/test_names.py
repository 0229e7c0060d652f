import pytest

from sklearn_mmsent.blocks import BlockLayout
from sklearn_mmsent.exceptions import BlockError


def test_a_feature_called_length_is_a_feature():
    [block] = BlockLayout.from_names(["text__length", "text__caps"]).blocks
    assert block.features == ("length", "caps")


def test_parts_are_blocks_of_one_modality():
    layout = BlockLayout.from_names(["audio__mel__a@0", "audio__mel__a@1", "audio__f0__mean"])
    assert [b.name for b in layout.blocks] == ["audio__mel", "audio__f0"]
    assert layout.modalities == ("audio",)


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
