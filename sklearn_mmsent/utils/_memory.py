"""How much memory is free, and whether a table fits into its share of it."""

import os
from pathlib import Path

#: Bytes that always fit: one need not ask the system before each small prediction.
SMALL = 2**26
#: Share of the free memory that a table may take: the table is there, too, and a network works.
SHARE = {"cpu": 0.25, "cuda": 0.5}
UNKNOWN = 2**33  # bytes, where a system does not tell

_LIMIT = Path("/sys/fs/cgroup/memory.max")  # of a container


def fits(n_bytes, device="cpu"):
    """Tell whether values may be held in the memory of a device; others are read by rows.

    Parameters
    ----------
    n_bytes : int
        Size of the values.
    device : str, default="cpu"
        A torch device name.

    Returns
    -------
    bool
        True for what is small, and for what takes at most its share of the memory that is free.
    """
    if n_bytes <= SMALL:
        return True
    kind = str(device).partition(":")[0]
    return n_bytes <= SHARE.get(kind, SHARE["cpu"]) * free_bytes(device)


def free_bytes(device="cpu"):
    """Return how many bytes of a device's memory are free.

    Parameters
    ----------
    device : str, default="cpu"
        A torch device name; all but CUDA's share the memory of the machine.

    Returns
    -------
    int
        Bytes; of the machine what could be freed at once counts, and a container's limit holds.
    """
    if str(device).startswith("cuda"):
        import torch  # whoever has such a device has loaded it

        # what torch keeps for its next tensors is free, too
        kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + kept
    free = _of_machine()
    try:
        return min(free, int(_LIMIT.read_text()))
    except (OSError, ValueError):  # no container, or one without a limit
        return free


def _of_machine():
    try:
        with open("/proc/meminfo", encoding="ascii") as lines:
            (line,) = [line for line in lines if line.startswith("MemAvailable")]
        return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        pass
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return UNKNOWN
