"""Self-supervised predictions from single modalities (Self-MM).

Yu, Xu, Yuan, Wu (2021), Learning modality-specific representations with
self-supervised multi-task learning for multimodal sentiment analysis, AAAI (Self-MM). For a
modality s and the fused vector m, with centres F^+ and F^- of the vectors F of positive and
negative rows,

    alpha = (||F - F^-|| - ||F - F^+||) / (sqrt(D) (||F - F^+|| / sqrt(D) + e)),
    y_s = y_m + (alpha_s - alpha_m) / 2 * (y_m + alpha_m) / alpha_m,

averaged over the epochs with growing momentum, and a loss of tanh |y_s - y_m| times the absolute
error of what the modality predicts.
"""

from dataclasses import dataclass

import torch
from torch import nn

from sklearn_mmsent.nn.auxiliary import AuxiliaryModule
from sklearn_mmsent.nn.heads import ModalityVectors, PredictionHead
from sklearn_mmsent.nn.losses import weighted_mean

_EPSILON = 1e-8


@dataclass
class LabelMemory:
    """Labels, vectors and intensities of the training rows, by their numbers.

    Parameters
    ----------
    made : Tensor of shape (N, S)
        Labels of each modality.
    intensity : Tensor of shape (N,)
        True intensities.
    vectors : Tensor of shape (N, S + 1, D)
        Vectors of the modalities and fused vectors.
    present : BoolTensor of shape (N, S + 1)
        Which vectors count.
    visits : LongTensor of shape (N,)
        How often each row was seen.
    epoch : int, default=0
        Number of the epoch, from 1.
    centres : list of two Tensor of shape (S + 1, D) or None, default=None
        Mean vectors of positive and of negative rows in the previous epoch.
    """

    made: torch.Tensor
    intensity: torch.Tensor
    vectors: torch.Tensor
    present: torch.Tensor
    visits: torch.Tensor
    epoch: int = 0
    centres: list | None = None

    @classmethod
    def empty(cls, outputs, vectors):
        """Return a memory of no rows, for outputs (B, S) and vectors (B, S + 1, D) like these."""
        return cls(
            made=outputs.new_zeros(0, outputs.shape[1]),
            intensity=outputs.new_zeros(0),
            vectors=outputs.new_zeros(0, *vectors.shape[1:]),
            present=torch.zeros(0, vectors.shape[1], dtype=torch.bool, device=outputs.device),
            visits=torch.zeros(0, dtype=torch.long, device=outputs.device),
        )

    def labels(self, rows, intensity):
        """Return the labels (B, S) of this epoch; in the first, the true intensity."""
        self._grow(int(rows.max()) + 1)
        new = self.visits[rows] == 0
        return torch.where(new.unsqueeze(1), intensity.unsqueeze(1), self.made[rows].detach())

    def update(self, rows, intensity, vectors, present, made, limit):
        """Remember a batch, and update its labels from the second epoch on."""
        epoch = int(self.visits[rows].max()) + 1  # from 1
        if epoch > self.epoch:  # all vectors of the previous epoch are known
            self.centres = self._centres() if epoch > 1 else None
            self.epoch = epoch
        if self.centres is not None:
            positive, negative = self.centres  # (S + 1, D) each
            scale = vectors.shape[2] ** 0.5
            far = (vectors - negative).norm(dim=2) / scale  # (B, S + 1)
            near = (vectors - positive).norm(dim=2) / scale
            alpha = (far - near) / (near + _EPSILON)
            single, joint = alpha[:, :-1], alpha[:, -1:]
            # the fused vector's alpha can be zero
            joint = torch.where(joint.abs() < _EPSILON, _EPSILON, joint)
            y = intensity.unsqueeze(1)
            fresh = y + (single - joint) / 2 * (y + joint) / joint
            fresh = fresh.clamp(-limit, limit)
            made = ((epoch - 1) * made + 2 * fresh) / (epoch + 1)
        self.made[rows] = made
        self.intensity[rows] = intensity
        self.vectors[rows] = vectors
        self.present[rows] = torch.cat([present, torch.ones_like(present[:, :1])], dim=1)
        self.visits[rows] += 1

    def _centres(self):
        """Return the mean vectors of positive and of negative rows; None if one side is empty."""
        centres = []
        for side in (self.intensity > 0, self.intensity < 0):
            counted = (side.unsqueeze(1) & self.present).to(self.vectors.dtype)  # (N, S + 1)
            if not (counted.sum(0) > 0).all():
                return None
            centres.append(
                torch.einsum("ns,nsd->sd", counted, self.vectors) / counted.sum(0).unsqueeze(1)
            )
        return centres

    def _grow(self, n):
        missing = n - len(self.visits)
        if missing <= 0:
            return
        for name in ("made", "intensity", "vectors", "present", "visits"):
            old = getattr(self, name)
            setattr(self, name, torch.cat([old, old.new_zeros(missing, *old.shape[1:])]))


class SelfSupervision(AuxiliaryModule):
    """Predict an intensity from each modality, for labels derived from the fused one's (Self-MM).

    Remembers the training rows' vectors and labels from epoch to epoch, which neither pickles
    nor copies hold. Where the paper is silent: a row counts for a modality that it has.

    Parameters
    ----------
    width : int
        Hidden width D.
    dropout : float
        Probability with which a hidden unit is zeroed in training.
    modality_of_block : sequence of int
        Number of the modality that each block belongs to.
    target : int
        Column of the targets that holds the intensity.
    neutral : float, default=0.0
        Intensity, in units of the targets, that is neither positive nor negative.
    limit : float, default=3.0
        Largest distance of a derived label from neutral.
    """

    remembers = True
    memory_type = LabelMemory

    def __init__(self, width, dropout, modality_of_block, target, neutral=0.0, limit=3.0):
        super().__init__()
        self.target, self.neutral, self.limit = target, neutral, limit
        self.pool = ModalityVectors(modality_of_block)
        self.heads = nn.ModuleList(
            PredictionHead(width, 1, dropout) for _ in range(self.pool.n_modalities)
        )

    def forward(self, vectors, present, fused):
        """Map block vectors, their presence and fused vectors (B, D) to intensities (B, S)."""
        return self._predict(self.pool(vectors, present))

    def forward_train(self, vectors, present, fused):
        """Predict in training; see the base class."""
        pooled = self.pool(vectors, present)
        outputs = self._predict(pooled)
        everything = torch.cat([pooled, fused.unsqueeze(1)], dim=1).detach()  # (B, S + 1, D)
        return outputs, (outputs, everything, self.pool.presence(present))

    def _predict(self, pooled):
        return torch.cat([h(v) for h, v in zip(self.heads, pooled.unbind(1), strict=True)], 1)

    def auxiliary_loss(self, intermediates, batch):
        """Return the loss of a batch, and update its labels for the next epoch."""
        outputs, vectors, present = intermediates
        rows = batch.rows
        intensity = batch.targets[:, self.target].to(outputs.dtype) - self.neutral  # (B,)
        unlabelled = intensity.isnan()
        intensity = intensity.masked_fill(unlabelled, 0.0)  # neither positive nor negative
        present = present & ~unlabelled.unsqueeze(1)
        if self.memory is None:
            self.memory = LabelMemory.empty(outputs, vectors)
        made = self.memory.labels(rows, intensity)  # (B, S)
        trust = (made - intensity.unsqueeze(1)).abs().tanh()
        errors = trust * (outputs - self.neutral - made).abs() * present
        self.memory.update(rows, intensity, vectors, present, made, self.limit)
        return weighted_mean(errors.sum(1), batch.weights)
