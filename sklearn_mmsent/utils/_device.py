"""Where torch computes."""

import torch


def resolve_device(device):
    """Turn ``"auto"`` into the best device there is.

    Parameters
    ----------
    device : str
        "auto", or a name that torch knows.

    Returns
    -------
    str
        A torch device name.

    Raises
    ------
    ValueError
        If the name is unknown, or the device is not there.
    """
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(
            f"device={device!r} cannot be used: {reason}. Use 'auto' or 'cpu'."
        ) from error
    return device
