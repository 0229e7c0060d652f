"""Optuna over whole pipelines, the networks of several trials trained at once."""

from sklearn_mmsent.model_selection.fusion_search._search import FusionSearchCV

__all__ = ["FusionSearchCV"]
