"""Predictions of test rows, computed once for all scorers and stored."""

import numpy as np
from sklearn.utils import get_tags

from sklearn_mmsent.model_selection.precomputed import PrecomputedEstimator

METHODS = ("predict", "predict_proba", "decision_function", "predict_log_proba")


class RecordedEstimator:
    """Wrapper of a fitted estimator that computes each response to the test rows once.

    Parameters
    ----------
    estimator : estimator
        Fitted.
    X : DataFrame or array-like of shape (n_samples, ...)
        Test rows.
    classifier : bool
        Whether it is a classifier, which the tags of some searches do not say.
    """

    def __init__(self, estimator, X, *, classifier):
        self.tags = get_tags(estimator)
        self.tags.estimator_type = "classifier" if classifier else "regressor"
        self.estimator, self.X, self.classifier = estimator, X, classifier
        self.responses = {}

    def __sklearn_tags__(self):
        return self.tags

    def __getattr__(self, name):
        if name.startswith("__") or name in ("estimator", "X", "responses"):
            raise AttributeError(name)
        if name not in METHODS:
            return getattr(self.estimator, name)
        if name not in self.responses:
            getattr(self.estimator, name)  # raises the estimator's AttributeError

        def respond(X):
            if X is not self.X:
                return getattr(self.estimator, name)(X)
            if name not in self.responses:
                self.responses[name] = np.asarray(getattr(self.estimator, name)(X))
            return self.responses[name]

        respond.__name__ = name
        return respond

    def detach(self):
        """Return the recorded responses, without the estimator and the rows."""
        return PrecomputedEstimator(
            self.responses, getattr(self.estimator, "classes_", None), classifier=self.classifier
        )
