"""Where chance comes from, and whether another run would draw the same."""

import contextlib
from numbers import Integral

import numpy as np
from sklearn.base import clone
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.utils import check_random_state

from sklearn_mmsent.utils._sklearn import BaseSearchCV


def draw_seed(random_state):
    """Draw a seed; without a random_state from the operating system, not numpy's global state."""
    if random_state is None:
        return int(np.random.SeedSequence().generate_state(1)[0] >> 1)
    if isinstance(random_state, Integral):
        return int(random_state)
    return int(check_random_state(random_state).randint(np.iinfo(np.int32).max))


def check_found_again(estimator, checkpoint_dir):
    """Refuse checkpoints whose names no other run would find.

    Parameters
    ----------
    estimator : estimator
        With a `random_state`.
    checkpoint_dir : str, Path or None
        Where checkpoints are kept; None for none.
    """
    random_state = estimator.random_state
    if checkpoint_dir is None or isinstance(random_state, Integral):
        return
    raise ValueError(
        f"{type(estimator).__name__}: checkpoint_dir needs an int as random_state, from which the "
        f"next run finds its files again. Got random_state={random_state!r} instead; set one, such "
        "as random_state=0."
    )


@contextlib.contextmanager
def torch_seed(seed, device="cpu"):
    """Seed the generators of the CPU and the device for a while, then put them back."""
    import torch  # as long as nothing is trained, a caller does not wait for it

    cuda = torch.device(device).type == "cuda"
    with torch.random.fork_rng(devices=[device] if cuda else []):
        torch.default_generator.manual_seed(seed)  # torch.manual_seed would seed every device
        if cuda:
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
        yield


def clone_with_seeds(estimator, rng):
    """Return a clone whose chance is decided.

    Parameters
    ----------
    estimator : estimator
        It is not changed.
    rng : Generator or None
        Gives each ``random_state`` that is None a seed; None leaves them.

    Returns
    -------
    estimator
        Unfitted.
    """
    if isinstance(estimator, BaseSearchCV) and hasattr(estimator, "cv_results_"):
        return estimator  # it has found its candidates, which a clone would not know
    estimator = clone(estimator)
    if rng is None:
        return estimator
    undecided = sorted(
        name
        for name, value in estimator.get_params().items()
        if name.rpartition("__")[2] == "random_state" and value is None
    )
    seeds = rng.integers(np.iinfo(np.int32).max, size=len(undecided)).tolist()
    return estimator.set_params(**dict(zip(undecided, seeds, strict=True)))


def seed_generator(random_state):
    """Return what draws seeds for members, or None where nobody fixed them."""
    if random_state is None:
        return None
    if isinstance(random_state, Integral):
        return np.random.default_rng(random_state)
    return np.random.default_rng(random_state.randint(np.iinfo(np.int32).max))


def set_seeds(model, seed):
    """Set every ``random_state`` of a model and its parts, and return the model."""
    return model.set_params(**seed_params(model, seed))


def seed_params(model, seed):
    """Return every ``random_state`` of a model and its parts, with a seed."""
    names = [name for name in model.get_params() if name.split("__")[-1] == "random_state"]
    return dict.fromkeys(names, seed)


def uses_seeds(model):
    """Tell whether a seed may change what a model learns."""
    constant = isinstance(model, DummyClassifier | DummyRegressor)
    varied = constant and getattr(model, "strategy", None) in ("stratified", "uniform")
    return bool(seed_params(model, 0)) and (varied or not constant)
