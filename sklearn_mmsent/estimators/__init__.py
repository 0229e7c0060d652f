"""Fusion networks as scikit-learn estimators."""

from sklearn_mmsent.estimators._base import BaseFusion
from sklearn_mmsent.estimators._classifier import FusionClassifier
from sklearn_mmsent.estimators._few_shot import FewShotClassifier
from sklearn_mmsent.estimators._multitask import FusionMultitask
from sklearn_mmsent.estimators._regressor import FusionRegressor

__all__ = [
    "BaseFusion",
    "FewShotClassifier",
    "FusionClassifier",
    "FusionMultitask",
    "FusionRegressor",
]
