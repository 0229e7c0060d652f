"""Fusion: base class of the modules that join blocks."""

import torch

from sklearn_mmsent.nn.auxiliary import AuxiliaryModule


class Fusion(AuxiliaryModule):
    """Base class of fusions, which join the vectors, or sequences of vectors, of M blocks.

    Built as ``Fusion(n_blocks, width, dropout, **options)`` with M, D and the probability with
    which a fused unit is zeroed in training. A child implements ``forward``; the other defaults
    are those of a fusion of vectors without weights or auxiliary loss.

    A fusion of vectors is called with ``vectors`` of shape (B, M, D) and ``present``, a mask of
    shape (B, M), and returns (B, D). Where the mask is False, the vectors are learned absence
    tokens; for a row without any block the mask is True throughout.
    """

    #: Whether it joins sequences: called with a list of M ``tokens`` of shape (B, S_m, D), a list
    #: of M masks ``real`` of shape (B, S_m), and ``present``. An absent block of a row is one real
    #: token, its absence token.
    sequential = False

    #: Whether it computes the network's outputs (B, C) itself: built with ``head``, too, a
    #: ``NewHead``, which returns a new module from (B, D) to (B, C) when called.
    decides = False

    #: Kind of ``block_weights``: "shares", which sum to one over the present blocks, or
    #: independent "gates".
    weights_are = "shares"

    def block_weights(self, *inputs):
        """Return the weight of each block, (B, M), zero for absent ones; None if there are none.

        Parameters
        ----------
        *inputs : tuple
            Arguments of ``forward``.
        """

    def step_weights(self, *inputs):
        """Return the weight of each step, M tensors of shape (B, S_m); None if there are none.

        Zero for padding and absent blocks. Shares sum to one over the steps of a block.

        Parameters
        ----------
        *inputs : tuple
            Arguments of ``forward``.
        """


def shares_of(weights):
    """Normalise non-negative weights of shape (B, ...) to a sum of one; zeros stay zeros."""
    total = weights.flatten(1).sum(1).view(-1, *[1] * (weights.ndim - 1))
    return weights / total.clamp(min=torch.finfo(weights.dtype).tiny)


def each(layers, vectors):
    """Apply one layer per block: (B, M, D) to (B, M, ...)."""
    return torch.stack(
        [layer(vector) for layer, vector in zip(layers, vectors.unbind(1), strict=True)], dim=1
    )
