"""Fusion networks as scikit-learn estimators."""

from sklearn_mmsent.estimators._classifier import FusionClassifier
from sklearn_mmsent.estimators._multitask import FusionMultitask
from sklearn_mmsent.estimators._regressor import FusionRegressor

__all__ = ["FusionClassifier", "FusionMultitask", "FusionRegressor"]
