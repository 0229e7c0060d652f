"""FewShotClassifier."""

from collections.abc import Mapping
from numbers import Integral, Real

import numpy as np
from scipy.special import ndtri, softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.model_selection import StratifiedKFold
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from sklearn_mmsent.blocks import BlockLayout
from sklearn_mmsent.estimators._base import BaseFusion
from sklearn_mmsent.estimators._contrastive import contrastive_projection
from sklearn_mmsent.estimators._prototypes import ShrunkPrototypes, with_unlabelled
from sklearn_mmsent.estimators._target import ClassTarget
from sklearn_mmsent.exceptions import BlockError
from sklearn_mmsent.utils._sklearn import Interval, StrOptions, _fit_context
from sklearn_mmsent.utils._validation import check_table

_EDGE = 0.002  # smallest distance of a rank from 0 and 1
_SHARPNESS = np.geomspace(0.25, 16.0, 13)  # candidates for the scale of scores in the softmax
_LABELLING_SHARPNESS = 3.0  # scale of scores that assign unlabelled rows to classes
_PROJECTED, _PRINCIPAL = 32, 300  # default numbers of components
_MAX_FOLDS = 4  # of the cross-validation that chooses the sharpness


class FewShotClassifier(ClassifierMixin, BaseEstimator):
    """Classify rows of several modalities from few examples of each class.

    Each class is represented by a prototype, the mean of its rows [1]_, and a row is assigned to
    the class with the nearest prototype. Distances use the covariance within the classes, shrunk
    towards a sphere by several amounts at once, since few rows do not suffice to choose one. It is
    made for four to sixteen rows per class; rows without a label may help.

    Parameters
    ----------
    representation : fitted fusion estimator or None, default=None
        Estimator whose fused vectors are the features, such as a `FusionClassifier` that was
        trained for a related task on many rows of the same blocks; it is not trained further. None
        uses the blocks as they are.
    modalities : "auto", mapping or None, default="auto"
        Blocks of the table; see `FusionClassifier`. Not used with `representation`.
    scaling : {"standard", "normal"}, default="standard"
        Scaling of the features. "standard": mean 0 and variance 1. "normal": mapped by rank among
        the rows of ``fit``, with or without a label, to a normal distribution, which reduces the
        influence of outliers.
    projection : {"contrastive"} or None, default=None
        "contrastive": a linear projection that brings rows of a class together is learned first,
        from pairs of rows [2]_ [3]_.
    n_components : int or None, default=None
        Width of the projection; without one, if there are rows without a label, number of
        principal components of all rows. None means 32 and 300.
    temperature : float, default=0.2
        Temperature of the contrastive loss; a lower one concentrates on the nearest pairs.
    n_steps : int, default=100
        Training steps of the projection.
    shrinkage : float or list of float, default=(0.05, 0.15, 0.4, 0.8)
        Weight of the sphere in the covariance, above 0 and up to 1, where distances are Euclidean.
        Scores of several values are averaged.
    unlabelled_weight : float, default=0.3
        Weight of a row of `X_unlabelled`, relative to a labelled row.
    n_rounds : int, default=3
        Number of rounds in which rows without a label are assigned to classes, and prototypes and
        covariance are estimated from all rows.
    random_state : int, RandomState instance or None, default=None
        Seed of the projection and of the folds for choosing `sharpness_`.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Class labels.
    layout_ : BlockLayout
        The blocks of the training table.
    projection_ : ndarray of shape (n_block_features, n_components) or None
        The learned projection.
    sharpness_ : float
        Scale of the scores in the softmax of the probabilities, chosen by cross-validation.
    n_features_in_ : int
        Number of columns seen in ``fit``.
    feature_names_in_ : ndarray of str objects of shape (n_features_in_,)
        Names of the columns seen in ``fit``, if they have names.

    See Also
    --------
    FusionClassifier : More accurate with dozens of rows per class and more.
    sklearn.semi_supervised.SelfTrainingClassifier : Labels rows with the predictions of any
        classifier, this one or a `FusionClassifier`.

    Notes
    -----
    A row is compared by the modalities that it has: for each pattern of missing modalities,
    prototypes and covariance use the blocks that are present. Sequences are averaged over their
    steps, single missing values are replaced by the mean of the feature.

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
            Numeric table; the names of its columns define the blocks, NaN is a missing value.
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
            If a label is missing, or all rows have the same.
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
        self._prototypes = {}  # by pattern of present blocks
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
                f"such numbers. Got {self.shrinkage!r} instead."
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
        target, numbers = ClassTarget.from_labels(y, ordinal=False, owner=type(self).__name__)
        check_consistent_length(X, numbers)
        self.classes_ = target.classes
        return numbers.astype(np.intp)

    # -- features -----------------------------------------------------------------------------

    def _represent(self, X):
        """Return features (n_samples, D), NaN for missing blocks, and the block of each."""
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
        observed = ~np.isnan(rows)
        count = np.maximum(observed.sum(axis=0), 1)
        filled = np.where(observed, rows, 0.0)
        self._mean = filled.sum(axis=0) / count
        spread = np.sqrt((np.where(observed, rows - self._mean, 0.0) ** 2).sum(axis=0) / count)
        # rounding leaves a constant feature a tiny spread; dividing by it would blow up noise
        tiny = 10 * np.finfo(np.float64).eps * np.maximum(np.abs(self._mean), 1e-300)
        self._deviation = np.where(spread > tiny, spread, 1.0)
        self._sorted = None
        if self.scaling == "normal":
            self._sorted = [np.sort(c[t]) for c, t in zip(rows.T, observed.T, strict=True)]

    def _scale(self, rows):
        """Scale features; only missing blocks are NaN afterwards."""
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
        """Return the axes (D, n_components) to project rows with some columns on, or None."""
        if self.projection_ is not None:
            return self.projection_[columns]
        if not len(self._others):
            return None
        rows = np.nan_to_num(np.concatenate([self._rows, self._others])[:, columns])
        rows -= rows.mean(axis=0)
        _, axes = np.linalg.eigh(rows.T @ rows)  # ascending
        return axes[:, -(self.n_components or _PRINCIPAL) :]

    def _learn_prototypes(self, axes, columns, chosen=slice(None)):
        """Return the prototypes of some labelled rows and all rows without a label."""
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
            sharpness=_LABELLING_SHARPNESS,
            n_rounds=self.n_rounds,
        )

    def _scores(self, X):
        rows, _ = self._represent(self._check_rows(X, reset=False))
        rows = self._scale(rows)
        blocks, firsts = np.unique(self._block_of, return_index=True)
        present = ~np.isnan(rows[:, firsts])  # (n_samples, n_blocks)
        scores = np.zeros((len(rows), len(self.classes_)))  # zero for rows without any block
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
        """Return the sharpness with the lowest cross-validated log-loss."""
        n_folds = min(_MAX_FOLDS, int(np.bincount(classes).min()))
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
    """Return projected rows; without axes the rows as they are, NaN for missing blocks."""
    return rows if axes is None else np.nan_to_num(rows) @ axes
