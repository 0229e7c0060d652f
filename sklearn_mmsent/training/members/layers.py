"""Layers whose weights, or numbers, are another for each member of a stack.

Under `torch.func.vmap` a layer is written for one member, and sees what all members do as one
operation. Shapes: K members, B batch, F and O inputs and outputs of a dense layer.
"""

import copy

import torch
from torch import nn

from sklearn_mmsent.nn._dropout import StepDropout
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
    rates = {}
    others = [dict(module.named_modules()) for module in modules]
    for name, layer in list(network.named_modules()):
        kind = type(layer)
        if kind is nn.Linear:
            layer.__class__ = MemberLinear
        elif kind is Standardize:
            network.set_submodule(name, _AsTheyAre())
        elif kind in WITH_RATE:
            p = [other[name].p for other in others]
            if len(set(p)) > 1:
                layer.__class__ = WITH_RATE[kind]
                dtype = next(network.parameters()).dtype
                del layer.p
                rates[f"{name}.p"] = torch.tensor(p, dtype=dtype)
                layer.register_buffer("p", torch.zeros((), dtype=dtype))
    return network, rates


class MemberLinear(nn.Linear):
    """A dense layer; a stack of them is one batched product, forwards and backwards."""

    def forward(self, values):
        """Map values of shape (..., F) to (..., O)."""
        return _Linear.apply(values, self.weight, self.bias)


class _Linear(torch.autograd.Function):
    """A dense layer with a rule for `vmap`, which alone is meant to call it."""

    @staticmethod
    def forward(values, weight, bias):
        return nn.functional.linear(values, weight, bias)

    @staticmethod
    def setup_context(ctx, inputs, output):
        pass

    @staticmethod
    def vmap(info, in_dims, values, weight, bias):
        size = info.batch_size
        values, weight, bias = (
            _members_first(tensor, dim, size)
            for tensor, dim in zip((values, weight, bias), in_dims, strict=True)
        )
        flat = values if values.ndim == 3 else values.reshape(size, -1, values.shape[-1])
        result = _BatchedLinear.apply(flat, weight, bias)
        if values.ndim != 3:
            result = result.view(*values.shape[:-1], -1)
        return result, 0


class _BatchedLinear(torch.autograd.Function):
    """K dense layers at once; gradients come in the order of the weights, not transposed."""

    @staticmethod
    def forward(ctx, values, weight, bias):
        ctx.save_for_backward(values, weight)
        if bias is None:
            return torch.bmm(values, weight.mT)
        return torch.baddbmm(bias.unsqueeze(1), values, weight.mT)  # (K, B, O)

    @staticmethod
    def backward(ctx, gradient):
        values, weight = ctx.saved_tensors
        wanted = ctx.needs_input_grad
        return (
            torch.bmm(gradient, weight) if wanted[0] else None,
            torch.bmm(gradient.mT, values) if wanted[1] else None,
            gradient.sum(1) if wanted[2] else None,
        )


def _members_first(tensor, dim, size):
    if tensor is None:
        return None
    if dim is None:  # the same for all members
        return tensor.expand(size, *tensor.shape)
    return tensor.movedim(dim, 0)


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
}
