"""Metrics of sentiment analysis, named by their conventions, and scorers for them."""

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
