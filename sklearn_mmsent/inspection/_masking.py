"""Rows whose modalities can be removed, for any estimator that predicts them."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from sklearn_mmsent.blocks import BlockLayout
from sklearn_mmsent.blocks.block import SEPARATOR
from sklearn_mmsent.compose import MultimodalExtractor
from sklearn_mmsent.exceptions import BlockError
from sklearn_mmsent.feature_extraction import is_missing


class Rows:
    """Rows to predict with a fitted estimator, and the columns of each modality.

    A pipeline that starts with a :class:`MultimodalExtractor` is split after it: cells are
    extracted once, and a modality is removed as a block, as the extractor does for a missing cell.

    `modalities` "auto" uses the modalities of a numeric table, or the columns of raw cells. A
    mapping joins several modalities, blocks or raw columns under one name. Raises BlockError if
    the rows name no modalities, or only one.
    """

    def __init__(self, estimator, X, modalities, owner):
        self.owner = owner
        self.estimator, self.X = _split_extractor(estimator, X)
        if not hasattr(self.X, "columns"):
            self.X = np.asarray(self.X)
        known = self._find()
        if modalities != "auto":
            known = self._join(known, modalities)
        if len(known) < 2:
            raise BlockError(
                f"{owner} compares modalities, but {type(estimator).__name__} has only one: "
                f"{next(iter(known), None)!r}. Name columns '<modality>__<feature>', or name "
                "groups of blocks with modalities={'name': ['block', ...]}."
            )
        self.columns = known

    @property
    def names(self):
        """Names of the modalities, in column order."""
        return tuple(self.columns)

    def __len__(self):
        return len(self.X)

    @property
    def index(self):
        """Index of the rows, a RangeIndex for an array."""
        return getattr(self.X, "index", pd.RangeIndex(len(self.X)))

    # -- columns of modalities ---------------------------------------------------------------

    def _find(self):
        """Return the columns of each modality."""
        self._layout = self._find_layout()
        if self._layout is not None:
            return {name: self._layout.select([name]) for name in self._layout.modalities}
        kinds = getattr(self.X, "dtypes", [])
        raw = [i for i, kind in enumerate(kinds) if not pd.api.types.is_numeric_dtype(kind)]
        if not raw:
            raise BlockError(
                f"{self.owner}: {type(self.estimator).__name__} and its rows name no modalities. "
                "Expected a DataFrame whose columns are named '<modality>__<feature>', a table of "
                "raw cells with one column per modality, or a fusion estimator with modalities={"
                "'text': 384, ...}."
            )
        return {str(self.X.columns[i]): np.array([i]) for i in raw}

    def _find_layout(self):
        names = getattr(self.X, "columns", None)
        if names is not None and any(SEPARATOR in str(name) for name in names):
            return BlockLayout.from_names(map(str, names))
        steps = getattr(self.estimator, "steps", [(None, self.estimator)])
        return getattr(steps[0][1], "layout_", None)

    def _join(self, known, modalities):
        if not isinstance(modalities, Mapping) or not modalities:
            raise ValueError(
                f"{self.owner}: modalities must be 'auto' or a mapping such as {{'face': "
                f"['vision', 'motion']}}; got {modalities!r}."
            )
        parts = dict(known)
        for block in self._layout.blocks if self._layout else ():
            marks = (block.present_column, block.length_column)
            columns = [*range(block.start, block.stop), *(m for m in marks if m is not None)]
            parts.setdefault(block.name, np.array(columns))
        joined = {}
        for name, members in modalities.items():
            members = [members] if isinstance(members, str) else list(members)
            for member in members:
                if member not in parts:
                    raise BlockError(
                        f"{self.owner}: modalities[{name!r}] names {member!r}, which is not "
                        f"in the rows; they have {', '.join(map(repr, parts))}."
                    )
            joined[name] = np.unique(np.concatenate([parts[member] for member in members]))
        return joined

    def has(self, name):
        """Return which rows have any part of a modality."""
        columns = self.columns[name]
        if self._layout is None:
            cells = self.X.iloc[:, columns]
            return ~np.all([[is_missing(cell) for cell in cells[c]] for c in cells], axis=0)
        blocks = tuple(block for block in self._layout.blocks if block.start in columns)
        found = BlockLayout(blocks, self._layout.n_columns).read(self.X)
        return np.any([block.present for block in found], axis=0)

    # -- removing modalities -----------------------------------------------------------------

    def masked(self, absent):
        """Return the rows with some modalities set to missing."""
        return self._masked(self.X, absent)

    def _masked(self, X, absent):
        columns = self._columns(absent)
        if not len(columns):
            return X
        marks = [] if self._layout is None else self._layout.indicator_columns
        marks = np.intersect1d(marks, columns).astype(int)
        if isinstance(X, np.ndarray):
            X = X.astype(np.result_type(X.dtype, np.float32))
            X[:, columns] = np.nan
            X[:, marks] = 0.0
            return X
        names = X.columns[marks]
        gaps = _gaps(X.iloc[:, columns]).assign(**dict.fromkeys(names, np.float32(0)))
        return _replaced(X, columns, gaps)

    def permuted(self, absent, order):
        """Return the rows with some modalities taken from the rows `order`."""
        columns = self._columns(absent)
        if not len(columns):
            return self.X
        if isinstance(self.X, np.ndarray):
            X = self.X.copy()
            X[:, columns] = self.X[np.ix_(order, columns)]
            return X
        others = self.X.iloc[order, columns].set_axis(self.X.index)
        return _replaced(self.X, columns, others)

    def check_masking(self):
        """Raise ValueError if the estimator does not tolerate missing modalities."""
        self.estimator.predict(self.X[:1])  # raise here what is unrelated to missing modalities
        if not self.tolerates_missing():
            raise ValueError(
                f"{self.owner}: {type(self.estimator).__name__} does not tolerate missing "
                "modalities, which by='masking' requires. Use by='permutation', put FillBlocks() "
                "before it, or use a fusion estimator."
            )

    def tolerates_missing(self):
        """Whether the estimator predicts rows with missing modalities."""
        first = self.X[:1]
        try:
            for name in self.names:
                self.estimator.predict(self._masked(first, [name]))
        except ValueError:
            return False
        return True

    def _columns(self, names):
        chosen = [self.columns[name] for name in names]
        return np.unique(np.concatenate(chosen)) if chosen else np.array([], dtype=int)


def _replaced(X, columns, new):
    """Return a table with some columns replaced."""
    kept = np.setdiff1d(np.arange(X.shape[1]), columns)
    order = np.argsort(np.concatenate([kept, columns]))
    return pd.concat([X.iloc[:, kept], new], axis=1).iloc[:, order]


def _split_extractor(estimator, X):
    estimator = getattr(estimator, "best_estimator_", estimator)  # of a search
    if isinstance(estimator, Pipeline) and isinstance(estimator.steps[0][1], MultimodalExtractor):
        table = estimator.steps[0][1].transform(X)
        rest = estimator[1:]
        return (rest if len(rest) > 1 else rest.steps[0][1]), table
    return estimator, X


def _gaps(table):
    """Return a table of the same shape with only missing values."""
    numeric = all(map(pd.api.types.is_numeric_dtype, table.dtypes))
    if numeric:
        wide = any(dtype.kind == "f" and dtype.itemsize > 4 for dtype in table.dtypes)
        gaps = np.full(table.shape, np.nan, np.float64 if wide else np.float32)
    else:
        gaps = np.full(table.shape, None, object)
    return pd.DataFrame(gaps, index=table.index, columns=table.columns)
