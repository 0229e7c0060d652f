"""Displays with the interface of scikit-learn: ``Display.from_estimator(...)``."""

from sklearn_mmsent.inspection.displays._embedding import EmbeddingDisplay
from sklearn_mmsent.inspection.displays._importance import ModalityImportanceDisplay
from sklearn_mmsent.inspection.displays._reliability import ReliabilityDisplay
from sklearn_mmsent.inspection.displays._timeline import TimelineDisplay
from sklearn_mmsent.inspection.displays._training import TrainingDisplay
from sklearn_mmsent.inspection.displays._weights import FusionWeightsDisplay

__all__ = [
    "EmbeddingDisplay",
    "FusionWeightsDisplay",
    "ModalityImportanceDisplay",
    "ReliabilityDisplay",
    "TimelineDisplay",
    "TrainingDisplay",
]
