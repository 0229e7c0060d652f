"""Base class of samplers: the interface of imbalanced-learn for tables of any type."""

from abc import abstractmethod
from dataclasses import dataclass

import numpy as np
import pandas as pd
from imblearn.base import BaseSampler
from imblearn.utils import check_sampling_strategy, check_target_type
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_consistent_length

from sklearn_mmsent.utils._sklearn import _fit_context
from sklearn_mmsent.utils._validation import check_table


@dataclass(frozen=True)
class Resampled:
    """Rows to keep and new rows.

    Parameters
    ----------
    rows : ndarray of int of shape (n_kept,)
        Rows of the table to keep unchanged, in this order; repetitions are allowed.
    made : DataFrame, ndarray or None, default=None
        New rows of the same type as the table, appended to the kept rows.
    sources : ndarray of int of shape (n_made,) or None, default=None
        Source row of each new row, which provides its target.
    """

    rows: np.ndarray
    made: object = None
    sources: np.ndarray | None = None

    @property
    def indices(self):
        """Source row of each row of the result."""
        return self.rows if self.sources is None else np.concatenate([self.rows, self.sources])


class BaseRowSampler(BaseSampler):
    """Sampler that keeps some rows and makes new ones.

    Subclasses set ``_sampling_type`` as in imbalanced-learn and implement ``_fit_resample``.
    The type of the table is preserved: a DataFrame keeps columns and dtypes, a list is returned
    as a list; the same holds for targets. NaN is allowed.

    Parameters
    ----------
    modalities : "auto", mapping or None, default="auto"
        Block layout of the columns; "auto" infers it from the column names. See
        :meth:`sklearn_mmsent.blocks.BlockLayout.of`.

    Attributes
    ----------
    sampling_strategy_ : dict
        Number of new rows of each class.
    sample_indices_ : ndarray of int of shape (n_samples_new,)
        Index of the source row of each resampled row.
    n_features_in_ : int
        Number of features seen during fit.
    feature_names_in_ : ndarray of str objects of shape (n_features_in_,)
        Names of features seen during fit. Defined only when X has feature names that are all
        strings.

    Notes
    -----
    `modalities` is a parameter of subclasses whose constructor takes it.
    """

    _strategy = "auto"  # for subclasses without the parameter ``sampling_strategy``

    # -- to implement in subclasses ----------------------------------------------------------

    @abstractmethod
    def _fit_resample(self, X, y):
        """Choose rows of a read-only table and make new ones; return a `Resampled`.

        `y` is an array of labels; ``sampling_strategy_`` is already set.
        """

    def _check_target(self, y):
        """Check the targets and set ``sampling_strategy_``; return labels as a 1-D array."""
        check_classification_targets(y)
        labels = np.asarray(check_target_type(y))
        strategy = getattr(self, "sampling_strategy", self._strategy)
        self.sampling_strategy_ = check_sampling_strategy(strategy, labels, self._sampling_type)
        return labels

    def _targets(self, y, indices):
        """Return the targets of the result from the source row of each row."""
        return take(y, indices)

    # -- imbalanced-learn's interface --------------------------------------------------------

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y):
        """Check the table and set the number of rows of each class.

        ``fit_resample``, which pipelines call, includes this step.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            Training rows.
        y : array-like of shape (n_samples,)
            Targets.

        Returns
        -------
        self : object
            The fitted sampler.
        """
        self._open(X, y)
        return self

    @_fit_context(prefer_skip_nested_validation=False)
    def fit_resample(self, X, y):
        """Resample a table.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            Training rows.
        y : array-like of shape (n_samples,)
            Targets.

        Returns
        -------
        X_resampled : same type as X, of shape (n_samples_new, n_features)
            The kept rows, followed by the new ones, with a new index.
        y_resampled : same type as y, of shape (n_samples_new,)
            Targets of the rows.

        Raises
        ------
        ValueError
            If the targets are not classes, there is only one class, or a class loses all its rows.
        """
        table, labels = self._open(X, y)
        result = self._fit_resample(table, labels)
        self._check_classes_left(labels, result.indices)
        self.sample_indices_ = result.indices
        X_new = _append(take(table, result.rows), result.made)
        X_new = X_new.tolist() if isinstance(X, list) else X_new
        return X_new, self._targets(y, result.indices)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = False
        tags.input_tags.allow_nan = True
        tags.sampler_tags.sample_indices = True
        return tags

    # -- helpers -----------------------------------------------------------------------------

    def _open(self, X, y):
        table = check_table(self, X, reset=True)
        if y is None:
            raise ValueError(
                f"{type(self).__name__} requires y to be passed, but the target y is None"
            )
        check_consistent_length(table, y)
        return table, self._check_target(y)

    def _check_classes_left(self, labels, indices):
        lost = sorted(set(labels.tolist()) - set(labels[indices].tolist()), key=str)
        if lost:
            raise ValueError(
                f"{type(self).__name__}: no row of the class {lost[0]!r} is left "
                f"({int((labels == lost[0]).sum())} before), so a classifier cannot learn it. "
                "Remove fewer rows, or exclude the class beforehand."
            )


def take(values, rows):
    """Return a copy of rows of a table or target, of the same type, with a new index."""
    if isinstance(values, (pd.DataFrame, pd.Series)):
        return values.take(rows).reset_index(drop=True)
    if isinstance(values, list):
        return [values[row] for row in rows]
    return np.asarray(values)[rows]


def _append(rows, made):
    """Return the rows followed by the new ones."""
    if made is None or not len(made):
        return rows
    if isinstance(rows, pd.DataFrame):
        return pd.concat([rows, made], ignore_index=True)
    return np.concatenate([rows, np.asarray(made, dtype=rows.dtype)])
