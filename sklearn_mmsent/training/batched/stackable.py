"""Whether networks can be stacked, and whether that is faster."""

import time
import warnings

import torch

from sklearn_mmsent.training.batched.loop import Training
from sklearn_mmsent.training.precision import choose_precision
from sklearn_mmsent.training.train import initialize_net
from sklearn_mmsent.utils._random import torch_seed

STEPS = 4  # that are timed, of the stack and of a single member in turn


def settings_blocker(member):
    """Return why the settings of a member do not allow to stack it, or None."""
    if member.callbacks:
        return "it has callbacks"
    if member.net_params:
        return "it has net_params"
    if isinstance(member.loss, torch.nn.Module):
        return "its loss may have parameters"
    if choose_precision(member.precision, member.plan, member.device) != "float32":
        return "it is trained in bfloat16"
    return "it is verbose" if member.verbose else None


def stack_blocker(members, nets):
    """Return why networks cannot be stacked, by trying one step, or None."""
    module = nets[0].module_
    if not all(p.requires_grad for p in module.parameters()):
        return "part of its network is frozen"
    if any(encoder.learning_rates() for encoder in module.encoders):
        return "part of its network has a separate learning rate"
    if any(encoder.ragged for encoder in module.encoders):
        return "part of its network computes over real steps only"
    if any(part.remembers for part in (module.fusion, *module.unimodal)):
        return "part of its network remembers training rows"
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with torch_seed(members[0].seed, members[0].device):
            trial = Training(members[:2], nets[:2])
            trial.batches(1)
    if any("performance drop" in str(warning.message) for warning in caught):
        return "torch cannot vectorize part of its network"
    buffers = dict(trial.stack.objective.named_buffers())
    stateful = [name for name in trial.stack.buffers if not name.endswith(".p")]
    if stateful or any(
        not torch.equal(buffer, buffers[f"network.{name}"])
        for name, buffer in module.named_buffers()
        if f"network.{name}" in buffers
    ):
        return "part of its network keeps state besides weights"
    return None


def measure_gain(members, nets):
    """Return how many times as fast a stack is as training one by one, per step of a member."""
    member = members[0]
    stacked, single = Training(members, nets), initialize_net(member)
    generator = torch.Generator().manual_seed(member.seed)
    batches = list(torch.randperm(len(member.train), generator=generator).split(member.batch_size))
    device = member.train.present.device

    def one_by_one(n):
        for i in range(n):
            single.train_step(member.train[batches[i % len(batches)].to(device)])

    def seconds(function, n):
        started = time.perf_counter()
        function(n)
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return (time.perf_counter() - started) / n

    with torch_seed(member.seed, member.device):
        stacked.batches(1)
        one_by_one(2)
        times = [
            (seconds(one_by_one, 2 * STEPS), seconds(stacked.batches, STEPS)) for _ in range(3)
        ]
    single_time, stacked_time = (min(column) for column in zip(*times, strict=True))
    return single_time * len(members) / stacked_time
