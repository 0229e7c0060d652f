"""Modality-invariant and -specific representations (MISA).

Hazarika, Zimmermann, Poria (2020), MISA: modality-invariant and -specific
representations for multimodal sentiment analysis, ACM Multimedia. Each block
vector u_m has a shared part c_m = sigmoid(W_c u_m) and a private one
p_m = sigmoid(W_m u_m); one transformer layer over the 2 M parts and a dense
layer over all of them give the fused vector. The loss gets three additions:

- similarity: the central moment discrepancy (CMD, K = 5) between the shared
  parts, mean over pairs of blocks: |E c_i - E c_j| + sum_k |C_k(c_i) - C_k(c_j)|;
- difference: |P' Q|^2 (Frobenius) between the shared and the private part of a
  block, and between the private parts of two, summed; rows of P and Q are
  centred and of length one;
- reconstruction: mean squared error of D_m(c_m + p_m) against u_m.

Where the paper is silent: only present blocks count, each row by its weight;
P' Q is averaged over rows instead of summed, so that its size (at most one) does
not depend on the batch; the transformer layer is pre-normalised; absent blocks
are masked and enter the dense layer as zeros. u_m is normalised, as in the
authors' code; unlike in it, reconstruction has no gradient with respect to u_m,
which would otherwise collapse to a constant early in training.
"""

import torch
from torch import nn
from torch.nn import functional as F

from sklearn_mmsent.nn.fusion.attention import SelfAttentionLayer
from sklearn_mmsent.nn.fusion.base import Fusion, each, shares_of


class MISAFusion(Fusion):
    """Shared and private parts of the blocks, separated by auxiliary losses.

    Parameters
    ----------
    n_blocks : int
        Number of blocks M.
    width : int
        Hidden width D.
    dropout : float
        Probability with which a hidden unit is zeroed in training.
    similarity_weight : float, default=1.0
        Weight in the loss of the discrepancy between shared parts.
    difference_weight : float, default=0.3
        Weight in the loss of the overlap of shared and private parts.
    reconstruction_weight : float, default=1.0
        Weight in the loss of the error of reconstructing the block's vector from both parts.
    n_moments : int, default=5
        Number K of moments that the discrepancy compares.
    n_heads : int, default=2
        Maximum number of heads; the largest number up to it that divides `width` is used.
    """

    def __init__(
        self,
        n_blocks,
        width,
        dropout,
        similarity_weight=1.0,
        difference_weight=0.3,
        reconstruction_weight=1.0,
        n_moments=5,
        n_heads=2,
    ):
        super().__init__()
        self.similarity_weight = similarity_weight
        self.difference_weight = difference_weight
        self.reconstruction_weight = reconstruction_weight
        self.n_moments = n_moments
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(n_blocks))
        self.shared = nn.Linear(width, width)
        self.private = nn.ModuleList(nn.Linear(width, width) for _ in range(n_blocks))
        self.decode = nn.ModuleList(nn.Linear(width, width) for _ in range(n_blocks))
        self.mix = SelfAttentionLayer(width, n_heads, dropout)
        self.project = nn.Sequential(
            nn.Linear(2 * n_blocks * width, width), nn.ReLU(), nn.Dropout(dropout)
        )

    def parts(self, vectors):
        """Return the shared and the private parts of the blocks, each of shape (B, M, D)."""
        vectors = each(self.norms, vectors)
        return self.shared(vectors).sigmoid(), each(self.private, vectors).sigmoid()

    def forward(self, vectors, present):
        """Fuse vectors of shape (B, M, D) to (B, D)."""
        return self.forward_train(vectors, present)[0]

    def forward_train(self, vectors, present):
        """Fuse in training; see the base class."""
        shared, private = self.parts(vectors)
        both = present.repeat(1, 2)  # (B, 2 M)
        tokens, _ = self.mix(torch.cat([shared, private], dim=1), both)
        fused = self.project((tokens * both.unsqueeze(-1)).flatten(1))
        return fused, (vectors, shared, private, present)

    def block_weights(self, vectors, present):
        """Return the attention to each block's parts, mean over heads and queries."""
        both = present.repeat(1, 2)
        _, looks = self.mix(torch.cat(self.parts(vectors), dim=1), both)  # (B, heads, 2 M, 2 M)
        looks = (looks.mean(1) * both.unsqueeze(2)).sum(1)  # (B, 2 M)
        return shares_of(looks.unflatten(1, (2, -1)).sum(1))

    def auxiliary_loss(self, intermediates, batch):
        """Return the weighted sum of the three losses."""
        vectors, shared, private, present = intermediates
        counts = batch.weights.unsqueeze(1) * present  # (B, M)
        target = each(self.norms, vectors).detach()
        error = (each(self.decode, shared + private) - target).pow(2).mean(2)  # (B, M)
        return (
            self.similarity_weight * similarity_loss(shared, counts, self.n_moments)
            + self.difference_weight * difference_loss(shared, private, counts)
            + self.reconstruction_weight * _over_seen(_mean(error, counts), _seen(counts))
        )


def similarity_loss(shared, counts, n_moments):
    """Central moment discrepancy of parts (B, M, D) with counts (B, M), mean over pairs."""
    one, other = _pairs(shared)
    mean = _mean(shared, counts.unsqueeze(2))  # (M, D)
    moments = [mean]
    moments += [_mean((shared - mean) ** k, counts.unsqueeze(2)) for k in range(2, n_moments + 1)]
    # the square root has no gradient at zero, where moments agree, as those of a single row do
    distance = sum(
        ((moment[one] - moment[other]).pow(2).sum(1) + 1e-12).sqrt() for moment in moments
    )  # (pairs,)
    seen = _seen(counts)
    return _over_seen(distance, seen[one] * seen[other])


def difference_loss(shared, private, counts):
    """Squared overlap of parts (B, M, D) with counts (B, M), summed over pairs of parts."""
    one, other = _pairs(shared)
    shared, private = (
        F.normalize(part - _mean(part, counts.unsqueeze(2)), dim=2, eps=1e-6)
        for part in (shared, private)
    )
    left = torch.cat([shared, private[:, one]], dim=1)  # (B, pairs, D)
    right = torch.cat([private, private[:, other]], dim=1)
    # a row counts by its weight, and where both blocks are present
    both = torch.cat([counts, counts[:, one] * (counts[:, other] > 0)], dim=1)  # (B, pairs)
    share = both / both.sum(0).clamp(min=1e-12)
    overlap = torch.einsum("bpi,bp,bpj->pij", left, share, right)
    return overlap.pow(2).sum()


def _pairs(blocks):
    return torch.triu_indices(blocks.shape[1], blocks.shape[1], 1, device=blocks.device)


def _mean(values, counts):
    """Mean over rows, by counts; zero where nothing counts."""
    return (values * counts).sum(0) / counts.sum(0).clamp(min=1e-12)


def _seen(counts):
    """Return ones for the blocks that any row of the batch has, (M,)."""
    return (counts.sum(0) > 0).to(counts.dtype)


def _over_seen(values, seen):
    """Mean over the blocks, or pairs, in the batch; zero if there are none."""
    return (values * seen).sum() / seen.sum().clamp(min=1)
