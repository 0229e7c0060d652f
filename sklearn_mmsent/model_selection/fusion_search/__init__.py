"""Search over whole pipelines with Optuna that trains the networks of several trials in batches."""

from sklearn_mmsent.model_selection.fusion_search._search import FusionSearchCV

__all__ = ["FusionSearchCV"]
