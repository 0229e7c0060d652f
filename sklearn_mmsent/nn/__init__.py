"""Pure torch modules: encoders, fusions, heads, losses, and the network made of them.

Independent of scikit-learn, skorch, pandas and numpy. Shapes are given by letter:
B batch, T time, F features, D hidden width, M blocks, C outputs.
"""

from sklearn_mmsent.nn import encoders, fusion
from sklearn_mmsent.nn.encoders import *  # noqa: F403
from sklearn_mmsent.nn.fusion import *  # noqa: F403
from sklearn_mmsent.nn.heads import JointHead, NewHead, OrdinalHead, PredictionHead
from sklearn_mmsent.nn.network import FusionNetwork

__all__ = [
    *encoders.__all__,
    *fusion.__all__,
    "FusionNetwork",
    "JointHead",
    "NewHead",
    "OrdinalHead",
    "PredictionHead",
]
