"""Public names of the package, for the lazy loader and for type checkers."""

__version__: str

from . import (
    blocks,
    compose,
    datasets,
    ensemble,
    estimators,
    exceptions,
    feature_extraction,
    inspection,
    metrics,
    model_selection,
    nn,
    sampling,
    spaces,
    streaming,
)
from .compose import FillBlocks, PerModality, SelectModalities, make_extractor, make_pipeline
from .datasets import make_clips, read_table
from .ensemble import (
    DeepEnsembleClassifier,
    DeepEnsembleRegressor,
    FusionStackingClassifier,
    FusionStackingRegressor,
    GreedyEnsembleClassifier,
    GreedyEnsembleRegressor,
    LateFusionClassifier,
    LateFusionRegressor,
)
from .estimators import FewShotClassifier, FusionClassifier, FusionMultitask, FusionRegressor
from .feature_extraction import Cached
from .feature_extraction.audio import MFCC, AcousticFunctionals, LogMel, SpeechEmbedder
from .feature_extraction.image import ColorTexture, ImageEmbedder
from .feature_extraction.text import TextEmbedder, TfidfEmbedder
from .feature_extraction.video import VideoFrames
from .inspection import modality_importance, predict_timeline
from .metrics import classification_scores, intensity_scores
from .model_selection import BatchedGridSearchCV, FusionSearchCV, batched_cross_validate, compare
from .streaming import RowPredictor, StreamingPredictor

__all__ = [
    "MFCC",
    "AcousticFunctionals",
    "BatchedGridSearchCV",
    "Cached",
    "ColorTexture",
    "DeepEnsembleClassifier",
    "DeepEnsembleRegressor",
    "FewShotClassifier",
    "FillBlocks",
    "FusionClassifier",
    "FusionMultitask",
    "FusionRegressor",
    "FusionSearchCV",
    "FusionStackingClassifier",
    "FusionStackingRegressor",
    "GreedyEnsembleClassifier",
    "GreedyEnsembleRegressor",
    "ImageEmbedder",
    "LateFusionClassifier",
    "LateFusionRegressor",
    "LogMel",
    "PerModality",
    "RowPredictor",
    "SelectModalities",
    "SpeechEmbedder",
    "StreamingPredictor",
    "TextEmbedder",
    "TfidfEmbedder",
    "VideoFrames",
    "__version__",
    "batched_cross_validate",
    "blocks",
    "classification_scores",
    "compare",
    "compose",
    "datasets",
    "ensemble",
    "estimators",
    "exceptions",
    "feature_extraction",
    "inspection",
    "intensity_scores",
    "make_clips",
    "make_extractor",
    "make_pipeline",
    "metrics",
    "modality_importance",
    "model_selection",
    "nn",
    "predict_timeline",
    "read_table",
    "sampling",
    "spaces",
    "streaming",
]
