"""Search spaces: parameters with choices, ranges, and conditions between them."""

from sklearn_mmsent.spaces.domains import DependsOn
from sklearn_mmsent.spaces.space import SearchSpace

__all__ = ["DependsOn", "SearchSpace"]
