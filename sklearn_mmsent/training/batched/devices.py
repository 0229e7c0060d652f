"""Members split over several devices: each device has a process of its own.

Threads would share Python's lock and torch's global generator, which initial weights come from.
"""

import contextlib
import copy
import multiprocessing
import os
import pickle
from dataclasses import replace

import torch
from joblib import Parallel, delayed

from sklearn_mmsent.training.batched.compatibility import plan_key
from sklearn_mmsent.training.batched.feeds import stream_key
from sklearn_mmsent.training.batched.packing import cut
from sklearn_mmsent.training.checkpoint import CheckpointError
from sklearn_mmsent.training.dataset import map_tensors
from sklearn_mmsent.training.out_of_core import StreamedValues, to_device

WORTH = 5000  # batches that a device should have: a process of its own takes seconds to start
EVEN = 1.1  # load of the busiest device, of a fair share, up to which like members stay together


def choose_devices(members, devices=None):
    """Choose the devices that members are split over.

    Parameters
    ----------
    members : list of Member
        What to train.
    devices : list of str or None, default=None
        Given: these. None: the CUDA devices, as many as have enough to do, if this is the main
        process; others are workers, beside which there may be one for each device already.

    Returns
    -------
    (list of str, list of int)
        Devices, and the numbers of the members that are trained there: those whose own device
        is of that kind and has no index. No devices where there is nothing to split.
    """
    if devices is None:
        if multiprocessing.current_process().name != "MainProcess":
            return [], []
        devices = [f"cuda:{i}" for i in range(torch.cuda.device_count())]
        load = sum(_load(member) for member in members if member.device == "cuda")
        devices = devices[: load // WORTH]
    kinds = {torch.device(device).type for device in devices}
    if len(kinds) > 1:
        raise ValueError(f"devices={devices!r}: all must be of one kind, such as CUDA devices.")
    numbers = [i for i, member in enumerate(members) if member.device in kinds]
    return (devices, numbers) if min(len(devices), len(numbers)) > 1 else ([], [])


def split(members, n_devices):
    """Decide which members are trained beside each other.

    Those that can be stacked and read the same rows stay together where the devices are evenly
    loaded so, and are cut where they are not.

    Parameters
    ----------
    members : list of Member
        What to train.
    n_devices : int
        Devices, equally fast.

    Returns
    -------
    list of list of int
        Numbers of the members of each device; none is empty.
    """
    loads, units = [_load(member) for member in members], {}
    for i, member in enumerate(members):
        units.setdefault((plan_key(member), stream_key(member, training=True)), []).append(i)
    units = list(units.values())

    def load(numbers):
        return sum(loads[i] for i in numbers)

    while True:
        shares = [[] for _ in range(n_devices)]  # of units
        for unit in sorted(units, key=lambda unit: (-load(unit), unit)):
            min(shares, key=lambda share: sum(map(load, share))).append(unit)
        busiest = max(shares, key=lambda share: sum(map(load, share)))
        large = max(busiest, key=lambda unit: (len(unit) > 1, load(unit)))
        uneven = sum(map(load, busiest)) > EVEN * sum(loads) / n_devices
        if not uneven or len(large) == 1:
            return [sorted(i for unit in share for i in unit) for share in shares if share]
        units.remove(large)
        units += cut(large, -(-len(large) // 2))


def train_over(devices, members, train):
    """Train members on several devices at once.

    Parameters
    ----------
    devices : list of str
        Of the kind that the members' own device is.
    members : list of Member
        What to train.
    train : callable
        Trains a list of members on one device; can be pickled.

    Returns
    -------
    list of Trained
        In the order of the members, on the members' own device.
    """
    results = [None] * len(members)
    reasons = [_reason_here(member) for member in members]
    free = [i for i, reason in enumerate(reasons) if reason is None]
    shares = split([members[i] for i in free], len(devices)) if free else []
    shares = [[free[i] for i in share] for share in shares]
    arrays = _Mapped(_to_array)  # one for all: what processes share is written for them once
    jobs = [
        delayed(_work)(train, [_with_data(members[i], arrays) for i in share], device)
        for share, device in zip(shares, devices, strict=False)
    ]
    try:
        # arrays are mapped from files: "c" lets a process write into its copy
        pool = Parallel(len(jobs), backend="loky", batch_size=1, pre_dispatch="all", mmap_mode="c")
        done = pool(jobs) if len(jobs) > 1 else []
    except CheckpointError:
        raise
    except Exception as error:  # a process was killed, or cannot import what was sent
        done, failure = [], f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
        reasons = [reason or f"other processes failed, {failure}" for reason in reasons]
    for share, device, trained in zip(shares, devices, done, strict=False):
        for i, result in zip(share, trained, strict=True):
            result.how += f", on {device}"
            results[i] = result
    here = [i for i, result in enumerate(results) if result is None]
    for i, result in zip(here, train([members[i] for i in here]), strict=True):
        result.how += f"; in this process: {reasons[i] or 'no other had anything to do'}"
        results[i] = result
    return results


def _load(member):
    return -(-len(member.train) // member.batch_size) * member.max_epochs


def _reason_here(member):
    """Return why a member cannot be trained in another process, or None."""
    if member.callbacks or "callbacks" in " ".join(member.net_params or ()):
        return "its callbacks belong to it"  # and another would call copies of them
    try:
        with open(os.devnull, "wb") as nowhere:
            _Trial(nowhere).dump((member.plan, member.settings()))
    except Exception as error:
        return f"its settings cannot be sent to another, {str(error).partition(chr(10))[0]}"
    return None


class _Trial(pickle.Pickler):
    """Tries whether settings can be pickled, without the numbers of tensors."""

    def persistent_id(self, value):
        if not isinstance(value, torch.Tensor):
            return None
        if value.device.type != "cpu":
            raise pickle.PicklingError(f"they hold a tensor on {value.device}")
        return "tensor"


def _work(train, members, device):
    """Train members that were sent to this process; their nets go back as they are pickled."""
    cuda = torch.device(device).type == "cuda"
    # members stay on "cuda", which means this device here and another where the nets go
    with torch.cuda.device(device) if cuda else contextlib.nullcontext():
        tensors = _Mapped(lambda values: _to_tensor(values, device))
        results = train([_with_data(member, tensors) for member in members])
        del tensors
        if cuda:
            torch.cuda.empty_cache()  # this process waits for more, maybe, and others need room
    return results


def _with_data(member, function):
    """Return a member whose datasets hold what a function makes of their tensors."""
    return replace(
        member,
        train=_map_data(member.train, function),
        valid=None if member.valid is None else _map_data(member.valid, function),
    )


def _map_data(data, function):
    mapped = copy.copy(data)
    for name, values in vars(data).items():
        setattr(mapped, name, map_tensors(values, function))
    return mapped


class _Mapped:
    """A function of objects that is called once for each: what is shared stays shared."""

    def __init__(self, function):
        self.function, self.known = function, {}

    def __call__(self, value):
        """Return what the function gives."""
        if id(value) not in self.known:  # the value is kept, or another could take its id
            self.known[id(value)] = value, self.function(value)
        return self.known[id(value)][1]


def _to_array(values):
    return values if isinstance(values, StreamedValues) else values.cpu().numpy()


def _to_tensor(values, device):
    if isinstance(values, StreamedValues):
        return StreamedValues(values.source, device)
    return to_device(values, device)
