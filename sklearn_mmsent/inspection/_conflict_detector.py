"""ConflictDetector."""

from numbers import Real

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, clone, is_regressor
from sklearn.model_selection import check_cv, cross_val_predict
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from sklearn_mmsent.blocks import BlockLayout
from sklearn_mmsent.compose import SelectModalities, make_pipeline
from sklearn_mmsent.estimators import FusionClassifier
from sklearn_mmsent.exceptions import BlockError
from sklearn_mmsent.inspection._conflict import (
    conflict_of_classes,
    conflict_of_intensities,
    contradictions,
)
from sklearn_mmsent.utils._sklearn import HasMethods, Interval, _fit_context
from sklearn_mmsent.utils._validation import check_table


class ConflictDetector(BaseEstimator):
    """Detect rows whose modalities contradict each other: irony, politeness, a forced smile.

    One expert is trained per modality. The score of a row is the conflict between the
    predictions of its experts; see :func:`agreement_report`.

    Parameters
    ----------
    estimator : estimator or None, default=None
        Expert to clone for each modality: a classifier with ``predict_proba``, or a regressor.
        None uses ``FusionClassifier()``.
    opposites : list of pairs of labels or None, default=None
        Classes that contradict each other, such as ``[("negative", "positive")]``. With
        None, any two different classes do.
    contamination : float, default=0.1
        Share of training rows to label as conflicts; sets `threshold_`.
    cv : int, splitter, iterable or None, default=None
        Splits for the out-of-fold scores of the training rows, from which the threshold is
        learned; None means five folds.

    Attributes
    ----------
    experts_ : dict of str to Pipeline
        Fitted experts by modality; each takes the whole table and selects its columns.
    classes_ : ndarray of shape (n_classes,) or None
        Classes; None for regressors.
    threshold_ : float
        Lowest score of a row that is predicted to be a conflict.
    scores_ : ndarray of shape (n_samples,)
        Out-of-fold scores of the training rows; NaN for rows with fewer than two modalities.
    scale_ : float
        Distance of two intensities that counts as 1: the standard deviation of the targets.
    n_features_in_ : int
        Number of columns seen in ``fit``.
    feature_names_in_ : ndarray of str objects of shape (n_features_in_,)
        Names of the columns seen in ``fit``.

    See Also
    --------
    agreement_report : Unimodal predictions by row; takes a detector as ``experts=``.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_mmsent.inspection import ConflictDetector
    >>> rng = np.random.default_rng(0)
    >>> y = rng.integers(0, 2, 300)
    >>> X = pd.DataFrame({"text__tone": y + rng.normal(size=300), "face__smile": y.astype(float)})
    >>> detector = ConflictDetector(LogisticRegression(), contamination=0.2).fit(X, y)
    >>> new = pd.DataFrame({"text__tone": [2.0, -2.0], "face__smile": [1.0, 1.0]})
    >>> detector.predict(new).tolist()
    [False, True]
    """

    _parameter_constraints: dict = {
        "estimator": [HasMethods(["fit", "predict"]), None],
        "opposites": [list, tuple, None],
        "contamination": [Interval(Real, 0, 1, closed="neither")],
        "cv": ["cv_object"],
    }

    # with metadata routing on, `groups` reaches fit without having to be requested
    __metadata_request__fit = {"groups": True}

    def __init__(self, estimator=None, *, opposites=None, contamination=0.1, cv=None):
        self.estimator = estimator
        self.opposites = opposites
        self.contamination = contamination
        self.cv = cv

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y, *, groups=None):
        """Train an expert for each modality and learn the threshold.

        Parameters
        ----------
        X : DataFrame of shape (n_samples, n_features)
            Numeric table of blocks.
        y : array-like of shape (n_samples,) or DataFrame
            Targets of the rows, shared by all experts; or a table with one column of targets per
            modality, named like it. An expert skips the rows whose target is NaN.
        groups : array-like of shape (n_samples,) or None, default=None
            Speaker, video, film ... of each row, for `cv`.

        Returns
        -------
        self : object
            The fitted detector.

        Raises
        ------
        BlockError
            If the table has fewer than two modalities.
        ValueError
            If `y` is missing, or names modalities that the table does not have.
        """
        X = check_table(self, X, reset=True)
        layout = BlockLayout.of(X, owner=type(self).__name__)
        targets = self._check_targets(y, X, layout)
        base = FusionClassifier() if self.estimator is None else self.estimator
        self.classes_ = None
        if not is_regressor(base):
            labels = pd.concat([targets[name] for name in targets])
            self.classes_ = np.unique(labels.dropna().to_numpy())
            self._contradicts = contradictions(
                self.classes_, self.opposites, owner=type(self).__name__
            )
        self.scale_ = 1.0 if self.classes_ is not None else float(np.nanstd(targets.to_numpy()))
        self.experts_, out_of_fold = {}, {}
        for name in targets:
            expert = make_pipeline(SelectModalities([name]), clone(base))
            rows = np.flatnonzero(self._has(X, layout, name) & targets[name].notna().to_numpy())
            y_expert = targets[name].to_numpy()[rows]
            if self.classes_ is None:
                y_expert = y_expert.astype(float)
            row_groups = None if groups is None else np.asarray(groups)[rows]
            splits = check_cv(self.cv, y_expert, classifier=self.classes_ is not None)
            splits = list(splits.split(X.iloc[rows], y_expert, row_groups))
            found = np.full(self._shape(len(X)), np.nan)
            found[rows] = self._align(
                cross_val_predict(expert, X.iloc[rows], y_expert, cv=splits, method=self._method()),
                np.unique(y_expert),
            )
            out_of_fold[name] = found
            self.experts_[name] = expert.fit(X.iloc[rows], y_expert)
        self.scores_ = self._score(out_of_fold)
        known = self.scores_[~np.isnan(self.scores_)]
        if not len(known):
            raise ValueError(
                f"{type(self).__name__}: no training row has two modalities, so none can disagree."
            )
        self.threshold_ = float(np.quantile(known, 1 - self.contamination))
        return self

    def predict_unimodal(self, X):
        """Predict with the expert of each modality.

        Parameters
        ----------
        X : DataFrame of shape (n_samples, n_features)
            A table with the columns seen in ``fit``.

        Returns
        -------
        dict of str to ndarray
            By modality: probabilities of shape (n_samples, n_classes) in the order of
            ``classes_``, or intensities of shape (n_samples,); NaN where the modality is missing.
        """
        check_is_fitted(self)
        X = check_table(self, X, reset=False)
        layout = BlockLayout.of(X, owner=type(self).__name__)
        found = {}
        for name, expert in self.experts_.items():
            rows = np.flatnonzero(self._has(X, layout, name))
            found[name] = np.full(self._shape(len(X)), np.nan)
            if len(rows):
                predicted = getattr(expert, self._method())(X.iloc[rows])
                found[name][rows] = self._align(predicted, getattr(expert, "classes_", None))
        return found

    def score_samples(self, X):
        """Compute the conflict between modalities.

        Parameters
        ----------
        X : DataFrame of shape (n_samples, n_features)
            A table with the columns seen in ``fit``.

        Returns
        -------
        ndarray of shape (n_samples,)
            The higher, the stronger the conflict: from 0 to 1 for classes, in standard
            deviations of the training targets for intensities. NaN for rows with fewer than two
            modalities.
        """
        return self._score(self.predict_unimodal(X))

    def decision_function(self, X):
        """Compute the scores relative to the threshold.

        Parameters
        ----------
        X : DataFrame of shape (n_samples, n_features)
            A table with the columns seen in ``fit``.

        Returns
        -------
        ndarray of shape (n_samples,)
            Positive for conflicts.
        """
        return self.score_samples(X) - self.threshold_

    def predict(self, X):
        """Predict which rows are conflicts.

        Parameters
        ----------
        X : DataFrame of shape (n_samples, n_features)
            A table with the columns seen in ``fit``.

        Returns
        -------
        ndarray of bool of shape (n_samples,)
            True for conflicts; False for rows with fewer than two modalities.
        """
        return self.decision_function(X) >= 0

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.target_tags.required = True
        return tags

    # -- parts of fit ------------------------------------------------------------------------

    def _check_targets(self, y, X, layout):
        """Return targets as a table of one column per modality."""
        name = type(self).__name__
        if y is None:
            raise ValueError(f"{name} requires y to be passed, but the target y is None.")
        check_consistent_length(X, y)
        if not hasattr(X, "columns") or len(layout.modalities) < 2:
            raise BlockError(
                f"{name} compares modalities, but the table has only one: "
                f"{layout.modalities[0]!r}. Name columns '<modality>__<feature>'."
            )
        if isinstance(y, pd.DataFrame):
            unknown = set(y.columns) - set(layout.modalities)
            if unknown or y.shape[1] < 2:
                raise ValueError(
                    f"{name}: a table of targets must have columns for at least two modalities of "
                    f"{', '.join(map(repr, layout.modalities))}; got "
                    f"{', '.join(map(repr, y.columns))}."
                )
            return y
        y = pd.Series(np.asarray(y))
        return pd.DataFrame(dict.fromkeys(layout.modalities, y))

    def _has(self, X, layout, modality):
        blocks = [block for block in layout.blocks if block.modality == modality]
        return np.any([BlockLayout((b,), X.shape[1]).read(X)[0].present for b in blocks], axis=0)

    def _method(self):
        return "predict" if self.classes_ is None else "predict_proba"

    def _shape(self, n):
        return n if self.classes_ is None else (n, len(self.classes_))

    def _align(self, predictions, classes):
        """Expand the probabilities of an expert to all classes; it may have seen only some."""
        if self.classes_ is None:
            return predictions
        aligned = np.zeros(self._shape(len(predictions)))
        aligned[:, np.searchsorted(self.classes_, classes)] = predictions
        return aligned

    def _score(self, unimodal):
        if self.classes_ is None:
            return conflict_of_intensities(list(unimodal.values()), self.scale_)
        return conflict_of_classes(list(unimodal.values()), self._contradicts)
