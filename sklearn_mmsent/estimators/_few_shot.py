"""FewShotClassifier."""

from collections.abc import Mapping
from numbers import Integral, Real

import numpy as np
from scipy.special import ndtri, softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.model_selection import StratifiedKFold
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_consistent_length, check_is_fitted, column_or_1d

from sklearn_mmsent.blocks import BlockLayout
from sklearn_mmsent.estimators._base import BaseFusion
from sklearn_mmsent.estimators._contrastive import contrastive_projection
from sklearn_mmsent.estimators._prototypes import ShrunkPrototypes, with_unlabelled
from sklearn_mmsent.exceptions import BlockError
from sklearn_mmsent.utils._sklearn import Interval, StrOptions, _fit_context
from sklearn_mmsent.utils._validation import check_labels, check_table

_EDGE = 0.002  # share of rows that a rank tells apart at most
_SHARPNESS = np.geomspace(0.25, 16.0, 13)  # of scores, that probabilities are chosen from
_TOLD_SHARPNESS = 3.0  # of scores by which unlabelled rows are told their classes
_PROJECTED, _PRINCIPAL = 32, 300  # features that are looked at, by default
_ROWS_PER_CLASS = 4  # folds that the sharpness of probabilities is chosen on, at most


class FewShotClassifier(ClassifierMixin, BaseEstimator):
    """Classify rows of several modalities after few examples of each class.

    Each class is told by a prototype, the mean of its rows [1]_, and a row goes to the class whose
    prototype is nearest. What is near is measured by the covariance within the classes, shrunk
    towards a sphere by several degrees at once, since of few rows none could be chosen. Four to
    sixteen rows per class are what it is made for; rows without a label may help.

    Parameters
    ----------
    representation : fitted fusion estimator or None, default=None
        Whose fused vectors rows are told by, such as those of a `FusionClassifier` that has learned
        a related task on many rows of the same blocks; it is not trained further. None takes the
        blocks themselves.
    modalities : "auto", mapping or None, default="auto"
        Where the blocks are; see `FusionClassifier`. With `representation`, that knows.
    scaling : {"standard", "normal"}, default="standard"
        What makes features comparable. "standard": mean 0 and variance 1. "normal": by their rank
        among the rows of ``fit``, with or without a label, to a normal distribution, which takes
        outliers their weight.
    projection : {"contrastive"} or None, default=None
        "contrastive": a linear projection under which rows of a class lie together is learned
        first, from pairs of rows [2]_ [3]_.
    n_components : int or None, default=None
        Width of the projection, or, where there is none but rows without a label, number of the
        principal components of all rows that are looked at. None means 32, or 300.
    temperature : float, default=0.2
        Of the similarities in the contrastive loss; lower looks at the nearest pairs alone.
    n_steps : int, default=100
        Steps by which the projection is learned.
    shrinkage : float or list of float, default=(0.05, 0.15, 0.4, 0.8)
        Weight of the sphere in the covariance, above 0 and up to 1, which is Euclidean distance.
        Scores under several are averaged.
    unlabelled_weight : float, default=0.3
        What a row of `X_unlabelled` weighs, where a labelled row weighs 1.
    n_rounds : int, default=3
        How often rows without a label are told their classes anew, and prototypes and covariance
        are learned again from all.
    random_state : int, RandomState instance or None, default=None
        Seed of the projection and of the folds on which the sharpness of probabilities is chosen.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Class labels.
    layout_ : BlockLayout
        The blocks of the training table.
    projection_ : ndarray of shape (n_block_features, n_components) or None
        What the contrastive loss has learned.
    sharpness_ : float
        By which scores become probabilities, chosen by cross-validation.
    n_features_in_ : int
        Number of columns seen in ``fit``.
    feature_names_in_ : ndarray of str objects of shape (n_features_in_,)
        Their names, where the table had names.

    See Also
    --------
    FusionClassifier : Better from some dozens of rows per class on.
    sklearn.semi_supervised.SelfTrainingClassifier : Lets any classifier, this one or a
        `FusionClassifier`, label rows for itself.

    Notes
    -----
    A row is compared by the modalities that it has: for each pattern of missing ones, prototypes
    and covariance are those of the blocks that are there. Sequences are told by the mean of
    their steps, single missing values by the feature's mean.

    References
    ----------
    .. [1] Snell, Swersky, Zemel (2017), Prototypical networks for few-shot learning, NeurIPS.
    .. [2] Khosla et al. (2020), Supervised contrastive learning, NeurIPS.
    .. [3] Tunstall et al. (2022), Efficient few-shot learning without prompts, arXiv:2209.11055.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from sklearn_mmsent import FewShotClassifier
    >>> X = pd.DataFrame({"text__tone": [1.0, 0.8, -1.0, -0.7], "face__smile": [1, 1, 0, np.nan]})
    >>> clf = FewShotClassifier().fit(X, ["glad", "glad", "sad", "sad"])
    >>> clf.predict(pd.DataFrame({"text__tone": [0.5, np.nan], "face__smile": [np.nan, 0.1]}))
    array(['glad', 'sad'], dtype='<U4')
    """

    _parameter_constraints: dict = {
        "representation": [BaseFusion, None],
        "modalities": [StrOptions({"auto"}), Mapping, None],
        "scaling": [StrOptions({"standard", "normal"})],
        "projection": [StrOptions({"contrastive"}), None],
        "n_components": [Interval(Integral, 1, None, closed="left"), None],
        "temperature": [Interval(Real, 0, None, closed="neither")],
        "n_steps": [Interval(Integral, 0, None, closed="left")],
        "shrinkage": [Interval(Real, 0, 1, closed="right"), tuple, list],
        "unlabelled_weight": [Interval(Real, 0, None, closed="left")],
        "n_rounds": [Interval(Integral, 0, None, closed="left")],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        representation=None,
        *,
        modalities="auto",
        scaling="standard",
        projection=None,
        n_components=None,
        temperature=0.2,
        n_steps=100,
        shrinkage=(0.05, 0.15, 0.4, 0.8),
        unlabelled_weight=0.3,
        n_rounds=3,
        random_state=None,
    ):
        self.representation = representation
        self.modalities = modalities
        self.scaling = scaling
        self.projection = projection
        self.n_components = n_components
        self.temperature = temperature
        self.n_steps = n_steps
        self.shrinkage = shrinkage
        self.unlabelled_weight = unlabelled_weight
        self.n_rounds = n_rounds
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, *, X_unlabelled=None):
        """Learn the prototypes.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            Numeric table; its columns' names tell the blocks, NaN what is missing.
        y : array-like of shape (n_samples,)
            Class labels.
        X_unlabelled : DataFrame or array-like of shape (n_unlabelled, n_features) or None, \
                default=None
            Rows without a label, with the columns of `X`.

        Returns
        -------
        self : object
            The fitted classifier.

        Raises
        ------
        BlockError
            If a table does not fit the block contract.
        ValueError
            If the labels cannot be used, or are of one class only.
        """
        shrinkages = self._check_shrinkage()
        X = self._check_rows(X, reset=True)
        classes = self._check_labels(X, y)
        rows, self._block_of = self._represent(X)
        others = rows[:0]
        if X_unlabelled is not None and len(X_unlabelled):
            others, _ = self._represent(self._check_rows(X_unlabelled, reset=False))
        self._learn_scale(np.concatenate([rows, others]))
        self._rows, self._others = self._scale(rows), self._scale(others)
        self._shares = np.eye(len(self.classes_))[classes]
        self._shrinkages = shrinkages
        random = check_random_state(self.random_state)
        seed = int(random.randint(np.iinfo(np.int32).max))
        self.projection_ = self._learn_projection(classes, seed)
        self._prototypes = {}  # by the pattern of blocks that are there
        self.sharpness_ = self._choose_sharpness(classes, seed)
        return self

    def predict_proba(self, X):
        """Predict the probability of each class.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            A table with the columns seen in ``fit``.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Probabilities, in the order of ``classes_``.
        """
        check_is_fitted(self)
        return softmax(self.sharpness_ * self._scores(X), axis=1)

    def predict(self, X):
        """Predict the class.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            A table with the columns seen in ``fit``.

        Returns
        -------
        ndarray of shape (n_samples,)
            Class labels.
        """
        check_is_fitted(self)
        scores = self._scores(X)
        return self.classes_[scores.argmax(axis=1)]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    # -- checks ------------------------------------------------------------------------------

    def _check_shrinkage(self):
        values = [self.shrinkage] if isinstance(self.shrinkage, Real) else list(self.shrinkage)
        if not values or any(not isinstance(v, Real) or not 0 < v <= 1 for v in values):
            raise ValueError(
                "FewShotClassifier: shrinkage must be a number above 0 and up to 1, or a list of "
                f"some; got {self.shrinkage!r}."
            )
        return values

    def _check_rows(self, X, *, reset):
        X = check_table(self, X, reset=reset)
        if len(X) == 0:
            raise BlockError("FewShotClassifier: found 0 sample(s); a minimum of 1 is required.")
        if reset and self.representation is None:
            self.layout_ = BlockLayout.of(X, self.modalities, owner=type(self).__name__)
        elif reset:
            check_is_fitted(self.representation)
            self.layout_ = self.representation.layout_
        return X

    def _check_labels(self, X, y):
        if y is None:
            raise ValueError("FewShotClassifier requires y to be passed, but the target y is None")
        y = column_or_1d(y, warn=True)
        check_consistent_length(X, y)
        check_labels(y, owner=type(self).__name__)
        check_classification_targets(y)
        self.classes_, classes = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(
                "FewShotClassifier needs at least two classes to tell apart; y has one class only: "
                f"{self.classes_.tolist()[0]!r}."
            )
        return classes

    # -- from a table to comparable features -------------------------------------------------

    def _represent(self, X):
        """Give features, (n_samples, D) with a block that is missing as NaN, and their blocks."""
        if self.representation is not None:
            fused = self.representation.fuse(X)
            return fused, np.zeros(fused.shape[1], dtype=int)
        parts, blocks = [], []
        for i, data in enumerate(self.layout_.read(X)):
            values = np.asarray(data.values, dtype=np.float64)
            if data.steps is not None:
                real = data.steps[:, :, None] & ~np.isnan(values)
                sums = np.where(real, values, 0.0).sum(axis=1)
                count = real.sum(axis=1)
                values = np.where(count > 0, sums / np.maximum(count, 1), np.nan)
            values = values.reshape(len(values), -1).copy()
            values[~data.present] = np.nan
            parts.append(values)
            blocks.append(np.full(values.shape[1], i))
        return np.hstack(parts), np.concatenate(blocks)

    def _learn_scale(self, rows):
        there = ~np.isnan(rows)
        count = np.maximum(there.sum(axis=0), 1)
        filled = np.where(there, rows, 0.0)
        self._mean = filled.sum(axis=0) / count
        spread = np.sqrt((np.where(there, rows - self._mean, 0.0) ** 2).sum(axis=0) / count)
        # rounding leaves a constant feature a tiny spread; dividing by it would blow up noise
        tiny = 10 * np.finfo(np.float64).eps * np.maximum(np.abs(self._mean), 1e-300)
        self._deviation = np.where(spread > tiny, spread, 1.0)
        self._sorted = None
        if self.scaling == "normal":
            self._sorted = [np.sort(c[t]) for c, t in zip(rows.T, there.T, strict=True)]

    def _scale(self, rows):
        """Make features comparable; NaN only where a block is missing."""
        if self._sorted is None:
            scaled = (rows - self._mean) / self._deviation
        else:
            scaled = np.empty_like(rows)
            for i, known in enumerate(self._sorted):
                sides = [np.searchsorted(known, rows[:, i], side) for side in ("left", "right")]
                share = (np.mean(sides, axis=0) + 0.5) / (len(known) + 1)
                scaled[:, i] = ndtri(np.clip(share, _EDGE, 1 - _EDGE))
            scaled[np.isnan(rows)] = np.nan
        for block in np.unique(self._block_of):
            columns = self._block_of == block
            part = scaled[:, columns]
            single = np.isnan(part) & ~np.isnan(part).all(axis=1)[:, None]
            scaled[:, columns] = np.where(single, 0.0, part)
        return scaled

    def _learn_projection(self, classes, seed):
        if self.projection is None:
            return None
        return contrastive_projection(
            np.nan_to_num(self._rows),
            classes,
            self.n_components or _PROJECTED,
            temperature=self.temperature,
            n_steps=self.n_steps,
            seed=seed,
        )

    # -- prototypes --------------------------------------------------------------------------

    def _axes(self, columns):
        """Give what rows are projected on, (D, n_components), where some columns are there."""
        if self.projection_ is not None:
            return self.projection_[columns]
        if not len(self._others):
            return None
        rows = np.nan_to_num(np.concatenate([self._rows, self._others])[:, columns])
        rows -= rows.mean(axis=0)
        _, axes = np.linalg.eigh(rows.T @ rows)  # the largest last
        return axes[:, -(self.n_components or _PRINCIPAL) :]

    def _learn_prototypes(self, axes, columns, chosen=slice(None)):
        """Learn prototypes of some rows, with what all rows without a label add."""
        prototypes = ShrunkPrototypes(self._shrinkages)
        rows, shares = _projected(self._rows[chosen][:, columns], axes), self._shares[chosen]
        if not len(self._others) or not self.unlabelled_weight:
            return prototypes.fit(rows, shares)
        return with_unlabelled(
            prototypes,
            rows,
            shares,
            _projected(self._others[:, columns], axes),
            weight=self.unlabelled_weight,
            sharpness=_TOLD_SHARPNESS,
            n_rounds=self.n_rounds,
        )

    def _scores(self, X):
        rows, _ = self._represent(self._check_rows(X, reset=False))
        rows = self._scale(rows)
        blocks, firsts = np.unique(self._block_of, return_index=True)
        present = ~np.isnan(rows[:, firsts])  # (n_samples, n_blocks)
        scores = np.zeros((len(rows), len(self.classes_)))  # what has no block has no score
        for pattern in np.unique(present, axis=0):
            if not pattern.any():
                continue
            same = (present == pattern).all(axis=1)
            columns = np.isin(self._block_of, blocks[pattern])
            key = pattern.tobytes()
            if key not in self._prototypes:
                axes = self._axes(columns)
                self._prototypes[key] = axes, self._learn_prototypes(axes, columns)
            axes, prototypes = self._prototypes[key]
            scores[same] = prototypes.scores(_projected(rows[same][:, columns], axes))
        return scores

    def _choose_sharpness(self, classes, seed):
        """Choose how surely scores tell classes, on rows that prototypes have not seen."""
        n_folds = min(_ROWS_PER_CLASS, int(np.bincount(classes).min()))
        if n_folds < 2:
            return 1.0
        folds = StratifiedKFold(n_folds, shuffle=True, random_state=seed)
        columns = np.ones(len(self._block_of), dtype=bool)
        axes = self._axes(columns)
        losses = np.zeros(len(_SHARPNESS))
        for train, held in folds.split(classes, classes):
            prototypes = self._learn_prototypes(axes, columns, train)
            scores = prototypes.scores(np.nan_to_num(_projected(self._rows[held], axes)))
            for i, sharpness in enumerate(_SHARPNESS):
                shares = softmax(sharpness * scores, axis=1)
                losses[i] -= np.log(shares[np.arange(len(held)), classes[held]] + 1e-12).sum()
        return float(_SHARPNESS[losses.argmin()])


def _projected(rows, axes):
    """Project rows; without axes they stay as they are, NaN where a block is missing."""
    return rows if axes is None else np.nan_to_num(rows) @ axes
