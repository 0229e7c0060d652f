"""Deep ensembles: one network trained from several seeds in a batch.

Lakshminarayanan, Pritzel, Blundell (2017), Simple and scalable predictive uncertainty estimation
using deep ensembles, NeurIPS: members differ in initial weights and order of rows; probabilities
are averaged, and the spread of the members measures the uncertainty.
"""

import dataclasses
import warnings
from abc import ABCMeta, abstractmethod
from numbers import Integral

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, clone
from sklearn.utils.validation import check_is_fitted

from sklearn_mmsent.estimators import FusionClassifier, FusionRegressor
from sklearn_mmsent.exceptions import DivergenceError
from sklearn_mmsent.training import train_members
from sklearn_mmsent.utils._documentation import document_shared_parameters
from sklearn_mmsent.utils._random import check_checkpoint_seed, draw_seed
from sklearn_mmsent.utils._sklearn import Interval, StrOptions, _fit_context


class _BaseDeepEnsemble(BaseEstimator, metaclass=ABCMeta):
    # with metadata routing on, `groups` reaches fit without having to be requested
    __metadata_request__fit = {"groups": True}

    _parameter_constraints: dict = {
        "n_members": [Interval(Integral, 1, None, closed="left")],
        "bootstrap": ["boolean"],
        "batched": [StrOptions({"auto"}), "boolean"],
        "random_state": ["random_state"],
    }

    def __init__(
        self, estimator=None, n_members=5, *, bootstrap=False, batched="auto", random_state=None
    ):
        self.estimator = estimator
        self.n_members = n_members
        self.bootstrap = bootstrap
        self.batched = batched
        self.random_state = random_state

    @abstractmethod
    def _default_estimator(self):
        """Return the default estimator."""

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y, sample_weight=None, *, groups=None, X_val=None, y_val=None):
        """Train all members.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            Numeric table, as the estimator reads it.
        y : array-like of shape (n_samples,)
            Targets.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            Weight of each row in the loss.
        groups : array-like of shape (n_samples,) or None, default=None
            Speaker, video, film ... of each row; a group is never in both parts of a member's
            internal validation split.
        X_val : DataFrame or array-like or None, default=None
            Validation rows for all members, instead of a part of `X`.
        y_val : array-like or None, default=None
            Targets of the validation rows.

        Returns
        -------
        self : object
            The fitted ensemble.

        Raises
        ------
        DivergenceError
            If the training of all members diverged.
        """
        base = self._default_estimator() if self.estimator is None else self.estimator
        check_checkpoint_seed(self, base.checkpoint_dir)
        rng = np.random.default_rng(draw_seed(self.random_state))
        seeds = rng.integers(np.iinfo(np.int32).max, size=self.n_members)
        estimators = [clone(base).set_params(random_state=int(seed)) for seed in seeds]
        first = estimators[0]
        first._validate_params()
        table = first.prepare(X, y, sample_weight, groups=groups, X_val=X_val, y_val=y_val)
        members = []
        for estimator in estimators:
            member = estimator.member(estimator.split(table))
            if self.bootstrap:  # after the split, so that copies of a row stay on one side
                drawn = rng.integers(len(member.train), size=len(member.train))
                member = dataclasses.replace(member, train=member.train.view(drawn))
            members.append(member)
        self._set_members(estimators, train_members(members, batched=self.batched))
        for name in ("n_features_in_", "feature_names_in_", "classes_"):
            if hasattr(first, name):
                setattr(self, name, getattr(first, name))
        return self

    def _set_members(self, estimators, results):
        """Keep the members whose training did not diverge."""
        self.estimators_, self.training_ = [], [result.how for result in results]
        diverged = []
        for estimator, result in zip(estimators, results, strict=True):
            if isinstance(result.error, DivergenceError):
                diverged.append(result.error)
            elif result.error is not None:
                raise result.error
            else:
                self.estimators_.append(estimator.adopt(result.net))
        if not self.estimators_:
            raise diverged[0]
        if diverged:
            warnings.warn(
                f"{type(self).__name__}: {len(diverged)} of {len(results)} members diverged and "
                f"are ignored; the first error was: {diverged[0]}",
                UserWarning,
                stacklevel=3,
            )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags


class DeepEnsembleClassifier(ClassifierMixin, _BaseDeepEnsemble):
    """Deep ensemble for classification: mean probabilities of networks with different seeds.

    Members differ in initial weights, order of rows, dropout masks and internal validation split
    [1]_. They are trained as one network with an additional member axis, where that is faster.

    Parameters
    ----------
    estimator : FusionClassifier or None, default=None
        Estimator to train; its `random_state` is ignored. None means a FusionClassifier with
        default parameters. With a `checkpoint_dir`, interrupted training is resumed.
    n_members : int, default=5
        Number of members.
    bootstrap : bool, default=False
        Whether to train each member on rows drawn with replacement. Deep ensembles are mostly
        better without.
    batched : "auto" or bool, default="auto"
        Whether to train members in batches; "auto" decides by a short timing. True and False make
        results reproducible to the last bit on one machine.
    random_state : int, RandomState or None, default=None
        Seed from which the members' seeds are drawn.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Class labels.
    estimators_ : list of FusionClassifier
        Fitted members, without those whose training diverged.
    training_ : list of str
        How each member was trained: in which batch, or why singly.
    n_features_in_ : int
        Number of columns seen in ``fit``.
    feature_names_in_ : ndarray of str objects of shape (n_features_in_,)
        Names of the columns, if the table had names.

    See Also
    --------
    sklearn.ensemble.BaggingClassifier : Ensemble of any classifier on resampled rows.

    References
    ----------
    .. [1] Lakshminarayanan, Pritzel, Blundell (2017), Simple and scalable predictive
       uncertainty estimation using deep ensembles, NeurIPS.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from sklearn_mmsent import DeepEnsembleClassifier, FusionClassifier
    >>> rng = np.random.default_rng(0)
    >>> tone, smile = rng.normal(size=(2, 200))
    >>> X = pd.DataFrame({"text__tone": tone, "face__smile": smile})
    >>> y = np.where(tone + smile > 0, "positive", "negative")
    >>> base = FusionClassifier(max_epochs=20)
    >>> clf = DeepEnsembleClassifier(base, n_members=3, random_state=0).fit(X, y)
    >>> sure_and_unsure = pd.DataFrame({"text__tone": [2.0, 0.0], "face__smile": [2.0, 0.0]})
    >>> clf.predict(sure_and_unsure).tolist()[0]
    'positive'
    >>> std = clf.predict_std(sure_and_unsure)[:, 0]
    >>> bool(std[0] < std[1])
    True
    """

    _parameter_constraints: dict = {
        **_BaseDeepEnsemble._parameter_constraints,
        "estimator": [FusionClassifier, None],
    }

    def _default_estimator(self):
        return FusionClassifier()

    def _each(self, X):
        check_is_fitted(self)
        return np.stack([estimator.predict_proba(X) for estimator in self.estimators_])

    def predict_proba(self, X):
        """Predict the mean probability of each class over the members.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            A table with the columns seen in ``fit``.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Probabilities, in the order of ``classes_``.
        """
        return self._each(X).mean(axis=0)

    def predict_log_proba(self, X):
        """Predict the logarithm of the mean probability of each class.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            A table with the columns seen in ``fit``.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Log-probabilities, in the order of ``classes_``.
        """
        return np.log(self.predict_proba(X))

    def predict(self, X):
        """Predict the class of the largest mean probability.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            A table with the columns seen in ``fit``.

        Returns
        -------
        ndarray of shape (n_samples,)
            Class labels.
        """
        best = self.predict_proba(X).argmax(axis=1)
        return self.classes_[best]

    def predict_std(self, X):
        """Return the standard deviation of the predictions over the members.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            A table with the columns seen in ``fit``.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Standard deviation of the probability of each class.
        """
        return self._each(X).std(axis=0)


@document_shared_parameters(DeepEnsembleClassifier)
class DeepEnsembleRegressor(RegressorMixin, _BaseDeepEnsemble):
    """Deep ensemble for regression: mean predictions of networks with different seeds.

    Members differ in initial weights, order of rows, dropout masks and internal validation
    split. They are trained as one network with an additional member axis, where that is faster.

    Parameters that are not listed here are those of :class:`DeepEnsembleClassifier`.

    Parameters
    ----------
    estimator : FusionRegressor or None, default=None
        Estimator to train; its `random_state` is ignored. None means a FusionRegressor with
        default parameters. With a `checkpoint_dir`, interrupted training is resumed.

    Attributes
    ----------
    estimators_ : list of FusionRegressor
        Fitted members, without those whose training diverged.
    training_ : list of str
        How each member was trained: in which batch, or why singly.
    n_features_in_ : int
        Number of columns seen in ``fit``.
    feature_names_in_ : ndarray of str objects of shape (n_features_in_,)
        Names of the columns, if the table had names.

    See Also
    --------
    sklearn.ensemble.BaggingRegressor : Ensemble of any regressor on resampled rows.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from sklearn_mmsent import DeepEnsembleRegressor, FusionRegressor
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame(rng.normal(size=(200, 2)), columns=["text__tone", "face__smile"])
    >>> y = X["text__tone"] + X["face__smile"]
    >>> base = FusionRegressor(max_epochs=20)
    >>> reg = DeepEnsembleRegressor(base, n_members=3, random_state=0).fit(X, y)
    >>> known_and_unknown = pd.DataFrame({"text__tone": [0.5, 9.0], "face__smile": [0.5, -9.0]})
    >>> mean, std = reg.predict(known_and_unknown, return_std=True)
    >>> bool(std[0] < std[1])
    True
    """

    _parameter_constraints: dict = {
        **_BaseDeepEnsemble._parameter_constraints,
        "estimator": [FusionRegressor, None],
    }

    def _default_estimator(self):
        return FusionRegressor()

    def predict(self, X, return_std=False):
        """Predict the mean intensity over the members.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            A table with the columns seen in ``fit``.
        return_std : bool, default=False
            Whether to return the standard deviation over the members as well.

        Returns
        -------
        mean : ndarray of shape (n_samples,)
            Intensities in the units of the training targets.
        std : ndarray of shape (n_samples,)
            Standard deviation over the members; only with `return_std`.
        """
        check_is_fitted(self)
        each = np.stack([estimator.predict(X) for estimator in self.estimators_])
        return (each.mean(axis=0), each.std(axis=0)) if return_std else each.mean(axis=0)

    def predict_std(self, X):
        """Return the standard deviation of the predictions over the members.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            A table with the columns seen in ``fit``.

        Returns
        -------
        ndarray of shape (n_samples,)
            Standard deviations.
        """
        return self.predict(X, return_std=True)[1]
