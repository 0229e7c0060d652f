"""NetworkPlan: everything that decides a network's shape, as plain values."""

from dataclasses import dataclass

import torch

from sklearn_mmsent.nn.heads import PredictionHead
from sklearn_mmsent.nn.network import FusionNetwork, Standardize


@dataclass(frozen=True)
class NetworkPlan:
    """What it takes to build a fusion network, any number of times.

    Parameters
    ----------
    shapes : tuple of tuple of int
        Shape of one row of each block.
    modality_of_block : tuple of int
        Number of the modality that each block belongs to.
    statistics : tuple of (mean, scale) pairs of ndarray
        Of the training rows, one pair per block.
    encoders : tuple of type
        One encoder class per block.
    fusion : type
        Fusion class.
    n_outputs : int
        Number of classes, or of targets.
    width : int
        Hidden width D.
    dropout : float
        Probability with which a hidden unit is zeroed in training.
    modality_dropout : float
        Probability with which a modality is hidden in training.
    """

    shapes: tuple
    modality_of_block: tuple
    statistics: tuple
    encoders: tuple
    fusion: type
    n_outputs: int
    width: int
    dropout: float
    modality_dropout: float

    def build(self):
        """Build the network with fresh weights from torch's global generator.

        Returns
        -------
        FusionNetwork
            In float32, on the CPU.
        """
        return FusionNetwork(
            [
                encoder(shape, self.width, self.dropout)
                for encoder, shape in zip(self.encoders, self.shapes, strict=True)
            ],
            self.fusion(len(self.shapes), self.width, self.dropout),
            PredictionHead(self.width, self.n_outputs, self.dropout),
            standardizers=[
                Standardize(_tensor(mean), _tensor(scale)) for mean, scale in self.statistics
            ],
            modality_of_block=list(self.modality_of_block),
            width=self.width,
            modality_dropout=self.modality_dropout,
        )


def _tensor(array):
    return torch.as_tensor(array, dtype=torch.float32)
