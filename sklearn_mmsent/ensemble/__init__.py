"""Ensembles: late fusion, stacking, greedy selection and deep ensembles."""

from sklearn_mmsent.ensemble._deep import DeepEnsembleClassifier, DeepEnsembleRegressor
from sklearn_mmsent.ensemble._greedy import GreedyEnsembleClassifier, GreedyEnsembleRegressor
from sklearn_mmsent.ensemble._late_fusion import LateFusionClassifier, LateFusionRegressor
from sklearn_mmsent.ensemble._stacking import FusionStackingClassifier, FusionStackingRegressor

__all__ = [
    "DeepEnsembleClassifier",
    "DeepEnsembleRegressor",
    "FusionStackingClassifier",
    "FusionStackingRegressor",
    "GreedyEnsembleClassifier",
    "GreedyEnsembleRegressor",
    "LateFusionClassifier",
    "LateFusionRegressor",
]
