"""TunedOffsetsClassifierCV: decision offsets for several classes."""

from numbers import Integral

import numpy as np
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.metrics import check_scoring, get_scorer_names
from sklearn.utils import assert_all_finite, get_tags, indexable
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, column_or_1d

from sklearn_mmsent.model_selection._batched_cross_validation import batched_cross_val_predict
from sklearn_mmsent.model_selection.splits import choose_splitter
from sklearn_mmsent.utils._metadata import fit_metadata
from sklearn_mmsent.utils._sklearn import (
    HasMethods,
    Interval,
    StrOptions,
    _fit_context,
    _routing_enabled,
    _Scorer,
)

TINY = np.finfo(np.float64).tiny
MAX_ROUNDS = 20  # over all classes; the score converges much earlier


class TunedOffsetsClassifierCV(ClassifierMixin, MetaEstimatorMixin, BaseEstimator):
    """Classifier that adds a tuned offset per class to the log-probabilities.

    The offsets maximise the score of out-of-fold predictions, as ``TunedThresholdClassifierCV``
    does with a threshold for two classes. A classifier trained on imbalanced classes predicts rare
    classes too seldom for macro-F1; offsets move the decision boundary without refitting.

    Parameters
    ----------
    estimator : classifier
        Classifier with ``predict_proba``. The folds of a fusion estimator are trained in batches.
    scoring : str or scorer, default="f1_macro"
        Score of predicted labels to maximise, such as "balanced_accuracy".
    thresholds : int, default=100
        Maximum number of offsets to try for a class in each round.
    cv : int, splitter, iterable or None, default=None
        Splits that test each row once. An int, and None for 5, means shuffled, stratified folds
        that keep groups together.
    random_state : int, RandomState or None, default=None
        Seed of the folds.

    Attributes
    ----------
    estimator_ : classifier
        Fitted on all rows.
    offsets_ : ndarray of float of shape (n_classes,)
        Offset of the log-probability of each class; their mean is zero.
    best_score_ : float
        Score of the out-of-fold predictions with offsets; slightly optimistic, since it was
        maximised.
    plain_score_ : float
        Score of the same predictions without offsets.
    classes_ : ndarray of shape (n_classes,)
        Class labels.
    n_features_in_ : int
        Number of columns seen in ``fit``, if the classifier has this attribute.
    feature_names_in_ : ndarray of str objects of shape (n_features_in_,)
        Names of the columns, if the classifier has this attribute.

    See Also
    --------
    sklearn.model_selection.TunedThresholdClassifierCV : Tunes the threshold between two classes.

    Notes
    -----
    Offsets are optimised by coordinate ascent: for one class after the other, the offsets at which
    predictions change are tried, with the other offsets fixed. Without metadata routing, ``groups``
    goes to the splitter and to a classifier whose ``fit`` takes it; other metadata goes to ``fit``.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_mmsent.model_selection import TunedOffsetsClassifierCV
    >>> rng = np.random.default_rng(0)
    >>> y = rng.choice(["glad", "so-so", "sad"], size=600, p=[0.8, 0.15, 0.05])
    >>> X = np.column_stack([y == "sad", y == "so-so"]) + rng.normal(size=(600, 2))
    >>> clf = TunedOffsetsClassifierCV(LogisticRegression(), random_state=0).fit(X, y)
    >>> bool(clf.best_score_ > clf.plain_score_)
    True
    >>> dict(zip(clf.classes_.tolist(), np.sign(clf.offsets_).tolist(), strict=True))["glad"]
    -1.0
    """

    _parameter_constraints: dict = {
        "estimator": [HasMethods(["fit", "predict_proba"])],
        "scoring": [StrOptions(set(get_scorer_names())), callable],
        "thresholds": [Interval(Integral, 2, None, closed="left")],
        "cv": ["cv_object"],
        "random_state": ["random_state"],
    }

    def __init__(
        self, estimator, *, scoring="f1_macro", thresholds=100, cv=None, random_state=None
    ):
        self.estimator = estimator
        self.scoring = scoring
        self.thresholds = thresholds
        self.cv = cv
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y, *, groups=None, **params):
        """Fit the classifier, and tune the offsets on out-of-fold predictions.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            Training rows.
        y : array-like of shape (n_samples,)
            Class labels.
        groups : array-like of shape (n_samples,) or None, default=None
            Speaker, video, film ... of each row, for the splitter and a classifier that takes them.
        **params : dict
            Metadata, such as ``sample_weight``. The score ignores rows of weight 0 and weights all
            others equally.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            If y has one class only, or the score does not use predicted labels.
        """
        X, y = indexable(X, y)
        labels = column_or_1d(y, warn=True)
        assert_all_finite(labels, input_name="y")
        check_classification_targets(labels)
        score = self._score_of_labels()
        classes = np.unique(labels)
        if len(classes) < 2:
            raise ValueError(
                f"{type(self).__name__} needs at least two classes; y has {len(classes)} class: "
                f"{classes.tolist()}."
            )
        cv = self._folds(labels, classes, groups)
        if _routing_enabled():
            routed = process_routing(self, "fit", groups=groups, **params)
            fit_params, split_params = routed.estimator.fit, routed.splitter.split
        else:
            fit_params = {**params, **fit_metadata(self.estimator, groups=groups)}
            split_params = {} if groups is None else {"groups": groups}
        if cv is not self.cv:
            split_params = {"groups": groups}
        if hasattr(cv, "split"):
            cv = list(cv.split(X, labels, **split_params))
        proba = self._out_of_fold(X, labels, cv, fit_params)
        weights = fit_params.get("sample_weight")
        scored, proba = _with_positive_weight(labels, proba, weights)
        self.offsets_ = find_offsets(
            proba, scored, classes, score=score, n_thresholds=self.thresholds
        )
        self.plain_score_ = score(scored, classes[proba.argmax(axis=1)])
        self.best_score_ = score(scored, classes[(_log(proba) + self.offsets_).argmax(axis=1)])
        self.estimator_ = clone(self.estimator).fit(X, labels, **fit_params)
        self.classes_ = self.estimator_.classes_
        for name in ("n_features_in_", "feature_names_in_"):
            if hasattr(self.estimator_, name):
                setattr(self, name, getattr(self.estimator_, name))
        return self

    def predict(self, X):
        """Predict the class with offsets.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples,)
            Class labels.
        """
        chosen = self.predict_proba(X).argmax(axis=1)
        return self.classes_[chosen]

    def predict_proba(self, X):
        """Predict the probability of each class with offsets, as under other class frequencies.

        Probabilities without offsets are those of ``estimator_``.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Probabilities, in the order of ``classes_``.
        """
        check_is_fitted(self)
        return softmax(_log(self.estimator_.predict_proba(X)) + self.offsets_, axis=1)

    def get_metadata_routing(self):
        """Return the metadata routing.

        Returns
        -------
        MetadataRouter
            Routing to the classifier's ``fit`` and to the splitter.
        """
        to_fit = MethodMapping().add(caller="fit", callee="fit")
        router = MetadataRouter(owner=self).add(estimator=self.estimator, method_mapping=to_fit)
        to_split = MethodMapping().add(caller="fit", callee="split")
        return router.add(splitter=self.cv, method_mapping=to_split)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        inner = get_tags(self.estimator)
        tags.input_tags = inner.input_tags
        if inner.classifier_tags is not None:
            tags.classifier_tags.multi_class = inner.classifier_tags.multi_class
        return tags

    # -- parts of fit ------------------------------------------------------------------------

    def _score_of_labels(self):
        """Return the score as a function of true and predicted labels."""
        scorer = check_scoring(self.estimator, scoring=self.scoring)
        if not isinstance(scorer, _Scorer) or scorer._response_method != "predict":
            raise ValueError(
                f"{type(self).__name__}: scoring={self.scoring!r} does not use predicted labels. "
                "Use a score such as 'f1_macro', or make_scorer with a function of true and "
                "predicted labels."
            )
        return lambda y, y_pred: scorer._sign * scorer._score_func(y, y_pred, **scorer._kwargs)

    def _folds(self, labels, classes, groups):
        cv = 5 if self.cv is None else self.cv
        if not isinstance(cv, Integral):
            return cv
        counts = [(labels == label).sum() for label in classes]
        if min(counts) < cv:
            label = classes.tolist()[int(np.argmin(counts))]
            raise ValueError(
                f"{type(self).__name__}: the class {label!r} has {min(counts)} row(s), fewer than "
                f"the {cv} folds. Use a smaller cv, or drop the class. (n_splits cannot be greater "
                "than the number of members in each class.)"
            )
        return choose_splitter(
            cv, labels, classifier=True, groups=groups, random_state=self.random_state
        )

    def _out_of_fold(self, X, labels, cv, fit_params):
        return batched_cross_val_predict(
            self.estimator, X, labels, cv=cv, params=fit_params, method="predict_proba"
        )


def find_offsets(proba, y, classes, *, score, n_thresholds=100):
    """Return the offsets per class for which predictions score best.

    Parameters
    ----------
    proba : ndarray of float of shape (n_samples, n_classes)
        Out-of-fold probabilities.
    y : ndarray of shape (n_samples,)
        True labels.
    classes : ndarray of shape (n_classes,)
        Label of each column.
    score : callable
        Function of true and predicted labels; greater is better.
    n_thresholds : int, default=100
        Maximum number of offsets to try for a class in each round.

    Returns
    -------
    ndarray of float of shape (n_classes,)
        Offsets with mean zero; all zero if none score better.
    """
    logs = _log(proba)
    offsets = np.zeros(len(classes))
    best = score(y, classes[logs.argmax(axis=1)])
    for _ in range(MAX_ROUNDS):
        before = best
        for k in range(len(classes)):
            others = np.delete(logs + offsets, k, axis=1)
            rest = np.delete(np.arange(len(classes)), k)[others.argmax(axis=1)]
            borders = others.max(axis=1) - logs[:, k]  # the offset above which a row is of class k
            for offset in _between(borders, n_thresholds):
                reached = score(y, classes[np.where(borders < offset, k, rest)])
                smaller = abs(offset) < abs(offsets[k])
                if reached > best + 1e-12 or (reached >= best and smaller):
                    best, offsets[k] = reached, offset
        if best <= before:
            break
    return offsets - offsets.mean() if offsets.any() else offsets


def _between(borders, n):
    """Return at most n offsets between neighbouring borders, evenly spaced by rank."""
    borders = np.unique(borders)
    middles = np.concatenate(
        [[borders[0] - 1], (borders[1:] + borders[:-1]) / 2, [borders[-1] + 1]]
    )
    return middles[np.unique(np.linspace(0, len(middles) - 1, n).round().astype(int))]


def _with_positive_weight(labels, proba, sample_weight):
    """Drop rows of weight 0, which have no effect on the classifier either."""
    if sample_weight is None:
        return labels, proba
    rows = np.asarray(sample_weight) > 0
    return labels[rows], proba[rows]


def _log(proba):
    return np.log(np.maximum(proba, TINY))
