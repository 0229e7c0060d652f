"""What an encoder is: one block in, a vector or a sequence of vectors of the hidden width out."""

from abc import ABCMeta, abstractmethod
from numbers import Integral

import torch
from torch import nn


class Encoder(nn.Module, metaclass=ABCMeta):
    """One block to one vector; a child that keeps time also writes ``tokens``.

    Built as ``Encoder(shape, width, dropout, **options)``. A row's result is its own, whatever
    the other rows are, and however much padding stands behind its steps.

    Parameters
    ----------
    shape : tuple of int
        Shape of one row: (F,), (T, F) or (C, H, W).
    width : int
        Hidden width D, also of the output.
    dropout : float
        Probability with which a hidden unit is zeroed in training.
    """

    #: Numbers of axes of the blocks that it takes: 1 flat, 2 sequence, 3 image.
    takes = (1, 2, 3)

    #: True: gets values as they stand in the table, zero where missing, and not standardised ones.
    raw = False

    #: True: takes sequences of any length, not only of that of `shape`.
    any_length = False

    #: True: computes over a batch's real steps alone, whose number is not that of the next batch.
    ragged = False

    #: Options that say where weights come from or how they are trained, not what they mean: an
    #: encoder may differ in them from the one whose weights it starts with.
    training_options = ("model", "trainable_layers", "lr")

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

    def step_weights(self, values, steps):
        """Return how much each step counts in the vector, (B, S), shares of one; None if untold.

        Parameters
        ----------
        values, steps
            As in ``forward``.
        """

    def learning_rates(self):
        """Return what learns at a rate of its own: pairs of a module inside and its rate."""
        return []

    # -- checks that the built-in encoders share ---------------------------------------------

    def _check_shape(self, shape):
        """Refuse a block that this encoder cannot read, and name those that can."""
        if len(shape) in self.takes:
            return
        from sklearn_mmsent.nn.encoders import ENCODERS  # which has this class in it

        name = next((n for n, cls in ENCODERS.items() if cls is type(self)), type(self).__name__)
        kinds = {1: "flat blocks (F,)", 2: "sequences (T, F)", 3: "images (C, H, W)"}
        others = [repr(n) for n, cls in ENCODERS.items() if len(shape) in cls.takes]
        raise ValueError(
            f"The encoder {name!r} reads {' and '.join(kinds[k] for k in self.takes)}; a block of "
            f"shape {tuple(shape)} is read by {', '.join(others)}. Choose encoders by block, as in "
            f"encoders={{'audio': {name!r}}}."
        )

    def _check_option(self, option, value, allowed):
        """Refuse an option's value that is not among the allowed."""
        if value not in allowed:
            raise ValueError(
                f"{type(self).__name__}: {option} must be one of "
                f"{', '.join(map(repr, allowed))}. Got {value!r} instead."
            )

    def _check_count(self, option, value):
        """Refuse what is no whole number from one up."""
        if not isinstance(value, Integral) or value < 1:
            raise ValueError(
                f"{type(self).__name__}: {option} must be a whole number from 1 up. "
                f"Got {value!r} instead."
            )

    def _one_per_layer(self, option, value, n_layers):
        """Return a number for each layer; a single number is for all of them."""
        values = (value,) * n_layers if isinstance(value, Integral) else tuple(value)
        if n_layers < 1:
            raise ValueError(f"{type(self).__name__}: {option} must have one entry or more.")
        if len(values) != n_layers:
            raise ValueError(
                f"{type(self).__name__}: {option} has {len(values)} entries for {n_layers} "
                "layers. Give one for each, or a single number."
            )
        for number in values:
            self._check_count(option, number)
        return values
