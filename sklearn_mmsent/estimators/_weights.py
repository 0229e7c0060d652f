"""Weights of classes in the loss."""

import numpy as np

_BETA = 0.999  # of the effective number of samples: of n rows, (1 - beta^n) / (1 - beta) count


def weights_of_classes(class_weight, numbers, n_classes):
    """Return the weight of each class.

    Parameters
    ----------
    class_weight : {"balanced", "effective"} or None
        "balanced": by the inverse of its rows; "effective": of their effective number; None: 1.
    numbers : ndarray of shape (n_samples,)
        Class numbers of the training rows; NaN where unlabelled.
    n_classes : int
        Number of classes; one without rows weighs as if it had one.

    Returns
    -------
    ndarray of shape (n_classes,)

    References
    ----------
    Cui, Jia, Lin, Song, Belongie (2019), Class-balanced loss based on effective number of samples,
    CVPR.
    """
    if class_weight is None:
        return np.ones(n_classes)
    labelled = numbers[~np.isnan(numbers)].astype(np.intp)
    counts = np.maximum(np.bincount(labelled, minlength=n_classes), 1)
    if class_weight == "balanced":
        return counts.sum() / (n_classes * counts)
    weights = 1 / -np.expm1(counts * np.log(_BETA))
    return weights * n_classes / weights.sum()
