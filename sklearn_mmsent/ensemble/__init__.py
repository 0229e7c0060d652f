"""Several models that predict together."""

from sklearn_mmsent.ensemble._deep import DeepEnsembleClassifier, DeepEnsembleRegressor

__all__ = ["DeepEnsembleClassifier", "DeepEnsembleRegressor"]
