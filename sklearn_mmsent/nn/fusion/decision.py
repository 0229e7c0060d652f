"""Decision-level (late) fusion: each block decides alone, and the decisions are averaged.

Baltrusaitis, Ahuja, Morency (2019), Multimodal machine learning: a survey and
taxonomy, IEEE TPAMI 41(2), section 6.1; and for weights from confidence Zhang,
Wu, Zhang, Hu, Fu, Zhou, Peng (2023), Provable dynamic fusion for low-quality
multimodal data, ICML (QMF): f(x) = sum_m w_m(x) f_m(x_m), with w_m linear in
the energy -log sum_c exp f_mc(x_m), trained on the loss of f plus those of all f_m.

What differs from QMF: a softmax over the blocks that are there turns confidences into
weights, since energies may have either sign and blocks may be missing; the weights pass
gradients, which teach them when to be sure; and its third loss, which ranks
confidences like the losses of a row averaged over all epochs so far, is left
out, since a fusion sees batches and keeps no history of rows.
"""

import torch
from torch import nn

from sklearn_mmsent.nn.fusion.base import Fusion, each
from sklearn_mmsent.nn.losses import weighted_mean

WEIGHTS = ("learned", "confidence", "mean")


class DecisionFusion(Fusion):
    """A weighted mean of what each block predicts alone.

    What it averages are the network's outputs: logits, or intensities. It adds
    blocks up, and cannot see that one changes the meaning of another.

    Parameters
    ----------
    n_blocks : int
        Number of blocks M.
    width : int
        Hidden width D.
    dropout : float
        Probability with which a hidden unit is zeroed in training.
    head : NewHead
        Gives the head of a block, when called.
    weights : {"learned", "confidence", "mean"}, default="learned"
        "learned": one weight per block, renormalised over the blocks that are
        there; "confidence": weights of each row, from the energy of each
        block's logits, or for outputs that have none (an intensity, ordered
        classes, several targets) from a learned linear confidence per block;
        "mean": all the same.
    unimodal_weight : float, default=1.0
        Weight in the loss of the sum of the losses of the blocks' own predictions.
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
        """Return what each block predicts alone, of shape (B, M, C)."""
        return each(self.heads, vectors)

    def weights(self, vectors, there):
        """Return the weights of shape (B, M): zero for the absent, summing to one."""
        return self._weights(vectors, self.decisions(vectors), there)

    def forward(self, vectors, there):
        """Predict from vectors of shape (B, M, D) the outputs (B, C)."""
        decisions = self.decisions(vectors)
        if self.training:
            self._last = decisions, there
        weights = self._weights(vectors, decisions, there)
        return (weights.unsqueeze(-1) * decisions).sum(1)

    def auxiliary_loss(self, losses, loss_of, weights):
        """Return the weighted sum of the losses of what the blocks of the last batch predicted."""
        (decisions, there), self._last = self._last, None
        alone = torch.stack([loss_of(outputs) for outputs in decisions.unbind(1)], dim=1)  # (B, M)
        return self.unimodal_weight * weighted_mean((alone * there).sum(1), weights)

    def _weights(self, vectors, decisions, there):
        if self.weighting == "learned":
            scores = self.logits.expand(there.shape)
        elif self.weighting == "mean":
            scores = torch.zeros_like(decisions[:, :, 0])
        elif self.confidence is None:
            scores = decisions.logsumexp(2)  # minus the energy
        else:
            scores = each(self.confidence, vectors).squeeze(2)
        return scores.masked_fill(~there, -torch.inf).softmax(1)


class QualityAwareFusion(DecisionFusion):
    """Decision-level fusion that trusts in each row the blocks that are sure of it (QMF).

    Parameters
    ----------
    n_blocks : int
        Number of blocks M.
    width : int
        Hidden width D.
    dropout : float
        Probability with which a hidden unit is zeroed in training.
    head : NewHead
        Gives the head of a block, when called.
    unimodal_weight : float, default=1.0
        Weight in the loss of the sum of the losses of the blocks' own predictions.

    See Also
    --------
    DecisionFusion : With other weights, too.
    """

    def __init__(self, n_blocks, width, dropout, head, unimodal_weight=1.0):
        super().__init__(n_blocks, width, dropout, head, "confidence", unimodal_weight)
