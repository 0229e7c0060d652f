"""NetworkPlan: the architecture of a network, as plain values."""

from dataclasses import dataclass

import torch
from torch import nn

from sklearn_mmsent.nn.heads import NewHead, PredictionHead
from sklearn_mmsent.nn.network import FusionNetwork, Standardize


@dataclass(frozen=True)
class NetworkPlan:
    """Architecture of a fusion network, from which it is built any number of times.

    Parameters
    ----------
    shapes : tuple of tuple of int
        Shape of one row of each block.
    modality_of_block : tuple of int
        Number of the modality that each block belongs to.
    statistics : tuple of (mean, scale) pairs of ndarray
        Of the training rows, one pair per block.
    encoders : tuple of (type, dict) pairs
        Encoder class and its options, one pair per block.
    fusion : (type, dict) pair
        Fusion class and its options.
    n_outputs : int or tuple
        Number of classes, or of targets, or other argument of `head`.
    width : int
        Hidden width D.
    dropout : float
        Probability with which a hidden unit is zeroed in training.
    modality_dropout : float
        Probability with which a modality is hidden in training.
    head : type, default=PredictionHead
        Class of the head.
    logits : bool, default=True
        Whether the outputs are logits of the classes of one target.
    unimodal : tuple of (type, dict) pairs, default=()
        Classes and options of the parts that predict from single modalities.
    starts : tuple of (EncoderStart or None), or None, default=None
        Initial weights of the encoder of each block; None for random ones.
    augmentation : dict of str to float, default=None
        ``block_noise``, ``time_masking``, ``frequency_masking`` and ``mixup`` of the network; None
        for none.
    """

    shapes: tuple
    modality_of_block: tuple
    statistics: tuple
    encoders: tuple
    fusion: tuple
    n_outputs: int | tuple
    width: int
    dropout: float
    modality_dropout: float
    head: type = PredictionHead
    logits: bool = True
    unimodal: tuple = ()
    starts: tuple | None = None
    augmentation: dict | None = None

    def build(self):
        """Build the network with random weights, from torch's global generator, or given ones.

        Returns
        -------
        FusionNetwork
            In float32, on the CPU.
        """
        encoders = [
            encoder(shape, self.width, self.dropout, **options)
            for (encoder, options), shape in zip(self.encoders, self.shapes, strict=True)
        ]
        fusion, options = self.fusion
        new_head = NewHead(self.head, self.width, self.n_outputs, self.dropout, self.logits)
        if fusion.decides:
            options = {**options, "head": new_head}
        fusion = fusion(len(self.shapes), self.width, self.dropout, **options)
        head = nn.Identity() if fusion.decides else new_head()
        network = FusionNetwork(
            encoders,
            fusion,
            head,
            unimodal=[
                part(self.width, self.dropout, self.modality_of_block, **own)
                for part, own in self.unimodal
            ],
            standardizers=[
                _standardizer(encoder, mean, scale)
                for encoder, (mean, scale) in zip(encoders, self.statistics, strict=True)
            ],
            modality_of_block=list(self.modality_of_block),
            width=self.width,
            modality_dropout=self.modality_dropout,
            **(self.augmentation or {}),
        )
        # last, so that the other weights do not depend on it
        starts = [(i, start) for i, start in enumerate(self.starts or ()) if start is not None]
        for i, start in starts:
            start.load_into(network.encoders[i], network.standardizers[i])
        network.freeze(i for i, start in starts if start.frozen)
        return network


def _standardizer(encoder, mean, scale):
    mean, scale = _tensor(mean), _tensor(scale)
    if encoder.raw:  # then only missing values are filled
        mean, scale = torch.zeros_like(mean), torch.ones_like(scale)
    return Standardize(mean, scale)


def _tensor(array):
    return torch.as_tensor(array, dtype=torch.float32)
