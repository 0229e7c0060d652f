"""Labels that no classifier can learn from."""

import numpy as np
import pandas as pd


def refuse_unusable_labels(y, *, owner):
    """Raise an error that names the first label that is infinite or missing.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)
        Labels.
    owner : str
        Who reads them.
    """
    if y.dtype.kind == "f" and np.isinf(y).any():
        raise ValueError(
            f"{owner}: Input y contains infinity or a value too large for a label, at row "
            f"{int(np.argmax(np.isinf(y)))}. Label the row, or drop it."
        )
    missing = pd.isna(y)
    if missing.any():
        row = int(np.argmax(missing))
        raise ValueError(
            f"{owner}: Input y contains NaN: row {row} has no label (nor have "
            f"{int(missing.sum()) - 1} others). Drop rows without a label, or label them."
        )
