"""Devices of torch."""

import torch

from sklearn_mmsent.utils._messages import first_line


def resolve_device(device):
    """Return a device name, for ``"auto"`` that of the best available device.

    Parameters
    ----------
    device : str
        "auto" or the name of a torch device.

    Returns
    -------
    str
        A torch device name.

    Raises
    ------
    ValueError
        If the name is unknown or the device is not available.
    """
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(
            f"device={device!r} cannot be used ({first_line(error)}). Use 'auto' or 'cpu'."
        ) from error
    return device
