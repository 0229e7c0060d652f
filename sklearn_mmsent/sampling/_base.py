"""What the samplers share: imbalanced-learn's interface over tables that keep their form."""

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
    """Which rows stay, and which are new.

    Parameters
    ----------
    rows : ndarray of int of shape (n_kept,)
        Rows of the table that stay as they are, in their order; one may stand twice.
    made : DataFrame, ndarray or None, default=None
        New rows of the table's form, which follow after them.
    sources : ndarray of int of shape (n_made,) or None, default=None
        The row that each new row was made from, whose target it carries.
    """

    rows: np.ndarray
    made: object = None
    sources: np.ndarray | None = None

    @property
    def indices(self):
        """The row of the table that each row of the result came from."""
        return self.rows if self.sources is None else np.concatenate([self.rows, self.sources])


class BaseRowSampler(BaseSampler):
    """A sampler that says which rows stay and makes new ones; this class does the rest.

    A child names its ``_sampling_type`` as imbalanced-learn does, and writes
    ``_fit_resample``. Tables stay what they are: a DataFrame keeps its columns and
    their dtypes, a list comes back as a list, targets likewise. NaN passes.
    """

    _strategy = "auto"  # of a child without the parameter ``sampling_strategy``

    # -- what a child writes -----------------------------------------------------------------

    @abstractmethod
    def _fit_resample(self, X, y):
        """Choose rows and make new ones.

        Parameters
        ----------
        X : DataFrame or ndarray of shape (n_samples, n_features)
            The table, which must not be written into.
        y : ndarray of shape (n_samples,)
            Labels; ``sampling_strategy_`` has been learned from them.

        Returns
        -------
        Resampled
        """

    def _check_target(self, y):
        """Check the targets and learn ``sampling_strategy_``; return labels as a 1-D array."""
        check_classification_targets(y)
        labels = np.asarray(check_target_type(y))
        strategy = getattr(self, "sampling_strategy", self._strategy)
        self.sampling_strategy_ = check_sampling_strategy(strategy, labels, self._sampling_type)
        return labels

    def _targets(self, y, indices):
        """Return the targets of the result; ``indices`` tells the row each came from."""
        return take(y, indices)

    # -- imbalanced-learn's interface --------------------------------------------------------

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y):
        """Check the table and learn how many rows each class is to have.

        ``fit_resample`` does this, too, and is what pipelines call.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            Training rows.
        y : array-like of shape (n_samples,)
            Their targets.

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
            Their targets.

        Returns
        -------
        X_resampled : same type as X, of shape (n_samples_new, n_features)
            The rows that stay, then the new ones; a DataFrame's index is numbered anew.
        y_resampled : same type as y, of shape (n_samples_new,)
            Their targets.

        Raises
        ------
        ValueError
            If the targets are no classes or only one, or a class has no row left.
        """
        table, labels = self._open(X, y)
        result = self._fit_resample(table, labels)
        self._check_classes_left(labels, result.indices)
        self.sample_indices_ = result.indices
        X_new = _appended(take(table, result.rows), result.made)
        X_new = X_new.tolist() if isinstance(X, list) else X_new
        return X_new, self._targets(y, result.indices)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = False
        tags.input_tags.allow_nan = True
        tags.sampler_tags.sample_indices = True
        return tags

    # -- parts -------------------------------------------------------------------------------

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
                f"({int((labels == lost[0]).sum())} came in), and a classifier could not learn it. "
                "Remove fewer rows, or leave the class out before."
            )


def take(values, rows):
    """Return rows of a table or entries of a target, in the form they came in.

    Parameters
    ----------
    values : DataFrame, Series, ndarray or list
        What to take from.
    rows : ndarray of int of shape (n_chosen,)
        Which rows.

    Returns
    -------
    DataFrame, Series, ndarray or list
        A copy; an index of pandas is numbered anew.
    """
    if isinstance(values, (pd.DataFrame, pd.Series)):
        return values.take(rows).reset_index(drop=True)
    if isinstance(values, list):
        return [values[row] for row in rows]
    return np.asarray(values)[rows]


def _appended(rows, made):
    """Return rows with new ones after them."""
    if made is None or not len(made):
        return rows
    if isinstance(rows, pd.DataFrame):
        return pd.concat([rows, made], ignore_index=True)
    return np.concatenate([rows, np.asarray(made, dtype=rows.dtype)])
