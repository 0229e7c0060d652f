"""What a fusion is: what the blocks say in, one fused vector out."""

import torch

from sklearn_mmsent.nn.auxiliary import AuxiliaryModule


class Fusion(AuxiliaryModule):
    """Joins the vectors, or the sequences of vectors, of M blocks.

    Built as ``Fusion(n_blocks, width, dropout, **options)`` with M, D and the probability with
    which a fused unit is zeroed in training. What follows is told by four attributes and one
    method; the defaults are those of a fusion of vectors.

    A fusion of vectors is called with ``vectors`` of shape (B, M, D) and ``there``, a mask of
    shape (B, M), and gives (B, D). What the vectors hold where the mask is False are learned
    absence tokens; a row of which nothing is there comes with a mask that is True throughout.
    """

    #: True: called with a list of M ``tokens`` of shape (B, S_m, D), a list of M masks ``real`` of
    #: shape (B, S_m), and ``there``. A row's absent block is one real token, its absence token.
    sequential = False

    #: True: built with ``head`` too, which gives a fresh module from (B, D) to (B, C) when called
    #: (a ``NewHead``), and gives the network's outputs (B, C) itself.
    decides = False

    #: What the numbers of ``block_weights`` are: "shares", which sum to one over what is there, or
    #: "gates", each for itself.
    weights_are = "shares"

    def block_weights(self, *inputs):
        """Return how much each block counts, (B, M), zero for the absent; None if nothing tells.

        Parameters
        ----------
        *inputs : tuple
            What ``forward`` takes.
        """

    def step_weights(self, *inputs):
        """Return how much each step counts, M tensors of shape (B, S_m); None if nothing tells.

        Zero for padding and for the absent. Shares sum to one over the steps of a block.

        Parameters
        ----------
        *inputs : tuple
            What ``forward`` takes.
        """


def shares_of(weights):
    """Bring weights of shape (B, ...), none of them negative, to a sum of one; zeros stay zeros."""
    total = weights.flatten(1).sum(1).view(-1, *[1] * (weights.ndim - 1))
    return weights / total.clamp(min=torch.finfo(weights.dtype).tiny)


def each(layers, vectors):
    """Send each block's vector through a layer of its own: (B, M, D) to (B, M, ...)."""
    return torch.stack(
        [layer(vector) for layer, vector in zip(layers, vectors.unbind(1), strict=True)], dim=1
    )
