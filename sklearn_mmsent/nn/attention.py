"""Parts of fusions of sequences with attention: masked attention, layers, positions.

Vaswani et al. (2017), Attention is all you need, NeurIPS; normalisation before each part as in
Xiong et al. (2020), On layer normalization in the Transformer architecture, ICML.

Shapes: B batch, S steps of the queries, T steps of the memory, D width.
"""

import math

import torch
from torch import nn
from torch.nn import functional

from sklearn_mmsent.nn._alignment import places
from sklearn_mmsent.nn.dropout import StepDropout


class MultiHeadAttention(nn.Module):
    """Masked attention in several heads: softmax(Q K' / sqrt(d)) V; nothing where all is masked.

    Parameters
    ----------
    width : int
        Width D of queries, memory and output.
    n_heads : int
        Number of heads; if it does not divide D, the heads together are slightly wider.
    """

    def __init__(self, width, n_heads):
        super().__init__()
        inner = n_heads * -(-width // n_heads)
        self.n_heads = n_heads
        self.fused = True  # torch's kernel, which does not hold all scores at once
        self.query = nn.Linear(width, inner)
        self.key = nn.Linear(width, inner, bias=False)  # a bias would not change the softmax
        self.value = nn.Linear(width, inner)
        self.out = nn.Linear(inner, width)

    def forward(self, queries, memory, mask):
        """Attend from queries (B, S, D) to the memory (B, T, D) where the mask (B, T) is True."""
        some = mask.any(dim=1)[:, None, None]
        query, key, value = (
            self._heads(layer, x)
            for layer, x in ((self.query, queries), (self.key, memory), (self.value, memory))
        )
        if self.fused:
            allowed = self._allowed(mask)
            seen = functional.scaled_dot_product_attention(query, key, value, attn_mask=allowed)
        else:  # the kernel does not support vmap on a CPU
            seen = self._shares(query, key, mask) @ value
        return self.out(seen.transpose(1, 2).flatten(2)) * some

    def shares(self, queries, memory, mask):
        """Return the attention of queries (B, S, D) to the memory, (B, S, T), mean over heads.

        Zero where the mask is False.
        """
        query, key = self._heads(self.query, queries), self._heads(self.key, memory)
        return self._shares(query, key, mask).mean(1) * mask.unsqueeze(1)

    def _heads(self, layer, x):
        return layer(x).unflatten(-1, (self.n_heads, -1)).transpose(1, 2)  # (B, heads, S or T, d)

    def _allowed(self, mask):
        # a softmax over nothing is NaN: such rows attend everywhere, and the result is zeroed
        return mask[:, None, None, :] | ~mask.any(dim=1)[:, None, None, None]  # (B, 1, 1, T)

    def _shares(self, query, key, mask):
        scores = query @ key.mT / math.sqrt(query.shape[-1])  # (B, heads, S, T)
        return scores.masked_fill(~self._allowed(mask), -torch.inf).softmax(-1)


class TransformerLayer(nn.Module):
    """Attention, then two dense layers per step; both pre-normalised and residual.

    Parameters
    ----------
    width : int
        Width D.
    n_heads : int
        Number of heads.
    dropout : float
        Probability with which a unit of a part's output is zeroed in training.
    activation : type, default=nn.ReLU
        Between the two dense layers, which are 4 D wide inside.
    """

    def __init__(self, width, n_heads, dropout, activation=nn.ReLU):
        super().__init__()
        self.norm_attention = nn.LayerNorm(width)
        self.attention = MultiHeadAttention(width, n_heads)
        self.norm_dense = nn.LayerNorm(width)
        self.dense = nn.Sequential(
            nn.Linear(width, 4 * width), activation(), nn.Linear(4 * width, width)
        )
        self.dropout = StepDropout(dropout)

    def forward(self, x, mask, memory=None):
        """Map x of shape (B, S, D), which attends to the memory (B, T, D), or to itself."""
        x = x + self.dropout(self.attention(*self._normed(x, memory), mask))
        return x + self.dropout(self.dense(self.norm_dense(x)))

    def shares(self, x, mask, memory=None):
        """Return the attention of x (B, S, D) to the memory (B, T, D), or to itself: (B, S, T)."""
        return self.attention.shares(*self._normed(x, memory), mask)

    def _normed(self, x, memory):
        queries = self.norm_attention(x)
        return queries, queries if memory is None else self.norm_attention(memory)


def add_positions(tokens, real):
    """Add sinusoids of the steps since each row's first real one to tokens (B, S, D)."""
    width = tokens.shape[-1]
    # bfloat16 does not distinguish step 256 from 257
    dtype = torch.promote_types(tokens.dtype, torch.float32)
    rates = torch.arange(0, width, 2, device=tokens.device, dtype=dtype)
    rates = torch.exp(rates * (-math.log(10_000) / width))  # (D / 2,)
    angles = places(real).unsqueeze(-1) * rates  # (B, S, D / 2)
    waves = torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(2)
    return tokens + waves[..., :width]
