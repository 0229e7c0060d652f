"""The tensor fusion network (TFN).

Zadeh, Chen, Poria, Cambria, Morency (2017), Tensor fusion network for
multimodal sentiment analysis, EMNLP: z = [z_1; 1] x ... x [z_M; 1], the outer
product of all block vectors with a one appended, which holds the products of
all subsets of blocks; then a dense layer.

The product has (factor + 1)^M numbers, so each vector is first projected to
`factor` numbers (the paper's last unimodal layers are as narrow). An absent
block is the vector of zeros: [0; 1] leaves the products of the others.
"""

import torch
from torch import nn

from sklearn_mmsent.nn.fusion.base import Fusion

#: Size of the outer product: target of the default, and maximum.
AIM, LIMIT = 4096, 1_000_000


class TensorFusion(Fusion):
    """Outer product of all blocks, with the products of all subsets of blocks.

    Parameters
    ----------
    n_blocks : int
        Number of blocks M.
    width : int
        Hidden width D.
    dropout : float
        Probability with which a fused unit is zeroed in training.
    factor : int or None, default=None
        Size of each block in the product. None takes the largest, up to `width`,
        with which the product has at most 4096 numbers: 63 for two blocks, 15
        for three, 7 for four.

    See Also
    --------
    LowRankFusion : The same function without ever forming the product.
    """

    def __init__(self, n_blocks, width, dropout, factor=None):
        super().__init__()
        if factor is None:
            factor = max(1, min(width, _root(AIM, n_blocks) - 1))
        if factor < 1:
            raise ValueError(f"TensorFusion: factor must be at least 1; got {factor}.")
        size = (factor + 1) ** n_blocks
        if size > LIMIT:
            most = _root(LIMIT, n_blocks) - 1
            remedy = f"Lower factor to {most} at most, or take" if most else "Take"
            raise ValueError(
                f"TensorFusion: the outer product of {n_blocks} blocks with factor={factor} has "
                f"{size:,} numbers, more than {LIMIT:,}. {remedy} the fusion 'low_rank', which "
                "does not form the product."
            )
        self.narrow = nn.ModuleList(nn.Linear(width, factor) for _ in range(n_blocks))
        self.project = nn.Sequential(nn.Linear(size, width), nn.ReLU(), nn.Dropout(dropout))

    def product(self, vectors, present):
        """Return the outer product of shape (B, (factor + 1)^M); the last block varies fastest."""
        product = torch.ones_like(vectors[:, 0, :1])  # (B, 1)
        for i, narrow in enumerate(self.narrow):
            vector = narrow(vectors[:, i]) * present[:, i, None]
            vector = torch.cat([vector, torch.ones_like(vector[:, :1])], dim=1)
            product = (product.unsqueeze(2) * vector.unsqueeze(1)).flatten(1)
        return product

    def forward(self, vectors, present):
        """Fuse vectors of shape (B, M, D) to (B, D)."""
        return self.project(self.product(vectors, present))


def _root(number, degree):
    """Return the integer part of a root, without rounding error."""
    root = round(number ** (1 / degree))
    return root if root**degree <= number else root - 1
