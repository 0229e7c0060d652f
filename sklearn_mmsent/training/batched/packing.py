"""Number of members that fit into one stack."""

from itertools import pairwise

import torch
from torch.autograd.graph import saved_tensors_hooks

MAX_MEMBERS = {"cpu": 40}  # more do not get faster; other devices have no limit
CPU_BYTES = 2**30
SHARE = 0.7  # of the free memory of other devices


def bytes_of(member, module, compute):
    """Estimate the memory of a member of a stack in training.

    Parameters
    ----------
    member : Member
        Member that is trained.
    module : FusionNetwork
        Its network.
    compute : callable
        Computes the loss of a training batch.

    Returns
    -------
    int
        Bytes of weights, gradients, moments, best weights, a batch, and twice those that the
        forward pass keeps for the backward pass.
    """
    kept = {}

    def pack(tensor):
        kept[tensor.data_ptr()] = tensor.numel() * tensor.element_size()
        return tensor

    with saved_tensors_hooks(pack, lambda tensor: tensor):
        compute()
    weights = sum(p.numel() * p.element_size() for p in module.parameters())
    row = sum(values.shape[1:].numel() for values in member.train.values) * 4
    return 6 * weights + 2 * sum(kept.values()) + 2 * row * member.batch_size


def members_at_once(device, n_bytes):
    """Return the number of members to stack on a device.

    Their memory is limited to a share of the free memory of a GPU, and to one GiB elsewhere, where
    stacks beyond the processor's caches gain nothing.

    Parameters
    ----------
    device : str
        Device that they are trained on.
    n_bytes : int
        Bytes of one member.

    Returns
    -------
    int
        At least one.
    """
    kind = torch.device(device).type
    max_bytes = SHARE * torch.cuda.mem_get_info(device)[0] if kind == "cuda" else CPU_BYTES
    return int(max(1, min(MAX_MEMBERS.get(kind, 1024), max_bytes // n_bytes)))


def cut(items, size):
    """Split a list into as few nearly equal lists of at most a size as possible."""
    n = -(-len(items) // size)
    ends = [round(i * len(items) / n) for i in range(n + 1)]
    return [items[a:b] for a, b in pairwise(ends)]


def is_out_of_memory(error):
    """Return whether an error is a lack of memory, which torch reports in several ways."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    phrases = ("out of memory", "not enough memory", "can't allocate memory")
    return isinstance(error, RuntimeError) and any(p in str(error).lower() for p in phrases)
