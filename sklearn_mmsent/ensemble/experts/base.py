"""Base class of ensembles of experts: reading the table, fitting experts, predicting."""

import dataclasses
import warnings
from abc import abstractmethod
from collections.abc import Mapping
from numbers import Integral

import numpy as np
import pandas as pd
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.utils import assert_all_finite
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import check_consistent_length, check_is_fitted, column_or_1d

from sklearn_mmsent.ensemble.experts.combination import has_output
from sklearn_mmsent.ensemble.experts.expert import make_experts
from sklearn_mmsent.ensemble.experts.expert_table import ExpertTable
from sklearn_mmsent.ensemble.experts.fitting import ExpertData, fit_expert, name_error, outputs_of
from sklearn_mmsent.exceptions import BlockError
from sklearn_mmsent.model_selection.splits import (
    OUT_OF_FOLD,
    choose_splitter,
    split_rows,
    with_grouped_folds,
)
from sklearn_mmsent.utils._random import clone_with_seeds, seed_generator
from sklearn_mmsent.utils._sklearn import (
    HasMethods,
    StrOptions,
    _BaseComposition,
    _check_sample_weight,
)
from sklearn_mmsent.utils._validation import check_table


class BaseExperts(_BaseComposition):
    """Fit experts, and combine their outputs for each row.

    A subclass calls ``_fit_experts`` in its ``fit``, and implements ``_combine``.
    """

    # with metadata routing on, `groups` reaches fit without having to be requested
    __metadata_request__fit = {"groups": True}

    _parameter_constraints: dict = {
        "experts": [list, HasMethods(["fit"])],
        "modalities": [StrOptions({"auto"}), Mapping, None],
        "batched": [StrOptions({"auto"}), "boolean"],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
    }

    # -- to be implemented by subclasses -----------------------------------------------------

    @abstractmethod
    def _combine(self, outputs, table):
        """Combine outputs of shape (n_samples, n_experts, n_outputs) to (n_samples, n_outputs)."""

    # -- parameters of experts ---------------------------------------------------------------

    @property
    def _pairs(self):
        """Experts as (name, estimator) pairs, for scikit-learn's compositions."""
        given = self.experts
        if not isinstance(given, list):
            return given
        return [entry[:2] if isinstance(entry, tuple) else entry for entry in given]

    @_pairs.setter
    def _pairs(self, pairs):
        kept = zip(pairs, self.experts, strict=True)
        self.experts = [(*pair, *entry[2:]) for pair, entry in kept]

    def get_params(self, deep=True):
        """Return the parameters, including those of named experts.

        Parameters
        ----------
        deep : bool, default=True
            Whether to include experts and their parameters.

        Returns
        -------
        dict of str to object
            Values by name; those of an expert are named ``<expert>__<parameter>``.
        """
        if isinstance(self.experts, list):
            return self._get_params("_pairs", deep=deep)
        return super().get_params(deep=deep)

    def set_params(self, **params):
        """Set parameters, including those of named experts.

        Parameters
        ----------
        **params : dict
            Values by name.

        Returns
        -------
        self : object
            The ensemble.
        """
        if "experts" in params:
            self.experts = params.pop("experts")
        return self._set_params("_pairs", **params)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    # -- parts of fit ------------------------------------------------------------------------

    def _read_data(self, X, y, sample_weight, groups):
        """Check the training data, and set the attributes that follow from it."""
        name = type(self).__name__
        if y is None:
            raise ValueError(f"{name} requires y to be passed, but the target y is None")
        X = check_table(self, X, reset=True)
        y = column_or_1d(y, warn=True)
        check_consistent_length(X, y)
        missing = pd.isna(y)
        if missing.any():
            raise ValueError(
                f"{name}: Input y contains NaN in {int(missing.sum())} rows, first in row "
                f"{int(np.argmax(missing))}. Drop rows without a target."
            )
        if y.dtype.kind in "fc":
            assert_all_finite(y, input_name="y")
        y, classes = self._check_target(y)
        if sample_weight is not None:
            sample_weight = _check_sample_weight(
                sample_weight, X, dtype=np.float64, ensure_non_negative=True
            )
        if groups is not None:
            groups = column_or_1d(groups)
            if len(groups) != len(y) or pd.isna(groups).any():
                raise ValueError(
                    f"{name}: groups must have one entry, and no NaN, for each of the {len(y)} "
                    f"rows; got {len(groups)} entries, {int(pd.isna(groups).sum())} of them NaN."
                )
        layout = ExpertTable.layout_of(X, self.modalities, name)
        table = ExpertTable(X, layout, self.modalities)
        data = ExpertData(table, y, classes, sample_weight, groups)
        self._layout, self._prior = layout, data.prior
        if classes is not None:
            self.classes_ = classes
        return data

    def _make_experts(self, data, given):
        """Return the experts that have training rows, with seeds set."""
        name, classifier = type(self).__name__, data.classes is not None
        experts = make_experts(given, data.table, classifier=classifier, owner=name)
        rng = seed_generator(self.random_state)
        experts = [
            dataclasses.replace(
                expert,
                estimator=with_grouped_folds(
                    clone_with_seeds(expert.estimator, rng),
                    data.y,
                    data.groups,
                    classifier=classifier,
                    random_state=self.random_state,
                ),
            )
            for expert in experts
        ]
        usable = [expert for expert in experts if data.table.readable(expert).any()]
        if not usable:
            raise BlockError(f"{name}: all modalities are missing in all training rows.")
        for expert in experts:
            if expert not in usable:
                warnings.warn(
                    f"{name}: no training row has a modality of the expert {expert}; it is ignored "
                    "in training and prediction.",
                    UserWarning,
                    stacklevel=4,
                )
        return usable

    def _split(self, data):
        """Return splits that test each row once, with groups kept together."""
        classifier = data.classes is not None
        splitter = choose_splitter(
            self.cv,
            data.y,
            classifier=classifier,
            groups=data.groups,
            random_state=self.random_state,
        )
        return split_rows(
            splitter,
            data.table.X,
            data.y,
            data.groups,
            classifier=classifier,
            owner=type(self).__name__,
            purpose=OUT_OF_FOLD,
        )

    def _fit_experts(self, experts, data, splits=(), *, candidates=None, refit=True):
        """Fit experts in parallel; return a list of ExpertFit for each.

        `candidates` are lists of parameters, one list per expert; None changes no parameters.
        """
        candidates = [({},)] * len(experts) if candidates is None else candidates
        return Parallel(n_jobs=self.n_jobs)(
            delayed(fit_expert)(
                expert,
                data,
                splits,
                candidates=params,
                refit=refit,
                method=self._method(expert),
                batched=self.batched,
            )
            for expert, params in zip(experts, candidates, strict=True)
        )

    def _fit_all_experts(self, experts, data, splits=()):
        """Fit each expert on folds and all rows; return a list of out-of-fold outputs."""
        self.experts_, outputs = {}, []
        for expert, (fit,) in zip(experts, self._fit_experts(experts, data, splits), strict=True):
            if fit.error is not None:
                raise name_error(fit.error, expert, type(self).__name__) from fit.error
            self.experts_[expert.name] = fit.estimator
            outputs.append(fit.outputs)
        self._fitted = [dataclasses.replace(e, estimator=self.experts_[e.name]) for e in experts]
        return outputs

    def _public_outputs(self, outputs):
        """Return out-of-fold outputs by name; those of regressors with one dimension."""
        if not hasattr(self, "classes_"):
            outputs = [values[:, 0] for values in outputs]
        return dict(zip(self.experts_, outputs, strict=True))

    # -- prediction --------------------------------------------------------------------------

    def _outputs(self, X):
        """Return the predictions, of shape (n_samples, n_outputs)."""
        check_is_fitted(self)
        X = check_table(self, X, reset=False)
        if len(X) == 0:
            raise BlockError(
                f"{type(self).__name__}: found 0 sample(s); a minimum of 1 is required."
            )
        table = ExpertTable(X, self._layout, self.modalities)
        outputs = np.stack([self._predict(expert, table) for expert in self._fitted], axis=1)
        combined = self._combine(outputs, table)
        combined[~has_output(outputs).any(axis=1)] = self._prior
        return combined

    def _predict(self, expert, table):
        """Return a fitted expert's outputs, NaN for rows that it cannot read."""
        outputs = np.full((len(table), len(self._prior)), np.nan)
        rows = table.readable(expert)
        if rows.any():
            X = table.columns_of(expert).iloc[rows]
            classes = getattr(self, "classes_", None)
            try:
                raw = outputs_of(expert.estimator, X, classes, self._method(expert))
                outputs[rows] = self._calibrated(expert, raw)
            except Exception as error:
                raise name_error(error, expert, type(self).__name__, "predict") from error
        return outputs

    def _calibrated(self, expert, outputs):
        """Return the outputs to combine."""
        return outputs


class ExpertClassifier(ClassifierMixin):
    """Mixin for classifiers; to the left of `BaseExperts`."""

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
        return self._outputs(X)

    def predict_log_proba(self, X):
        """Predict the logarithm of the probability of each class.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            A table with the columns seen in ``fit``.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Log-probabilities, in the order of ``classes_``.
        """
        with np.errstate(divide="ignore"):  # a probability of zero is fine
            return np.log(self.predict_proba(X))

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
        best = self.predict_proba(X).argmax(axis=1)  # first, since it checks for a missing fit
        return self.classes_[best]

    def _check_target(self, y):
        check_classification_targets(y)
        classes = np.unique(y)
        if len(classes) < 2:
            raise ValueError(
                f"{type(self).__name__} needs at least two classes; y has one class only: "
                f"{classes.tolist()[0]!r}."
            )
        return y, classes

    def _method(self, expert):
        return "predict_proba"

    def _check_methods(self, experts):
        """Check that experts have predict_proba, or decision_function for calibration."""
        for expert in experts:
            if not hasattr(expert.estimator, self._method(expert)):
                raise ValueError(
                    f"{type(self).__name__}: the expert {expert} has no predict_proba: wrap it in "
                    f"sklearn.calibration.CalibratedClassifierCV{self._alternative()}."
                )

    def _alternative(self):
        return ""


class ExpertRegressor(RegressorMixin):
    """Mixin for regressors; to the left of `BaseExperts`."""

    def predict(self, X):
        """Predict the intensity.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            A table with the columns seen in ``fit``.

        Returns
        -------
        ndarray of shape (n_samples,)
            Intensities.
        """
        return self._outputs(X)[:, 0]

    def _check_target(self, y):
        if y.dtype.kind not in "biuf":
            try:
                y = y.astype(np.float64)
            except (TypeError, ValueError):
                raise ValueError(
                    f"{type(self).__name__}: y must be numeric; got {y.dtype} values such as "
                    f"{y.tolist()[0]!r}."
                ) from None
        return y.astype(np.float64), None

    def _method(self, expert):
        return None

    def _check_methods(self, experts):
        """Do nothing: every regressor predicts."""

    def _calibrate(self, outputs, data, splits):
        """Return intensities unchanged."""
        return outputs
