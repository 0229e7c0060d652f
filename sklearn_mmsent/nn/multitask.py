"""Loss of several targets, of which rows may lack some.

Learned weights from Kendall, Gal, Cipolla (2018), Multi-task learning using uncertainty to weigh
losses for scene geometry and semantics, CVPR: the sum over targets t of exp(-s_t) L_t + s_t / 2,
with s_t = log sigma_t^2 learned (twice the first term for classes, whose likelihood has no 1/2).
"""

from dataclasses import dataclass

import torch
from torch import nn


@dataclass(frozen=True)
class Task:
    """Loss of one target.

    Parameters
    ----------
    n_outputs : int
        Number of its columns in the network's outputs.
    loss : callable
        Maps outputs (B, n_outputs) and targets (B,) of classes, or (B, 1), to losses (B,).
    classes : bool
        Whether targets are class numbers.
    weight : float
        Weight of its loss in the sum; includes the share of labelled rows.
    class_weights : tuple of float or None, default=None
        Weights of the rows by class.
    """

    n_outputs: int
    loss: object
    classes: bool
    weight: float
    class_weights: tuple | None = None


class MultitaskLoss(nn.Module):
    """Sum of the targets' losses per row; missing targets add nothing.

    Parameters
    ----------
    tasks : sequence of Task
        Losses of the targets, in their order.
    learned : bool, default=False
        Whether a weight of each target is learned in addition to the given one. Validation uses
        the given weights only, so that epochs are comparable.
    """

    def __init__(self, tasks, learned=False):
        super().__init__()
        self.tasks = tuple(tasks)
        self.log_variance = nn.Parameter(torch.zeros(len(self.tasks))) if learned else None

    def forward(self, outputs, targets):
        """Return the loss of each row, (B,).

        Parameters
        ----------
        outputs : Tensor of shape (B, sum of n_outputs)
            Outputs of all targets, or of the first ones, as in the decisions of single blocks.
        targets : Tensor of shape (B, n_targets)
            NaN where unlabelled.
        """
        total = outputs.new_zeros(len(outputs))
        start = 0
        for i, task in enumerate(self.tasks):
            if start == outputs.shape[1]:
                break
            own = outputs[:, start : start + task.n_outputs]
            start += task.n_outputs
            loss = task.weight * self._loss_of(task, own, targets[:, i])
            if self.training and self.log_variance is not None:
                s = self.log_variance[i]
                loss = loss * (-s).exp() * (1 if task.classes else 0.5) + s / 2
            total = total + loss
        return total

    def _loss_of(self, task, outputs, targets):
        labelled = ~targets.isnan()
        targets = targets.masked_fill(~labelled, 0.0)
        if task.classes:
            targets = targets.long()
            losses = task.loss(outputs, targets)
            if task.class_weights is not None:
                losses = losses * losses.new_tensor(task.class_weights)[targets]
        else:
            losses = task.loss(outputs, targets.to(outputs.dtype).unsqueeze(1))
        return losses.masked_fill(~labelled, 0.0)
