"""Pure torch modules: encoders, fusions, heads, losses, and the network made of them.

Nothing here knows scikit-learn, skorch, pandas or numpy. Shapes are given by
letter: B batch, T time, F features, D hidden width, M blocks, C outputs.
"""

from sklearn_mmsent.nn.encoders import (
    ENCODERS,
    AttentiveEncoder,
    Conv1dEncoder,
    Conv2dEncoder,
    Encoder,
    GRUEncoder,
    LSTMEncoder,
    MeanEncoder,
    MLPEncoder,
    PretrainedTextEncoder,
    TransformerEncoder,
)
from sklearn_mmsent.nn.fusion import FUSIONS, ConcatFusion, Fusion, GatedFusion, WeightedFusion
from sklearn_mmsent.nn.heads import PredictionHead
from sklearn_mmsent.nn.network import FusionNetwork

__all__ = [
    "ENCODERS",
    "FUSIONS",
    "AttentiveEncoder",
    "ConcatFusion",
    "Conv1dEncoder",
    "Conv2dEncoder",
    "Encoder",
    "Fusion",
    "FusionNetwork",
    "GRUEncoder",
    "GatedFusion",
    "LSTMEncoder",
    "MLPEncoder",
    "MeanEncoder",
    "PredictionHead",
    "PretrainedTextEncoder",
    "TransformerEncoder",
    "WeightedFusion",
]
