"""The multilayer perceptron."""

import math

import torch
from torch import nn

from sklearn_mmsent.nn.encoders.base import Encoder


class MLPEncoder(Encoder):
    """Dense layers over a block of any shape; two by default.

    An image is flattened, and a sequence reduced to the mean and standard deviation of its
    real steps (statistics pooling).

    Parameters
    ----------
    shape : tuple of int
        Shape of one row: (F,), (T, F) or (C, H, W).
    width : int
        Hidden width D, also of the output.
    dropout : float
        Probability with which a hidden unit is zeroed in training.
    hidden : sequence of int or None, default=None
        Widths of the layers before the last, which has width D; None for one of width D.

    References
    ----------
    Snyder et al. (2018), X-vectors: robust DNN embeddings for speaker
    recognition, ICASSP (statistics pooling).
    """

    any_length = True  # a sequence is pooled

    def __init__(self, shape, width, dropout, *, hidden=None):
        super().__init__()
        hidden = (width,) if hidden is None else self._one_per_layer("hidden", hidden, len(hidden))
        self.pool = StatisticsPooling() if len(shape) == 2 else _Flatten()
        n_inputs = 2 * shape[-1] if len(shape) == 2 else math.prod(shape)
        self.layers = nn.Sequential()
        for n_outputs in hidden:
            self.layers.extend([nn.Linear(n_inputs, n_outputs), nn.ReLU(), nn.Dropout(dropout)])
            n_inputs = n_outputs
        self.layers.extend([nn.Linear(n_inputs, width), nn.ReLU()])

    def forward(self, values, steps):
        """Encode a batch to (B, D); see the base class."""
        return self.layers(self.pool(values, steps))


class StatisticsPooling(nn.Module):
    """Mean and standard deviation over the real steps of a sequence."""

    def forward(self, values, steps):
        """Pool a batch of shape (B, T, F) to (B, 2 F); zeros for a row without real steps."""
        real = steps.unsqueeze(-1).to(values.dtype)  # (B, T, 1)
        count = real.sum(1).clamp(min=1)  # (B, 1)
        mean = (values * real).sum(1) / count  # (B, F)
        deviation = (values - mean.unsqueeze(1)) * real
        # the square root has no gradient at zero, where a sequence is constant
        spread = ((deviation**2).sum(1) / count + 1e-8).sqrt()
        return torch.cat([mean, spread], dim=1)


class _Flatten(nn.Module):
    def forward(self, values, steps):
        return values.flatten(1)
