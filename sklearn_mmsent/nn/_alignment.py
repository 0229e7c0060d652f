"""Alignment of sequences in time: extents, a common clock, random numbers by step.

Shapes: B batch, S_m steps of block m, T steps of the clock, D width.
"""

import torch


def extent(real):
    """Return the first real step of each row and how far it is to the last, inclusive: (B, 1)."""
    n_steps = real.shape[1]
    steps = torch.arange(n_steps, device=real.device)
    first = steps.where(real, n_steps - 1).amin(1, keepdim=True)
    last = steps.where(real, 0).amax(1, keepdim=True)
    return first, (last - first + 1).clamp(min=1)


def places(real):
    """Count the steps since each row's first real one, (B, S); negative before it."""
    return torch.arange(real.shape[1], device=real.device) - extent(real)[0]


def take(sequence, index):
    """Take the steps of numbers (B, T) out of a sequence of shape (B, S, ...)."""
    shape = index.shape + sequence.shape[2:]
    return sequence.gather(1, index.view(*index.shape, *[1] * (sequence.ndim - 2)).expand(shape))


def common_clock(real):
    """Align sequences of unequal lengths on a common clock.

    A row's clock has as many ticks as its longest sequence has steps, from the first real one to
    the last. At each tick, each sequence shows the step at the same relative position: equally
    long sequences do not change, a shorter one holds each of its steps longer, and one of a
    single step is constant. A gap within a sequence shows the last real step before it. Leading
    and trailing padding have no influence.

    Parameters
    ----------
    real : list of M BoolTensor of shape (B, S_m)
        Which steps are not padding.

    Returns
    -------
    indices : list of M LongTensor of shape (B, T)
        Which step each sequence shows at each tick; T is the largest of S_m.
    ticks : BoolTensor of shape (B, T)
        Which ticks each row's clock has, from the first.
    """
    extents = [extent(mask) for mask in real]
    ticks_of_row = torch.stack([length for _, length in extents]).amax(0)  # (B, 1)
    clock = torch.arange(max(mask.shape[1] for mask in real), device=ticks_of_row.device)
    indices = []
    for mask, (first, length) in zip(real, extents, strict=True):
        steps = torch.arange(mask.shape[1], device=mask.device)
        shown = steps.where(mask, 0).cummax(1).values  # (B, S): the last real step so far
        index = first + clock * length // ticks_of_row  # (B, T)
        indices.append(shown.gather(1, index.clamp(max=len(steps) - 1)))
    return indices, clock < ticks_of_row


def uniform_draws(real):
    """Draw uniform numbers (B, S) that do not depend on padding.

    torch's generator draws one number per row, into which splitmix64 mixes the number of the step
    (Steele, Lea, Flood, 2014, Fast splittable pseudorandom number generators, OOPSLA), so that
    neither these draws nor later ones depend on the number of padded steps.
    """
    seed = torch.randint(2**62, (len(real), 1), device=real.device)
    x = seed + (places(real) + 1) * _signed(0x9E3779B97F4A7C15)
    x = (x ^ _shift(x, 30)) * _signed(0xBF58476D1CE4E5B9)
    x = (x ^ _shift(x, 27)) * _signed(0x94D049BB133111EB)
    x = x ^ _shift(x, 31)
    return _shift(x, 40).to(torch.float32) * 2.0**-24  # 24 bits are exact in float32


def _signed(number):
    return number - 2**64  # torch's integers are signed and wrap around


def _shift(x, bits):
    return (x >> bits) & (2 ** (64 - bits) - 1)
