"""Multiplicative interactions (MI).

Jayakumar et al. (2020), Multiplicative interactions and where to find them,
ICLR, and, as a fusion, Liang et al. (2021), MultiBench, NeurIPS (its "vector"
form): f(h, x) = s(x) * (U h) + V x + b with s(x) = S x + s_0, that is, the
bilinear form h' W x + U h + V x + b with a W that the context x turns into a
diagonal matrix.

The papers join two inputs. For any number of blocks they are joined one after
the other, h_m = LayerNorm(f_m(h_{m-1}, x_m)) from a learned h_0, so that
products of any order can be formed while the parameters grow linearly; the
normalisation keeps long products in scale; and a block that is absent leaves
the state as it is. (The multiplicative combination of Liu, Li, Xu, Natarajan
2018, Learn to combine modalities, is a loss for decisions and for classes
only, no way to join vectors.)
"""

import torch
from torch import nn

from sklearn_mmsent.nn.fusion.base import Fusion, each


class MultiplicativeFusion(Fusion):
    """Each block rescales the joint state of the previous blocks, unit by unit.

    Parameters
    ----------
    n_blocks : int
        Number of blocks M.
    width : int
        Hidden width D.
    dropout : float
        Probability with which a fused unit is zeroed in training.
    """

    def __init__(self, n_blocks, width, dropout):
        super().__init__()
        self.start = nn.Parameter(torch.ones(width))
        self.scale = nn.ModuleList(nn.Linear(width, width) for _ in range(n_blocks))
        self.carry = nn.ModuleList(nn.Linear(width, width, bias=False) for _ in range(n_blocks))
        self.add = nn.ModuleList(nn.Linear(width, width) for _ in range(n_blocks))
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(n_blocks))
        self.dropout = nn.Dropout(dropout)
        for layer in self.scale:
            nn.init.ones_(layer.bias)  # initially, the state passes unchanged

    def scales(self, vectors, present):
        """Return the factors of each block, (B, M, D): ones for absent blocks."""
        scales = each(self.scale, vectors)
        return torch.where(present.unsqueeze(-1), scales, torch.ones_like(scales))

    def forward(self, vectors, present):
        """Fuse vectors of shape (B, M, D) to (B, D)."""
        scales = self.scales(vectors, present)
        state = self.start.expand_as(vectors[:, 0])  # (B, D)
        for i, (carry, add, norm) in enumerate(zip(self.carry, self.add, self.norms, strict=True)):
            joined = norm(scales[:, i] * carry(state) + add(vectors[:, i]))
            state = torch.where(present[:, i, None], joined, state)
        return self.dropout(state)
