"""Augmentation of batches in training: noise, masks and mixtures of rows.

All act on standardised values in training mode only; masked values become the mean, zero.
"""

import torch
from torch import nn

GRID = 1025  # quantiles of the shares of mixtures


class BlockNoise(nn.Module):
    """Gaussian noise on every value that is present.

    Parameters
    ----------
    p : float
        Standard deviation of the noise, as a share of that of the values.
    """

    def __init__(self, p):
        super().__init__()
        self.p = p

    def forward(self, values, steps):
        """Add noise to values of shape (B, *shape)."""
        if not self.training or _is_off(self.p):
            return values
        # missing values and padding are exactly zero
        return values + self.p * torch.randn_like(values) * (values != 0)


class TimeMasking(nn.Module):
    """Mask one stretch of a sequence's real steps (SpecAugment).

    Park, Chan, Zhang, Chiu, Zoph, Cubuk, Le (2019), SpecAugment: a simple data augmentation
    method for automatic speech recognition, Interspeech.

    Parameters
    ----------
    p : float
        Largest share of the steps that is masked.
    """

    def __init__(self, p):
        super().__init__()
        self.p = p

    def forward(self, values, steps):
        """Mask steps of sequences (B, T, F); other values pass."""
        if not self.training or _is_off(self.p) or steps is None:
            return values
        hidden = _stretch(steps, self.p)  # (B, T)
        return values.masked_fill(hidden.unsqueeze(-1), 0.0)


class FrequencyMasking(nn.Module):
    """Mask one band of a sequence's features, in all its steps (SpecAugment).

    Parameters
    ----------
    p : float
        Largest share of the features that is masked.
    """

    def __init__(self, p):
        super().__init__()
        self.p = p

    def forward(self, values, steps):
        """Mask features of sequences (B, T, F); other values pass."""
        if not self.training or _is_off(self.p) or steps is None:
            return values
        features = torch.ones_like(values[:, 0], dtype=torch.bool)  # (B, F)
        return values.masked_fill(_stretch(features, self.p).unsqueeze(1), 0.0)


class Mixup(nn.Module):
    """Mix each row with the previous one of the batch, with the same share in every block.

    Batches are shuffled, so that partners are random. Where one of the two lacks a block or a step,
    the row is not changed. The partner's share of the targets is its share of the row times the
    share of the row's blocks that were mixed.

    Zhang, Cisse, Dauphin, Lopez-Paz (2018), mixup: Beyond empirical risk minimization, ICLR.

    Parameters
    ----------
    alpha : float
        Shares are drawn from Beta(alpha, alpha), the smaller one for the partner; 0 mixes nothing.
    blended : list of bool
        Whether the values of each block are quantities, which can be interpolated.
    """

    def __init__(self, alpha, blended):
        super().__init__()
        self.alpha = alpha
        self.blended = tuple(blended)
        if alpha:
            self._quantiles = _smaller_shares(alpha)

    def forward(self, values, present, steps):
        """Mix values, one tensor of shape (B, *shape) per block; see `FusionNetwork.forward`.

        Returns
        -------
        mixed : list of Tensor of shape (B, *shape)
            Values of each block.
        share : Tensor of shape (B,) or None
            The partner's share of each row's targets; None if nothing is mixed.
        """
        if not self.training or not self.alpha or not any(self.blended):
            return values, None
        shares = self._draw(present)  # (B,)
        both = present & present.roll(1, 0)  # (B, M)
        mixed = []
        for i, value in enumerate(values):
            if not self.blended[i]:
                mixed.append(value)
                continue
            share = (shares * both[:, i]).to(value.dtype).view(-1, *[1] * (value.ndim - 1))
            if steps[i] is not None:
                share = share * (steps[i] & steps[i].roll(1, 0)).unsqueeze(-1)
            mixed.append(value + share * (value.roll(1, 0) - value))
        blended = torch.tensor(self.blended, device=present.device)
        n_mixed, n_present = (both & blended).sum(1), present.sum(1).clamp(min=1)
        return mixed, shares * n_mixed / n_present

    def _draw(self, present):
        quantiles = self._quantiles.to(present.device)
        place = torch.rand(len(present), device=present.device) * (GRID - 1)
        below = place.floor().long().clamp(max=GRID - 2)
        rest = place - below
        return quantiles[below] * (1 - rest) + quantiles[below + 1] * rest


def mix_targets(share, loss, targets, weights):
    """Return a loss of mixed targets and the rows' weights in it.

    Parameters
    ----------
    share : Tensor of shape (B,) or None
        The partner's share of each row's targets, as `Mixup` returns it.
    loss : callable
        Maps outputs and targets of a batch to the loss of each row.
    targets : Tensor of shape (B, ...)
        Targets of the rows.
    weights : Tensor of shape (B,)
        Weights of the rows.

    Returns
    -------
    loss_of : callable
        Maps outputs to the loss of each row.
    weights : Tensor of shape (B,)
        Weights of the mixed rows.
    """
    if share is None:
        return (lambda outputs: loss(outputs, targets)), weights
    partner_weights = share * weights.roll(1, 0)
    total = (1 - share) * weights + partner_weights
    partner = partner_weights / total.clamp(min=1e-12)

    def loss_of(outputs):
        losses, others = loss(outputs, targets), loss(outputs, targets.roll(1, 0))
        return losses + partner * (others - losses)

    return loss_of, total


def _smaller_shares(alpha):
    """Return evenly spaced quantiles of the smaller of x and 1 - x, x from Beta(alpha, alpha)."""
    # over u = (2 x) ** alpha the density has no pole
    u = torch.linspace(0, 1, 16 * GRID, dtype=torch.float64)
    density = (2 - u ** (1 / alpha)) ** (alpha - 1)
    mass = torch.cumulative_trapezoid(density, u)
    mass = torch.cat([mass.new_zeros(1), mass / mass[-1]])
    wanted = torch.linspace(0, 1, GRID, dtype=torch.float64)
    above = torch.searchsorted(mass, wanted).clamp(1, len(u) - 1)
    rest = (wanted - mass[above - 1]) / (mass[above] - mass[above - 1])
    u = u[above - 1] + rest * (u[above] - u[above - 1])
    return (u ** (1 / alpha) / 2).float()


def _is_off(p):
    """Return whether p is zero; in a stack p is a tensor, on which no branch may depend."""
    return not isinstance(p, torch.Tensor) and p == 0


def _stretch(real, p):
    """Draw a stretch of at most a share p of the real positions in each row of (B, N)."""
    n = real.sum(1)  # (B,)
    length, start = torch.rand(2, len(real), device=real.device)
    length = torch.minimum((length * (p * n + 1)).floor(), (p * n).ceil())
    start = (start * (n - length + 1)).floor()
    place = real.cumsum(1) - 1
    return real & (place >= start.unsqueeze(1)) & (place < (start + length).unsqueeze(1))
