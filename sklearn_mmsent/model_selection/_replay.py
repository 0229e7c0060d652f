"""Run scikit-learn's searches and cross-validation over estimators that are fitted beforehand.

scikit-learn clones, fits and scores one estimator after another. Here a first run records the folds
that it would fit on; all fits are made in batches; a second run replays them, so that scikit-learn
scores them and writes the results.
"""

from sklearn.base import clone, is_classifier
from sklearn.model_selection import check_cv, cross_validate

from sklearn_mmsent.model_selection.folds import Fold


class _Proxy:
    """Has the interface of an estimator, and is its own clone."""

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


class _FoldRecorded(Exception):
    """Raised in place of a fit that is only recorded."""


class _FoldRecorder(_Proxy):
    """Record the arguments of ``fit``."""

    def __init__(self, estimator):
        super().__init__(estimator)
        self.folds = []

    def fit(self, X, y=None, **fit_params):
        self.folds.append(Fold(X, y, fit_params))
        raise _FoldRecorded

    def __getattr__(self, name):  # such as the methods that a scorer requires
        return getattr(object.__getattribute__(self, "estimator"), name)


class Replay(_Proxy):
    """Take the next of several finished fits at each ``fit``, or raise the error of that fit.

    After the last one it fits by itself, as a search does with the best candidate.

    Parameters
    ----------
    estimator : estimator
        Estimator that was fitted.
    fits : list of Fit
        In the order in which scikit-learn fits.
    """

    def __init__(self, estimator, fits):
        super().__init__(estimator)
        self.fits = iter(fits)
        self.params = {}
        self.current = estimator

    def set_params(self, **params):
        """Store the parameters for a fit after the last; the others were made with theirs."""
        self.params = params
        return self

    def fit(self, X, y=None, **fit_params):
        """Take the next fit."""
        fit = next(self.fits, None)
        if fit is None:
            self.current = clone(self.estimator).set_params(**clone(self.params, safe=False))
            self.current.fit(*Fold(X, y).arguments, **fit_params)
            return self
        self.current = fit.estimator
        if fit.error is not None:
            raise fit.error
        return self

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(object.__getattribute__(self, "current"), name)


class FrozenSplits:
    """Splitter that returns the same splits each time, as both runs need.

    Parameters
    ----------
    cv : int, splitter, iterable or None
        As for scikit-learn.
    y : array-like or None
        Targets, by which an int is stratified.
    estimator : estimator
        Classifiers are stratified.
    """

    def __init__(self, cv, y, estimator):
        self.cv = check_cv(cv, y, classifier=is_classifier(estimator))
        self.splits = None

    def split(self, X, y=None, groups=None, **params):
        """Return the splits of the first call."""
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
        """Return the metadata that the splitter requests."""
        return self.cv.get_metadata_routing()


def record_folds(estimator, X, y, *, cv, scoring, groups, params):
    """Return the training folds on which `cross_validate` would fit an estimator.

    scikit-learn checks and routes the metadata, and selects the rows; `cv` is a `FrozenSplits`.
    """
    recorder = _FoldRecorder(estimator)
    try:
        cross_validate(
            recorder, X, y, cv=cv, scoring=scoring, groups=groups, params=params, error_score=0.0
        )
    except ValueError:  # scikit-learn reports that all fits failed, as they are meant to here
        if cv.splits is None or len(recorder.folds) < len(cv.splits):
            raise
    return recorder.folds
