"""Choosing models: searches and cross-validation with folds and candidates trained at once."""

from sklearn_mmsent.model_selection._cross_validation import (
    fused_cross_val_predict,
    fused_cross_validate,
)
from sklearn_mmsent.model_selection._offsets import TunedOffsetsClassifierCV
from sklearn_mmsent.model_selection._search import BatchedGridSearchCV, BatchedRandomizedSearchCV
from sklearn_mmsent.model_selection.fusion_search import FusionSearchCV

__all__ = [
    "BatchedGridSearchCV",
    "BatchedRandomizedSearchCV",
    "FusionSearchCV",
    "TunedOffsetsClassifierCV",
    "fused_cross_val_predict",
    "fused_cross_validate",
]
