"""One side of a split: rows, targets and the metadata that belong to them."""

from dataclasses import dataclass, field

from sklearn_mmsent.utils._sklearn import _check_method_params, _safe_split


@dataclass(frozen=True)
class Fold:
    """Rows of one side of a split, with their targets and metadata.

    Parameters
    ----------
    X : DataFrame or array-like of shape (n_samples, ...)
        Rows.
    y : array-like of shape (n_samples,) or (n_samples, n_targets), or None
        Targets.
    params : dict, default={}
        Keyword arguments of ``fit``, or of the scorer.
    """

    X: object
    y: object
    params: dict = field(default_factory=dict)

    @property
    def arguments(self):
        """Positional arguments of ``fit``: the rows, and the targets if there are any."""
        return (self.X,) if self.y is None else (self.X, self.y)


def cut_fold(estimator, X, y, rows, params=None, *, train_rows=None):
    """Select rows with their targets and metadata.

    Parameters
    ----------
    estimator : estimator
        The estimator that reads them; for a pairwise one, columns are selected too.
    X : DataFrame or array-like of shape (n_samples, ...)
        All rows.
    y : array-like of shape (n_samples,) or (n_samples, n_targets), or None
        All targets.
    rows : ndarray of int
        Rows to select.
    params : dict or None, default=None
        Metadata by name; values with one entry per row are cut, others are passed on.
    train_rows : ndarray of int or None, default=None
        Training rows, where `rows` are those of the test side.

    Returns
    -------
    Fold
        The selected rows.
    """
    X_fold, y_fold = _safe_split(estimator, X, y, rows, train_rows)
    return Fold(X_fold, y_fold, _check_method_params(X, params or {}, indices=rows))
