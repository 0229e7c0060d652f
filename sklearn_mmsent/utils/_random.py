"""Seeds and generators."""

import contextlib
from numbers import Integral

import numpy as np
from sklearn.base import clone
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.utils import check_random_state

from sklearn_mmsent.utils._sklearn import BaseSearchCV


def draw_seed(random_state):
    """Return a seed; for None from the operating system, not from numpy's global state."""
    if random_state is None:
        return int(np.random.SeedSequence().generate_state(1)[0] >> 1)
    if isinstance(random_state, Integral):
        return int(random_state)
    return int(check_random_state(random_state).randint(np.iinfo(np.int32).max))


def check_checkpoint_seed(estimator, checkpoint_dir):
    """Raise an error if checkpoints could not be found again for lack of a seed.

    Parameters
    ----------
    estimator : estimator
        With a `random_state`.
    checkpoint_dir : str, Path or None
        Folder of checkpoints; None for none.

    Raises
    ------
    ValueError
        If there is a folder, and `random_state` is no int.
    """
    random_state = estimator.random_state
    if checkpoint_dir is None or isinstance(random_state, Integral):
        return
    raise ValueError(
        f"{type(estimator).__name__}: checkpoint_dir needs an integer random_state, by which the "
        f"next run finds its files. Got random_state={random_state!r} instead; set one, such as "
        "random_state=0."
    )


@contextlib.contextmanager
def torch_seed(seed, device="cpu"):
    """Context manager that seeds the generators of CPU and device, and restores them."""
    import torch  # slow to import, and needed for training only

    cuda = torch.device(device).type == "cuda"
    with torch.random.fork_rng(devices=[device] if cuda else []):
        torch.default_generator.manual_seed(seed)  # torch.manual_seed would seed every device
        if cuda:
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
        yield


def clone_with_seeds(estimator, rng):
    """Return a clone with all seeds set.

    Parameters
    ----------
    estimator : estimator
        Not changed.
    rng : Generator or None
        Draws a seed for each ``random_state`` that is None; None leaves them.

    Returns
    -------
    estimator
        Unfitted.
    """
    if isinstance(estimator, BaseSearchCV) and hasattr(estimator, "cv_results_"):
        return estimator  # a clone would lose the candidates that it has found
    estimator = clone(estimator)
    if rng is None:
        return estimator
    unset = sorted(
        name
        for name, value in estimator.get_params().items()
        if name.rpartition("__")[2] == "random_state" and value is None
    )
    seeds = rng.integers(np.iinfo(np.int32).max, size=len(unset)).tolist()
    return estimator.set_params(**dict(zip(unset, seeds, strict=True)))


def seed_generator(random_state):
    """Return a generator of seeds, or None for an unset `random_state`."""
    if random_state is None:
        return None
    if isinstance(random_state, Integral):
        return np.random.default_rng(random_state)
    return np.random.default_rng(random_state.randint(np.iinfo(np.int32).max))


def set_seeds(model, seed):
    """Set each ``random_state`` of a model and its parts; return the model."""
    return model.set_params(**seed_params(model, seed))


def seed_params(model, seed):
    """Return the parameters that set each ``random_state`` of a model and its parts."""
    names = [name for name in model.get_params() if name.split("__")[-1] == "random_state"]
    return dict.fromkeys(names, seed)


def uses_seeds(model):
    """Return whether the result of a fit may depend on a seed."""
    constant = isinstance(model, DummyClassifier | DummyRegressor)
    varied = constant and getattr(model, "strategy", None) in ("stratified", "uniform")
    return bool(seed_params(model, 0)) and (varied or not constant)
