"""Scoring predictions that are there already."""

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin

from sklearn_mmsent.metrics import get_scorer
from sklearn_mmsent.utils._sklearn import _BaseScorer


class _ToldClasses(ClassifierMixin, BaseEstimator):
    """Looks like a fitted classifier whose rows are numbers of rows."""

    def __init__(self, outputs, classes):
        self.outputs = outputs
        self.classes_ = classes

    def predict_proba(self, rows):
        return self.outputs[rows]

    def predict_log_proba(self, rows):
        return np.log(np.maximum(self.outputs[rows], np.finfo(np.float64).tiny))

    def predict(self, rows):
        return self.classes_[self.outputs[rows].argmax(axis=1)]


class _ToldIntensities(RegressorMixin, BaseEstimator):
    """Looks like a fitted regressor whose rows are numbers of rows."""

    def __init__(self, outputs):
        self.outputs = outputs

    def predict(self, rows):
        return self.outputs[rows, 0]


class OutputScore:
    """Scores outputs of some rows, as a scorer scores an estimator.

    Parameters
    ----------
    scoring : str, callable or None
        A name of :func:`sklearn_mmsent.get_scorer`, or a scorer; None takes the negated log loss or
        squared error. The scorer sees numbers of rows in place of rows.
    data : Training
        Targets and weights.
    """

    def __init__(self, scoring, data):
        default = "neg_mean_squared_error" if data.classes is None else "neg_log_loss"
        self.scorer = get_scorer(default if scoring is None else scoring)
        self.data = data
        if scoring in (None, "neg_log_loss") and data.classes is not None:
            # the rows of one expert may lack a class
            self.scorer._kwargs = {**self.scorer._kwargs, "labels": data.classes}

    def __call__(self, outputs, rows=None):
        """Score outputs of shape (n_samples, n_outputs) on all rows, or on some."""
        data = self.data
        rows = np.arange(len(data.y)) if rows is None else np.flatnonzero(rows)
        if data.classes is None:
            told = _ToldIntensities(outputs)
        else:
            told = _ToldClasses(outputs, data.classes)
        options = {}
        if data.sample_weight is not None and isinstance(self.scorer, _BaseScorer):
            options["sample_weight"] = data.sample_weight[rows]
        return float(self.scorer(told, rows, data.y[rows], **options))
