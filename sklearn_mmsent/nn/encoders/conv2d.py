"""Convolutions over images, and over spectrograms as images of sound.

Small kernels and max-pooling as in Simonyan, Zisserman (2015), Very deep
convolutional networks for large-scale image recognition, ICLR; global average
pooling as in Lin, Chen, Yan (2014), Network in network, ICLR. Each position is
normalised over its channels, as in Liu et al. (2022), A ConvNet for the 2020s,
CVPR: with batch normalisation rows would depend on each other, and statistics over
positions would include padding.
"""

import torch
from torch import nn
from torch.nn import functional as F

from sklearn_mmsent.nn.dropout import StepDropout
from sklearn_mmsent.nn.encoders.base import Encoder
from sklearn_mmsent.nn.encoders.pooling import masked_mean, shrink_mask


class Conv2dEncoder(Encoder):
    """Layers of 3x3 convolution, normalisation, ReLU and 2x2 max-pooling, then the mean.

    Images of any size are accepted. A sequence is read as an image with one channel and time as
    the vertical axis; padded steps are zero before each layer and do not count in the mean.

    Parameters
    ----------
    shape : tuple of int
        Shape of one row: (C, H, W), or (T, F) of a spectrogram.
    width : int
        Hidden width D, also of the output.
    dropout : float
        Probability with which a channel of the last layer is zeroed in training.
    channels : sequence of int, default=(64, 128)
        Channels of each layer.
    """

    takes = (2, 3)

    def __init__(self, shape, width, dropout, *, channels=(64, 128)):
        super().__init__()
        self._check_shape(shape)
        self.is_image = len(shape) == 3
        self.layers = nn.ModuleList()
        n_inputs = shape[0] if self.is_image else 1
        for n_outputs in self._one_per_layer("channels", channels, len(channels)):
            self.layers.append(_Layer(n_inputs, n_outputs))
            n_inputs = n_outputs
        # dropping channels in every layer would be too much for small networks
        self.dropout = StepDropout(dropout)
        self.project = nn.Linear(n_inputs, width)

    def _features(self, values, steps):
        """Return features (B, H', W', C') and a mask of their real rows (B, H')."""
        if self.is_image:
            values = values.movedim(1, -1)  # (B, H, W, C)
            real = torch.ones_like(values[:, :, 0, 0], dtype=torch.bool)  # (B, H)
        else:
            values, real = values.masked_fill(~steps.unsqueeze(-1), 0.0).unsqueeze(-1), steps
        for layer in self.layers:
            values, real = layer(values, real)
        return self.dropout(values), real

    def tokens(self, values, steps):
        """Encode a batch to vectors of positions or steps, and their mask; see the base class."""
        features, real = self._features(values, steps)
        if self.is_image:
            real = real.repeat_interleave(features.shape[2], dim=1)  # (B, H' W')
            return self.project(features.flatten(1, 2)), real
        return self.project(features.mean(2)), real

    def forward(self, values, steps):
        """Encode a batch to (B, D); see the base class."""
        features, real = self._features(values, steps)
        return self.project(masked_mean(features.mean(2), real))


class _Layer(nn.Module):
    def __init__(self, n_inputs, n_outputs):
        super().__init__()
        self.conv = nn.Conv2d(n_inputs, n_outputs, 3, padding=1)
        self.norm = nn.LayerNorm(n_outputs)

    def forward(self, values, real):
        """Map (B, H, W, C) and its mask (B, H) to half the positions, zero where not real."""
        values = self.norm(self.conv(values.movedim(-1, 1)).movedim(1, -1)).relu()
        # values are not negative: the zeros of padding exceed no real position
        values = values.masked_fill(~real[:, :, None, None], 0.0)
        values = F.max_pool2d(values.movedim(-1, 1), 2, ceil_mode=True).movedim(1, -1)
        return values, shrink_mask(real, 2)
