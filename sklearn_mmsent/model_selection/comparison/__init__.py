"""Comparison of models on the same splits: scores, significance tests, table and plot."""

from sklearn_mmsent.model_selection.comparison._compare import compare
from sklearn_mmsent.model_selection.comparison._comparison import Comparison
from sklearn_mmsent.model_selection.comparison._display import ComparisonDisplay

__all__ = ["Comparison", "ComparisonDisplay", "compare"]
