"""Estimators that stand in for others, so that scikit-learn's loops run over fits made ahead.

scikit-learn's searches and cross-validations clone, set parameters, fit and score one estimator
after another. A first run notes what each fold's ``fit`` is given; all is then fitted together; and
a second run, over the fitted estimators, scores them and writes the results.
"""

from sklearn.base import clone, is_classifier
from sklearn.model_selection import check_cv, cross_validate

from sklearn_mmsent.model_selection.batched_fit import Fold


class _StandIn:
    """Looks like an estimator from outside; is its own clone."""

    def __init__(self, estimator):
        self.estimator = estimator

    def __sklearn_clone__(self):
        return self

    def __sklearn_tags__(self):
        return self.estimator.__sklearn_tags__()

    def get_metadata_routing(self):
        return self.estimator.get_metadata_routing()

    def get_params(self, deep=True):
        return self.estimator.get_params(deep=deep)

    def set_params(self, **params):
        return self


class _Noted(Exception):
    """There is nothing to score yet."""


class _Notebook(_StandIn):
    """Notes what its ``fit`` is called with."""

    def __init__(self, estimator):
        super().__init__(estimator)
        self.folds = []

    def fit(self, X, y=None, **fit_params):
        self.folds.append(Fold(X, y, fit_params))
        raise _Noted

    def __getattr__(self, name):  # what scikit-learn looks for to score by, among others
        return getattr(object.__getattribute__(self, "estimator"), name)


class Replay(_StandIn):
    """Each ``fit`` turns it into the next of some fitted estimators, or fails as that has failed.

    When there are no more, it fits, as a search does with the best candidate.

    Parameters
    ----------
    estimator : estimator
        What it stands in for.
    fits : list of Fit
        In the order in which scikit-learn asks for them.
    """

    def __init__(self, estimator, fits):
        super().__init__(estimator)
        self.fits = iter(fits)
        self.params = {}
        self.now = estimator

    def set_params(self, **params):
        """Note the parameters, with which the fits to come have been made already."""
        self.params = params
        return self

    def fit(self, X, y=None, **fit_params):
        """Take the next fit."""
        fit = next(self.fits, None)
        if fit is None:
            self.now = clone(self.estimator).set_params(**clone(self.params, safe=False))
            self.now.fit(X, *(() if y is None else (y,)), **fit_params)
            return self
        self.now = fit.estimator
        if fit.error is not None:
            raise fit.error
        return self

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(object.__getattribute__(self, "now"), name)


class FrozenSplits:
    """Splits that come out the same each time, as the first run and the second need.

    Parameters
    ----------
    cv : int, splitter, iterable or None
        As scikit-learn takes it.
    y : array-like or None
        Targets, which decide what an int means.
    estimator : estimator
        As well.
    """

    def __init__(self, cv, y, estimator):
        self.cv = check_cv(cv, y, classifier=is_classifier(estimator))
        self.splits = None

    def split(self, X, y=None, groups=None, **params):
        """Return the splits that the splitter gave when it was asked first."""
        if self.splits is None:
            if groups is not None:
                params["groups"] = groups
            self.splits = list(self.cv.split(X, y, **params))
        return iter(self.splits)

    def get_n_splits(self, X=None, y=None, groups=None, **params):
        """Return the number of splits."""
        if self.splits is not None:
            return len(self.splits)
        return self.cv.get_n_splits(X, y, groups, **params)

    def get_metadata_routing(self):
        """Return what the splitter asks for."""
        return self.cv.get_metadata_routing()


def note_folds(estimator, X, y, *, cv, scoring, groups, params):
    """Return the folds that `cross_validate` would fit an estimator on.

    Parameters
    ----------
    estimator : estimator
        It is not fitted.
    X, y : array-like
        All rows.
    cv : FrozenSplits
        How they are split.
    scoring, groups, params
        As for :func:`sklearn.model_selection.cross_validate`.

    Returns
    -------
    list of Fold
        Training rows and metadata.
    """
    notebook = _Notebook(estimator)
    try:
        cross_validate(
            notebook, X, y, cv=cv, scoring=scoring, groups=groups, params=params, error_score=0.0
        )
    except ValueError:  # that all fits have failed, as they were meant to
        if cv.splits is None or len(notebook.folds) < len(cv.splits):
            raise
    return notebook.folds
