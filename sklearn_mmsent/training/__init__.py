"""Training of networks: blocks on the device, skorch nets, a leak-free internal split.

Takes blocks and settings and returns trained nets; independent of the estimators.
"""

from sklearn_mmsent.training.batched import Trained, train_members
from sklearn_mmsent.training.dataset import BlockDataset
from sklearn_mmsent.training.holdout import holdout_rows
from sklearn_mmsent.training.member import Member
from sklearn_mmsent.training.net import FusionNet
from sklearn_mmsent.training.plan import NetworkPlan
from sklearn_mmsent.training.prediction import predict_network, read_weights
from sklearn_mmsent.training.train import train_network

__all__ = [
    "BlockDataset",
    "FusionNet",
    "Member",
    "NetworkPlan",
    "Trained",
    "holdout_rows",
    "predict_network",
    "read_weights",
    "train_members",
    "train_network",
]
