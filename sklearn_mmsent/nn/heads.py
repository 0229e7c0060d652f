"""Heads: from the fused vector to the outputs.

The ordinal head is the proportional odds model of McCullagh (1980), Regression models for
ordinal data, Journal of the Royal Statistical Society B 42(2), on top of a network:
P(y <= k) = sigma(theta_k - f(x)) with theta_1 < ... < theta_{C-1}.
"""

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F

from sklearn_mmsent.nn.auxiliary import AuxiliaryModule


@dataclass(frozen=True)
class NewHead:
    """Factory of heads, for fusions that compute the outputs themselves.

    Parameters
    ----------
    kind : type
        Class of the head.
    width : int
        Hidden width D.
    n_outputs : int or tuple
        Argument of the class for its outputs C.
    dropout : float
        Probability with which a hidden unit is zeroed in training.
    logits : bool, default=True
        Whether the outputs are unnormalised logits of the classes of one target.
    """

    kind: type
    width: int
    n_outputs: int | tuple
    dropout: float
    logits: bool = True

    def __call__(self):
        """Build a head with weights from torch's global generator."""
        return self.kind(self.width, self.n_outputs, self.dropout)


class PredictionHead(nn.Module):
    """One hidden layer and a linear output: logits, or intensities.

    With the hidden layer, fusions that only add blocks can express interactions
    between them.

    Parameters
    ----------
    width : int
        Hidden width D.
    n_outputs : int
        Number of outputs C: classes, or targets.
    dropout : float
        Probability with which a hidden unit is zeroed in training.
    """

    def __init__(self, width, n_outputs, dropout):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(width, width), nn.ReLU(), nn.Dropout(dropout), nn.Linear(width, n_outputs)
        )

    def forward(self, fused):
        """Map fused vectors of shape (B, D) to outputs of shape (B, C)."""
        return self.layers(fused)


class OrdinalHead(nn.Module):
    """One score per row, and thresholds that cut it into ordered classes.

    The outputs are log-probabilities, which are valid logits for every classification loss.

    Parameters
    ----------
    width : int
        Hidden width D.
    n_outputs : int
        Number of classes C, at least two, in their order.
    dropout : float
        Probability with which a hidden unit is zeroed in training.
    """

    def __init__(self, width, n_outputs, dropout):
        super().__init__()
        self.score = PredictionHead(width, 1, dropout)
        # initially, all classes are equally likely for a score of zero
        thresholds = torch.logit(torch.arange(1, n_outputs) / n_outputs)
        self.first = nn.Parameter(thresholds[:1])
        self.gaps = nn.Parameter(thresholds.diff().expm1().log())  # through softplus: no crossing

    def forward(self, fused):
        """Map fused vectors of shape (B, D) to log-probabilities of shape (B, C)."""
        gaps = F.softplus(self.gaps)  # (C - 2,)
        thresholds = torch.cat([self.first, self.first + gaps.cumsum(0)])  # (C - 1,)
        above = self.score(fused) - thresholds  # (B, C - 1)
        # sigma(a) - sigma(b) = sigma(a) sigma(-b) (1 - e^(b - a)): no difference of near numbers
        between = (-torch.expm1(-gaps)).log()
        middle = F.logsigmoid(above[:, :-1]) + F.logsigmoid(-above[:, 1:]) + between
        return torch.cat([F.logsigmoid(-above[:, :1]), middle, F.logsigmoid(above[:, -1:])], dim=1)


class JointHead(nn.Module):
    """Several heads on the same vector, with concatenated outputs.

    Parameters
    ----------
    width : int
        Hidden width D.
    heads : sequence of (type, int) pairs
        Class and number of outputs of each head.
    dropout : float
        Probability with which a hidden unit is zeroed in training.
    """

    def __init__(self, width, heads, dropout):
        super().__init__()
        self.heads = nn.ModuleList(head(width, n_outputs, dropout) for head, n_outputs in heads)

    def forward(self, fused):
        """Map vectors of shape (B, D) to outputs of shape (B, sum of C)."""
        return torch.cat([head(fused) for head in self.heads], dim=1)


class UnimodalHeads(AuxiliaryModule):
    """Predict targets from one modality each.

    Parameters
    ----------
    width : int
        Hidden width D.
    dropout : float
        Probability with which a hidden unit is zeroed in training.
    modality_of_block : sequence of int
        Number of the modality that each block belongs to.
    heads : sequence of (int, type, int) tuples
        Number of the modality, class of the head and its outputs, for each target.
    """

    def __init__(self, width, dropout, modality_of_block, heads):
        super().__init__()
        self.sources = [modality for modality, _, _ in heads]
        self.pool = ModalityVectors(modality_of_block)
        self.heads = nn.ModuleList(head(width, n, dropout) for _, head, n in heads)

    def forward(self, vectors, present, fused):
        """Map block vectors (B, M, D) and their presence (B, M) to outputs (B, sum of C)."""
        pooled = self.pool(vectors, present)
        outputs = [head(pooled[:, s]) for s, head in zip(self.sources, self.heads, strict=True)]
        return torch.cat(outputs, dim=1)


class ModalityVectors(nn.Module):
    """One vector per modality: the mean over its present blocks.

    Parameters
    ----------
    modality_of_block : sequence of int
        Number of the modality that each block belongs to.
    """

    def __init__(self, modality_of_block):
        super().__init__()
        self.n_modalities = max(modality_of_block) + 1
        belongs = torch.arange(self.n_modalities)[:, None] == torch.tensor(list(modality_of_block))
        self.register_buffer("belongs", belongs)  # (S, M)

    def presence(self, present):
        """Return which modalities are present, (B, S), given the presence of blocks (B, M)."""
        return (present.unsqueeze(1) & self.belongs).any(2)

    def forward(self, vectors, present):
        """Pool (B, M, D) to (B, S, D); absent modalities by their absence tokens."""
        counted = present.unsqueeze(1) & self.belongs  # (B, S, M)
        counted = (counted | (self.belongs & ~counted.any(2, keepdim=True))).to(vectors.dtype)
        return counted @ vectors / counted.sum(2, keepdim=True)
