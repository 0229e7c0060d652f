"""Layers with a different dropout rate for each member of a stack.

Under `torch.func.vmap` a layer is written for one member and runs for all in one operation. Dense
layers need no special form: with gradients taken outside of `vmap`, its batched products were 5 to
45 % faster than an `autograd.Function` around `baddbmm`.
Shapes: K members, B batch, D width.
"""

import copy

import torch
from torch import nn

from sklearn_mmsent.nn.attention import MultiHeadAttention
from sklearn_mmsent.nn.augmentation import BlockNoise, FrequencyMasking, TimeMasking
from sklearn_mmsent.nn.dropout import StepDropout
from sklearn_mmsent.nn.network import ModalityDropout, Standardize


def for_stack(modules):
    """Return a copy of the first of several networks, which `vmap` maps over the weights of all.

    Parameters
    ----------
    modules : list of FusionNetwork
        They differ only in weights, statistics and rates of dropout.

    Returns
    -------
    FusionNetwork
        It takes standardised values. Rates that differ are buffers.
    rates : dict of str to Tensor of shape (K,)
        The values of those buffers.
    """
    network = copy.deepcopy(modules[0])
    network.trims = False  # the members' batches may differ in length
    rates = {}
    others = [dict(module.named_modules()) for module in modules]
    for name, layer in list(network.named_modules()):
        kind = type(layer)
        if kind is Standardize:
            network.set_submodule(name, _Passthrough())
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


class _Passthrough(nn.Module):
    """Replaces Standardize: values are standardised before."""

    def forward(self, values, steps):
        return values


# The rate is a tensor, on which no branch may depend.


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
    """Draw a dropout mask, scaled by the share that is kept."""
    return (torch.rand_like(values) >= p) / (1 - p)


WITH_RATE = {
    nn.Dropout: _MemberDropout,
    StepDropout: _MemberStepDropout,
    ModalityDropout: _MemberModalityDropout,
    **{kind: kind for kind in (BlockNoise, TimeMasking, FrequencyMasking)},  # p may be a tensor
}
