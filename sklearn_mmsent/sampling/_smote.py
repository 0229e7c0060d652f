"""ModalitySMOTE: new rows between neighbours, block by block with one weight."""

from collections.abc import Mapping
from numbers import Integral

import numpy as np
from imblearn.over_sampling.base import BaseOverSampler
from sklearn.utils import check_random_state

from sklearn_mmsent.sampling._base import BaseRowSampler, Resampled
from sklearn_mmsent.sampling._neighbors import BlockSpace
from sklearn_mmsent.sampling._rows import BlockRows, plain
from sklearn_mmsent.utils._sklearn import Interval, StrOptions


class ModalitySMOTE(BaseRowSampler):
    """Over-sample by new rows between neighbours of a class, in tables of blocks.

    SMOTE [1]_ for several modalities. A new row lies between a row of the class, its seed, and
    one of the seed's nearest neighbours in the class: the same neighbour and the same distance
    in every block, so that its modalities still belong together. Neighbours are near in all
    modalities, each of which counts the same, be it 4 columns wide or 4,000.

    Missing blocks, padding and NaN need no filling: where seed or neighbour has nothing, the new
    row is there as its seed is.

    Parameters
    ----------
    sampling_strategy : float, str, dict or callable, default="auto"
        How many rows each class is to have, as in :class:`imblearn.over_sampling.SMOTE`: "auto"
        brings all classes to the size of the largest.

    k_neighbors : int, default=5
        Among how many nearest neighbours of the seed to choose.

    modalities : "auto", mapping or None, default="auto"
        Block layout of the columns; "auto" infers it from the column names. See
        :meth:`sklearn_mmsent.blocks.BlockLayout.of`.

    n_jobs : int or None, default=None
        Threads of the search for neighbours; None means one, -1 all.

    random_state : int, RandomState instance or None, default=None
        Seed of what is drawn: seeds, neighbours and weights.

    Attributes
    ----------
    sampling_strategy_ : dict
        Number of new rows of each class.

    sample_indices_ : ndarray of int of shape (n_samples_new,)
        Index of the source row of each resampled row: itself, or its seed.

    partner_indices_ : ndarray of int of shape (n_made,)
        The neighbour that each new row was made with.

    weights_ : ndarray of float of shape (n_made,)
        How far each new row lies from its seed towards its neighbour, from 0 to 1.

    n_features_in_ : int
        Number of features seen during fit.

    feature_names_in_ : ndarray of str objects of shape (n_features_in_,)
        Names of features seen during fit. Defined only when X has feature names that are all
        strings.

    Raises
    ------
    ValueError
        If a class that is to grow has no more rows than ``k_neighbors``. The message names it.

    See Also
    --------
    imblearn.over_sampling.SMOTE : Knows no blocks: wide modalities outweigh narrow ones in the
        search for neighbours, and NaN is refused.
    ModalityMixup : Partners from the whole class, or of other classes with soft labels.
    ModalityBalancer : Repeats rows instead of making new ones; takes classes of any size.

    Notes
    -----
    Features are standardised for the search, those of a sequence pooled over its real time steps;
    each block is divided by its spread. The squared distance of two rows is the mean over the
    modalities that both have. A row that shares a modality with fewer than ``k_neighbors`` others
    of its class is itself in place of those that lack, and what is drawn there is a copy.

    A new row has the blocks of its seed and the lengths of its seed. Whole numbers (pixels) are
    rounded and keep their dtype. Token numbers of `TokenIds` (``<block>__id@...``) are the
    seed's, and do not count in the search.

    Before `FillBlocks` or behind it: behind it, ``<block>__present`` and ``<block>__length`` are
    the seed's, and what was filled in counts as missing.

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
        """Draw seeds and a neighbour of each."""
        seeds = random.randint(len(rows), size=n_new)
        places = random.randint(self.k_neighbors, size=n_new)
        queries, position = np.unique(seeds, return_inverse=True)
        near = space.nearest(rows, queries, self.k_neighbors, self.n_jobs)
        return np.stack([rows[seeds], rows[near[position, places]]])

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
                    f"{remedy}, leave the class out by sampling_strategy, or repeat its rows with "
                    "ModalityBalancer."
                )
