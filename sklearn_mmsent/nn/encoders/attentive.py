"""Pooling over projected steps: by their mean, or by attention.

Attentive statistics pooling is from Okabe, Koshinaka, Shinoda (2018), Attentive
statistics pooling for deep speaker embedding, Interspeech, equations 3 to 6:
e_t = v . f(W h_t + b), a = softmax(e), m = sum_t a_t h_t,
s = sqrt(sum_t a_t h_t^2 - m^2).
"""

import torch
from torch import nn

from sklearn_mmsent.nn.dropout import StepDropout
from sklearn_mmsent.nn.encoders.base import Encoder
from sklearn_mmsent.nn.encoders.pooling import AttentionPooling, masked_mean


class MeanEncoder(Encoder):
    """One dense layer per step, then the mean over the real steps.

    Parameters
    ----------
    shape : tuple of int
        Shape of one row: (T, F).
    width : int
        Hidden width D, also of the output.
    dropout : float
        Probability with which a hidden unit is zeroed in training.
    """

    takes = (2,)
    any_length = True

    def __init__(self, shape, width, dropout):
        super().__init__()
        self._check_shape(shape)
        self.steps = nn.Sequential(nn.Linear(shape[-1], width), nn.ReLU(), StepDropout(dropout))

    def tokens(self, values, steps):
        """Encode a batch to (B, T, D) and its mask; see the base class."""
        return self.steps(values.masked_fill(~steps.unsqueeze(-1), 0.0)), steps

    def forward(self, values, steps):
        """Encode a batch to (B, D); see the base class."""
        return masked_mean(*self.tokens(values, steps))


class AttentiveEncoder(MeanEncoder):
    """One dense layer per step, then the attention-weighted mean, and deviation, of real steps.

    Parameters
    ----------
    shape : tuple of int
        Shape of one row: (T, F).
    width : int
        Hidden width D, also of the output.
    dropout : float
        Probability with which a hidden unit is zeroed in training.
    statistics : bool, default=True
        Whether the weighted standard deviation is appended to the weighted mean.
    """

    def __init__(self, shape, width, dropout, *, statistics=True):
        super().__init__(shape, width, dropout)
        self.statistics = statistics
        self.attention = AttentionPooling(width, width)
        self.project = nn.Linear(2 * width if statistics else width, width)

    def step_weights(self, values, steps):
        """Return the attention; see the base class."""
        return self.attention.weights(*self.tokens(values, steps))

    def forward(self, values, steps):
        """Encode a batch to (B, D); see the base class."""
        tokens, real = self.tokens(values, steps)
        weights = self.attention.weights(tokens, real).unsqueeze(-1)  # (B, T, 1)
        mean = (weights * tokens).sum(1)  # (B, D)
        if not self.statistics:
            return self.project(mean)
        # as mean squared deviation: rounding could make the difference of squares negative; the
        # square root has no gradient at zero, where a sequence is constant
        variance = (weights * (tokens - mean.unsqueeze(1)) ** 2).sum(1)
        return self.project(torch.cat([mean, (variance + 1e-8).sqrt()], dim=1))
