"""Probabilities that mean what they say, learned from out-of-fold outputs."""

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator

CLOSE = 1e-7  # probabilities nearer to 0 and 1 count as this near


class _Told(ClassifierMixin, BaseEstimator):
    """A classifier whose rows are its own outputs."""

    def __init__(self, n_classes):
        self.n_classes = n_classes
        self.classes_ = np.arange(n_classes)

    def fit(self, X, y, sample_weight=None):
        return self

    def predict(self, X):
        return X.argmax(axis=1)


class _ToldProbabilities(_Told):
    def predict_proba(self, X):
        return X


class _ToldMargins(_Told):
    def decision_function(self, X):
        return X[:, 1] if self.n_classes == 2 else X


class Calibrator:
    """Map outputs of an expert to probabilities, as ``CalibratedClassifierCV`` does.

    That splits rows itself, and through groups; this one is given outputs of rows that the expert
    has not seen. Probabilities are calibrated as log-odds.

    Parameters
    ----------
    method : {"sigmoid", "isotonic", "temperature"}
        As of scikit-learn.
    margins : bool
        Whether outputs are those of a ``decision_function``.
    """

    def __init__(self, method, *, margins):
        self.method, self.margins = method, margins

    def fit(self, outputs, numbers, sample_weight=None):
        """Learn from outputs of unseen rows.

        Parameters
        ----------
        outputs : ndarray of shape (n_samples, n_classes)
            Probabilities or margins.
        numbers : ndarray of int of shape (n_samples,)
            True class numbers.
        sample_weight : ndarray of shape (n_samples,) or None, default=None
            Weight of each row.

        Returns
        -------
        self : Calibrator
            Fitted.
        """
        if not len(outputs):
            raise ValueError("it has no out-of-fold outputs to calibrate by: too few rows have it")
        self.seen_, numbers = np.unique(numbers, return_inverse=True)
        as_margins = self.margins or self.method != "temperature"
        told = (_ToldMargins if as_margins else _ToldProbabilities)(len(self.seen_))
        self.calibrated_ = None
        if len(self.seen_) > 1:
            rows = np.arange(len(outputs))
            model = CalibratedClassifierCV(
                FrozenEstimator(told), method=self.method, cv=[(rows, rows)]
            )
            inputs = self._inputs(outputs)
            self.calibrated_ = model.fit(inputs, numbers, sample_weight=sample_weight)
        return self

    def __call__(self, outputs):
        """Return probabilities of shape (n_samples, n_classes), zero for classes never seen."""
        probabilities = np.zeros(outputs.shape)
        if self.calibrated_ is None:
            probabilities[:, self.seen_] = 1.0
        else:
            probabilities[:, self.seen_] = self.calibrated_.predict_proba(self._inputs(outputs))
        return probabilities

    def _inputs(self, outputs):
        outputs = outputs[:, self.seen_]
        if self.margins:
            return outputs
        total = outputs.sum(axis=1, keepdims=True)
        even = np.full(outputs.shape, 1 / outputs.shape[1])
        outputs = np.divide(outputs, total, out=even, where=total > 0)
        if self.method == "temperature":
            return outputs
        outputs = np.clip(outputs, CLOSE, 1 - CLOSE)
        return np.log(outputs) - np.log1p(-outputs)


def calibrate(outputs, numbers, splits, method, *, margins, sample_weight=None):
    """Calibrate out-of-fold outputs, each fold by what the others tell, and learn it from all.

    Parameters
    ----------
    outputs : ndarray of shape (n_samples, n_classes)
        Out-of-fold outputs, NaN where there are none.
    numbers : ndarray of int of shape (n_samples,)
        True class numbers.
    splits : list of (ndarray of int, ndarray of int) tuples
        The folds.
    method : {"sigmoid", "isotonic", "temperature"}
        As of :class:`Calibrator`.
    margins : bool
        Whether outputs are margins.
    sample_weight : ndarray of shape (n_samples,) or None, default=None
        Weight of each row.

    Returns
    -------
    calibrated : ndarray of shape (n_samples, n_classes)
        Out-of-fold probabilities.
    calibrator : Calibrator
        Learned from all rows.
    """

    def learn(rows):
        rows = rows[there[rows]]
        weights = None if sample_weight is None else sample_weight[rows]
        return Calibrator(method, margins=margins).fit(outputs[rows], numbers[rows], weights)

    there = ~np.isnan(outputs[:, 0])
    calibrated = np.full(outputs.shape, np.nan)
    for train, test in splits:
        test = test[there[test]]
        if len(test):
            calibrated[test] = learn(train)(outputs[test])
    return calibrated, learn(np.arange(len(outputs)))
