"""The contract of numeric tables: column names <-> slices <-> shapes <-> masks.

A sample is one row of a numeric table; the row is cut into named *blocks*, one
or more per modality. Blocks are found by column names:

========================================  ==============================================
column                                    meaning
========================================  ==============================================
``text__013``                             feature ``013`` of the modality ``text``
``audio__egemaps__jitter``                feature ``jitter`` of the part ``egemaps``
``audio__mfcc003@017``                    coefficient 3 at time step 17 of a sequence
``image__pixel@002@040@051``              channel 2, row 40, column 51 of an image
``audio__present``, ``audio__length``     written by ``FillBlocks``: whether the block is
                                          present, and its number of valid steps
========================================  ==============================================

Indices vary slowest and features fastest, so a block is a contiguous slice of
the table and its tensor a reshape of that slice. A block that is entirely NaN is
a missing modality, a first-axis step that is entirely NaN is padding, and any
other NaN is an ordinary missing value.
"""

from sklearn_mmsent.blocks.block import Block
from sklearn_mmsent.blocks.feature_names import (
    indexed_names,
    numbered_names,
    segment_names,
    statistic_names,
)
from sklearn_mmsent.blocks.layout import BlockLayout

__all__ = [
    "Block",
    "BlockLayout",
    "indexed_names",
    "numbered_names",
    "segment_names",
    "statistic_names",
]
