"""Encoder: base class of the encoders of blocks."""

from abc import ABCMeta, abstractmethod
from numbers import Integral

import torch
from torch import nn


class Encoder(nn.Module, metaclass=ABCMeta):
    """Base class of encoders, which map one block to one vector.

    Built as ``Encoder(shape, width, dropout, **options)``. A row's result must not depend on other
    rows or on padding. Encoders of sequences also override ``tokens``.

    Parameters
    ----------
    shape : tuple of int
        Shape of one row: (F,), (T, F) or (C, H, W).
    width : int
        Hidden width D, also of the output.
    dropout : float
        Probability with which a hidden unit is zeroed in training.
    """

    #: Numbers of axes of accepted blocks: 1 flat, 2 sequence, 3 image.
    takes = (1, 2, 3)

    #: Whether it gets the values of the table, zero where missing, instead of standardised ones.
    raw = False

    #: Whether it accepts sequences of other lengths than that of `shape`.
    any_length = False

    #: Whether it computes over a batch's real steps only, whose number differs between batches.
    ragged = False

    #: Options on the source or training of weights, in which an encoder may differ from the one
    #: whose weights it starts with.
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
            Vectors in order of time or position; a single one by default.
        real : BoolTensor of shape (B, S)
            Which of them are not padding.
        """
        vectors = self.forward(values, steps)
        return vectors.unsqueeze(1), torch.ones_like(vectors[:, :1], dtype=torch.bool)

    def step_weights(self, values, steps):
        """Return the weight of each step in the vector, (B, S), summing to one, or None.

        Parameters
        ----------
        values, steps
            As in ``forward``.
        """

    def learning_rates(self):
        """Return pairs of a submodule and its learning rate, if other than the network's."""
        return []

    # -- checks that the built-in encoders share ---------------------------------------------

    def _check_shape(self, shape):
        """Raise an error for a block that this encoder cannot read, naming those that can."""
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
        """Raise an error if an option's value is not among the allowed ones."""
        if value not in allowed:
            raise ValueError(
                f"{type(self).__name__}: {option} must be one of "
                f"{', '.join(map(repr, allowed))}. Got {value!r} instead."
            )

    def _check_count(self, option, value):
        """Raise an error if a value is not a positive integer."""
        if not isinstance(value, Integral) or value < 1:
            raise ValueError(
                f"{type(self).__name__}: {option} must be a positive integer. "
                f"Got {value!r} instead."
            )

    def _one_per_layer(self, option, value, n_layers):
        """Return one number per layer; a single number is used for all layers."""
        values = (value,) * n_layers if isinstance(value, Integral) else tuple(value)
        if n_layers < 1:
            raise ValueError(f"{type(self).__name__}: {option} must have one entry or more.")
        if len(values) != n_layers:
            raise ValueError(
                f"{type(self).__name__}: {option} has {len(values)} entries for {n_layers} "
                "layers. Pass one per layer, or a single number."
            )
        for number in values:
            self._check_count(option, number)
        return values
