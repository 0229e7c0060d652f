"""Self-attention over block tokens.

Vaswani et al. (2017), Attention is all you need, NeurIPS (the layer), in the
arrangement of Gorishniy, Rubachev, Khrulkov, Babenko (2021), Revisiting deep
learning models for tabular data, NeurIPS: each token is a vector plus an
embedding of where it comes from; a learned token [CLS] is put in front and its
last state is the result; layers are pre-normalised,
x <- x + MHA(LN(x)), x <- x + FFN(LN(x)). Absent blocks are masked.
"""

import torch
from torch import nn

from sklearn_mmsent.nn.fusion.base import Fusion, shares_of


class AttentionFusion(Fusion):
    """Self-attention among blocks and a [CLS] token, whose state is the result.

    Parameters
    ----------
    n_blocks : int
        Number of blocks M.
    width : int
        Hidden width D.
    dropout : float
        Probability with which a hidden unit is zeroed in training.
    n_heads : int, default=4
        Maximum number of heads; the largest number up to it that divides `width` is used.
    n_layers : int, default=1
        Number of layers.
    """

    def __init__(self, n_blocks, width, dropout, n_heads=4, n_layers=1):
        super().__init__()
        if n_layers < 1:
            raise ValueError(f"AttentionFusion: n_layers must be at least 1; got {n_layers}.")
        self.origin = nn.Parameter(0.02 * torch.randn(n_blocks, width))
        self.cls = nn.Parameter(0.02 * torch.randn(width))
        self.layers = nn.ModuleList(
            SelfAttentionLayer(width, n_heads, dropout) for _ in range(n_layers)
        )
        self.norm = nn.LayerNorm(width)

    def attention(self, vectors, present):
        """Return the attention of [CLS] to each block in the last layer, (B, M), mean over heads.

        Zero for absent blocks; the rest of one is its attention to itself.
        """
        return self._run(vectors, present)[1][:, :, 0, 1:].mean(1)

    def block_weights(self, vectors, present):
        """Return the attention of [CLS] to the blocks, normalised; see the base class."""
        return shares_of(self.attention(vectors, present))

    def forward(self, vectors, present):
        """Fuse vectors of shape (B, M, D) to (B, D)."""
        return self.norm(self._run(vectors, present)[0][:, 0])

    def _run(self, vectors, present):
        cls = self.cls.expand(len(vectors), 1, -1)
        tokens = torch.cat([cls, vectors + self.origin], dim=1)  # (B, 1 + M, D)
        present = torch.cat([torch.ones_like(present[:, :1]), present], dim=1)
        for layer in self.layers:
            tokens, shares = layer(tokens, present)
        return tokens, shares


class SelfAttentionLayer(nn.Module):
    """One transformer layer over a few tokens, which also returns the attention.

    Parameters
    ----------
    width : int
        Width D of the tokens.
    n_heads : int
        Maximum number of heads; the largest number up to it that divides `width` is used.
    dropout : float
        Probability with which a hidden unit is zeroed in training.
    """

    def __init__(self, width, n_heads, dropout):
        super().__init__()
        if n_heads < 1:
            raise ValueError(f"n_heads must be at least 1; got {n_heads}.")
        self.n_heads = next(n for n in range(min(n_heads, width), 0, -1) if width % n == 0)
        self.look_norm = nn.LayerNorm(width)
        self.look = nn.Linear(width, 3 * width)  # queries, keys, values
        self.gather = nn.Linear(width, width)
        self.think_norm = nn.LayerNorm(width)
        self.think = nn.Sequential(
            nn.Linear(width, 2 * width), nn.ReLU(), nn.Dropout(dropout), nn.Linear(2 * width, width)
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens, present):
        """Attend from tokens of shape (B, N, D) to those whose mask (B, N) is True.

        Returns the new tokens, and the attention of shape (B, heads, N, N).
        """
        heads = self.look(self.look_norm(tokens)).unflatten(2, (3 * self.n_heads, -1))
        queries, keys, values = heads.transpose(1, 2).chunk(3, dim=1)  # (B, heads, N, D / heads)
        scores = queries @ keys.transpose(2, 3) * keys.shape[3] ** -0.5
        shares = scores.masked_fill(~present[:, None, None], -torch.inf).softmax(3)
        seen = (shares @ values).transpose(1, 2).flatten(2)  # (B, N, D)
        tokens = tokens + self.dropout(self.gather(seen))
        return tokens + self.dropout(self.think(self.think_norm(tokens))), shares
