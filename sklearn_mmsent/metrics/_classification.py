"""Classification scores, named by their averaging."""

import numpy as np
import pandas as pd
from sklearn.metrics import accuracy_score, precision_recall_fscore_support
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import check_consistent_length

from sklearn_mmsent.utils._sklearn import validate_params


@validate_params(
    {
        "y_true": ["array-like"],
        "y_pred": ["array-like"],
        "labels": ["array-like", None],
        "sample_weight": ["array-like", None],
    },
    prefer_skip_nested_validation=True,
)
def classification_scores(y_true, y_pred, *, labels=None, sample_weight=None) -> dict[str, float]:
    """Compute accuracy, and precision, recall and F1 under each averaging.

    A class without predictions has precision 0, and one without true rows has recall 0,
    without a warning: both are common in small or imbalanced folds.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,) or (n_samples, n_labels)
        True classes of any type, or an indicator matrix (multilabel).
    y_pred : array-like of shape (n_samples,) or (n_samples, n_labels)
        Predicted classes.
    labels : array-like of shape (n_classes,), default=None
        Classes to average over; None uses all classes in `y_true` or `y_pred`. Pass all
        classes to include those that a fold lacks, or a subset to exclude a class such as
        "neutral". Accuracy always counts all rows.
    sample_weight : array-like of shape (n_samples,), default=None
        Weight of each row; None weights all rows equally.

    Returns
    -------
    dict of str to float
        ``accuracy``, and ``precision_``, ``recall_``, ``f1_`` with ``macro`` (mean over
        classes) and ``weighted`` (by support). ``micro`` (over all rows) is added where it
        differs from accuracy: for multilabel targets, and where `labels` excludes a class
        that occurs.

    Raises
    ------
    ValueError
        If lengths differ, a label is missing, or there are no rows.
    TypeError
        If `y_true` or `y_pred` is continuous.

    See Also
    --------
    intensity_scores : Scores of predicted intensities.
    sklearn.metrics.classification_report : The same scores by class, as text.

    Examples
    --------
    >>> from sklearn_mmsent import classification_scores
    >>> scores = classification_scores(["neg", "neg", "pos", "pos"], ["neg", "pos", "pos", "pos"])
    >>> {name: round(value, 3) for name, value in scores.items() if "weighted" not in name}
    {'accuracy': 0.75, 'precision_macro': 0.833, 'recall_macro': 0.75, 'f1_macro': 0.733}
    """
    check_consistent_length(y_true, y_pred, sample_weight)
    for name, y in (("y_true", y_true), ("y_pred", y_pred)):
        kind = _check_classes(name, y)

    scores = {"accuracy": float(accuracy_score(y_true, y_pred, sample_weight=sample_weight))}
    averages = ["macro", "weighted"]
    if kind == "multilabel-indicator" or _excludes_a_class(y_true, y_pred, labels):
        averages.append("micro")
    for average in averages:
        precision, recall, f1, _ = precision_recall_fscore_support(
            y_true,
            y_pred,
            labels=labels,
            average=average,
            sample_weight=sample_weight,
            zero_division=0.0,
        )
        scores[f"precision_{average}"] = float(precision)
        scores[f"recall_{average}"] = float(recall)
        scores[f"f1_{average}"] = float(f1)
    return scores


def _check_classes(name, y):
    if np.size(y) == 0:
        raise ValueError(f"classification_scores: {name} has no rows.")
    missing = np.flatnonzero(pd.DataFrame(y).isna().any(axis=1))
    if len(missing):
        raise ValueError(
            f"classification_scores: {name} has no label in {len(missing)} rows, first in row "
            f"{missing[0]}. Remove rows without a label before scoring."
        )
    kind = type_of_target(y, input_name=name)
    if kind.startswith("continuous"):
        raise TypeError(
            f"classification_scores: {name} is continuous; expected classes. Use "
            "intensity_scores for intensities, or bin them into classes first."
        )
    return kind


def _excludes_a_class(y_true, y_pred, labels):
    if labels is None:
        return False
    occurring = np.union1d(np.asarray(y_true), np.asarray(y_pred))
    return not set(occurring.tolist()) <= set(np.asarray(labels).tolist())
