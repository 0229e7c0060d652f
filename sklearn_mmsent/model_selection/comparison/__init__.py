"""Comparing models: fits on the same splits, what their scores are worth, a table, a picture."""

from sklearn_mmsent.model_selection.comparison._compare import compare
from sklearn_mmsent.model_selection.comparison._comparison import Comparison
from sklearn_mmsent.model_selection.comparison._display import ComparisonDisplay

__all__ = ["Comparison", "ComparisonDisplay", "compare"]
