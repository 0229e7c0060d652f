"""Predictions of any estimator: probabilities of classes, or intensities."""

import numpy as np
from sklearn.base import is_regressor

from sklearn_mmsent.compose.parts import final_step
from sklearn_mmsent.estimators import FusionMultitask


class Predictor:
    """Predict one target with any estimator: probabilities of classes, or intensities.

    `target` names a target of a multi-task estimator, and is None if there is only one; `classes`
    is None for intensities.
    """

    def __init__(self, estimator, target, owner):
        self.estimator, self.owner = estimator, owner
        self.target = self._find_target(target)
        self.classes = self._find_classes()

    def __call__(self, X):
        """Return probabilities (n_samples, n_classes), or intensities (n_samples,)."""
        if self.classes is None:
            predicted = self.estimator.predict(X)
            if self.target is None:
                return np.asarray(predicted, dtype=float)
            if hasattr(predicted, "columns"):
                return predicted[self.target].to_numpy(dtype=float)
            names = list(final_step(self.estimator)._targets.order)
            return predicted[:, names.index(self.target)].astype(float)
        probabilities = self.estimator.predict_proba(X)
        return np.asarray(probabilities if self.target is None else probabilities[self.target])

    def labels(self, predictions):
        """Return the most probable classes of predictions, or the intensities unchanged."""
        return predictions if self.classes is None else self.classes[predictions.argmax(axis=1)]

    def _find_target(self, target):
        final = final_step(self.estimator)
        if not isinstance(final, FusionMultitask):
            return None
        names = [one.name for one in final.targets_]
        if target is None and len(names) == 1:
            return names[0]
        if target not in names:
            raise ValueError(
                f"{self.owner}: target must be a target of {type(final).__name__}: one of "
                f"{', '.join(map(repr, names))}; got {target!r}."
            )
        return target

    def _find_classes(self):
        if self.target is not None:
            return final_step(self.estimator).classes_.get(self.target)
        if is_regressor(self.estimator):
            return None
        if not hasattr(self.estimator, "predict_proba"):
            raise ValueError(
                f"{self.owner} requires probabilities or intensities, but "
                f"{type(final_step(self.estimator)).__name__} is not a regressor and has no "
                "predict_proba. Calibrate it with CalibratedClassifierCV."
            )
        return np.asarray(self.estimator.classes_)


def prediction_of(estimator, X, target, *, owner):
    """Return a function that predicts one number per row, and the class that it explains.

    The numbers are probabilities or intensities, (n_samples,). `target` is a class; for a
    multi-task estimator, a target or a tuple of target and class. With None, the predicted classes
    of the complete rows `X` are explained. The second value holds the class of each row; None for
    intensities.
    """
    label = None if isinstance(final_step(estimator), FusionMultitask) else target
    if isinstance(target, tuple) and label is None:
        target, label = target
    predictor = Predictor(estimator, target, owner)
    if predictor.classes is None:
        return predictor, None
    if label is None:
        explained = predictor.labels(predictor(X))
    else:
        if label not in predictor.classes:
            known = ", ".join(map(repr, predictor.classes.tolist()))
            raise ValueError(f"{owner}: target={label!r} is not a class; the classes are {known}.")
        explained = np.full(len(X), label, dtype=predictor.classes.dtype)
    column = np.searchsorted(predictor.classes, explained)
    return lambda rows: predictor(rows)[np.arange(len(column)), column], explained
