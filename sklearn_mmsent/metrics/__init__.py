"""The field's metrics, with their conventions in their names, and scorers made of them."""

from sklearn_mmsent.metrics._classification import classification_scores
from sklearn_mmsent.metrics._intensity import (
    intensity_accuracy,
    intensity_corr,
    intensity_f1,
    intensity_mae,
    intensity_scores,
)
from sklearn_mmsent.metrics._scorers import get_scorer, get_scorer_names

__all__ = [
    "classification_scores",
    "get_scorer",
    "get_scorer_names",
    "intensity_accuracy",
    "intensity_corr",
    "intensity_f1",
    "intensity_mae",
    "intensity_scores",
]
