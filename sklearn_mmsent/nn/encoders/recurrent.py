"""Recurrent networks: GRU and LSTM.

Cho et al. (2014), Learning phrase representations using RNN encoder-decoder for
statistical machine translation, EMNLP (GRU); Hochreiter, Schmidhuber (1997), Long
short-term memory, Neural Computation 9(8); Schuster, Paliwal (1997), Bidirectional
recurrent neural networks, IEEE TSP 45(11). Attention over the steps as in Zhou et
al. (2016), Attention-based bidirectional LSTM networks for relation
classification, ACL.
"""

import torch
from torch import nn

from sklearn_mmsent.nn._recurrence import RealSteps
from sklearn_mmsent.nn.dropout import StepDropout
from sklearn_mmsent.nn.encoders.base import Encoder
from sklearn_mmsent.nn.encoders.pooling import AttentionPooling, masked_mean


class _RecurrentEncoder(Encoder):
    takes = (2,)
    any_length = True
    ragged = True
    layer = None  # class of the recurrent layers

    def __init__(self, shape, width, dropout, *, n_layers=1, bidirectional=True, pooling="last"):
        super().__init__()
        self._check_shape(shape)
        self._check_count("n_layers", n_layers)
        self._check_option("pooling", pooling, ("last", "mean", "attention"))
        self.pooling = pooling
        n_ways = 2 if bidirectional else 1
        n_inputs = [shape[-1]] + [n_ways * width] * (n_layers - 1)
        self.layers = nn.ModuleList(
            nn.ModuleList(self.layer(n, width, batch_first=True) for _ in range(n_ways))
            for n in n_inputs
        )
        self.dropout = StepDropout(dropout)
        if pooling == "attention":
            self.attention = AttentionPooling(n_ways * width, width)
        self.project = nn.Linear(n_ways * width, width)

    def _run(self, values, steps):
        """Return the states of all steps, (B, T, n_ways D), and the last ones, (B, n_ways D)."""
        order = RealSteps(steps)
        states = values
        for i, ways in enumerate(self.layers):
            states = states if i == 0 else self.dropout(states)
            runs = [order.run(layer, states, backward=way > 0) for way, layer in enumerate(ways)]
            states, last = (torch.cat(part, dim=-1) for part in zip(*runs, strict=True))
        return states, last

    def step_weights(self, values, steps):
        """Return the attention weights, with attention pooling; see the base class."""
        if self.pooling != "attention":
            return None
        return self.attention.weights(self._run(values, steps)[0], steps)

    def tokens(self, values, steps):
        """Encode a batch to (B, T, D) and its mask; see the base class."""
        states, _ = self._run(values, steps)
        return self.project(self.dropout(states)), steps

    def forward(self, values, steps):
        """Encode a batch to (B, D); see the base class."""
        states, last = self._run(values, steps)
        if self.pooling == "mean":
            last = masked_mean(states, steps)
        elif self.pooling == "attention":
            last = self.attention(states, steps)
        return self.project(self.dropout(last))


class GRUEncoder(_RecurrentEncoder):
    """Gated recurrent units over the real steps of a sequence.

    Parameters
    ----------
    shape : tuple of int
        Shape of one row: (T, F).
    width : int
        Hidden width D, also of the output and of each direction.
    dropout : float
        Probability with which a hidden unit is zeroed in training, between layers and at the end.
    n_layers : int, default=1
        Number of layers.
    bidirectional : bool, default=True
        Whether each layer also runs from the last real step to the first.
    pooling : {"last", "mean", "attention"}, default="last"
        Result: the last state of each direction, the mean of the states, or their mean weighted
        by attention.
    """

    layer = nn.GRU


class LSTMEncoder(_RecurrentEncoder):
    """Long short-term memory over the real steps of a sequence.

    Parameters
    ----------
    shape : tuple of int
        Shape of one row: (T, F).
    width : int
        Hidden width D, also of the output and of each direction.
    dropout : float
        Probability with which a hidden unit is zeroed in training, between layers and at the end.
    n_layers : int, default=1
        Number of layers.
    bidirectional : bool, default=True
        Whether each layer also runs from the last real step to the first.
    pooling : {"last", "mean", "attention"}, default="last"
        Result: the last state of each direction, the mean of the states, or their mean weighted
        by attention.
    """

    layer = nn.LSTM
