"""Table of several modalities, of which experts read some."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from sklearn_mmsent.blocks import BlockLayout
from sklearn_mmsent.blocks.block import SEPARATOR
from sklearn_mmsent.exceptions import BlockError
from sklearn_mmsent.utils._messages import did_you_mean


class ExpertTable:
    """Table, with the rows that each expert can read.

    Parameters
    ----------
    X : DataFrame or ndarray of shape (n_samples, n_columns)
        Numbers in named blocks, or a DataFrame of raw cells, which experts read as it is.
    layout : BlockLayout or None
        Its blocks; None for raw cells.
    modalities : "auto", mapping or None
        Parameter from which the layout was made.
    """

    def __init__(self, X, layout, modalities):
        self.layout = layout
        self.X = X if layout is None else _named(X, layout, modalities)
        self.fill_modalities = "auto" if modalities is not None else None
        self.present = None
        if layout is not None:
            self.present = {name: np.zeros(len(X), bool) for name in layout.modalities}
            for block, values in zip(layout.blocks, layout.read(X, stream=True), strict=True):
                self.present[block.modality] |= values.present

    @staticmethod
    def layout_of(X, modalities, owner):
        """Return the blocks of a table; None for a table of raw cells."""
        if isinstance(X, pd.DataFrame) and not all(
            pd.api.types.is_numeric_dtype(dtype) for dtype in set(X.dtypes)
        ):
            return None
        return BlockLayout.of(X, modalities, owner=owner)

    def __len__(self):
        return len(self.X)

    def readable(self, expert):
        """Return which rows have a modality of an expert, as bool of shape (n_samples,)."""
        if self.layout is None:
            return np.ones(len(self), bool)
        names = expert.modalities or self.layout.modalities
        return np.any([self.present[name] for name in names], axis=0)

    def columns_of(self, expert):
        """Return the columns that an expert reads, as a DataFrame."""
        if expert.modalities is None or self.layout is None:
            return self.X
        return self.X.iloc[:, self.layout.select(expert.modalities)]

    def check_modalities(self, modalities, name, owner):
        """Check that the table has the modalities of an expert."""
        if self.layout is None:
            raise BlockError(
                f"{owner}: the expert {name!r} reads {', '.join(modalities)}, but the table has "
                "raw cells. Put make_extractor(...) before the ensemble, or use a pipeline that "
                "selects its columns as expert."
            )
        known = self.layout.modalities
        for modality in modalities:
            if modality not in known:
                raise BlockError(
                    f"{owner}: the expert {name!r} reads {modality!r}, which is not in the table; "
                    f"it has {', '.join(known)}.{did_you_mean(modality, known)}"
                )
        if not modalities:
            raise BlockError(f"{owner}: the expert {name!r} reads no modality.")


def _named(X, layout, modalities):
    """Return the table as a DataFrame whose column names give its blocks."""
    if isinstance(X, pd.DataFrame) and not isinstance(modalities, Mapping):
        names = [name for name in X.columns if isinstance(name, str)]
        has_blocks = modalities is None or any(SEPARATOR in name for name in names)
        if len(names) == X.shape[1] and has_blocks:
            return X
    names = [name for block in layout.blocks for name in block.column_names()]
    if isinstance(X, pd.DataFrame):
        return X.set_axis(names, axis=1)
    return pd.DataFrame(X, columns=names)
