"""What each modality says alone, beside the fused prediction: with labels of its own, or without.

Without labels: Yu, Xu, Yuan, Wu (2021), Learning modality-specific representations with
self-supervised multi-task learning for multimodal sentiment analysis, AAAI (Self-MM). For a
modality s and the fused vector m, with centres F^+ and F^- of the vectors F of positive and
negative rows,

    alpha = (||F - F^-|| - ||F - F^+||) / (sqrt(D) (||F - F^+|| / sqrt(D) + e)),
    y_s = y_m + (alpha_s - alpha_m) / 2 * (y_m + alpha_m) / alpha_m,

averaged over the epochs with growing momentum, and a loss of tanh |y_s - y_m| times the absolute
error of what the modality predicts.
"""

import torch
from torch import nn

from sklearn_mmsent.nn.heads import ModalityVectors, PredictionHead
from sklearn_mmsent.nn.losses import weighted_mean

_EPSILON = 1e-8


class SelfSupervision(nn.Module):
    """Predict an intensity from each modality alone, for labels made of the fused one's (Self-MM).

    It remembers the training rows' vectors and labels from epoch to epoch, which neither pickles
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
        Largest distance of a made label from neutral.
    """

    def __init__(self, width, dropout, modality_of_block, target, neutral=0.0, limit=3.0):
        super().__init__()
        self.target, self.neutral, self.limit = target, neutral, limit
        self.pool = ModalityVectors(modality_of_block)
        self.heads = nn.ModuleList(
            PredictionHead(width, 1, dropout) for _ in range(self.pool.n_modalities)
        )
        self._memory = self._last = None

    def forward(self, vectors, present, fused):
        """Map block vectors, their presence and fused vectors (B, D) to intensities (B, S)."""
        pooled = self.pool(vectors, present)
        outputs = torch.cat([h(v) for h, v in zip(self.heads, pooled.unbind(1), strict=True)], 1)
        if self.training:
            everything = torch.cat([pooled, fused.unsqueeze(1)], dim=1).detach()  # (B, S + 1, D)
            self._last = outputs, everything, self.pool.there(present)
        return outputs

    def auxiliary_loss(self, targets, weights, rows):
        """Return the loss of the batch predicted last, and make its next labels.

        Parameters
        ----------
        targets : Tensor of shape (B, n_targets)
            True targets, NaN where unlabelled.
        weights : Tensor of shape (B,)
            Weight of each row in the loss.
        rows : LongTensor of shape (B,)
            Numbers of the rows among all training rows.
        """
        (outputs, vectors, there), self._last = self._last, None
        intensity = targets[:, self.target].to(outputs.dtype) - self.neutral  # (B,)
        unlabelled = intensity.isnan()
        intensity = intensity.masked_fill(unlabelled, 0.0)  # which is on neither side
        there = there & ~unlabelled.unsqueeze(1)
        if self._memory is None:
            self._memory = _Memory(outputs.shape[1], vectors.shape[2], outputs)
        made = self._memory.labels(rows, intensity)  # (B, S)
        trust = (made - intensity.unsqueeze(1)).abs().tanh()
        errors = trust * (outputs - self.neutral - made).abs() * there
        self._memory.update(rows, intensity, vectors, there, made, self.limit)
        return weighted_mean(errors.sum(1), weights)

    def training_state(self):
        """Return what is remembered of the training rows, or None; for checkpoints."""
        if self._memory is None:
            return None
        return {**vars(self._memory)}

    def load_training_state(self, state):
        """Remember what `training_state` gave."""
        self._memory = None
        if state is not None:
            like = state["made"].to(self.pool.belongs.device)
            memory = _Memory(like.shape[1], state["vectors"].shape[2], like)
            memory.load(state)
            self._memory = memory

    def __getstate__(self):
        """Leave out what belongs to training."""
        return {**self.__dict__, "_memory": None, "_last": None}


class _Memory:
    """Labels, vectors and intensities of the training rows, by their numbers."""

    def __init__(self, n_modalities, width, like):
        self.made = like.new_zeros(0, n_modalities)
        self.intensity = like.new_zeros(0)
        self.vectors = like.new_zeros(0, n_modalities + 1, width)
        self.there = torch.zeros(0, n_modalities + 1, dtype=torch.bool, device=like.device)
        self.visits = torch.zeros(0, dtype=torch.long, device=like.device)
        self.epoch, self.centres = 0, None

    def load(self, state):
        """Take the place of a memory, whose attributes by name are a state."""
        device = self.made.device
        for name in ("made", "intensity", "vectors", "there", "visits"):
            setattr(self, name, state[name].to(device))
        self.epoch, self.centres = state["epoch"], state["centres"]
        if self.centres is not None:
            self.centres = [centre.to(device) for centre in self.centres]

    def labels(self, rows, intensity):
        """Return the labels (B, S) of this epoch: at first those of all modalities together."""
        self._grow(int(rows.max()) + 1)
        new = self.visits[rows] == 0
        return torch.where(new.unsqueeze(1), intensity.unsqueeze(1), self.made[rows].detach())

    def update(self, rows, intensity, vectors, there, made, limit):
        """Remember a batch, and from the second epoch on move the labels made for it."""
        epoch = int(self.visits[rows].max()) + 1  # from 1
        if epoch > self.epoch:  # the vectors of the epoch before are all here
            self.centres = self._centres() if epoch > 1 else None
            self.epoch = epoch
        if self.centres is not None:
            positive, negative = self.centres  # (S + 1, D) each
            scale = vectors.shape[2] ** 0.5
            far = (vectors - negative).norm(dim=2) / scale  # (B, S + 1)
            near = (vectors - positive).norm(dim=2) / scale
            alpha = (far - near) / (near + _EPSILON)
            single, together = alpha[:, :-1], alpha[:, -1:]
            # away from zero, which the fused vector's alpha can be
            together = torch.where(together.abs() < _EPSILON, _EPSILON, together)
            y = intensity.unsqueeze(1)
            fresh = y + (single - together) / 2 * (y + together) / together
            fresh = fresh.clamp(-limit, limit)
            made = ((epoch - 1) * made + 2 * fresh) / (epoch + 1)
        self.made[rows] = made
        self.intensity[rows] = intensity
        self.vectors[rows] = vectors
        self.there[rows] = torch.cat([there, torch.ones_like(there[:, :1])], dim=1)
        self.visits[rows] += 1

    def _centres(self):
        """Return the mean vectors of positive and of negative rows; None without one of them."""
        centres = []
        for side in (self.intensity > 0, self.intensity < 0):
            counted = (side.unsqueeze(1) & self.there).to(self.vectors.dtype)  # (N, S + 1)
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
        for name in ("made", "intensity", "vectors", "there", "visits"):
            old = getattr(self, name)
            setattr(self, name, torch.cat([old, old.new_zeros(missing, *old.shape[1:])]))
