"""Free memory, and whether a table fits into its share of it."""

import os
from pathlib import Path

#: Bytes that always fit, so that small predictions do not query the system.
SMALL = 2**26
#: Share of the free memory that a table may take; the rest is for its source and the network.
SHARE = {"cpu": 0.25, "cuda": 0.5}
DEFAULT = 2**33  # bytes, on systems that do not report their memory

_LIMIT = Path("/sys/fs/cgroup/memory.max")  # of a container


def fits(n_bytes, device="cpu"):
    """Return whether values may be held in the memory of a device; others are read by rows.

    Parameters
    ----------
    n_bytes : int
        Size of the values.
    device : str, default="cpu"
        A torch device name.

    Returns
    -------
    bool
        True for small sizes, and up to the share of the free memory.
    """
    if n_bytes <= SMALL:
        return True
    kind = str(device).partition(":")[0]
    return n_bytes <= SHARE.get(kind, SHARE["cpu"]) * free_bytes(device)


def free_bytes(device="cpu"):
    """Return the free memory of a device.

    Parameters
    ----------
    device : str, default="cpu"
        A torch device name; all but CUDA's share the memory of the machine.

    Returns
    -------
    int
        Bytes, including caches that can be freed at once, up to the limit of a container.
    """
    if str(device).startswith("cuda"):
        import torch

        # memory that torch caches for new tensors is free, too
        kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + kept
    free = _machine_bytes()
    try:
        return min(free, int(_LIMIT.read_text()))
    except (OSError, ValueError):  # no container, or one without a limit
        return free


def _machine_bytes():
    try:
        with open("/proc/meminfo", encoding="ascii") as lines:
            (line,) = [line for line in lines if line.startswith("MemAvailable")]
        return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        pass
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return DEFAULT
