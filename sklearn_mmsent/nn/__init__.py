"""Pure torch modules: encoders, fusions, heads, losses, and the network made of them.

Nothing here knows scikit-learn, skorch, pandas or numpy. Shapes are given by
letter: B batch, T time, F features, D hidden width, M blocks, C outputs.
"""

from sklearn_mmsent.nn.encoders import ENCODERS, Encoder, MLPEncoder
from sklearn_mmsent.nn.fusion import (
    FUSIONS,
    BottleneckFusion,
    ConcatFusion,
    Fusion,
    GatedFusion,
    MemoryFusion,
    MulTFusion,
    ReinforcedFusion,
    WeightedFusion,
)
from sklearn_mmsent.nn.heads import PredictionHead
from sklearn_mmsent.nn.network import FusionNetwork

__all__ = [
    "ENCODERS",
    "FUSIONS",
    "BottleneckFusion",
    "ConcatFusion",
    "Encoder",
    "Fusion",
    "FusionNetwork",
    "GatedFusion",
    "MLPEncoder",
    "MemoryFusion",
    "MulTFusion",
    "PredictionHead",
    "ReinforcedFusion",
    "WeightedFusion",
]
