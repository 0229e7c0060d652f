"""A table of several modalities, cut for experts that read some of them."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from sklearn_mmsent.blocks import BlockLayout
from sklearn_mmsent.blocks.block import SEPARATOR
from sklearn_mmsent.exceptions import BlockError
from sklearn_mmsent.utils._messages import did_you_mean


class ExpertTable:
    """A table, and which of its rows an expert can read.

    Parameters
    ----------
    X : DataFrame or ndarray of shape (n_samples, n_columns)
        Numbers in named blocks, or a DataFrame of raw cells, which is handed on as it is.
    layout : BlockLayout or None
        Its blocks; None for raw cells.
    modalities : "auto", mapping or None
        How the blocks were found.
    """

    def __init__(self, X, layout, modalities):
        self.layout = layout
        self.X = X if layout is None else _named(X, layout, modalities)
        self.how_to_fill = "auto" if modalities is not None else None
        self.present = None
        if layout is not None:
            self.present = {name: np.zeros(len(X), bool) for name in layout.modalities}
            for block, values in zip(layout.blocks, layout.read(X, stream=True), strict=True):
                self.present[block.modality] |= values.present

    @staticmethod
    def layout_of(X, modalities, owner):
        """Find the blocks of a table; None for one of raw cells."""
        if isinstance(X, pd.DataFrame) and not all(
            pd.api.types.is_numeric_dtype(dtype) for dtype in set(X.dtypes)
        ):
            return None
        return BlockLayout.of(X, modalities, owner=owner)

    def __len__(self):
        return len(self.X)

    def readable(self, expert):
        """Tell which rows have one of an expert's modalities, as bool of shape (n_samples,)."""
        if self.layout is None:
            return np.ones(len(self), bool)
        names = expert.modalities or self.layout.modalities
        return np.any([self.present[name] for name in names], axis=0)

    def cut(self, expert, rows):
        """Return some rows of what an expert reads.

        Parameters
        ----------
        expert : Expert
            Who reads.
        rows : ndarray of int or bool
            Which rows.

        Returns
        -------
        DataFrame
            With the names of the columns.
        """
        if expert.modalities is None or self.layout is None:
            return self.X.iloc[rows]
        return self.X.iloc[rows, self.layout.select(expert.modalities)]

    def check_modalities(self, modalities, name, owner):
        """Refuse modalities that the table does not have."""
        if self.layout is None:
            raise BlockError(
                f"{owner}: the expert {name!r} is to read {', '.join(modalities)}, but the table "
                "has raw cells. Put make_extractor(...) before the ensemble, or let the expert be "
                "a pipeline that chooses its columns."
            )
        known = self.layout.modalities
        for modality in modalities:
            if modality not in known:
                raise BlockError(
                    f"{owner}: the expert {name!r} is to read {modality!r}, which the table does "
                    f"not have; it has {', '.join(known)}.{did_you_mean(modality, known)}"
                )
        if not modalities:
            raise BlockError(f"{owner}: the expert {name!r} reads no modality.")


def _named(X, layout, modalities):
    """Return the table as a DataFrame whose columns tell their blocks."""
    if isinstance(X, pd.DataFrame) and not isinstance(modalities, Mapping):
        names = [name for name in X.columns if isinstance(name, str)]
        says = modalities is None or any(SEPARATOR in name for name in names)
        if len(names) == X.shape[1] and says:
            return X
    names = [name for block in layout.blocks for name in block.column_names()]
    if isinstance(X, pd.DataFrame):
        return X.set_axis(names, axis=1)
    return pd.DataFrame(X, columns=names)
