"""The transformer encoder.

Vaswani et al. (2017), Attention is all you need, NeurIPS:
Attention(Q, K, V) = softmax(Q K^T / sqrt(d)) V, and positions
P(t, 2i) = sin(t / 10000^(2i/D)), P(t, 2i+1) = cos(t / 10000^(2i/D)). Layers are
pre-normalised: Xiong et al. (2020), On layer normalization in the
transformer architecture, ICML.
"""

import torch
from torch import nn
from torch.nn import functional as F

from sklearn_mmsent.nn.dropout import StepDropout
from sklearn_mmsent.nn.encoders.base import Encoder
from sklearn_mmsent.nn.encoders.pooling import masked_mean


class TransformerEncoder(Encoder):
    """Layers of self-attention over the real steps of a sequence.

    Parameters
    ----------
    shape : tuple of int
        Shape of one row: (T, F).
    width : int
        Hidden width D, also of the output.
    dropout : float
        Probability with which a hidden unit is zeroed in training.
    n_layers : int, default=2
        Number of layers.
    n_heads : int, default=4
        Maximum number of attention heads; the largest number up to it that divides the width is
        used.
    pooling : {"mean", "cls"}, default="mean"
        Result: the mean of the steps, or the state of a learned token in front of them ([CLS]).
    """

    takes = (2,)
    any_length = True

    def __init__(self, shape, width, dropout, *, n_layers=2, n_heads=4, pooling="mean"):
        super().__init__()
        self._check_shape(shape)
        self._check_count("n_layers", n_layers)
        self._check_count("n_heads", n_heads)
        self._check_option("pooling", pooling, ("mean", "cls"))
        self.embed = nn.Linear(shape[-1], width)
        n_heads = max(n for n in range(1, n_heads + 1) if width % n == 0)
        self.cls = nn.Parameter(0.02 * torch.randn(1, 1, width)) if pooling == "cls" else None
        self.dropout = StepDropout(dropout)
        self.layers = nn.ModuleList(_Layer(width, n_heads, dropout) for _ in range(n_layers))
        self.norm = nn.LayerNorm(width)

    def _run(self, values, steps):
        """Return the result of all layers, with [CLS] in front if there is one, and its mask."""
        states = self.embed(values.masked_fill(~steps.unsqueeze(-1), 0.0))
        states, real = states + positions(states), steps
        if self.cls is not None:
            states = torch.cat([self.cls.expand(len(states), -1, -1), states], dim=1)
            real = F.pad(real, (1, 0), value=True)
        # softmax over nothing is NaN: a row of padding attends to its first step
        first = torch.arange(real.shape[1], device=real.device) == 0
        seen = real | (first & ~real.any(dim=1, keepdim=True))
        states = self.dropout(states)
        for layer in self.layers:
            states = layer(states, seen)
        return self.norm(states), real

    def tokens(self, values, steps):
        """Encode a batch to (B, T, D) and its mask; see the base class."""
        states, _ = self._run(values, steps)
        return states[:, states.shape[1] - steps.shape[1] :], steps

    def forward(self, values, steps):
        """Encode a batch to (B, D); see the base class."""
        states, real = self._run(values, steps)
        return masked_mean(states, real) if self.cls is None else states[:, 0]


class _Layer(nn.Module):
    def __init__(self, width, n_heads, dropout):
        super().__init__()
        self.n_heads = n_heads
        self.norm_attention = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.join = nn.Linear(width, width)
        self.norm_feedforward = nn.LayerNorm(width)
        self.feedforward = nn.Sequential(
            nn.Linear(width, 4 * width),
            nn.GELU(),
            StepDropout(dropout),
            nn.Linear(4 * width, width),
        )
        self.dropout = StepDropout(dropout)

    def forward(self, states, seen):
        """Map (B, T, D) to (B, T, D), attending to the seen steps (B, T) only."""
        q, k, v = (
            self.qkv(self.norm_attention(states)).unflatten(-1, (3, self.n_heads, -1)).unbind(2)
        )
        looked = F.scaled_dot_product_attention(
            q.transpose(1, 2),  # (B, heads, T, D / heads)
            k.transpose(1, 2),
            v.transpose(1, 2),
            attn_mask=seen[:, None, None, :],
        )
        states = states + self.dropout(self.join(looked.transpose(1, 2).flatten(2)))
        return states + self.dropout(self.feedforward(self.norm_feedforward(states)))


def positions(states):
    """Return the sinusoids of T positions for states of shape (B, T, D): (T, D)."""
    n_steps, width = states.shape[1:]
    # bfloat16 does not distinguish step 256 from 257
    dtype = torch.promote_types(states.dtype, torch.float32)
    step = torch.arange(n_steps, dtype=dtype, device=states.device)
    place = torch.arange(width, device=states.device)
    pair = (place // 2).to(dtype)
    angle = step.unsqueeze(1) / 10000 ** (2 * pair / width)  # (T, D)
    return torch.where(place % 2 == 0, angle.sin(), angle.cos())
