"""The ways to join: what M blocks say in, one fused vector out; one small file a family."""

from sklearn_mmsent.nn.fusion.base import Fusion
from sklearn_mmsent.nn.fusion.bottleneck import BottleneckFusion
from sklearn_mmsent.nn.fusion.concat import ConcatFusion
from sklearn_mmsent.nn.fusion.gated import GatedFusion
from sklearn_mmsent.nn.fusion.memory import MemoryFusion
from sklearn_mmsent.nn.fusion.mult import MulTFusion
from sklearn_mmsent.nn.fusion.reinforced import ReinforcedFusion
from sklearn_mmsent.nn.fusion.weighted import WeightedFusion

#: Names of the built-in fusions, as `fusion=` of the estimators takes them.
FUSIONS = {
    "concat": ConcatFusion,
    "weighted": WeightedFusion,
    "gated": GatedFusion,
    "mult": MulTFusion,
    "bottleneck": BottleneckFusion,
    "memory": MemoryFusion,
    "reinforced": ReinforcedFusion,
}

__all__ = [
    "FUSIONS",
    "BottleneckFusion",
    "ConcatFusion",
    "Fusion",
    "GatedFusion",
    "MemoryFusion",
    "MulTFusion",
    "ReinforcedFusion",
    "WeightedFusion",
]
