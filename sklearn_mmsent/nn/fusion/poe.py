"""The product of experts (PoE).

Wu, Goodman (2018), Multimodal generative models for scalable weakly-supervised
learning, NeurIPS (MVAE): each block is a Gaussian expert N(mu_m, v_m) on a
latent vector, and so is the prior N(0, 1); their product has the precision
T = 1 + sum_m 1 / v_m and the mean (sum_m mu_m / v_m) / T over the blocks that
are present, so that any of them may be missing.

The paper's model generates the blocks. Here the latent vector serves to
predict, so that the evidence bound becomes the variational information
bottleneck of Alemi, Fischer, Dillon, Murphy (2017), Deep variational
information bottleneck, ICLR: the task's loss plus kl_weight KL(q || prior).
"""

import torch
from torch import nn

from sklearn_mmsent.nn.fusion.base import Fusion, each, shares_of
from sklearn_mmsent.nn.losses import weighted_mean


class ProductOfExpertsFusion(Fusion):
    """Gaussian experts per block and unit, weighted by precision.

    In training the latent vector is sampled; in prediction it is the mean.

    Parameters
    ----------
    n_blocks : int
        Number of blocks M.
    width : int
        Hidden width D.
    dropout : float
        Probability with which a fused unit is zeroed in training.
    kl_weight : float, default=1e-3
        Weight of the divergence from the prior in the loss.
    """

    def __init__(self, n_blocks, width, dropout, kl_weight=1e-3):
        super().__init__()
        self.kl_weight = kl_weight
        self.layers = nn.ModuleList(nn.Linear(width, 2 * width) for _ in range(n_blocks))
        self.dropout = nn.Dropout(dropout)

    def experts(self, vectors):
        """Return the means and log-variances of the blocks' experts, each of shape (B, M, D)."""
        experts = each(self.layers, vectors)
        means, log_variances = experts.chunk(2, dim=2)
        return means, log_variances.clamp(-10, 10)  # so that no precision overflows

    def weights(self, vectors, present):
        """Return each expert's share of the precision, (B, M, D); the rest is that of the prior."""
        precisions = (-self.experts(vectors)[1]).exp() * present.unsqueeze(-1)
        return precisions / (1 + precisions.sum(1, keepdim=True))

    def block_weights(self, vectors, present):
        """Return the shares of the experts, mean over units; see the base class."""
        return shares_of(self.weights(vectors, present).mean(2))

    def forward(self, vectors, present):
        """Fuse vectors of shape (B, M, D) to (B, D)."""
        return self.forward_train(vectors, present)[0]

    def forward_train(self, vectors, present):
        """Fuse in training; see the base class."""
        means, log_variances = self.experts(vectors)
        precisions = (-log_variances).exp() * present.unsqueeze(-1)
        variance = 1 / (1 + precisions.sum(1))  # (B, D)
        mean = (means * precisions).sum(1) * variance
        if not self.training:
            return mean, None
        drawn = mean + torch.randn_like(mean) * variance.sqrt()
        return self.dropout(drawn), (mean, variance)

    def auxiliary_loss(self, intermediates, batch):
        """Return the weighted divergence from the prior."""
        mean, variance = intermediates
        divergence = 0.5 * (mean**2 + variance - 1 - variance.log()).sum(1)  # (B,)
        return self.kl_weight * weighted_mean(divergence, batch.weights)
