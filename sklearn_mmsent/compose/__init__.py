"""Compose extractors, transformers of numeric tables and estimators, keeping column names."""

from sklearn_mmsent.compose._extractor import (
    ExtractorPart,
    MultimodalExtractor,
    PresentCells,
    make_extractor,
)
from sklearn_mmsent.compose._fill import FillBlocks
from sklearn_mmsent.compose._per_modality import PerModality
from sklearn_mmsent.compose._pipeline import Pipeline, make_pipeline
from sklearn_mmsent.compose._select import SelectModalities

__all__ = [
    "ExtractorPart",
    "FillBlocks",
    "MultimodalExtractor",
    "PerModality",
    "Pipeline",
    "PresentCells",
    "SelectModalities",
    "make_extractor",
    "make_pipeline",
]
