"""ModalityMixup: convex combinations of two rows, optionally with soft labels."""

from collections.abc import Mapping
from numbers import Real

import numpy as np
import pandas as pd
from imblearn.over_sampling.base import BaseOverSampler
from sklearn.utils import check_random_state

from sklearn_mmsent.sampling._base import BaseRowSampler, Resampled
from sklearn_mmsent.sampling._rows import BlockRows, plain
from sklearn_mmsent.utils._documentation import document_shared_parameters
from sklearn_mmsent.utils._sklearn import Interval, StrOptions


@document_shared_parameters(BaseRowSampler)
class ModalityMixup(BaseRowSampler):
    """Over-sample by mixup of two rows, in tables of blocks.

    Mixup [1]_ for several modalities: a new row is a convex combination of a row of the class to
    over-sample, its seed, and another row, its partner, with the same weights in every block. With
    hard labels both rows belong to one class; with soft labels they may not, and the target is
    mixed like the row.

    Missing blocks, padding and NaN need no imputation: where one of the two rows has no value, the
    new row takes that of its seed.

    Parameters
    ----------
    sampling_strategy : float, str, dict or callable, default="auto"
        Target number of rows of each class, as in :class:`imblearn.over_sampling.SMOTE`: "auto"
        raises every class to the size of the largest. With soft labels, a new row counts for
        the class of its seed.
    alpha : float, default=0.4
        Parameter of the distribution Beta(alpha, alpha) of the weights: small values leave rows
        almost unchanged, 1 is the uniform distribution. The seed has the larger weight.
    labels : {"hard", "soft"}, default="hard"
        "hard" mixes rows of one class and returns labels. "soft" mixes rows of any classes and
        returns a DataFrame with one column per class and the weight of each class in each row.
    random_state : int, RandomState instance or None, default=None
        Controls the choice of pairs and weights; pass an int for reproducible results.

    Attributes
    ----------
    sample_indices_ : ndarray of int of shape (n_samples_new,)
        Index of the source row of each resampled row: itself, or its seed.
    partner_indices_ : ndarray of int of shape (n_made,)
        Index of the partner of each new row.
    weights_ : ndarray of float of shape (n_made,)
        Weight of the partner of each new row, from 0 to 0.5.

    Raises
    ------
    ValueError
        If a class to over-sample has a single row, with hard labels. The message names the class.

    See Also
    --------
    ModalitySMOTE : Restricts partners to near neighbours, so that new rows lie in dense regions.
    ModalityBalancer : Repeats rows instead of making new ones.

    Notes
    -----
    If a modality of the seed is missing in its partner, it is copied from the seed and the target
    is adjusted: the class of the partner gets the weight of the partner times the fraction of the
    modalities of the seed that were mixed. In complete tables this is the weight of the partner.

    Integer columns, token ids and the indicator columns of `FillBlocks` are treated as in
    `ModalitySMOTE`.

    References
    ----------
    .. [1] H. Zhang, M. Cisse, Y. N. Dauphin, D. Lopez-Paz, "mixup: Beyond empirical risk
       minimization", ICLR 2018.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn_mmsent.sampling import ModalityMixup
    >>> X = pd.DataFrame({"text__a": [0.0, 1.0, 5.0], "face__smile": [0.0, 2.0, 1.0]})
    >>> mixup = ModalityMixup(alpha=1.0, labels="soft", random_state=0)
    >>> X_new, y_new = mixup.fit_resample(X, ["neg", "pos", "pos"])
    >>> y_new.round(2)
        neg   pos
    0  1.00  0.00
    1  0.00  1.00
    2  0.00  1.00
    3  0.84  0.16
    """

    _sampling_type = "over-sampling"
    _parameter_constraints: dict = {
        **BaseOverSampler._parameter_constraints,
        "alpha": [Interval(Real, 0, None, closed="neither")],
        "labels": [StrOptions({"hard", "soft"})],
        "modalities": [StrOptions({"auto"}), Mapping, None],
    }

    def __init__(
        self,
        sampling_strategy="auto",
        *,
        alpha=0.4,
        labels="hard",
        modalities="auto",
        random_state=None,
    ):
        self.sampling_strategy = sampling_strategy
        self.alpha = alpha
        self.labels = labels
        self.modalities = modalities
        self.random_state = random_state

    def _fit_resample(self, X, y):
        random = check_random_state(self.random_state)
        pairs = [np.empty((2, 0), dtype=np.intp)]
        for label, n_new in self.sampling_strategy_.items():
            if n_new:
                pairs.append(self._draw(y, label, n_new, random))
        seeds, self.partner_indices_ = np.hstack(pairs)
        shares = random.beta(self.alpha, self.alpha, size=len(seeds))
        self.weights_ = np.minimum(shares, 1 - shares)
        table = BlockRows(X, self.modalities, type(self).__name__)
        made = table.blend(seeds, self.partner_indices_, self.weights_)
        if self.labels == "soft":
            mixed = table.shared(seeds, self.partner_indices_)
            self._soft = self._soft_targets(y, seeds, self.weights_ * mixed)
        return Resampled(np.arange(len(y)), made, seeds)

    def _targets(self, y, indices):
        return super()._targets(y, indices) if self.labels == "hard" else vars(self).pop("_soft")

    def _draw(self, y, label, n_new, random):
        """Draw seeds of a class and a partner for each."""
        rows = np.flatnonzero(y == label)
        others = rows if self.labels == "hard" else np.arange(len(y))
        if len(others) < 2:
            raise ValueError(
                f"{type(self).__name__}: the class {plain(label)!r} has 1 row, and rows are mixed "
                "with others of their class. Set labels='soft', exclude the class by "
                "sampling_strategy, or repeat its row with ModalityBalancer."
            )
        seeds = rows[random.randint(len(rows), size=n_new)]
        # offset by at least one, so that no row is its own partner
        steps = random.randint(1, len(others), size=n_new)
        positions = (np.searchsorted(others, seeds) + steps) % len(others)
        return np.stack([seeds, others[positions]])

    def _soft_targets(self, y, seeds, shares):
        """Return the weight of each class in each row, kept rows first."""
        classes, codes = np.unique(y, return_inverse=True)
        n = len(y)
        targets = np.zeros((n + len(seeds), len(classes)))
        targets[np.arange(n), codes] = 1
        made = n + np.arange(len(seeds))
        targets[made, codes[self.partner_indices_]] = shares
        targets[made, codes[seeds]] += 1 - shares
        return pd.DataFrame(targets, columns=classes)
