"""Modality importance, agreement between modalities, and sentiment over time."""

from sklearn_mmsent.inspection._agreement import agreement_report
from sklearn_mmsent.inspection._conflict_detector import ConflictDetector
from sklearn_mmsent.inspection._contributions import modality_contributions
from sklearn_mmsent.inspection._fusion_weights import fusion_weights
from sklearn_mmsent.inspection._importance import modality_importance
from sklearn_mmsent.inspection.displays import (
    EmbeddingDisplay,
    FusionWeightsDisplay,
    ModalityImportanceDisplay,
    ReliabilityDisplay,
    TimelineDisplay,
    TrainingDisplay,
)
from sklearn_mmsent.inspection.timeline import predict_timeline

__all__ = [
    "ConflictDetector",
    "EmbeddingDisplay",
    "FusionWeightsDisplay",
    "ModalityImportanceDisplay",
    "ReliabilityDisplay",
    "TimelineDisplay",
    "TrainingDisplay",
    "agreement_report",
    "fusion_weights",
    "modality_contributions",
    "modality_importance",
    "predict_timeline",
]
