"""Base class of augmenters: choice of rows to copy and of cells to modify."""

from abc import abstractmethod
from numbers import Integral

import numpy as np
import pandas as pd
from imblearn.over_sampling.base import BaseOverSampler
from joblib import Parallel, delayed
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import type_of_target

from sklearn_mmsent.exceptions import CellError
from sklearn_mmsent.feature_extraction.cells import CellColumn, is_missing
from sklearn_mmsent.sampling._base import BaseRowSampler, Resampled
from sklearn_mmsent.utils._sklearn import Interval, StrOptions


class BaseAugmenter(BaseRowSampler):
    """Add copies of rows with modified raw cells; labels and other cells are unchanged.

    Subclasses implement ``_augment``.
    """

    _sampling_type = "over-sampling"
    _parameter_constraints: dict = {
        **BaseOverSampler._parameter_constraints,
        "columns": [str, list],
        "factor": [Interval(Integral, 1, None, closed="left"), None],
        "on_error": [StrOptions({"raise", "missing"})],
        "n_jobs": [Integral, None],
    }

    @abstractmethod
    def _augment(self, cell, rng):
        """Return a modified copy of a cell; raise CellError or OSError if it is unusable."""

    def _prepare(self):
        """Check dependencies before the first cell is read."""

    def _check_target(self, y):
        if self.factor is None:
            return super()._check_target(y)
        if type_of_target(y).startswith("continuous"):  # no classes to count
            self.sampling_strategy_ = {}
            return np.asarray(y)
        labels = super()._check_target(y)
        found, counts = np.unique(labels, return_counts=True)
        self.sampling_strategy_ = dict(
            zip(found.tolist(), (counts * self.factor).tolist(), strict=True)
        )
        return labels

    def _fit_resample(self, X, y):
        columns = self._find_columns(X)
        random = check_random_state(self.random_state)
        seed = random.randint(2**31 - 1)
        sources = self._choose_sources(y, random)
        made = X.take(sources) if isinstance(X, pd.DataFrame) else X[sources]
        if columns and len(sources):
            self._prepare()
            for name, cells in self._augment_columns(X, columns, sources, seed):
                made = made.assign(**{name: _as_column(cells, X[name].dtype, made.index)})
        return Resampled(np.arange(len(y)), made, sources)

    def _choose_sources(self, y, random):
        """Choose the rows to copy, each row of a class equally often up to one."""
        if self.factor is not None:
            return np.repeat(np.arange(len(y)), self.factor)
        chosen = [np.empty(0, dtype=np.intp)]
        for label, n_new in self.sampling_strategy_.items():
            rows = np.flatnonzero(y == label)
            rounds = -(-n_new // len(rows))
            drawn = [random.permutation(rows) for _ in range(rounds)]
            chosen.append(np.concatenate([*drawn, chosen[0]])[:n_new])
        return np.concatenate(chosen).astype(np.intp)

    def _find_columns(self, X):
        columns = [self.columns] if isinstance(self.columns, str) else list(self.columns)
        if not columns:
            return columns
        owner = type(self).__name__
        if not isinstance(X, pd.DataFrame):
            raise TypeError(
                f"{owner} finds raw cells by column name; got an array without names. Pass a "
                "DataFrame."
            )
        if unknown := [name for name in columns if name not in X.columns]:
            raise ValueError(
                f"{owner}: there is no column {unknown[0]!r}; the table has "
                f"{', '.join(map(repr, X.columns))}. Name the columns to change by columns=."
            )
        return columns

    def _augment_columns(self, X, columns, sources, seed):
        """Yield the modified cells of each column."""
        # the random stream of a copy depends only on its row and the number of earlier copies
        copies = pd.Series(sources).groupby(sources).cumcount().to_numpy()
        for number, name in enumerate(columns):
            column = CellColumn.read(X[name], owner=type(self).__name__)
            found = Parallel(n_jobs=self.n_jobs)(
                delayed(self._try)(column.cells[row], [seed, number, row, copy])
                for row, copy in zip(sources, copies, strict=True)
            )
            failed = {
                int(row): error
                for row, (_, error) in zip(sources, found, strict=True)
                if error is not None
            }
            owner = type(self).__name__
            column.report(failed, owner=owner, on_error=self.on_error)
            cells = np.empty(len(sources), dtype=object)
            for i, (cell, _) in enumerate(found):
                cells[i] = cell
            yield name, cells

    def _try(self, cell, key):
        """Return the modified copy of a cell and None, or None and the error."""
        if is_missing(cell):
            return cell, None
        try:
            return self._augment(cell, np.random.default_rng(key)), None
        except (CellError, OSError) as error:
            return None, error


def _as_column(cells, dtype, index):
    """Return cells with the dtype of their column if it can hold them (texts, but not arrays)."""
    column = pd.Series(cells, index=index, dtype=object)
    fits = all(isinstance(cell, str) or is_missing(cell) for cell in cells)
    return column.astype(dtype) if fits else column
