"""Model selection: searches and cross-validation in batches, comparison, decision offsets."""

from sklearn_mmsent.model_selection._batched_cross_validation import (
    batched_cross_val_predict,
    batched_cross_validate,
)
from sklearn_mmsent.model_selection._batched_search import (
    BatchedGridSearchCV,
    BatchedRandomizedSearchCV,
)
from sklearn_mmsent.model_selection._offsets import TunedOffsetsClassifierCV
from sklearn_mmsent.model_selection.comparison import Comparison, ComparisonDisplay, compare
from sklearn_mmsent.model_selection.fusion_search import FusionSearchCV

__all__ = [
    "BatchedGridSearchCV",
    "BatchedRandomizedSearchCV",
    "Comparison",
    "ComparisonDisplay",
    "FusionSearchCV",
    "TunedOffsetsClassifierCV",
    "batched_cross_val_predict",
    "batched_cross_validate",
    "compare",
]
