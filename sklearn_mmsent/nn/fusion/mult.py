"""The multimodal transformer (MulT): cross-modal attention between all pairs of blocks.

Tsai, Bai, Liang, Kolter, Morency, Salakhutdinov (2019), Multimodal transformer for unaligned
multimodal language sequences, ACL, section 3: from modality b to a, Z_0 = X_a + positions and

    Y_i = Z_(i-1) + attention(LN(Z_(i-1)), LN(X_b + positions)),    Z_i = Y_i + f(LN(Y_i)),

the results of all b are concatenated, a transformer runs over them, and its last steps of all a are
concatenated, before dense layers. Residuals are not normalised, as in the authors' code.
"""

import torch
from torch import nn

from sklearn_mmsent.nn._alignment import extent, take
from sklearn_mmsent.nn.attention import TransformerLayer, add_positions
from sklearn_mmsent.nn.fusion.base import Fusion, shares_of


class MulTFusion(Fusion):
    """Cross-modal transformers for each ordered pair of blocks, which need not be aligned.

    Absent blocks are masked as sources; as a target, an absent block is one step, its absence
    token. A single block has self-attention only.

    Parameters
    ----------
    n_blocks : int
        Number of blocks M.
    width : int
        Hidden width D; a block's own transformer is (M - 1) D wide.
    dropout : float
        Probability with which a unit is zeroed in training.
    n_heads : int, default=4
        Heads of each attention.
    n_layers : int, default=2
        Layers of each of the M (M - 1) cross-modal and of the M own transformers.
    """

    sequential = True

    def __init__(self, n_blocks, width, dropout, n_heads=4, n_layers=2):
        super().__init__()
        pairs = [(a, b) for a in range(n_blocks) for b in range(n_blocks) if a != b]
        self.cross = nn.ModuleDict(
            {
                f"{source}_to_{target}": CrossModalTransformer(width, n_heads, n_layers, dropout)
                for target, source in pairs
            }
        )
        joint = max(n_blocks - 1, 1) * width
        self.own = nn.ModuleList(
            SelfTransformer(joint, n_heads, n_layers, dropout) for _ in range(n_blocks)
        )
        self.project = nn.Sequential(
            nn.Linear(n_blocks * joint, width), nn.ReLU(), nn.Dropout(dropout)
        )

    def step_weights(self, tokens, real, present):
        """Return the attention of the other present blocks to each step; see the base class.

        In the last layers, mean over heads and over the real steps of the targets.
        """
        tokens = [
            add_positions(sequence, mask) for sequence, mask in zip(tokens, real, strict=True)
        ]
        visible = [mask & present[:, i, None] for i, mask in enumerate(real)]
        weights = []
        for source, mask in enumerate(visible):
            looks = torch.zeros_like(mask, dtype=tokens[0].dtype)
            for target, queries in enumerate(visible):
                if target != source:
                    stream = self.cross[f"{source}_to_{target}"]
                    shares = stream.shares(tokens[target], tokens[source], mask)  # (B, S, T)
                    looks = looks + (shares * queries.unsqueeze(-1)).sum(1)
            weights.append(shares_of(looks))
        return weights

    def forward(self, tokens, real, present):
        """Fuse M sequences of shape (B, S_m, D) to (B, D)."""
        tokens = [
            add_positions(sequence, mask) for sequence, mask in zip(tokens, real, strict=True)
        ]
        visible = [mask & present[:, i, None] for i, mask in enumerate(real)]
        ends = []
        for target, mask in enumerate(real):
            streams = [
                self.cross[f"{source}_to_{target}"](tokens[target], tokens[source], visible[source])
                for source in range(len(tokens))
                if source != target
            ] or [tokens[target]]
            joint = self.own[target](torch.cat(streams, dim=-1), mask)  # (B, S, (M - 1) D)
            first, length = extent(mask)
            ends.append(take(joint, first + length - 1).squeeze(1))
        return self.project(torch.cat(ends, dim=1))


class CrossModalTransformer(nn.Module):
    """Layers in which the target attends to the unchanged source."""

    def __init__(self, width, n_heads, n_layers, dropout):
        super().__init__()
        self.layers = nn.ModuleList(
            TransformerLayer(width, n_heads, dropout) for _ in range(n_layers)
        )
        self.norm = nn.LayerNorm(width)

    def forward(self, target, source, mask):
        """Map the target (B, S, D), given the source (B, T, D) and its mask (B, T)."""
        for layer in self.layers:
            target = layer(target, mask, source)
        return self.norm(target)

    def shares(self, target, source, mask):
        """Return the attention of the target to the source in the last layer, (B, S, T)."""
        for layer in self.layers[:-1]:
            target = layer(target, mask, source)
        return self.layers[-1].shares(target, mask, source)


class SelfTransformer(CrossModalTransformer):
    """Layers in which a sequence attends to itself."""

    def forward(self, x, mask):
        """Map x of shape (B, S, D) with its mask (B, S)."""
        return super().forward(x, None, mask)
