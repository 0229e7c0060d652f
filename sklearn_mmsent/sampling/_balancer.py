"""ModalityBalancer: equal class sizes, and equal missingness patterns within each class."""

from collections.abc import Mapping

import numpy as np
from imblearn.over_sampling.base import BaseOverSampler
from imblearn.under_sampling.base import BaseUnderSampler
from sklearn.utils import check_random_state

from sklearn_mmsent.blocks import BlockLayout
from sklearn_mmsent.sampling._base import BaseRowSampler, Resampled
from sklearn_mmsent.utils._documentation import document_shared_parameters
from sklearn_mmsent.utils._sklearn import StrOptions


@document_shared_parameters(BaseRowSampler)
class ModalityBalancer(BaseRowSampler):
    """Repeat or drop rows until classes, and missingness patterns within them, are balanced.

    If one class has a modality more often than another, a network learns that its absence
    indicates the other class. This sampler groups the rows of a class by their missingness pattern
    (the set of present modalities) and gives each pattern the same number of rows.

    Parameters
    ----------
    sampling_strategy : float, str, dict or callable, default="auto"
        "auto" makes all classes and all patterns within a class equally large: with
        ``how="over"`` no row is dropped, with ``how="under"`` none is repeated. Other values
        specify the size of each class, as in imbalanced-learn; the patterns of these classes are
        balanced as far as the size permits, other classes are unchanged.
    how : {"over", "under"}, default="over"
        Repeat rows of rare patterns and classes, or drop rows of frequent ones.
    random_state : int, RandomState instance or None, default=None
        Controls the choice of rows; pass an int for reproducible results.

    Attributes
    ----------
    sampling_strategy_ : dict
        Number of repeated rows of each class ("over"), or of kept rows ("under").

    See Also
    --------
    imblearn.over_sampling.RandomOverSampler : Balances classes only.
    ModalitySMOTE : Makes new rows and keeps the patterns of a class.

    Notes
    -----
    A rare pattern is repeated often, or with ``how="under"`` reduces all others to its size. To
    avoid this, set class sizes by `sampling_strategy` or drop rare patterns beforehand. Rows
    without any modality form a separate pattern.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from sklearn_mmsent.sampling import ModalityBalancer
    >>> X = pd.DataFrame({"text__a": range(5), "face__smile": [1.0, 2.0, 3.0, np.nan, 5.0]})
    >>> balancer = ModalityBalancer(random_state=0)
    >>> X_new, y_new = balancer.fit_resample(X, ["neg", "neg", "neg", "neg", "pos"])
    >>> X_new["face__smile"].isna().groupby(y_new).value_counts().to_dict()
    {('neg', False): 3, ('neg', True): 3, ('pos', False): 6}
    """

    _parameter_constraints: dict = {
        **BaseOverSampler._parameter_constraints,
        "sampling_strategy": [
            *BaseOverSampler._parameter_constraints["sampling_strategy"],
            *BaseUnderSampler._parameter_constraints["sampling_strategy"],
        ],
        "how": [StrOptions({"over", "under"})],
        "modalities": [StrOptions({"auto"}), Mapping, None],
    }

    def __init__(
        self, sampling_strategy="auto", *, how="over", modalities="auto", random_state=None
    ):
        self.sampling_strategy = sampling_strategy
        self.how = how
        self.modalities = modalities
        self.random_state = random_state

    @property
    def _sampling_type(self):
        return f"{self.how}-sampling"

    def _fit_resample(self, X, y):
        random = check_random_state(self.random_state)
        patterns = self._patterns(X)
        if self._fully():
            self._learn_sizes(y, patterns)
        rows = [np.flatnonzero(~np.isin(y, list(self.sampling_strategy_)))]
        repeated = [np.empty(0, dtype=np.intp)]
        for label, size in self.sampling_strategy_.items():
            members = np.flatnonzero(y == label)
            groups = _group_by_pattern(members, patterns)
            if self.how == "over":
                rows.append(members)
                sizes = _allocate(len(members) + size, lower=[len(group) for group in groups])
                repeated += [
                    _repeat(g, n - len(g), random) for g, n in zip(groups, sizes, strict=True)
                ]
            else:
                sizes = _allocate(size, upper=[len(group) for group in groups])
                rows += [random.permutation(g)[:n] for g, n in zip(groups, sizes, strict=True)]
        return Resampled(np.concatenate([np.sort(np.concatenate(rows)), *repeated]))

    def _fully(self):
        return isinstance(self.sampling_strategy, str) and self.sampling_strategy == "auto"

    def _patterns(self, X):
        """Return the index of the missingness pattern of each row."""
        layout = BlockLayout.of(X, self.modalities, owner=type(self).__name__)
        present = np.zeros((len(X), len(layout.modalities)), dtype=bool)
        for block in layout.blocks:  # one at a time, to limit memory
            (data,) = BlockLayout((block,), layout.n_columns).read(X)
            present[:, layout.modalities.index(block.modality)] |= data.present
        return np.unique(present, axis=0, return_inverse=True)[1]

    def _learn_sizes(self, y, patterns):
        """Set the size at which all classes, and all patterns within each, are equally large."""
        classes = np.unique(y)
        groups = {k: _group_by_pattern(np.flatnonzero(y == k), patterns) for k in classes}
        if self.how == "over":
            size = max(len(group) * max(map(len, group)) for group in groups.values())
            sizes = {label: size - (y == label).sum() for label in classes}
        else:
            size = min(len(group) * min(map(len, group)) for group in groups.values())
            sizes = dict.fromkeys(classes, size)
        self.sampling_strategy_ = {label: int(n) for label, n in sizes.items()}


def _group_by_pattern(rows, patterns):
    """Split rows by their pattern."""
    found = patterns[rows]
    return [rows[found == pattern] for pattern in np.unique(found)]


def _allocate(total, *, lower=None, upper=None):
    """Divide a total as evenly as bounds of each share permit.

    Exactly one of `lower`, whose sum is at most the total, and `upper`, whose sum is at least the
    total, is given. Shares that are not at their bound differ by at most one.
    """
    bounds = np.asarray(upper if lower is None else lower)
    shares = np.zeros(len(bounds), dtype=int)
    # binding bounds come first: the smallest upper ones, the largest lower ones
    order = np.argsort(bounds if lower is None else -bounds, kind="stable")
    clip = min if lower is None else max
    for rank, i in enumerate(order):
        shares[i] = clip(int(bounds[i]), total // (len(bounds) - rank))
        total -= shares[i]
    return shares


def _repeat(rows, n, random):
    """Draw n of the rows, each equally often up to one."""
    rounds = [random.permutation(rows) for _ in range(-(-n // len(rows)))]
    return np.concatenate([*rounds, rows[:0]])[:n]
