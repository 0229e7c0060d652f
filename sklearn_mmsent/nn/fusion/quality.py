"""Quality-aware fusion (QMF): decisions weighted by confidence, trained by ranking past losses.

Zhang, Wu, Zhang, Hu, Fu, Zhou, Peng (2023), Provable dynamic fusion for low-quality multimodal
data, ICML: f(x) = sum_m w_m(x) f_m(x_m), with w_m linear in the energy -log sum_c exp f_mc(x_m),
trained on the loss of f, plus those of all f_m, plus for rows i and j beside each other

    max(0, g(k_i, k_j) (w_i - w_j) + |k_i - k_j|),    g = 1 for k_i > k_j, -1 for k_i < k_j, else 0,

where k_i is the loss of row i under f_m, averaged over all epochs so far and scaled to [0, 1] by
the least and the largest of all rows. The last is after Moon, Kim, Shin, Hwang (2020),
Confidence-aware learning for deep neural networks, ICML.

What differs: a softmax over the present blocks turns confidences into weights, since energies may
have either sign and blocks may be missing; the weights pass gradients. The input of the softmax is
ranked: minus the energy, or a learned confidence. The neighbour of a row is the next one of the
batch, cyclically, that also has the block and a weight; rows not seen yet are ignored. The authors'
program subtracts |k_i - k_j| instead of adding it, which ignores near pairs; here it is as in the
paper.
"""

from dataclasses import dataclass

import torch

from sklearn_mmsent.nn.fusion.decision import DecisionFusion, unimodal_losses
from sklearn_mmsent.nn.losses import weighted_mean


@dataclass
class LossHistory:
    """Mean losses of the training rows over the times they were seen, by their numbers.

    Parameters
    ----------
    mean : Tensor of shape (N, M)
        Mean losses of the rows seen so far.
    visits : Tensor of shape (N, M)
        How often each counted.
    """

    mean: torch.Tensor
    visits: torch.Tensor

    @classmethod
    def empty(cls, like):
        """Return a history of no rows, for losses like these, (B, M)."""
        mean = like.new_zeros(0, like.shape[1])
        return cls(mean, torch.zeros_like(mean))

    def add(self, rows, losses, counted):
        """Add the losses (B, M) of some rows, where they count."""
        missing = int(rows.max()) + 1 - len(self.mean)
        if missing > 0:
            for name in ("mean", "visits"):
                old = getattr(self, name)
                setattr(self, name, torch.cat([old, old.new_zeros(missing, old.shape[1])]))
        visits = self.visits[rows] + counted
        mean = self.mean[rows]
        change = (losses - mean) / visits.clamp(min=1)
        self.mean[rows] = mean + change.masked_fill(~counted, 0.0)
        self.visits[rows] = visits

    def scaled(self, rows):
        """Return the averages (B, M) of some rows, from 0 for the least to 1 for the largest."""
        unseen = self.visits == 0
        least = self.mean.masked_fill(unseen, torch.inf).amin(0)
        largest = self.mean.masked_fill(unseen, -torch.inf).amax(0)
        span = largest - least  # 0 if all are equal, negative if nothing was seen
        scaled = (self.mean[rows] - least) / span
        return scaled.masked_fill(unseen[rows] | (span <= 0), 0.0)


class QualityAwareFusion(DecisionFusion):
    """Decision-level fusion that weights blocks by their per-row confidence (QMF).

    In training it remembers the losses of the training rows, which neither pickles nor copies
    hold.

    Parameters
    ----------
    n_blocks : int
        Number of blocks M.
    width : int
        Hidden width D.
    dropout : float
        Probability with which a hidden unit is zeroed in training.
    head : NewHead
        Returns the head of a block when called.
    unimodal_weight : float, default=1.0
        Weight in the loss of the sum of the losses of the blocks' predictions.
    ranking_weight : float, default=0.1
        Weight in the loss of the sum of the blocks' ranking losses; with 0 nothing is remembered
        and networks can be stacked.

    See Also
    --------
    DecisionFusion : With other weights, too.
    """

    memory_type = LossHistory

    def __init__(self, n_blocks, width, dropout, head, unimodal_weight=1.0, ranking_weight=0.1):
        super().__init__(n_blocks, width, dropout, head, "confidence", unimodal_weight)
        if not ranking_weight >= 0:
            raise ValueError(
                f"{type(self).__name__}: ranking_weight must be 0 or more. Got {ranking_weight!r}."
            )
        self.ranking_weight = ranking_weight
        self.remembers = ranking_weight > 0

    def auxiliary_loss(self, intermediates, batch):
        """Return the weighted losses of the blocks' predictions and of their ranks."""
        decisions, scores, present = intermediates
        losses = unimodal_losses(decisions, batch.loss_of)
        auxiliary = self._unimodal(losses, present, batch.weights)
        if not self.remembers:
            return auxiliary
        losses = losses.detach()
        if self.memory is None:
            self.memory = LossHistory.empty(losses)
        counted = present & (batch.weights > 0).unsqueeze(1)
        self.memory.add(batch.rows, losses, counted)
        ranked = ranking_losses(scores, self.memory.scaled(batch.rows), counted)
        return auxiliary + self.ranking_weight * weighted_mean(ranked.sum(1), batch.weights)


def ranking_losses(confidence, difficulty, counted):
    """Return the ranking loss of each row's confidence against the next row's, block by block.

    Parameters
    ----------
    confidence : Tensor of shape (B, M)
        Confidence, which should be higher for lower difficulty.
    difficulty : Tensor of shape (B, M)
        Past losses from 0 to 1, without gradient.
    counted : BoolTensor of shape (B, M)
        Which rows count for which blocks.

    Returns
    -------
    Tensor of shape (B, M)
        Losses; zero for rows that do not count.
    """
    n = len(counted)
    places = torch.arange(2 * n, device=counted.device).unsqueeze(1)  # twice around the circle
    places = torch.where(counted.repeat(2, 1), places, 2 * n)
    after = places.flip(0).cummin(0).values.flip(0)[1 : n + 1] % n  # (B, M)
    harder = difficulty - difficulty.gather(0, after)
    surer = confidence - confidence.gather(0, after)
    return (harder.sign() * surer + harder.abs()).clamp(min=0).masked_fill(~counted, 0.0)
