"""Decision-level (late) fusion: the mean of predictions from single blocks.

Baltrusaitis, Ahuja, Morency (2019), Multimodal machine learning: a survey and
taxonomy, IEEE TPAMI 41(2), section 6.1. Weights from confidence are those of QMF; see
`quality.py`, which adds the ranking loss.
"""

import torch
from torch import nn

from sklearn_mmsent.nn.fusion.base import Fusion, each
from sklearn_mmsent.nn.losses import weighted_mean

WEIGHTS = ("learned", "confidence", "mean")


class DecisionFusion(Fusion):
    """Weighted mean of the predictions from single blocks.

    It averages the network's outputs (logits, or intensities), and cannot
    represent interactions between blocks.

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
    weights : {"learned", "confidence", "mean"}, default="learned"
        "learned": one weight per block, renormalised over the present blocks;
        "confidence": weights per row, from the energy of each block's logits,
        or for outputs without logits (an intensity, ordered classes, several
        targets) from a learned linear confidence per block; "mean": equal
        weights.
    unimodal_weight : float, default=1.0
        Weight in the loss of the sum of the losses of the blocks' predictions.
    """

    decides = True

    def __init__(self, n_blocks, width, dropout, head, weights="learned", unimodal_weight=1.0):
        super().__init__()
        if weights not in WEIGHTS:
            raise ValueError(
                f"{type(self).__name__}: weights must be one of {', '.join(map(repr, WEIGHTS))}; "
                f"got {weights!r}."
            )
        self.weighting = weights
        self.unimodal_weight = unimodal_weight
        self.heads = nn.ModuleList(head() for _ in range(n_blocks))
        if weights == "learned":
            self.logits = nn.Parameter(torch.zeros(n_blocks))
        self.confidence = None
        if weights == "confidence" and not head.logits:
            self.confidence = nn.ModuleList(nn.Linear(width, 1) for _ in range(n_blocks))

    def decisions(self, vectors):
        """Return the predictions from single blocks, of shape (B, M, C)."""
        return each(self.heads, vectors)

    def weights(self, vectors, present):
        """Return the weights of shape (B, M): zero for absent blocks, summing to one."""
        return _convex(self._scores(vectors, self.decisions(vectors)), present)

    def block_weights(self, vectors, present):
        """Return the weights of the decisions; see the base class."""
        return self.weights(vectors, present)

    def forward(self, vectors, present):
        """Predict from vectors of shape (B, M, D) the outputs (B, C)."""
        return self.forward_train(vectors, present)[0]

    def forward_train(self, vectors, present):
        """Predict in training; see the base class."""
        decisions = self.decisions(vectors)
        scores = self._scores(vectors, decisions)
        outputs = (_convex(scores, present).unsqueeze(-1) * decisions).sum(1)
        return outputs, (decisions, scores, present)

    def auxiliary_loss(self, intermediates, batch):
        """Return the weighted sum of the losses of the blocks' predictions."""
        decisions, _, present = intermediates
        return self._unimodal(unimodal_losses(decisions, batch.loss_of), present, batch.weights)

    def _unimodal(self, losses, present, weights):
        return self.unimodal_weight * weighted_mean((losses * present).sum(1), weights)

    def _scores(self, vectors, decisions):
        """Return the scores, (B, M), whose softmax are the weights."""
        if self.weighting == "learned":
            return self.logits.expand(decisions.shape[:2])
        if self.weighting == "mean":
            return torch.zeros_like(decisions[:, :, 0])
        if self.confidence is None:
            return decisions.logsumexp(2)  # minus the energy
        return each(self.confidence, vectors).squeeze(2)


def unimodal_losses(decisions, loss_of):
    """Return the task's loss, (B, M), of the decisions of each block, (B, M, C)."""
    return torch.stack([loss_of(outputs) for outputs in decisions.unbind(1)], dim=1)


def _convex(scores, present):
    return scores.masked_fill(~present, -torch.inf).softmax(1)
