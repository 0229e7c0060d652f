"""Multimodal sentiment analysis with the tools of scikit-learn.

Everything public is importable from here. Names are resolved on first use
(:pep:`562`), so that importing the package costs nothing and loads no torch.
"""

import importlib

__version__ = "0.1.0"

# public name -> the module that defines it
_EXPORTS = {
    # exceptions
    "BlockError": "exceptions",
    "CellError": "exceptions",
    "DataFormatError": "exceptions",
    "DivergenceError": "exceptions",
    "MissingDependencyError": "exceptions",
    "MMSentError": "exceptions",
    "StreamFullError": "exceptions",
    "StudyError": "exceptions",
    # blocks
    "Block": "blocks",
    "BlockLayout": "blocks",
    # compose
    "FillBlocks": "compose",
    "MultimodalExtractor": "compose",
    "PerModality": "compose",
    "Pipeline": "compose",
    "PresentCells": "compose",
    "SelectModalities": "compose",
    "make_extractor": "compose",
    "make_pipeline": "compose",
    # feature_extraction
    "AcousticFunctionals": "feature_extraction",
    "AudioCleaner": "feature_extraction",
    "Cached": "feature_extraction",
    "ColorTexture": "feature_extraction",
    "Denoise": "feature_extraction",
    "FaceCrops": "feature_extraction",
    "ImageDenoise": "feature_extraction",
    "ImageEmbedder": "feature_extraction",
    "LogMel": "feature_extraction",
    "MFCC": "feature_extraction",
    "Pixels": "feature_extraction",
    "STFT": "feature_extraction",
    "SentimentLexicon": "feature_extraction",
    "SpeechEmbedder": "feature_extraction",
    "TextCleaner": "feature_extraction",
    "TextEmbedder": "feature_extraction",
    "TfidfEmbedder": "feature_extraction",
    "TokenIds": "feature_extraction",
    "VideoFrames": "feature_extraction",
    "Waveform": "feature_extraction",
    "Word2VecEmbedder": "feature_extraction",
    # spaces
    "DependsOn": "spaces",
    "SearchSpace": "spaces",
    # estimators
    "FewShotClassifier": "estimators",
    "FusionClassifier": "estimators",
    "FusionMultitask": "estimators",
    "FusionRegressor": "estimators",
    # ensemble
    "DeepEnsembleClassifier": "ensemble",
    "DeepEnsembleRegressor": "ensemble",
    "FusionStackingClassifier": "ensemble",
    "FusionStackingRegressor": "ensemble",
    "GreedyEnsembleClassifier": "ensemble",
    "GreedyEnsembleRegressor": "ensemble",
    "LateFusionClassifier": "ensemble",
    "LateFusionRegressor": "ensemble",
    # model_selection
    "BatchedGridSearchCV": "model_selection",
    "BatchedRandomizedSearchCV": "model_selection",
    "Comparison": "model_selection",
    "ComparisonDisplay": "model_selection",
    "FusionSearchCV": "model_selection",
    "TunedOffsetsClassifierCV": "model_selection",
    "compare": "model_selection",
    "fused_cross_val_predict": "model_selection",
    "fused_cross_validate": "model_selection",
    # metrics
    "classification_scores": "metrics",
    "get_scorer": "metrics",
    "get_scorer_names": "metrics",
    "intensity_scores": "metrics",
    # sampling
    "AudioAugmenter": "sampling",
    "ImageAugmenter": "sampling",
    "LabelNoiseFilter": "sampling",
    "ModalityBalancer": "sampling",
    "ModalityMixup": "sampling",
    "ModalitySMOTE": "sampling",
    "OutlierRemover": "sampling",
    "TextAugmenter": "sampling",
    # inspection
    "ConflictDetector": "inspection",
    "EmbeddingDisplay": "inspection",
    "FusionWeightsDisplay": "inspection",
    "ModalityImportanceDisplay": "inspection",
    "ReliabilityDisplay": "inspection",
    "TimelineDisplay": "inspection",
    "TrainingDisplay": "inspection",
    "agreement_report": "inspection",
    "fusion_weights": "inspection",
    "modality_contributions": "inspection",
    "modality_importance": "inspection",
    "predict_timeline": "inspection",
    # streaming
    "Prediction": "streaming",
    "RowPredictor": "streaming",
    "StreamingPredictor": "streaming",
    # datasets
    "make_clips": "datasets",
    "make_interactions": "datasets",
    "read_feature_file": "datasets",
    "read_table": "datasets",
}

__all__ = ["__version__", *sorted(_EXPORTS)]


def __getattr__(name):
    try:
        module = _EXPORTS[name]
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
    return getattr(importlib.import_module(f"{__name__}.{module}"), name)


def __dir__():
    return __all__
