"""Modalities that are present in each row."""

from itertools import compress

import numpy as np
import pandas as pd

from sklearn_mmsent.blocks import BlockLayout
from sklearn_mmsent.blocks.block import SEPARATOR
from sklearn_mmsent.exceptions import BlockError
from sklearn_mmsent.feature_extraction import is_missing

NONE = "none"


def presence_patterns(X):
    """Return the names of the present modalities of each row, such as "text+audio" or "none".

    Columns with ``__`` in their names are read as blocks; any other is a modality of raw cells.
    Return None if column names give no modalities.
    """
    if not isinstance(X, pd.DataFrame) or not all(isinstance(name, str) for name in X.columns):
        return None
    blocks = [name for name in X if SEPARATOR in name]
    present = {}
    try:
        table, layout = X[blocks], BlockLayout.from_names(blocks)
        for block in layout.blocks:
            # block by block, so that a large table is not copied whole
            values = BlockLayout((block,), layout.n_columns).read(table)[0]
            present[block.modality] = present.get(block.modality, False) | values.present
    except BlockError:  # names that contain __ but are no blocks
        return None
    for name in X:
        if SEPARATOR not in name:
            found = np.array([not is_missing(cell) for cell in X[name]])
            present[name] = present.get(name, False) | found
    order = [name.partition(SEPARATOR)[0] for name in X]
    modalities = sorted(present, key=order.index)
    rows = zip(*(present[name] for name in modalities), strict=True)
    return np.array(["+".join(compress(modalities, row)) or NONE for row in rows])
