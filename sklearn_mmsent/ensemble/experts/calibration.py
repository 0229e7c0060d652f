"""Calibration of probabilities on out-of-fold outputs."""

import numpy as np
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator

from sklearn_mmsent.model_selection.precomputed import IdentityClassifier

EPSILON = 1e-7  # probabilities are clipped to [EPSILON, 1 - EPSILON]


class Calibrator:
    """Map outputs of an expert to calibrated probabilities by ``CalibratedClassifierCV``.

    It is fitted on given out-of-fold outputs, whose splits keep groups together. Probabilities are
    calibrated as log-odds.

    Parameters
    ----------
    method : {"sigmoid", "isotonic", "temperature"}
        Method of scikit-learn.
    margins : bool
        Whether outputs are those of a ``decision_function``.
    """

    def __init__(self, method, *, margins):
        self.method, self.margins = method, margins

    def fit(self, outputs, labels, sample_weight=None):
        """Fit the calibration.

        Parameters
        ----------
        outputs : ndarray of shape (n_samples, n_classes)
            Out-of-fold probabilities or margins.
        labels : ndarray of int of shape (n_samples,)
            True class indices.
        sample_weight : ndarray of shape (n_samples,) or None, default=None
            Weight of each row.

        Returns
        -------
        self : Calibrator
            Fitted.

        Raises
        ------
        ValueError
            If there are no rows.
        """
        if not len(outputs):
            raise ValueError("it has no out-of-fold outputs for calibration: too few rows have it")
        self.seen_, labels = np.unique(labels, return_inverse=True)
        as_margins = self.margins or self.method != "temperature"
        identity = IdentityClassifier(len(self.seen_), margins=as_margins)
        self.calibrated_ = None
        if len(self.seen_) > 1:
            rows = np.arange(len(outputs))
            model = CalibratedClassifierCV(
                FrozenEstimator(identity), method=self.method, cv=[(rows, rows)]
            )
            inputs = self._inputs(outputs)
            self.calibrated_ = model.fit(inputs, labels, sample_weight=sample_weight)
        return self

    def __call__(self, outputs):
        """Return probabilities of shape (n_samples, n_classes), zero for unseen classes."""
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
        outputs = np.clip(outputs, EPSILON, 1 - EPSILON)
        return np.log(outputs) - np.log1p(-outputs)


def calibrate(outputs, labels, splits, method, *, margins, sample_weight=None):
    """Calibrate the out-of-fold outputs of each fold on the others, and fit a calibrator on all.

    Parameters
    ----------
    outputs : ndarray of shape (n_samples, n_classes)
        Out-of-fold outputs, NaN for missing ones.
    labels : ndarray of int of shape (n_samples,)
        True class indices.
    splits : list of (ndarray of int, ndarray of int) tuples
        The folds.
    method : {"sigmoid", "isotonic", "temperature"}
        As for :class:`Calibrator`.
    margins : bool
        Whether outputs are margins.
    sample_weight : ndarray of shape (n_samples,) or None, default=None
        Weight of each row.

    Returns
    -------
    calibrated : ndarray of shape (n_samples, n_classes)
        Calibrated out-of-fold probabilities.
    calibrator : Calibrator
        Fitted on all rows.
    """

    def fit(rows):
        rows = rows[known[rows]]
        weights = None if sample_weight is None else sample_weight[rows]
        return Calibrator(method, margins=margins).fit(outputs[rows], labels[rows], weights)

    known = ~np.isnan(outputs[:, 0])
    calibrated = np.full(outputs.shape, np.nan)
    for train, test in splits:
        test = test[known[test]]
        if len(test):
            calibrated[test] = fit(train)(outputs[test])
    return calibrated, fit(np.arange(len(outputs)))
