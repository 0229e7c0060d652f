"""Layers whose numbers are another for each member of a stack.

Under `torch.func.vmap` a layer is written for one member, and runs for all of them in one
operation. Dense layers need no other form: while gradients are taken outside of `vmap`, its own
batched products were 5 to 45 % faster than an `autograd.Function` around `baddbmm`.
Shapes: K members, B batch, D width.
"""

import copy

import torch
from torch import nn

from sklearn_mmsent.nn._attention import MultiHeadAttention
from sklearn_mmsent.nn._dropout import StepDropout
from sklearn_mmsent.nn.augmentation import BlockNoise, FrequencyMasking, TimeMasking
from sklearn_mmsent.nn.network import ModalityDropout, Standardize


def for_stack(modules):
    """Return a copy of the first of some like networks that `vmap` maps over all their weights.

    Parameters
    ----------
    modules : list of FusionNetwork
        Alike but for weights, statistics and rates of dropout.

    Returns
    -------
    FusionNetwork
        It takes values that are standardised already. Rates that differ have become buffers.
    rates : dict of str to Tensor of shape (K,)
        The values of those buffers.
    """
    network = copy.deepcopy(modules[0])
    network.trims = False  # to lengths that the members' batches need not have in common
    rates = {}
    others = [dict(module.named_modules()) for module in modules]
    for name, layer in list(network.named_modules()):
        kind = type(layer)
        if kind is Standardize:
            network.set_submodule(name, _AsTheyAre())
        elif kind is MultiHeadAttention:
            layer.fused = False
        elif kind in WITH_RATE:
            p = [other[name].p for other in others]
            if len(set(p)) > 1:
                layer.__class__ = WITH_RATE[kind]
                dtype = next(network.parameters()).dtype
                del layer.p
                rates[f"{name}.p"] = torch.tensor(p, dtype=dtype)
                layer.register_buffer("p", torch.zeros((), dtype=dtype))
    return network, rates


class _AsTheyAre(nn.Module):
    """Stands where values would be standardised."""

    def forward(self, values, steps):
        return values


# The rate is a tensor: no branch depends on it.


class _MemberDropout(nn.Dropout):
    def forward(self, values):
        return values * _kept(values, self.p) if self.training else values


class _MemberStepDropout(StepDropout):
    def forward(self, values):
        if not self.training:
            return values
        return values * _kept(values[(slice(None), *[slice(1)] * (values.ndim - 2))], self.p)


class _MemberModalityDropout(ModalityDropout):
    def forward(self, present):
        if not self.training:
            return present
        n_modalities = int(self.modality.max()) + 1
        kept = torch.rand(len(present), n_modalities, device=present.device) >= self.p
        return present & kept[:, self.modality]


def _kept(values, p):
    """Draw what is kept, scaled up by what is lost."""
    return (torch.rand_like(values) >= p) / (1 - p)


WITH_RATE = {
    nn.Dropout: _MemberDropout,
    StepDropout: _MemberStepDropout,
    ModalityDropout: _MemberModalityDropout,
    **{kind: kind for kind in (BlockNoise, TimeMasking, FrequencyMasking)},  # p may be a tensor
}
