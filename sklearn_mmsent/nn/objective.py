"""Objective: the loss of a batch in training and validation, network and loss in one module.

Shapes: B batch, C outputs.
"""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from sklearn_mmsent.nn.augmentation import mix_targets
from sklearn_mmsent.nn.losses import weighted_mean
from sklearn_mmsent.utils._tensors import map_tensors

_HALF = (torch.bfloat16, torch.float16)


@dataclass(frozen=True)
class BatchLoss:
    """The loss of a training batch, as the parts of a network see it that add to it.

    Parameters
    ----------
    losses : Tensor of shape (B,)
        Loss of each row's prediction, without gradient.
    loss_of : callable
        Maps any outputs (B, C) for the batch to the loss of each row, (B,).
    weights : Tensor of shape (B,)
        Weight of each row.
    targets : Tensor of shape (B, ...) or None, default=None
        Targets of the rows.
    rows : LongTensor of shape (B,) or None, default=None
        Numbers of the rows among all training rows; None where networks are trained batched.
    """

    losses: torch.Tensor | None
    loss_of: Callable | None
    weights: torch.Tensor
    targets: torch.Tensor | None = None
    rows: torch.Tensor | None = None


class Objective(nn.Module):
    """Weighted mean loss of a batch; in training with the auxiliary losses of the network's parts.

    Parameters
    ----------
    network : FusionNetwork
        Predicts.
    loss : callable
        Maps outputs and targets of a batch to the loss of each row. A module's parameters are
        trained, too.
    precision : {"float32", "bfloat16"}, default="float32"
        Precision of the network's layers; losses are always computed in float32.
    """

    def __init__(self, network, loss, precision="float32"):
        super().__init__()
        self.network = network
        self.loss = loss
        self.precision = precision

    def forward(self, inputs, targets, weights, rows=None):
        """Compute the loss of a batch.

        Parameters
        ----------
        inputs : tuple
            Arguments of the network.
        targets : Tensor of shape (B, ...)
            Targets of the rows.
        weights : Tensor of shape (B,)
            Weight of each row.
        rows : LongTensor of shape (B,) or None, default=None
            Numbers of the rows among all training rows.

        Returns
        -------
        loss : Tensor of shape ()
            The loss.
        outputs : Tensor of shape (B, C)
            Outputs of the network.
        """
        if not self.training:
            with autocast(self.precision, weights.device):
                outputs = self.network(*inputs)
            outputs = full_precision(outputs)
            return weighted_mean(_checked(self.loss(outputs, targets), weights), weights), outputs
        with autocast(self.precision, weights.device):
            outputs, intermediates = self.network.forward_train(*inputs)
        outputs, intermediates = full_precision((outputs, intermediates))
        loss_of, weights = mix_targets(intermediates[0], self.loss, targets, weights)
        losses = _checked(loss_of(outputs), weights)
        mean = weighted_mean(losses, weights)
        batch = BatchLoss(losses.detach(), loss_of, weights, targets, rows)
        auxiliary = self.network.auxiliary_loss(intermediates, batch)
        return (mean if auxiliary is None else mean + auxiliary), outputs


def autocast(precision, device):
    """Return a context in which layers compute in a precision."""
    if precision == "float32":
        return contextlib.nullcontext()
    return torch.autocast(torch.device(device).type, torch.bfloat16)


def full_precision(values):
    """Convert 16-bit tensors in nested values to float32."""
    return map_tensors(values, lambda x: x.float() if x.dtype in _HALF else x)


def _checked(losses, weights):
    if losses.shape != weights.shape:
        raise ValueError(
            f"The loss must give one number per row, of shape {tuple(weights.shape)} for this "
            f"batch. Got shape {tuple(losses.shape)} instead; does it average over the rows?"
        )
    return losses
