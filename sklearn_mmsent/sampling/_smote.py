"""ModalitySMOTE: interpolation between neighbours, with one weight for all blocks."""

from collections.abc import Mapping
from numbers import Integral

import numpy as np
from imblearn.over_sampling.base import BaseOverSampler
from sklearn.utils import check_random_state

from sklearn_mmsent.sampling._base import BaseRowSampler, Resampled
from sklearn_mmsent.sampling._neighbors import BlockSpace
from sklearn_mmsent.sampling._rows import BlockRows, plain
from sklearn_mmsent.utils._documentation import document_shared_parameters
from sklearn_mmsent.utils._sklearn import Interval, StrOptions


@document_shared_parameters(BaseRowSampler)
class ModalitySMOTE(BaseRowSampler):
    """Over-sample by interpolation between neighbours of a class, in tables of blocks.

    SMOTE [1]_ for several modalities. A new row lies between a row of the class, its seed, and
    one of the nearest neighbours of the seed in the class: the same neighbour and the same weight
    in every block, so that modalities stay consistent. Neighbours are near in all modalities,
    which count equally, whatever their number of columns.

    Missing blocks, padding and NaN need no imputation: where one of the two rows has no value, the
    new row takes that of its seed.

    Parameters
    ----------
    sampling_strategy : float, str, dict or callable, default="auto"
        Target number of rows of each class, as in :class:`imblearn.over_sampling.SMOTE`: "auto"
        raises every class to the size of the largest.
    k_neighbors : int, default=5
        Number of nearest neighbours from which the partner of a seed is drawn.
    n_jobs : int or None, default=None
        Number of threads of the neighbour search; None means 1, -1 all.
    random_state : int, RandomState instance or None, default=None
        Controls the choice of seeds, neighbours and weights; pass an int for reproducible results.

    Attributes
    ----------
    sample_indices_ : ndarray of int of shape (n_samples_new,)
        Index of the source row of each resampled row: itself, or its seed.
    partner_indices_ : ndarray of int of shape (n_made,)
        Index of the neighbour used for each new row.
    weights_ : ndarray of float of shape (n_made,)
        Position of each new row from its seed (0) to its neighbour (1).

    Raises
    ------
    ValueError
        If a class to over-sample has at most `k_neighbors` rows. The message names the class.

    See Also
    --------
    imblearn.over_sampling.SMOTE : Without blocks: wide modalities dominate the neighbour search,
        and NaN is an error.
    ModalityMixup : Partners from the whole class, or from other classes with soft labels.
    ModalityBalancer : Repeats rows instead of making new ones; for classes of any size.

    Notes
    -----
    Features are standardised for the search, those of a sequence pooled over its time steps; each
    block is divided by its spread. The squared distance of two rows is the mean over the
    modalities that both have. A row that shares a modality with fewer than `k_neighbors` others of
    its class may be its own neighbour, which yields copies.

    A new row has the blocks and the sequence lengths of its seed. Integers (pixels) are rounded
    and keep their dtype. Token ids of `TokenIds` (``<block>__id@...``) are those of the seed, and
    are ignored in the search.

    The sampler works before and after `FillBlocks`: after it, ``<block>__present`` and
    ``<block>__length`` are those of the seed, and filled values count as missing.

    References
    ----------
    .. [1] N. V. Chawla, K. W. Bowyer, L. O. Hall, W. P. Kegelmeyer, "SMOTE: synthetic minority
       over-sampling technique", Journal of Artificial Intelligence Research 16, 2002.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from sklearn_mmsent.sampling import ModalitySMOTE
    >>> X = pd.DataFrame({
    ...     "text__a": [0.0, 1.0, 5.0, 6.0, 7.0], "face__smile": [np.nan, 2.0, 1.0, 1.0, 1.0]
    ... })
    >>> y = ["neg", "neg", "pos", "pos", "pos"]
    >>> X_new, y_new = ModalitySMOTE(k_neighbors=1, random_state=0).fit_resample(X, y)
    >>> X_new.round(2).tail(2)
       text__a  face__smile
    4     7.00          1.0
    5     0.59          NaN
    >>> y_new[-1]
    'neg'
    """

    _sampling_type = "over-sampling"
    _parameter_constraints: dict = {
        **BaseOverSampler._parameter_constraints,
        "k_neighbors": [Interval(Integral, 1, None, closed="left")],
        "modalities": [StrOptions({"auto"}), Mapping, None],
        "n_jobs": [Integral, None],
    }

    def __init__(
        self,
        sampling_strategy="auto",
        *,
        k_neighbors=5,
        modalities="auto",
        n_jobs=None,
        random_state=None,
    ):
        self.sampling_strategy = sampling_strategy
        self.k_neighbors = k_neighbors
        self.modalities = modalities
        self.n_jobs = n_jobs
        self.random_state = random_state

    def _fit_resample(self, X, y):
        self._check_class_sizes(y)
        random = check_random_state(self.random_state)
        table = BlockRows(X, self.modalities, type(self).__name__)
        space = BlockSpace(table)
        pairs = [np.empty((2, 0), dtype=np.intp)]
        for label, n_new in self.sampling_strategy_.items():
            if n_new:
                pairs.append(self._draw(space, np.flatnonzero(y == label), n_new, random))
        del space
        seeds, self.partner_indices_ = np.hstack(pairs)
        self.weights_ = random.uniform(size=len(seeds))
        made = table.blend(seeds, self.partner_indices_, self.weights_)
        return Resampled(np.arange(len(y)), made, seeds)

    def _draw(self, space, rows, n_new, random):
        """Draw seeds and a neighbour for each."""
        seeds = random.randint(len(rows), size=n_new)
        ranks = random.randint(self.k_neighbors, size=n_new)
        queries, position = np.unique(seeds, return_inverse=True)
        near = space.nearest(rows, queries, self.k_neighbors, self.n_jobs)
        return np.stack([rows[seeds], rows[near[position, ranks]]])

    def _check_class_sizes(self, y):
        for label, n_new in self.sampling_strategy_.items():
            n_rows = int((y == label).sum())
            if n_new and n_rows <= self.k_neighbors:
                remedy = (
                    f"Set k_neighbors to {n_rows - 1} or less" if n_rows > 1 else "Add rows to it"
                )
                raise ValueError(
                    f"{type(self).__name__}: the class {plain(label)!r} has {n_rows} rows, but "
                    f"k_neighbors={self.k_neighbors} needs at least {self.k_neighbors + 1}. "
                    f"{remedy}, exclude the class by sampling_strategy, or repeat its rows with "
                    "ModalityBalancer."
                )
