"""Model selection: searches and cross-validation in batches, comparison, decision offsets."""

from typing import TYPE_CHECKING

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
from sklearn_mmsent.utils._moved import check_not_moved

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

if not TYPE_CHECKING:  # for a type checker, a module with __getattr__ has every name

    def __getattr__(name):
        check_not_moved(__name__, name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
