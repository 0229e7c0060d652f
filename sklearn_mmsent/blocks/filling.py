"""Tables of filled blocks, with indicators of missing blocks and padding."""

import numpy as np
import pandas as pd

from sklearn_mmsent.blocks.block import LENGTH, PRESENT, SEPARATOR


def fill_table(blocks, values, fills, names):
    """Return a table of filled blocks, followed by their indicators.

    Parameters
    ----------
    blocks : sequence of Block
        The blocks.
    values : sequence of BlockValues
        Their rows.
    fills : sequence of ndarray
        For each block, the values that replace missing ones.
    names : sequence of str
        Names of the blocks' columns.

    Returns
    -------
    DataFrame of shape (n_samples, n_columns + n_indicators)
        Each block in its dtype, the indicators in float32.
    """
    parts = fill_arrays(blocks, values, fills)
    frame = pd.concat([pd.DataFrame(part) for part in parts], axis=1)
    frame.columns = [*names, *indicator_names(blocks)]
    return frame


def fill_arrays(blocks, values, fills):
    """Return the columns of `fill_table` as arrays: one per block, and the indicators."""
    parts, indicators = [], []
    for block, data, fill in zip(blocks, values, fills, strict=True):
        parts.append(_filled(data, fill).reshape(len(data.present), block.width))
        indicators.append(data.present)
        if data.steps is not None:
            steps = data.steps
            last = steps.shape[1] - np.argmax(steps[:, ::-1], axis=1)
            indicators.append(np.where(steps.any(axis=1), last, 0))
    parts.append(np.column_stack(indicators).astype(np.float32))
    return parts


def indicator_names(blocks):
    """Return the names of the columns of presence and length, in order."""
    names = []
    for block in blocks:
        names.append(f"{block.name}{SEPARATOR}{PRESENT}")
        if block.kind == "sequence":
            names.append(f"{block.name}{SEPARATOR}{LENGTH}")
    return names


def _filled(data, fill):
    """Return the values of a block without NaN; padding is overwritten as well."""
    values = data.values
    if values.dtype.kind != "f":
        return values
    missing = np.isnan(values)
    if data.steps is not None:
        missing |= ~data.steps[:, :, None]
    if not missing.any():
        return values
    return np.where(missing, fill.astype(values.dtype), values)
