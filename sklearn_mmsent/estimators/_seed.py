"""Where chance comes from, and whether another run would draw the same."""

from numbers import Integral

import numpy as np
from sklearn.utils import check_random_state


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
