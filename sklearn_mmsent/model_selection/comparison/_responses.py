"""What fitted models said of their test rows: asked once, kept, and scored again row by row."""

import numpy as np
from sklearn.utils import get_tags

METHODS = ("predict", "predict_proba", "decision_function", "predict_log_proba")


class Responses:
    """Stands in for a fitted estimator where it is scored.

    Scorers that ask for the same are answered from memory; what they asked for stays when the
    estimator is left behind.

    Parameters
    ----------
    estimator : estimator
        Fitted.
    X : DataFrame or array-like of shape (n_samples, ...)
        Test rows.
    classifier : bool
        Whether it predicts classes, which not every search says of itself.
    """

    def __init__(self, estimator, X, *, classifier):
        self.tags = get_tags(estimator)
        self.tags.estimator_type = "classifier" if classifier else "regressor"
        self.estimator, self.X = estimator, X
        self.kept = {}

    def __sklearn_tags__(self):
        return self.tags

    def __getattr__(self, name):
        if name.startswith("__") or name in ("estimator", "X", "kept"):
            raise AttributeError(name)
        if name not in METHODS:
            return getattr(self.estimator, name)
        if name not in self.kept:
            getattr(self.estimator, name)  # says so where there is no such method

        def respond(X):
            if X is not self.X:
                return getattr(self.estimator, name)(X)
            if name not in self.kept:
                self.kept[name] = np.asarray(getattr(self.estimator, name)(X))
            return self.kept[name]

        respond.__name__ = name
        return respond

    def leave_behind(self):
        """Forget estimator and rows, and return what they were asked for."""
        return Kept(self.kept, getattr(self.estimator, "classes_", None), self.tags)


class Kept:
    """Answers about the rows of a test part by their places, without an estimator.

    Parameters
    ----------
    responses : dict of str to ndarray of shape (n_samples, ...)
        By method.
    classes : ndarray or None
        Class labels, in the order of the columns of probabilities.
    tags : Tags
        Of the estimator.
    """

    def __init__(self, responses, classes, tags):
        self.responses, self.tags = responses, tags
        if classes is not None:
            self.classes_ = classes

    def __sklearn_tags__(self):
        return self.tags

    def __sklearn_is_fitted__(self):
        return True

    def __getattr__(self, name):
        if name.startswith("__") or name not in vars(self).get("responses", ()):
            raise AttributeError(
                f"{name!r} was not kept: only what scores asked for of the test rows is."
            )

        def respond(rows):
            return self.responses[name][rows]

        respond.__name__ = name
        return respond

    @classmethod
    def joined(cls, parts):
        """Join the answers about several test parts, in their order.

        Parameters
        ----------
        parts : list of Kept
            Of one model.

        Returns
        -------
        Kept
            Of all their rows; class probabilities only where all parts know the same classes.
        """
        first = parts[0]
        classes = getattr(first, "classes_", None)
        methods = set.intersection(*(set(part.responses) for part in parts))
        if not all(np.array_equal(getattr(p, "classes_", None), classes) for p in parts):
            methods &= {"predict"}
        joined = {m: np.concatenate([part.responses[m] for part in parts]) for m in methods}
        return cls(joined, classes, first.tags)
