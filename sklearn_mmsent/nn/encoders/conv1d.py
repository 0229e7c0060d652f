"""Convolutions over time, for features of each step and for raw waveforms.

Kim (2014), Convolutional neural networks for sentence classification, EMNLP
(over word vectors); Dai, Dai, Qu, Li, Das (2017), Very deep convolutional neural
networks for raw waveforms, ICASSP (over samples: their M5 has channels (128, 128,
256, 512), kernels (80, 3, 3, 3), strides (4, 1, 1, 1) and pools by 4). With their
batch normalisation rows depend on each other; here each step is normalised over its
channels: Ba, Kiros, Hinton (2016), Layer normalization, arXiv:1607.06450.
"""

from torch import nn
from torch.nn import functional as F

from sklearn_mmsent.nn.dropout import StepDropout
from sklearn_mmsent.nn.encoders.base import Encoder
from sklearn_mmsent.nn.encoders.pooling import masked_mean, shrink_mask


class Conv1dEncoder(Encoder):
    """Layers of convolution, normalisation, ReLU and max-pooling over time, then one vector.

    Padding is zero before each layer, and a pooled step is real if any of its steps is, so that a
    row with one real step keeps one.

    Parameters
    ----------
    shape : tuple of int
        Shape of one row: (T, F); a raw waveform is (T, 1).
    width : int
        Hidden width D, also of the output.
    dropout : float
        Probability with which a channel of the last layer is zeroed in training.
    channels : sequence of int, default=(64, 128)
        Channels of each layer.
    kernel_size : int or sequence of int, default=5
        Steps per convolution kernel, of all layers or of each.
    stride : int or sequence of int, default=1
        Steps between two positions of a convolution.
    pool : int or sequence of int, default=2
        Steps that are max-pooled after a convolution; 1 does not pool.
    pooling : {"mean", "max"}, default="mean"
        How the last layer's steps are pooled to one vector.
    """

    takes = (2,)
    any_length = True

    def __init__(
        self,
        shape,
        width,
        dropout,
        *,
        channels=(64, 128),
        kernel_size=5,
        stride=1,
        pool=2,
        pooling="mean",
    ):
        super().__init__()
        self._check_shape(shape)
        self._check_option("pooling", pooling, ("mean", "max"))
        self.pooling = pooling
        n = len(channels)
        options = {"channels": channels, "kernel_size": kernel_size, "stride": stride, "pool": pool}
        each = (self._one_per_layer(option, value, n) for option, value in options.items())
        self.layers = nn.ModuleList()
        n_inputs = shape[-1]
        for n_outputs, *sizes in zip(*each, strict=True):
            self.layers.append(_Layer(n_inputs, n_outputs, *sizes))
            n_inputs = n_outputs
        # dropping channels in every layer would be too much for small networks
        self.dropout = StepDropout(dropout)
        self.project = nn.Linear(n_inputs, width)

    def _features(self, values, steps):
        features, real = values.masked_fill(~steps.unsqueeze(-1), 0.0), steps
        for layer in self.layers:
            features, real = layer(features, real)
        return self.dropout(features), real

    def tokens(self, values, steps):
        """Encode a batch to (B, S, D) and its mask, S less than T; see the base class."""
        features, real = self._features(values, steps)
        return self.project(features), real

    def forward(self, values, steps):
        """Encode a batch to (B, D); see the base class."""
        features, real = self._features(values, steps)
        if self.pooling == "mean":
            return self.project(masked_mean(features, real))
        return self.project(features.amax(1))  # values are not negative, and padding is zero


class _Layer(nn.Module):
    def __init__(self, n_inputs, n_outputs, kernel_size, stride, pool):
        super().__init__()
        self.stride, self.pool = stride, pool
        # pads such that T steps become T / stride, rounded up
        self.pad = nn.ConstantPad1d(((kernel_size - 1) // 2, kernel_size // 2), 0.0)
        self.conv = nn.Conv1d(n_inputs, n_outputs, kernel_size, stride)
        self.norm = nn.LayerNorm(n_outputs)

    def forward(self, values, real):
        """Map (B, T, F) and its mask to fewer steps (B, S, F'), zero where not real."""
        values = self.conv(self.pad(values.transpose(1, 2))).transpose(1, 2)
        real = shrink_mask(real, self.stride)
        values = self.norm(values).relu().masked_fill(~real.unsqueeze(-1), 0.0)
        # values are not negative: the zeros of padding exceed no real step
        values = F.max_pool1d(values.transpose(1, 2), self.pool, ceil_mode=True).transpose(1, 2)
        return values, shrink_mask(real, self.pool)
