"""Low-rank multimodal fusion (LMF).

Liu, Shen, Lakshminarasimhan, Liang, Zadeh, Morency (2018), Efficient low-rank
multimodal fusion with modality-specific factors, ACL: the dense layer W z + b
over the outer product z of tensor fusion, with W = sum_r a_r w_1r x ... x w_Mr
of rank R. Then W z = sum_r a_r prod_m w_mr' [x_m; 1], and z is never formed.
(The authors' code has the weights a_r; the paper takes them as ones.)

An absent block is the vector of zeros, as in tensor fusion. The weights of the
appended ones start at one, so that a product of many blocks does not vanish.
"""

import torch
from torch import nn

from sklearn_mmsent.nn.fusion.base import Fusion


class LowRankFusion(Fusion):
    """Products across all blocks at a cost that grows linearly with their number.

    Parameters
    ----------
    n_blocks : int
        Number of blocks M.
    width : int
        Hidden width D.
    dropout : float
        Probability with which a fused unit is zeroed in training.
    rank : int, default=4
        Number of products that are summed for each unit.

    See Also
    --------
    TensorFusion : The full product, for two or three narrow blocks.
    """

    def __init__(self, n_blocks, width, dropout, rank=4):
        super().__init__()
        if rank < 1:
            raise ValueError(f"LowRankFusion: rank must be at least 1; got {rank}.")
        self.factors = nn.Parameter(torch.empty(n_blocks, rank, width + 1, width))
        self.rank_weights = nn.Parameter(torch.full((rank,), rank**-0.5))
        self.bias = nn.Parameter(torch.zeros(width))
        self.dropout = nn.Dropout(dropout)
        nn.init.normal_(self.factors, std=width**-0.5)
        with torch.no_grad():
            self.factors[:, :, -1] = 1.0

    def forward(self, vectors, present):
        """Fuse vectors of shape (B, M, D) to (B, D)."""
        vectors = vectors * present.unsqueeze(-1)
        vectors = torch.cat([vectors, torch.ones_like(vectors[:, :, :1])], dim=2)  # (B, M, D + 1)
        product = 1.0
        for i, factors in enumerate(self.factors):
            product = product * torch.einsum("bd,rdo->bro", vectors[:, i], factors)  # (B, R, D)
        return self.dropout(torch.einsum("bro,r->bo", product, self.rank_weights) + self.bias)
