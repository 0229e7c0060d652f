"""Attention bottlenecks (MBT): modalities meet in a few shared tokens only.

Nagrani, Yang, Arnab, Jansen, Schmid, Sun (2021), Attention bottlenecks for multimodal fusion,
NeurIPS, section 3.2: in layer l each modality m, with its class token in front, runs

    [z_m, b_m] <- Transformer_m([z_m, b]),    then b <- mean over m of b_m,

and the class tokens are averaged (the paper averages the outputs of its linear classifier for
each, which is equivalent).
"""

import torch
from torch import nn

from sklearn_mmsent.nn.attention import TransformerLayer, add_positions
from sklearn_mmsent.nn.fusion.base import Fusion, shares_of


class BottleneckFusion(Fusion):
    """One transformer per block, which exchange information through a few bottleneck tokens.

    Cost grows with the sum of the squared lengths of the blocks, not with the square of their sum.
    Absent blocks neither write to the bottleneck nor count in the result.

    Parameters
    ----------
    n_blocks : int
        Number of blocks M.
    width : int
        Hidden width D.
    dropout : float
        Probability with which a unit is zeroed in training.
    n_bottlenecks : int, default=4
        Number of shared tokens N.
    n_layers : int, default=2
        Layers of each block's transformer; with one layer, blocks are only averaged.
    n_heads : int, default=4
        Heads of each attention.
    """

    sequential = True

    def __init__(self, n_blocks, width, dropout, n_bottlenecks=4, n_layers=2, n_heads=4):
        super().__init__()
        self.layers = nn.ModuleList(
            nn.ModuleList(
                TransformerLayer(width, n_heads, dropout, nn.GELU) for _ in range(n_blocks)
            )
            for _ in range(n_layers)
        )
        self.classes = nn.Parameter(0.02 * torch.randn(n_blocks, 1, width))
        self.bottlenecks = nn.Parameter(0.02 * torch.randn(n_bottlenecks, width))
        self.norm = nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)

    def step_weights(self, tokens, real, present):
        """Return the attention of the class tokens in the last layer; see the base class."""
        before, masks = self._run(tokens, real, present, len(self.layers) - 1)
        n_shared = len(self.bottlenecks)
        looks = [
            layer.shares(x, mask)[:, n_shared, n_shared + 1 :]
            for layer, x, mask in zip(self.layers[-1], before, masks, strict=True)
        ]
        return [shares_of(look) * present[:, i, None] for i, look in enumerate(looks)]

    def forward(self, tokens, real, present):
        """Fuse M sequences of shape (B, S_m, D) to (B, D)."""
        states, _ = self._run(tokens, real, present, len(self.layers))
        n_shared = len(self.bottlenecks)
        return self.dropout(_mean_of_present([self.norm(x[:, n_shared]) for x in states], present))

    def _run(self, tokens, real, present, n_layers):
        """Return the states of M transformers after some layers, (B, N + 1 + S_m, D), and masks."""
        n_rows, n_shared = len(present), len(self.bottlenecks)
        shared = self.bottlenecks.expand(n_rows, -1, -1)  # (B, N, D)
        states, masks = [], []
        for token, sequence, mask in zip(self.classes, tokens, real, strict=True):
            token = token.expand(n_rows, -1, -1)
            states.append(torch.cat([token, add_positions(sequence, mask)], dim=1))
            always = torch.ones_like(mask[:, :1]).expand(-1, n_shared + 1)
            masks.append(torch.cat([always, mask], dim=1))  # (B, N + 1 + S)
        for layers in self.layers[:n_layers]:
            both = [
                layer(torch.cat([shared, state], dim=1), mask)
                for layer, state, mask in zip(layers, states, masks, strict=True)
            ]
            shared = _mean_of_present([x[:, :n_shared].flatten(1) for x in both], present)
            shared = shared.unflatten(1, (n_shared, -1))
            states = [x[:, n_shared:] for x in both]
        return [torch.cat([shared, state], dim=1) for state in states], masks


def _mean_of_present(vectors, present):
    """Average M vectors of shape (B, ...) over the present blocks."""
    share = present / present.sum(1, keepdim=True)  # (B, M)
    return torch.einsum("bm,mbd->bd", share.to(vectors[0].dtype), torch.stack(vectors))
