"""Estimators that answer from arrays, where scorers and calibrators expect an estimator."""

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import Tags, TargetTags
from sklearn.utils.metaestimators import available_if

TINY = np.finfo(np.float64).tiny

#: Responses that follow from ``predict_proba`` and the class labels.
_FROM_PROBA = {
    "predict": lambda proba, classes: classes[proba.argmax(axis=1)],
    "predict_log_proba": lambda proba, classes: np.log(np.maximum(proba, TINY)),
}


class PrecomputedEstimator:
    """Fitted estimator whose responses to known rows are stored; `X` holds row numbers.

    Parameters
    ----------
    responses : dict of str to ndarray of shape (n_samples, ...)
        Responses by method. ``predict`` and ``predict_log_proba`` follow from ``predict_proba``
        where they are not given.
    classes : ndarray of shape (n_classes,) or None, default=None
        Class labels, in the order of the columns of probabilities.
    classifier : bool
        Whether it is a classifier.
    """

    def __init__(self, responses, classes=None, *, classifier):
        self.responses = responses
        self.classifier = classifier
        if classes is not None:
            self.classes_ = classes

    def __sklearn_tags__(self):
        kind = "classifier" if self.classifier else "regressor"
        return Tags(estimator_type=kind, target_tags=TargetTags(required=True))

    def __sklearn_is_fitted__(self):
        return True

    def __getattr__(self, name):
        responses = vars(self).get("responses", {})
        if name in responses:

            def respond(rows):
                return responses[name][rows]

        elif name in _FROM_PROBA and "predict_proba" in responses:

            def respond(rows):
                return _FROM_PROBA[name](responses["predict_proba"][rows], self.classes_)

        else:
            raise AttributeError(
                f"{name!r} is not available from stored predictions: only responses that a scorer "
                "asked for are stored."
            )
        respond.__name__ = name  # by which scikit-learn's scorers distinguish responses
        return respond

    @classmethod
    def concatenate(cls, parts):
        """Concatenate the responses of one model to several test parts.

        Parameters
        ----------
        parts : list of PrecomputedEstimator
            In the order of their rows.

        Returns
        -------
        PrecomputedEstimator
            Responses that all parts have; only ``predict`` where their classes differ.
        """
        first = parts[0]
        classes = getattr(first, "classes_", None)
        methods = set.intersection(*(set(part.responses) for part in parts))
        if not all(np.array_equal(getattr(p, "classes_", None), classes) for p in parts):
            methods &= {"predict"}
        joined = {m: np.concatenate([part.responses[m] for part in parts]) for m in methods}
        return cls(joined, classes, classifier=first.classifier)


class IdentityClassifier(ClassifierMixin, BaseEstimator):
    """Fitted classifier that returns its input as its output.

    Parameters
    ----------
    n_classes : int
        Number of classes; their labels are 0, 1, ...
    margins : bool, default=False
        Whether outputs are those of ``decision_function`` rather than ``predict_proba``.
    """

    def __init__(self, n_classes, margins=False):
        self.n_classes = n_classes
        self.margins = margins
        self.classes_ = np.arange(n_classes)

    def fit(self, X, y, sample_weight=None):
        """Do nothing."""
        return self

    def predict(self, X):
        """Return the column of the largest output."""
        return X.argmax(axis=1)

    @available_if(lambda self: not self.margins)
    def predict_proba(self, X):
        """Return the input."""
        return X

    @available_if(lambda self: self.margins)
    def decision_function(self, X):
        """Return the input; of two classes the second column."""
        return X[:, 1] if self.n_classes == 2 else X
