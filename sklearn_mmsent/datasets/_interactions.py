"""Generator of tables whose class depends on an interaction of modalities."""

from numbers import Integral, Real

import numpy as np
import pandas as pd
from sklearn.utils import Bunch, check_random_state

from sklearn_mmsent.blocks import BlockLayout
from sklearn_mmsent.utils._sklearn import Interval, StrOptions, validate_params

_MODALITIES = ("text", "audio", "image")
_STEPS = 8


@validate_params(
    {
        "kind": [StrOptions({"product", "parity", "order"})],
        "n_samples": [Interval(Integral, 2, None, closed="left")],
        "noise": [Interval(Real, 0, None, closed="left")],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def make_interactions(kind="product", n_samples=1000, *, noise=0.3, random_state=None) -> Bunch:
    """Generate tables whose class depends only on an interaction of modalities.

    Parameters
    ----------
    kind : {"product", "parity", "order"}, default="product"
        - "product": text and audio each hold a sign; the class is whether both are equal, as in
          irony;
        - "parity": the same for the product of three signs, including image;
        - "order": text is a sequence of 3 to 8 steps with two marks; the class is which comes
          first, as in negation; audio is noise.
    n_samples : int, default=1000
        Number of rows.
    noise : float, default=0.3
        Standard deviation of the noise added to signs and marks of magnitude 1.
    random_state : int, RandomState instance or None, default=None
        Controls the randomness; pass an int for reproducible results.

    Returns
    -------
    Bunch
        ``X``, a DataFrame of blocks, and ``y``, an array of "same" and "other", or of "first" and
        "second".

    See Also
    --------
    make_clips : Generates raw texts, images and audio clips with interactions.

    Examples
    --------
    >>> from sklearn_mmsent.datasets import make_interactions
    >>> data = make_interactions(n_samples=3, noise=0, random_state=0)
    >>> data.X[["text__sign", "audio__sign"]].assign(y=data.y)
       text__sign  audio__sign      y
    0        -1.0          1.0  other
    1         1.0         -1.0  other
    2         1.0          1.0   same
    """
    rng = check_random_state(random_state)
    if kind == "order":
        return _order(n_samples, noise, rng)
    modalities = _MODALITIES[: 2 if kind == "product" else 3]
    signs = rng.choice([-1.0, 1.0], (n_samples, len(modalities)))
    table = {}
    for modality, sign in zip(modalities, signs.T, strict=True):
        table[f"{modality}__sign"] = sign + noise * rng.normal(size=n_samples)
        table[f"{modality}__noise"] = rng.normal(size=n_samples)
    y = np.where(signs.prod(axis=1) > 0, "same", "other")
    return Bunch(X=pd.DataFrame(table, dtype="float32"), y=y)


def _order(n_samples, noise, rng):
    names = [
        name
        for block in BlockLayout.from_shapes({"text": (_STEPS, 3), "audio": 2}).blocks
        for name in block.column_names()
    ]
    lengths = rng.randint(3, _STEPS + 1, n_samples)
    text = noise * rng.normal(size=(n_samples, _STEPS, 3))
    first = rng.choice([True, False], n_samples)
    for row, length in enumerate(lengths):
        early, late = np.sort(rng.choice(length, 2, replace=False))
        text[row, early, 0 if first[row] else 1] += 1
        text[row, late, 1 if first[row] else 0] += 1
    text[np.arange(_STEPS) >= lengths[:, None]] = np.nan
    audio = rng.normal(size=(n_samples, 2))
    values = np.concatenate([text.reshape(n_samples, -1), audio], axis=1)
    X = pd.DataFrame(values, columns=names, dtype="float32")
    return Bunch(X=X, y=np.where(first, "first", "second"))
