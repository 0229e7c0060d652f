"""Numerical precision of training.

Micikevicius et al. (2018), Mixed precision training, ICLR: weights, their updates and the loss
stay in 32 bits; Kalamkar et al. (2019), A study of BFLOAT16 for deep learning training,
arXiv:1905.12322: with the range of float32, bfloat16 needs no scaling of the loss.
"""

import warnings

import torch

from sklearn_mmsent.nn.encoders.pretrained.base import PretrainedEncoder
from sklearn_mmsent.nn.objective import autocast


def choose_precision(precision, plan, device):
    """Return the precision in which to train a network.

    Parameters
    ----------
    precision : {"auto", "float32", "bfloat16"}
        Requested precision.
    plan : NetworkPlan
        Architecture of the network.
    device : str
        Device that it is trained on.

    Returns
    -------
    {"float32", "bfloat16"}
        "auto" means "bfloat16" for networks with a pretrained encoder on a CUDA device with native
        support; smaller networks are bound by kernel launches there.
    """
    if precision != "auto":
        return precision
    pretrained = any(issubclass(encoder, PretrainedEncoder) for encoder, _ in plan.encoders)
    if not pretrained or torch.device(device).type != "cuda":
        return "float32"
    with torch.cuda.device(device):
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    return "bfloat16" if native else "float32"


def check_precision(precision, device):
    """Raise a ValueError where a device cannot compute in a precision."""
    if precision == "float32" or _multiplies_in_bfloat16(device):
        return
    raise ValueError(
        f"precision={precision!r} cannot be used on the device {str(device)!r}: its torch does "
        "not multiply in bfloat16. Use 'float32' or 'auto'."
    )


def _multiplies_in_bfloat16(device):
    """Return whether autocast works; where not, some devices raise and others use float32."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with autocast("bfloat16", device):
                one = torch.ones(1, 1, device=device)
                return (one @ one).dtype == torch.bfloat16
    except (RuntimeError, TypeError):
        return False
