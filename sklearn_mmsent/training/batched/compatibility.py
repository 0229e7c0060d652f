"""Which networks can be stacked: those that differ in weights, statistics and dropout only."""

import functools

from sklearn_mmsent.nn.network import Standardize
from sklearn_mmsent.training.batched.layers import WITH_RATE


def plan_key(member):
    """Return the settings that members must have in common to be stacked."""
    plan, loss = member.plan, member.loss
    if isinstance(loss, functools.partial):
        loss = loss.func, loss.args, tuple(sorted(loss.keywords.items()))
    return repr(
        (
            (plan.shapes, plan.modality_of_block, plan.encoders, plan.fusion),
            (plan.n_outputs, plan.head, plan.unimodal, plan.width),
            (loss, member.batch_size, member.device, member.precision),
            member.valid is None,
            [str(values.dtype) for values in member.train.values],
            (str(member.train.targets.dtype), tuple(member.train.targets.shape[1:])),
        )
    )


def network_key(module):
    """Return the properties of layers that networks must have in common to be stacked."""
    return tuple((name, type(layer), _numbers(layer)) for name, layer in module.named_modules())


def _numbers(layer):
    tensors = [
        (name, tuple(tensor.shape), str(tensor.dtype))
        for name, tensor in (*layer._parameters.items(), *layer._buffers.items())
        if tensor is not None and type(layer) is not Standardize
    ]
    ignored = {"training", *(("p",) if type(layer) in WITH_RATE else ())}
    plain = [
        (name, repr(value))
        for name, value in sorted(vars(layer).items())
        if not name.startswith("_") and name not in ignored
    ]
    return repr((tensors, plain))
