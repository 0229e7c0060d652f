"""ModalityBalancer: equal classes, and within each as many rows of every kind of missingness."""

from collections.abc import Mapping

import numpy as np
from imblearn.over_sampling.base import BaseOverSampler
from imblearn.under_sampling.base import BaseUnderSampler
from sklearn.utils import check_random_state

from sklearn_mmsent.blocks import BlockLayout
from sklearn_mmsent.sampling._base import BaseRowSampler, Resampled
from sklearn_mmsent.utils._sklearn import StrOptions


class ModalityBalancer(BaseRowSampler):
    """Repeat or leave out rows until classes, and present modalities within them, are balanced.

    Where one class has a modality more often than another, a network learns that its absence
    means the other class. Here the rows of a class are told apart by which modalities they have
    (its patterns), and chosen so that each pattern has as many rows as any other.

    Parameters
    ----------
    sampling_strategy : float, str, dict or callable, default="auto"
        "auto" makes all classes equally large and balances the patterns of each fully: with
        ``how="over"`` no row is lost, with ``how="under"`` none is repeated. All else says, as
        in imbalanced-learn, which classes are to have how many rows; these are balanced as far
        as their number of rows allows, the others stay as they are.

    how : {"over", "under"}, default="over"
        Repeat rows of rare patterns and classes, or leave out rows of frequent ones.

    modalities : "auto", mapping or None, default="auto"
        Block layout of the columns; "auto" infers it from the column names. See
        :meth:`sklearn_mmsent.blocks.BlockLayout.of`.

    random_state : int, RandomState instance or None, default=None
        Seed of which rows are repeated or left out.

    Attributes
    ----------
    sampling_strategy_ : dict
        Number of repeated rows of each class ("over"), or of those that stay ("under").

    sample_indices_ : ndarray of int of shape (n_samples_new,)
        The row that each row of the result is.

    n_features_in_ : int
        Number of features seen during fit.

    feature_names_in_ : ndarray of str objects of shape (n_features_in_,)
        Names of features seen during fit. Defined only when X has feature names that are all
        strings.

    See Also
    --------
    imblearn.over_sampling.RandomOverSampler : Balances classes alone.
    ModalitySMOTE : Makes new rows, with the patterns of a class as they are.

    Notes
    -----
    A pattern with few rows is repeated often, or with ``how="under"`` makes all others as small.
    Where that is too much, give the classes' sizes by ``sampling_strategy``, or leave rows of
    such patterns out before. A row without any modality is of a pattern of its own.

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
            own = np.flatnonzero(y == label)
            cells = _cells(own, patterns)
            if self.how == "over":
                rows.append(own)
                sizes = _even(len(own) + size, least=[len(cell) for cell in cells])
                repeated += [
                    _repeated(c, n - len(c), random) for c, n in zip(cells, sizes, strict=True)
                ]
            else:
                sizes = _even(size, most=[len(cell) for cell in cells])
                rows += [random.permutation(c)[:n] for c, n in zip(cells, sizes, strict=True)]
        return Resampled(np.concatenate([np.sort(np.concatenate(rows)), *repeated]))

    def _fully(self):
        return isinstance(self.sampling_strategy, str) and self.sampling_strategy == "auto"

    def _patterns(self, X):
        """Return a number for which modalities each row has."""
        layout = BlockLayout.of(X, self.modalities, owner=type(self).__name__)
        there = np.zeros((len(X), len(layout.modalities)), dtype=bool)
        for block in layout.blocks:  # one after another: only what is there is kept
            (data,) = BlockLayout((block,), layout.n_columns).read(X)
            there[:, layout.modalities.index(block.modality)] |= data.present
        return np.unique(there, axis=0, return_inverse=True)[1]

    def _learn_sizes(self, y, patterns):
        """Learn the size at which all classes are equally large, and all patterns in each."""
        classes = np.unique(y)
        cells = {label: _cells(np.flatnonzero(y == label), patterns) for label in classes}
        if self.how == "over":
            size = max(len(own) * max(map(len, own)) for own in cells.values())
            sizes = {label: size - (y == label).sum() for label in classes}
        else:
            size = min(len(own) * min(map(len, own)) for own in cells.values())
            sizes = dict.fromkeys(classes, size)
        self.sampling_strategy_ = {label: int(n) for label, n in sizes.items()}


def _cells(rows, patterns):
    """Cut rows by their patterns."""
    own = patterns[rows]
    return [rows[own == pattern] for pattern in np.unique(own)]


def _even(total, *, least=None, most=None):
    """Share a total out so evenly as bounds allow.

    Parameters
    ----------
    total : int
        At least the sum of ``least``, at most that of ``most``.
    least, most : list of int or None, default=None
        Bounds of each share; one of the two.

    Returns
    -------
    ndarray of int
        Shares, those that no bound holds differ by one at most.
    """
    bounds = np.asarray(most if least is None else least)
    shares = np.zeros(len(bounds), dtype=int)
    # those that bind come first: the smallest of upper bounds, the largest of lower ones
    order = np.argsort(bounds if least is None else -bounds, kind="stable")
    bind = min if least is None else max
    for place, i in enumerate(order):
        shares[i] = bind(int(bounds[i]), total // (len(bounds) - place))
        total -= shares[i]
    return shares


def _repeated(rows, n, random):
    """Draw n of some rows, none once more often than another."""
    rounds = [random.permutation(rows) for _ in range(-(-n // len(rows)))]
    return np.concatenate([*rounds, rows[:0]])[:n]
