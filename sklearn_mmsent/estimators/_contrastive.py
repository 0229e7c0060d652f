"""A projection that brings rows of a class together, learned from few rows.

Supervised contrastive learning: Khosla et al. (2020), Supervised contrastive learning, NeurIPS. For
few examples: Tunstall et al. (2022), Efficient few-shot learning without prompts, arXiv:2209.11055.
"""

import numpy as np
import torch
from torch.nn import functional as F

_LR, _WEIGHT_DECAY = 2e-2, 1e-3
_NOISE = 0.5  # added to features, in standard deviations
_HIDDEN = 0.3  # share of hidden features


def contrastive_projection(rows, classes, width, *, temperature, n_steps, seed):
    """Learn a linear projection with the supervised contrastive loss.

    Each row is in the batch twice, with different noise on its features and different features
    hidden, so that a class with one row has a pair, too.

    Parameters
    ----------
    rows : ndarray of shape (N, D)
        Standardised features.
    classes : ndarray of int of shape (N,)
        Class numbers.
    width : int
        Width of the projected rows.
    temperature : float
        Temperature of the similarities.
    n_steps : int
        Number of steps of AdamW.
    seed : int
        Seed of initial weights and noise; global generators are not used.

    Returns
    -------
    ndarray of shape (D, width)
    """
    generator = torch.Generator().manual_seed(seed)
    rows = torch.from_numpy(np.concatenate([rows, rows])).double()
    classes = torch.from_numpy(np.concatenate([classes, classes]))
    start = torch.randn(rows.shape[1], width, generator=generator, dtype=torch.double)
    weights = (start / rows.shape[1] ** 0.5).requires_grad_()
    optimizer = torch.optim.AdamW([weights], lr=_LR, weight_decay=_WEIGHT_DECAY)
    itself = torch.eye(len(rows), dtype=torch.bool)
    partners = ((classes[:, None] == classes) & ~itself).double()
    for _ in range(n_steps):
        noise = torch.randn(rows.shape, generator=generator, dtype=torch.double)
        shown = torch.rand(rows.shape, generator=generator, dtype=torch.double) >= _HIDDEN
        projected = F.normalize(((rows + _NOISE * noise) * shown) @ weights, dim=1)
        similar = (projected @ projected.T / temperature).masked_fill(itself, -torch.inf)
        log_shares = (similar - similar.logsumexp(dim=1, keepdim=True)).masked_fill(itself, 0.0)
        loss = -((log_shares * partners).sum(dim=1) / partners.sum(dim=1)).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return weights.detach().numpy()
