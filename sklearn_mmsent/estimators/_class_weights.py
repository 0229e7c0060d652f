"""Weights of classes in the loss."""

from collections.abc import Mapping

import numpy as np
from sklearn.utils.class_weight import compute_class_weight

_BETA = 0.999  # effective number of n rows: (1 - beta ** n) / (1 - beta)


def weights_of_classes(class_weight, numbers, classes):
    """Return the weight of each class.

    Parameters
    ----------
    class_weight : mapping, {"balanced", "effective"} or None
        Weights by label; "balanced": inverse to the number of rows; "effective": inverse to the
        effective number of rows; None: 1.
    numbers : ndarray of shape (n_samples,)
        Class numbers of the training rows; NaN for rows without a label.
    classes : ndarray of shape (n_classes,)
        The labels; a class without rows has the weight of a class with one.

    Returns
    -------
    ndarray of shape (n_classes,)

    References
    ----------
    Cui, Jia, Lin, Song, Belongie (2019), Class-balanced loss based on effective number of samples,
    CVPR.
    """
    n_classes = len(classes)
    if class_weight is None:
        return np.ones(n_classes)
    if isinstance(class_weight, Mapping):
        return compute_class_weight(dict(class_weight), classes=classes, y=classes)
    labelled = numbers[~np.isnan(numbers)].astype(np.intp)
    counts = np.maximum(np.bincount(labelled, minlength=n_classes), 1)
    if class_weight == "balanced":
        return counts.sum() / (n_classes * counts)
    weights = 1 / -np.expm1(counts * np.log(_BETA))
    return weights * n_classes / weights.sum()
