"""The ways to join: what M blocks say in, one fused vector out; one small file a family."""

from sklearn_mmsent.nn.fusion.base import Fusion
from sklearn_mmsent.nn.fusion.concat import ConcatFusion
from sklearn_mmsent.nn.fusion.gated import GatedFusion
from sklearn_mmsent.nn.fusion.weighted import WeightedFusion

#: Names of the built-in fusions, as `fusion=` of the estimators takes them.
FUSIONS = {"concat": ConcatFusion, "weighted": WeightedFusion, "gated": GatedFusion}

__all__ = ["FUSIONS", "ConcatFusion", "Fusion", "GatedFusion", "WeightedFusion"]
