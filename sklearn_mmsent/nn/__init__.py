"""Pure torch modules: encoders, fusions, heads, losses, and the network made of them.

Nothing here knows scikit-learn, skorch, pandas or numpy. Shapes are given by
letter: B batch, T time, F features, D hidden width, M blocks, C outputs.
"""

from sklearn_mmsent.nn.encoders import ENCODERS, Encoder, MLPEncoder
from sklearn_mmsent.nn.fusion import (
    FUSIONS,
    AdaptationGateFusion,
    AttentionFusion,
    ConcatFusion,
    DecisionFusion,
    Fusion,
    GatedFusion,
    LowRankFusion,
    MeanFusion,
    MISAFusion,
    MultiplicativeFusion,
    ProductOfExpertsFusion,
    QualityAwareFusion,
    SumFusion,
    TensorFusion,
    WeightedFusion,
)
from sklearn_mmsent.nn.heads import PredictionHead
from sklearn_mmsent.nn.network import FusionNetwork

__all__ = [
    "ENCODERS",
    "FUSIONS",
    "AdaptationGateFusion",
    "AttentionFusion",
    "ConcatFusion",
    "DecisionFusion",
    "Encoder",
    "Fusion",
    "FusionNetwork",
    "GatedFusion",
    "LowRankFusion",
    "MISAFusion",
    "MLPEncoder",
    "MeanFusion",
    "MultiplicativeFusion",
    "PredictionHead",
    "ProductOfExpertsFusion",
    "QualityAwareFusion",
    "SumFusion",
    "TensorFusion",
    "WeightedFusion",
]
