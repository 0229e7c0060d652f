"""Classifiers that learn from finer labels or favour rare classes."""

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import has_fit_parameter


class FromFinerLabels(ClassifierMixin, BaseEstimator):
    """Fit on finer labels, each of which belongs to one class, and add up their probabilities.

    Parameters
    ----------
    estimator : classifier
        Classifier of the finer labels.
    labels : Series of str
        Finer labels by the index of X; only training rows are looked up.
    """

    def __init__(self, estimator, labels):
        self.estimator = estimator
        self.labels = labels

    def fit(self, X, y, groups=None):
        """Fit on the finer labels of the rows."""
        finer = self.labels.loc[X.index].to_numpy()
        self.classes_ = np.unique(y)
        self.estimator_ = clone(self.estimator)
        self.estimator_.fit(X, finer, **_groups_for(self.estimator_, groups))
        coarse = dict(zip(finer.tolist(), np.asarray(y).tolist(), strict=True))
        self._belongs = np.array(
            [[coarse[label] == c for c in self.classes_] for label in self.estimator_.classes_],
            dtype=float,
        )
        return self

    def predict_proba(self, X):
        """Return the sums of the probabilities of the finer labels."""
        return self.estimator_.predict_proba(X) @ self._belongs

    def predict(self, X):
        """Predict the most likely class."""
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


class LogitAdjusted(ClassifierMixin, BaseEstimator):
    """Divide probabilities by a power of the class frequencies, in favour of rare classes [1]_.

    Parameters
    ----------
    estimator : classifier
        Probabilistic classifier.
    strength : float
        Exponent: 0 changes nothing, 1 treats all classes as equally frequent.

    References
    ----------
    .. [1] Menon et al. (2021), Long-tail learning via logit adjustment, ICLR.
    """

    def __init__(self, estimator, strength):
        self.estimator = estimator
        self.strength = strength

    def fit(self, X, y, groups=None):
        """Fit the classifier and count the classes."""
        self.classes_, counts = np.unique(y, return_counts=True)
        self.estimator_ = clone(self.estimator)
        self.estimator_.fit(X, y, **_groups_for(self.estimator_, groups))
        self._weights = (counts / counts.sum()) ** -self.strength
        return self

    def predict_proba(self, X):
        """Return the adjusted probabilities."""
        weighted = self.estimator_.predict_proba(X) * self._weights
        return weighted / weighted.sum(axis=1, keepdims=True)

    def predict(self, X):
        """Predict the most likely class."""
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


def _groups_for(estimator, groups):
    """Return groups as an argument of `fit`, if an estimator or pipeline takes them."""
    name = "groups"
    if isinstance(estimator, Pipeline):
        step, estimator = estimator.steps[-1]
        name = f"{step}__groups"
    takes = groups is not None and has_fit_parameter(estimator, "groups")
    return {name: groups} if takes else {}
