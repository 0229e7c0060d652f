"""Networks of equal shapes as one, with stacked weights and joint forward and backward passes.

Shapes: K members, P parameters of each, B batch.
"""

import torch
from torch.func import functional_call, vmap

from sklearn_mmsent.nn.objective import Objective
from sklearn_mmsent.training.batched.layers import for_stack


class NetworkStack:
    """K networks that differ only in weights, statistics and rates of dropout.

    Parameters
    ----------
    modules : list of FusionNetwork
        They are not changed.
    loss : callable
        Maps outputs and targets of a batch to the loss of each row.
    """

    def __init__(self, modules, loss):
        network, rates = for_stack(modules)
        device = next(network.parameters()).device
        self.objective = Objective(network, loss)
        self.weights = torch.stack([flat(module) for module in modules])  # (K, P)
        self.buffers = {f"network.{name}": rate.to(device) for name, rate in rates.items()}
        for name, buffer in network.named_buffers():
            if name in rates:
                continue
            values = [module.get_buffer(name) for module in modules]
            if not all(torch.equal(value, buffer) for value in values):
                self.buffers[f"network.{name}"] = torch.stack(values)
        self._cut()

    def __len__(self):
        return len(self.weights)

    def _cut(self):
        """Name the views of the flat weights and gradients."""
        self.gradients = torch.zeros_like(self.weights)
        self.places = _places(self.weights, self.objective)
        self.into = list(_places(self.gradients, self.objective).values())
        self.leaves = {name: place.detach().requires_grad_() for name, place in self.places.items()}

    def keep(self, kept):
        """Continue with some of the members, by their numbers."""
        self.weights = self.weights[kept]
        self.buffers = {name: buffer[kept] for name, buffer in self.buffers.items()}
        self._cut()

    def losses(self, inputs, targets, weights, *, shared, training):
        """Compute each member's loss of a batch, (K,); in training also the gradients.

        Parameters
        ----------
        inputs : (values, present, steps)
            Arguments of the networks, with a leading axis of members unless shared.
        targets : Tensor
            Targets of the batch, with a leading axis of members unless shared.
        weights : Tensor of shape (K, B)
            Weight of each row for each member.
        shared : bool
            Whether the members have the same rows.
        training : bool
            Whether the networks are in training mode.
        """
        self.objective.train(training)
        rows = None if shared else 0
        values, _, steps = inputs
        axes = [rows] * len(values), rows, [None if x is None else rows for x in steps]
        compute = vmap(self._member_loss, (0, 0, axes, rows, 0), randomness="different")
        if not training:
            with torch.no_grad():
                return compute(self.places, self.buffers, inputs, targets, weights)
        losses = compute(self.leaves, self.buffers, inputs, targets, weights)
        gradients = torch.autograd.grad(losses.sum(), self.leaves.values(), allow_unused=True)
        used = [(to, of) for to, of in zip(self.into, gradients, strict=True) if of is not None]
        torch._foreach_copy_([to for to, _ in used], [of for _, of in used])
        return losses.detach()

    def _member_loss(self, parameters, buffers, inputs, targets, weights):
        batch = (inputs, targets, weights)
        return functional_call(self.objective, (parameters, buffers), batch)[0]


def write_back(weights, module):
    """Copy a member's flat weights (P,) into its network."""
    start = 0
    with torch.no_grad():
        for parameter in module.parameters():
            end = start + parameter.numel()
            parameter.copy_(weights[start:end].view_as(parameter))
            start = end


def flat(module):
    """Return a network's weights as one vector, (P,)."""
    return torch.cat([parameter.detach().flatten() for parameter in module.parameters()])


def _places(flat, module):
    """Return views of (K, P) by the names of a module's parameters."""
    places, start = {}, 0
    for name, parameter in module.named_parameters():
        end = start + parameter.numel()
        places[name] = flat[:, start:end].view(len(flat), *parameter.shape)
        start = end
    return places
