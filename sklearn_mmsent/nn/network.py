"""FusionNetwork: standardise, encode each block, fuse, predict."""

import torch
from torch import nn

from sklearn_mmsent.nn.augmentation import BlockNoise, FrequencyMasking, Mixup, TimeMasking
from sklearn_mmsent.nn.encoders.pooling import masked_mean


class FusionNetwork(nn.Module):
    """Encoders, a fusion and a head, with learned tokens for absent blocks.

    Parameters
    ----------
    encoders : list of Module
        One per block; each maps values of shape (B, *shape) and a step mask to (B, D).
    fusion : Fusion
        Maps the results of the encoders to (B, D), or to the outputs.
    head : Module
        Maps (B, D) to the outputs (B, C); an identity after a fusion that computes the outputs.
    unimodal : list of AuxiliaryModule, default=()
        Parts with further outputs, after those of the head: each maps the blocks' vectors
        (B, M, D), their presence (B, M) and the fused vectors to outputs.
    standardizers : list of Standardize
        One per block.
    modality_of_block : list of int
        Number of the modality that each block belongs to.
    width : int
        Hidden width D.
    modality_dropout : float, default=0.0
        Probability with which a modality of a row is hidden in training (ModDrop).
    block_noise, time_masking, frequency_masking : float, default=0.0
        Strength of augmentation in training; see `sklearn_mmsent.nn.augmentation`.
    mixup : float, default=0.0
        Alpha of the shares in which rows are mixed in training; 0 mixes nothing.

    References
    ----------
    Neverova, Wolf, Taylor, Nebout (2016), ModDrop: adaptive multi-modal gesture
    recognition, IEEE TPAMI 38(8).
    """

    def __init__(
        self,
        encoders,
        fusion,
        head,
        *,
        unimodal=(),
        standardizers,
        modality_of_block,
        width,
        modality_dropout=0.0,
        block_noise=0.0,
        time_masking=0.0,
        frequency_masking=0.0,
        mixup=0.0,
    ):
        super().__init__()
        self.standardizers = nn.ModuleList(standardizers)
        self.encoders = nn.ModuleList(encoders)
        self.absence = nn.Parameter(torch.zeros(len(encoders), width))
        self.hide = ModalityDropout(modality_of_block, modality_dropout)
        self.mixup = Mixup(mixup, [not encoder.raw for encoder in encoders])
        self.changes = nn.ModuleList(
            [
                BlockNoise(block_noise),
                TimeMasking(time_masking),
                FrequencyMasking(frequency_masking),
            ]
        )
        self.fusion = fusion
        self.head = head
        self.unimodal = nn.ModuleList(unimodal)
        self.frozen = ()
        self.trims = True

    def freeze(self, blocks):
        """Freeze the encoders of some blocks.

        Parameters
        ----------
        blocks : iterable of int
            Their numbers.
        """
        self.frozen = tuple(blocks)
        for i in self.frozen:
            self.encoders[i].requires_grad_(False).eval()

    def train(self, mode=True):
        """Switch to training or evaluation; frozen encoders stay in evaluation, without dropout."""
        super().train(mode)
        for i in self.frozen:
            self.encoders[i].eval()
        return self

    def forward(self, values, present, steps):
        """Predict a batch.

        Parameters
        ----------
        values : list of Tensor of shape (B, *shape)
            One per block, in the block's own dtype, NaN where values are missing.
        present : BoolTensor of shape (B, M)
            Which blocks each row has.
        steps : list of BoolTensor of shape (B, T), or None
            One per block: which steps are real; None for flat blocks and images.

        Returns
        -------
        Tensor of shape (B, C)
            Logits, or intensities.
        """
        return self._predict(values, present, steps, _forward)[0]

    def forward_train(self, values, present, steps):
        """Predict a batch in training; see ``forward`` for the arguments.

        Returns
        -------
        outputs : Tensor of shape (B, C)
            Logits, or intensities.
        intermediates : tuple
            For `auxiliary_loss`; first comes the partner's share of each row's targets,
            see `Mixup`.
        """
        return self._predict(values, present, steps, _forward_train)

    def _predict(self, values, present, steps, run):
        values, present, steps, share = self._prepare(values, present, steps)
        inputs, vectors = self._encode(values, present, steps)
        fused, fusion_state = run(self.fusion, *inputs)
        outputs, part_states = [self.head(fused)], []
        for part in self.unimodal:
            predicted, intermediates = run(part, vectors, present, fused)
            outputs.append(predicted)
            part_states.append(intermediates)
        outputs = torch.cat(outputs, dim=1) if part_states else outputs[0]
        return outputs, (share, fusion_state, part_states)

    def fuse(self, values, present, steps):
        """Return the fused vectors of shape (B, D); see ``forward`` for the arguments."""
        values, present, steps, _ = self._prepare(values, present, steps)
        return self.fusion(*self._encode(values, present, steps)[0])

    def weights(self, values, present, steps):
        """Return the weights of blocks, and of the steps of each block; see ``forward``.

        Returns
        -------
        blocks : Tensor of shape (B, M) or None
            Zero for absent blocks; None for a fusion without weights.
        steps : list of M Tensor of shape (B, S_m) or None
            Zero for padding and absent blocks; of the fusion, or else of the block's encoder.
        """
        values, present, steps, _ = self._prepare(values, present, steps)
        inputs, _ = self._encode(values, present, steps)
        blocks = self.fusion.block_weights(*inputs)
        step_weights = self.fusion.step_weights(*inputs)
        if step_weights is None and not self.fusion.sequential:
            step_weights = [
                encoder.step_weights(value, step)
                for encoder, value, step in zip(self.encoders, values, steps, strict=True)
            ]
        # for a row without any block, the fusion attends to absence tokens
        blocks = None if blocks is None else blocks * present
        step_weights = [
            None if weights is None else weights * present[:, i, None]
            for i, weights in enumerate(step_weights or [None] * present.shape[1])
        ]
        return blocks, step_weights

    def _prepare(self, values, present, steps):
        """Return the inputs of the encoders, which blocks are present, and the shares of mixup."""
        present = self.hide(present)
        if self.trims and present.device.type == "cpu":
            values, steps = self._trim(values, steps)
        values = [
            standardize(value, step)
            for standardize, value, step in zip(self.standardizers, values, steps, strict=True)
        ]
        values, share = self.mixup(values, present, steps)
        values = [
            value if encoder.raw else self._change(value, step)
            for encoder, value, step in zip(self.encoders, values, steps, strict=True)
        ]
        # encoders that check raw values must not see those of missing blocks
        values = [
            value.masked_fill(~has_block.view(-1, *[1] * (value.ndim - 1)), 0.0)
            if encoder.raw
            else value
            for encoder, value, has_block in zip(self.encoders, values, present.T, strict=True)
        ]
        return values, present, steps, share

    def _encode(self, values, present, steps):
        """Return the inputs of the fusion, and the blocks' vectors (or None)."""
        attended = present | ~present.any(dim=1, keepdim=True)
        if self.fusion.sequential:
            tokens, real = self._tokens(values, present, steps)
            vectors = None
            if self.unimodal:
                pooled = [masked_mean(t, mask) for t, mask in zip(tokens, real, strict=True)]
                vectors = torch.stack(pooled, dim=1)
            return (tokens, real, attended), vectors
        vectors = torch.stack(
            [
                encoder(value, step)
                for encoder, value, step in zip(self.encoders, values, steps, strict=True)
            ],
            dim=1,
        )  # (B, M, D)
        vectors = torch.where(present.unsqueeze(-1), vectors, self.absence)
        return (vectors, attended), vectors

    def _change(self, value, step):
        for change in self.changes:
            value = change(value, step)
        return value

    def _trim(self, values, steps):
        """Cut off steps that no row of the batch has; other devices would have to synchronise."""
        values, steps = list(values), list(steps)
        for i, encoder in enumerate(self.encoders):
            if steps[i] is not None and encoder.any_length:
                real = steps[i].any(dim=0).nonzero()
                length = int(real[-1]) + 1 if len(real) else 1
                values[i], steps[i] = values[i][:, :length], steps[i][:, :length]
        return values, steps

    def _tokens(self, values, present, steps):
        """Encode to M sequences and their masks; an absent one consists of its absence token."""
        sequences, masks = [], []
        for i, encoder in enumerate(self.encoders):
            tokens, real = encoder.tokens(values[i], steps[i])  # (B, S, D), (B, S)
            has_block = present[:, i, None]
            first = torch.arange(real.shape[1], device=real.device) == 0
            real = torch.where(has_block, real, first)
            real = real | (first & ~real.any(dim=1, keepdim=True))
            sequences.append(torch.where(has_block.unsqueeze(-1), tokens, self.absence[i]))
            masks.append(real)
        return sequences, masks

    def auxiliary_loss(self, intermediates, batch):
        """Return the sum of the parts' auxiliary losses of a batch; None if there are none.

        Parameters
        ----------
        intermediates : tuple
            Second result of ``forward_train``.
        batch : BatchLoss
            Losses, weights, targets and numbers of the rows.
        """
        _, fusion_state, part_states = intermediates
        losses = [self.fusion.auxiliary_loss(fusion_state, batch)]
        losses += [
            part.auxiliary_loss(state, batch)
            for part, state in zip(self.unimodal, part_states, strict=True)
        ]
        losses = [loss for loss in losses if loss is not None]
        return sum(losses[1:], losses[0]) if losses else None


def _forward(part, *inputs):
    return part(*inputs), None


def _forward_train(part, *inputs):
    return part.forward_train(*inputs)


class Standardize(nn.Module):
    """Zero mean and unit scale; missing values become the mean, zero.

    Parameters
    ----------
    mean, scale : Tensor
        Statistics of the training rows, of shapes that broadcast to a row.
    """

    def __init__(self, mean, scale):
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("inverse_scale", 1.0 / scale)

    def forward(self, values, steps):
        """Standardise values of shape (B, *shape); unreal steps become zero."""
        # in place, since copying a large batch costs more than the arithmetic
        values = (values.to(self.mean.dtype) - self.mean).mul_(self.inverse_scale)
        values.nan_to_num_(0.0, torch.inf, -torch.inf)
        return values if steps is None else values.masked_fill_(~steps.unsqueeze(-1), 0.0)


class ModalityDropout(nn.Module):
    """Hide modalities of rows at random in training, so that absence is learned.

    Parameters
    ----------
    modality_of_block : list of int
        Number of the modality that each block belongs to; its blocks are hidden together.
    p : float
        Probability with which a modality of a row is hidden.
    """

    def __init__(self, modality_of_block, p):
        super().__init__()
        self.p = p
        self.register_buffer("modality", torch.tensor(modality_of_block))

    def forward(self, present):
        """Return presence of shape (B, M) without the hidden blocks."""
        if not self.training or self.p == 0:
            return present
        n_modalities = int(self.modality.max()) + 1
        kept = torch.rand(len(present), n_modalities, device=present.device) >= self.p
        return present & kept[:, self.modality]
