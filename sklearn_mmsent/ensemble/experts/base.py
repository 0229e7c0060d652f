"""What ensembles of experts share: reading the table, training experts, asking them."""

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

from sklearn_mmsent.ensemble.experts.combination import known
from sklearn_mmsent.ensemble.experts.expert import name_experts
from sklearn_mmsent.ensemble.experts.expert_table import ExpertTable
from sklearn_mmsent.ensemble.experts.fitting import Training, name_error, outputs_of, train_expert
from sklearn_mmsent.exceptions import BlockError
from sklearn_mmsent.model_selection.splits import (
    OUT_OF_FOLD,
    choose_splitter,
    split_rows,
    with_whole_groups,
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
    """Train experts, and join what they say of a row.

    A child trains what it needs of ``_train`` in its ``fit``, and writes ``_combine``.
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

    # -- what a child writes -----------------------------------------------------------------

    @abstractmethod
    def _combine(self, outputs, table):
        """Join outputs of shape (n_samples, n_experts, n_outputs) to (n_samples, n_outputs)."""

    # -- parameters of experts ---------------------------------------------------------------

    @property
    def _pairs(self):
        """Experts as scikit-learn's compositions know them."""
        given = self.experts
        if not isinstance(given, list):
            return given
        return [entry[:2] if isinstance(entry, tuple) else entry for entry in given]

    @_pairs.setter
    def _pairs(self, pairs):
        kept = zip(pairs, self.experts, strict=True)
        self.experts = [(*pair, *entry[2:]) for pair, entry in kept]

    def get_params(self, deep=True):
        """Return the parameters, those of named experts included.

        Parameters
        ----------
        deep : bool, default=True
            Whether to return experts and their parameters by name, too.

        Returns
        -------
        dict of str to object
            Values by name; those of an expert are called ``<expert>__<parameter>``.
        """
        if isinstance(self.experts, list):
            return self._get_params("_pairs", deep=deep)
        return super().get_params(deep=deep)

    def set_params(self, **params):
        """Set parameters, those of named experts included.

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

    def _open(self, X, y, sample_weight, groups):
        """Check what came, and learn what it looks like."""
        name = type(self).__name__
        if y is None:
            raise ValueError(f"{name} requires y to be passed, but the target y is None")
        X = check_table(self, X, reset=True)
        y = column_or_1d(y, warn=True)
        check_consistent_length(X, y)
        missing = pd.isna(y)
        if missing.any():
            raise ValueError(
                f"{name}: Input y contains NaN: row {int(np.argmax(missing))} has no target (nor "
                f"have {int(missing.sum()) - 1} others). Drop rows without a target."
            )
        if y.dtype.kind in "fc":
            assert_all_finite(y, input_name="y")
        y, classes = self._read_target(y)
        if sample_weight is not None:
            sample_weight = _check_sample_weight(
                sample_weight, X, dtype=np.float64, ensure_non_negative=True
            )
        if groups is not None:
            groups = column_or_1d(groups)
            if len(groups) != len(y) or pd.isna(groups).any():
                raise ValueError(
                    f"{name}: groups must have one entry, and no NaN, for each of the {len(y)} "
                    f"rows; it has {len(groups)} entries, {int(pd.isna(groups).sum())} of them NaN."
                )
        layout = ExpertTable.layout_of(X, self.modalities, name)
        data = Training(ExpertTable(X, layout, self.modalities), y, classes, sample_weight, groups)
        self._layout, self._prior = layout, data.prior
        if classes is not None:
            self.classes_ = classes
        return data

    def _named_experts(self, data, given):
        """Return those experts that can learn from the table, with seeds of their own."""
        name, classifier = type(self).__name__, data.classes is not None
        experts = name_experts(given, data.table, classifier=classifier, owner=name)
        rng = seed_generator(self.random_state)
        experts = [
            dataclasses.replace(
                expert,
                estimator=with_whole_groups(
                    clone_with_seeds(expert.estimator, rng),
                    data.y,
                    data.groups,
                    classifier=classifier,
                    random_state=self.random_state,
                ),
            )
            for expert in experts
        ]
        able = [expert for expert in experts if data.table.readable(expert).any()]
        if not able:
            raise BlockError(f"{name}: every modality is missing in every training row.")
        for expert in experts:
            if expert not in able:
                warnings.warn(
                    f"{name}: no training row has a modality of the expert {expert}; it is left "
                    "out, in prediction, too.",
                    UserWarning,
                    stacklevel=4,
                )
        return able

    def _split(self, data):
        """Split rows so that each is predicted once, by experts that have not seen its group."""
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
            use=OUT_OF_FOLD,
        )

    def _train(self, experts, data, splits=(), *, candidates=None, whole=True):
        """Train experts, several at once; return a list of Trained for each.

        `candidates` has a list of parameters for each expert; None is one without any.
        """
        candidates = [({},)] * len(experts) if candidates is None else candidates
        return Parallel(n_jobs=self.n_jobs)(
            delayed(train_expert)(
                expert,
                data,
                splits,
                candidates=params,
                whole=whole,
                method=self._method(expert),
                batched=self.batched,
            )
            for expert, params in zip(experts, candidates, strict=True)
        )

    def _train_named(self, experts, data, splits=()):
        """Train each expert on folds and all rows; return out-of-fold outputs, expert by expert."""
        self.experts_, told = {}, []
        for expert, (trained,) in zip(experts, self._train(experts, data, splits), strict=True):
            if trained.error is not None:
                raise name_error(trained.error, expert, type(self).__name__) from trained.error
            self.experts_[expert.name] = trained.estimator
            told.append(trained.outputs)
        self._fitted = [dataclasses.replace(e, estimator=self.experts_[e.name]) for e in experts]
        return told

    def _by_name(self, told):
        """Return out-of-fold outputs as users see them."""
        is_regressor = not hasattr(self, "classes_")
        shown = [outputs[:, 0] if is_regressor else outputs for outputs in told]
        return dict(zip(self.experts_, shown, strict=True))

    # -- prediction --------------------------------------------------------------------------

    def _outputs(self, X):
        """Return what is predicted of each row, of shape (n_samples, n_outputs)."""
        check_is_fitted(self)
        X = check_table(self, X, reset=False)
        if len(X) == 0:
            raise BlockError(
                f"{type(self).__name__}: found 0 sample(s); a minimum of 1 is required."
            )
        table = ExpertTable(X, self._layout, self.modalities)
        told = np.stack([self._ask(expert, table) for expert in self._fitted], axis=1)
        joined = self._combine(told, table)
        joined[~known(told).any(axis=1)] = self._prior
        return joined

    def _ask(self, expert, table):
        """Return a fitted expert's outputs, NaN for rows that it cannot read."""
        outputs = np.full((len(table), len(self._prior)), np.nan)
        rows = table.readable(expert)
        if rows.any():
            X = table.cut(expert, rows)
            try:
                outputs[rows] = self._finish(
                    expert,
                    outputs_of(
                        expert.estimator, X, getattr(self, "classes_", None), self._method(expert)
                    ),
                )
            except Exception as error:
                raise name_error(error, expert, type(self).__name__, "predict") from error
        return outputs

    def _finish(self, expert, outputs):
        """Turn an expert's outputs into what is joined."""
        return outputs


class ExpertClassifier(ClassifierMixin):
    """What classification adds; stands left of `BaseExperts`."""

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
        best = self.predict_proba(X).argmax(axis=1)  # first, since it tells what is not fitted
        return self.classes_[best]

    def _read_target(self, y):
        check_classification_targets(y)
        classes = np.unique(y)
        if len(classes) < 2:
            raise ValueError(
                f"{type(self).__name__} needs at least two classes to tell apart; y has one class "
                f"only: {classes.tolist()[0]!r}."
            )
        return y, classes

    def _method(self, expert):
        return "predict_proba"

    def _check_able(self, experts):
        """Refuse, before anything is fitted, experts that tell no probabilities."""
        for expert in experts:
            if not hasattr(expert.estimator, self._method(expert)):
                raise ValueError(
                    f"{type(self).__name__}: the expert {expert} has no predict_proba: wrap it in "
                    f"sklearn.calibration.CalibratedClassifierCV{self._other_remedy()}."
                )

    def _other_remedy(self):
        return ""


class ExpertRegressor(RegressorMixin):
    """What regression adds; stands left of `BaseExperts`."""

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

    def _read_target(self, y):
        if y.dtype.kind not in "biuf":
            try:
                y = y.astype(np.float64)
            except (TypeError, ValueError):
                raise ValueError(
                    f"{type(self).__name__}: y must be numbers; got {y.dtype} values such as "
                    f"{y.tolist()[0]!r}."
                ) from None
        return y.astype(np.float64), None

    def _method(self, expert):
        return None

    def _check_able(self, experts):
        """Accept every regressor."""

    def _calibrate(self, told, data, splits):
        """Return intensities as they are."""
        return told
