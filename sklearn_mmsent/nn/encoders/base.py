"""What an encoder is: one block in, a vector or a sequence of vectors of the hidden width out."""

from abc import ABCMeta, abstractmethod

import torch
from torch import nn


class Encoder(nn.Module, metaclass=ABCMeta):
    """One block to one vector; a child that keeps time also writes ``tokens``.

    Built as ``Encoder(shape, width, dropout, **options)``.

    Parameters
    ----------
    shape : tuple of int
        Shape of one row: (F,), (T, F) or (C, H, W).
    width : int
        Hidden width D, also of the output.
    dropout : float
        Probability with which a hidden unit is zeroed in training.
    """

    @abstractmethod
    def forward(self, values, steps):
        """Encode a batch.

        Parameters
        ----------
        values : Tensor of shape (B, *shape)
            Standardised values; zero where a step is not real.
        steps : BoolTensor of shape (B, T), or None
            Which steps of a sequence are real.

        Returns
        -------
        Tensor of shape (B, D)
            One vector per row.
        """

    def tokens(self, values, steps):
        """Encode a batch for a fusion of sequences.

        Parameters
        ----------
        values, steps
            As in ``forward``.

        Returns
        -------
        tokens : Tensor of shape (B, S, D)
            Vectors in order of time, or of place; here a single one.
        real : BoolTensor of shape (B, S)
            Which of them are no padding.
        """
        vectors = self.forward(values, steps)
        return vectors.unsqueeze(1), torch.ones_like(vectors[:, :1], dtype=torch.bool)
