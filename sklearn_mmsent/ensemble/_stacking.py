"""Stacking: a final estimator is fitted on the out-of-fold predictions of experts.

Wolpert (1992), Stacked generalization, Neural Networks 5(2).
"""

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression, RidgeCV

from sklearn_mmsent.blocks.block import SEPARATOR
from sklearn_mmsent.ensemble.experts.base import BaseExperts, ExpertRegressor
from sklearn_mmsent.ensemble.experts.calibrated import CalibratedExperts
from sklearn_mmsent.ensemble.experts.expert import Expert, with_imputation
from sklearn_mmsent.ensemble.experts.expert_table import ExpertTable
from sklearn_mmsent.ensemble.experts.fitting import name_error, outputs_of
from sklearn_mmsent.exceptions import BlockError
from sklearn_mmsent.utils._documentation import document_shared_parameters
from sklearn_mmsent.utils._random import clone_with_seeds, seed_generator
from sklearn_mmsent.utils._sklearn import HasMethods, _fit_context

FINAL = "final_estimator"


class _BaseFusionStacking(BaseExperts):
    _parameter_constraints: dict = {
        **BaseExperts._parameter_constraints,
        "final_estimator": [HasMethods(["fit", "predict"]), None],
        "passthrough": ["boolean"],
        "cv": ["cv_object"],
    }

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y, sample_weight=None, *, groups=None):
        """Fit experts on folds and on all rows, and the final estimator on out-of-fold predictions.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            Numeric table whose column names give the blocks, with NaN for missing values; or a
            table of raw cells, if experts are pipelines that read them.
        y : array-like of shape (n_samples,)
            Targets.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            Weight of each row, for the estimators that take it.
        groups : array-like of shape (n_samples,) or None, default=None
            Speaker, video, film ... of each row; a group is never in both parts of a split.

        Returns
        -------
        self : object
            The fitted ensemble.

        Raises
        ------
        BlockError
            If the table has invalid blocks, or lacks the modality of an expert.
        ValueError
            If an expert or the final estimator fails or has no probabilities, or rows cannot be
            split.
        """
        data = self._read_data(X, y, sample_weight, groups)
        if self.passthrough and self._layout is None:
            raise BlockError(
                f"{type(self).__name__}: passthrough needs a numeric table, but this one has raw "
                "cells. Put make_extractor(...) before the ensemble."
            )
        experts = self._make_experts(data, self.experts)
        final = Expert(FINAL, self._final())
        self._check_methods(experts)
        self._check_final(final)
        splits = self._split(data)
        outputs = self._fit_all_experts(experts, data, splits)
        outputs = self._calibrate(outputs, data, splits)
        self.oof_predictions_ = self._public_outputs(outputs)
        self.fold_ = np.empty(len(data.y), dtype=np.intp)
        for fold, (_, test) in enumerate(splits):
            self.fold_[test] = fold
        self._fit_final(final, np.stack(outputs, axis=1), data)
        return self

    def _final(self):
        given = self._default_final() if self.final_estimator is None else self.final_estimator
        return clone_with_seeds(clone(given), seed_generator(self.random_state))

    def _check_final(self, final):
        if hasattr(self, "classes_") and not hasattr(final.estimator, "predict_proba"):
            raise ValueError(
                f"{type(self).__name__}: the final estimator {final} has no predict_proba: wrap it "
                "in sklearn.calibration.CalibratedClassifierCV."
            )

    def _fit_final(self, final, outputs, data):
        """Fit the final estimator on rows that some expert can read."""
        rows = np.flatnonzero(~np.isnan(outputs).all(axis=(1, 2)))
        X = self._final_table(outputs, data.table)
        table = ExpertTable(X, ExpertTable.layout_of(X, "auto", FINAL), "auto")
        estimator, _ = with_imputation(final.estimator, table)
        fold = data.fold(table.X, estimator, rows)
        try:
            estimator.fit(*fold.arguments, **fold.params)
        except Exception as error:
            raise name_error(error, final, type(self).__name__) from error
        self.final_estimator_ = estimator

    def _final_table(self, outputs, table):
        """Return the outputs of the experts as a table with one block per expert."""
        parts = []
        columns = self._columns()
        for k, expert in enumerate(self._fitted):
            names = [f"{expert.name}_expert{SEPARATOR}{column}" for column in columns]
            values = outputs[:, k, -len(columns) :]  # of two classes only the second
            parts.append(pd.DataFrame(values, columns=names, index=table.X.index))
        return pd.concat([*parts, table.X] if self.passthrough else parts, axis=1)

    def _combine(self, outputs, table):
        classes = getattr(self, "classes_", None)
        method = None if classes is None else "predict_proba"
        return outputs_of(self.final_estimator_, self._final_table(outputs, table), classes, method)


class FusionStackingClassifier(CalibratedExperts, _BaseFusionStacking):
    """Stacking of modality experts and fusion networks for classification.

    A final classifier is fitted on the out-of-fold probabilities of the experts [1]_. The networks
    of all folds are trained in batches, and a group is never in both parts of a split. An expert
    has no output for rows in which all its modalities are missing: `FillBlocks` fills and marks
    them. Rows without any modality get the class frequencies of the training rows.

    Parameters
    ----------
    experts : estimator or list of tuple
        One estimator, which is cloned for each modality of the table; or a list of (name,
        estimator) for experts that read the whole table, such as fusion networks, and (name,
        estimator, modalities) for experts that read one modality, ``"text"``, or several,
        ``["text", "image"]``. An expert that does not accept NaN reads the output of `FillBlocks`.
    final_estimator : classifier or None, default=None
        Fitted on the experts' probabilities; None means a logistic regression.
    passthrough : bool, default=False
        Whether the final estimator reads the table as well.
    calibration : {"sigmoid", "isotonic", "temperature"} or None, default=None
        Calibration of each expert's probabilities, or of its decision function if it has none, on
        out-of-fold predictions.
    modalities : "auto", mapping or None, default="auto"
        Blocks of the table; "auto" reads the column names. See
        :meth:`sklearn_mmsent.blocks.BlockLayout.of`.
    cv : int, splitter, iterable or None, default=None
        Splits that test each row once. An int, and None for 5, means shuffled folds that keep
        groups together; folds of classes are stratified.
    batched : "auto" or bool, default="auto"
        Whether to train the networks of an expert's folds in batches; "auto" decides by a short
        timing.
    n_jobs : int or None, default=None
        Number of experts that are fitted in parallel; None means 1.
    random_state : int, RandomState or None, default=None
        Seed of the folds, and of estimators without a `random_state` of their own.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Class labels.
    experts_ : dict of str to classifier
        Experts, fitted on all rows that they can read.
    final_estimator_ : classifier
        Fitted on the out-of-fold predictions.
    oof_predictions_ : dict of str to ndarray of shape (n_samples, n_classes)
        Out-of-fold probabilities of the training rows, NaN for rows that an expert cannot read.
    fold_ : ndarray of int of shape (n_samples,)
        Fold that tests each training row.
    n_features_in_ : int
        Number of columns seen in ``fit``.
    feature_names_in_ : ndarray of str objects of shape (n_features_in_,)
        Names of the columns, if the table had names.

    See Also
    --------
    LateFusionClassifier : Learns one weight per expert, better with few rows.
    sklearn.ensemble.StackingClassifier : All estimators read all columns; without groups, missing
        modalities and batches.

    References
    ----------
    .. [1] Wolpert (1992), Stacked generalization, Neural Networks 5(2).

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_mmsent import FusionClassifier, FusionStackingClassifier
    >>> rng = np.random.default_rng(0)
    >>> tone, smile = rng.normal(size=(2, 200))
    >>> X = pd.DataFrame({"text__tone": tone, "face__smile": smile})
    >>> y = np.where(2 * tone + smile > 0, "positive", "negative")
    >>> experts = [
    ...     ("words", LogisticRegression(), "text"),
    ...     ("smiles", LogisticRegression(), "face"),
    ...     ("network", FusionClassifier(max_epochs=10)),
    ... ]
    >>> clf = FusionStackingClassifier(experts, cv=3, random_state=0).fit(X, y)
    >>> clf.oof_predictions_["words"].shape
    (200, 2)
    >>> rows = pd.DataFrame({"text__tone": [2.0, np.nan], "face__smile": [0.1, -2.0]})
    >>> clf.predict(rows).tolist()
    ['positive', 'negative']
    """

    _parameter_constraints: dict = {
        **_BaseFusionStacking._parameter_constraints,
        **CalibratedExperts._calibration_constraints,
    }

    def __init__(
        self,
        experts,
        *,
        final_estimator=None,
        passthrough=False,
        calibration=None,
        modalities="auto",
        cv=None,
        batched="auto",
        n_jobs=None,
        random_state=None,
    ):
        self.experts = experts
        self.final_estimator = final_estimator
        self.passthrough = passthrough
        self.calibration = calibration
        self.modalities = modalities
        self.cv = cv
        self.batched = batched
        self.n_jobs = n_jobs
        self.random_state = random_state

    def _default_final(self):
        return LogisticRegression()

    def _columns(self):
        """Return the column names of the probabilities: class labels, if these are valid names."""
        names = [str(label) for label in self.classes_.tolist()]
        if any(SEPARATOR in name or "@" in name or not name for name in names) or (
            len(set(names)) < len(names) or {"present", "length"} & set(names)
        ):
            names = [f"class{i}" for i in range(len(names))]
        return names if len(names) > 2 else names[1:]


@document_shared_parameters(FusionStackingClassifier)
class FusionStackingRegressor(ExpertRegressor, _BaseFusionStacking):
    """Stacking of modality experts and fusion networks for regression.

    A final regressor is fitted on the out-of-fold predictions of the experts. The networks of
    all folds are trained in batches, and a group is never in both parts of a split. An expert has
    no output for rows in which all its modalities are missing: `FillBlocks` fills and marks them.
    Rows without any modality get the mean of the training rows.

    Parameters that are not listed here are those of :class:`FusionStackingClassifier`.

    Parameters
    ----------
    final_estimator : regressor or None, default=None
        Fitted on the experts' predictions; None means ridge regression with a cross-validated
        penalty.

    Attributes
    ----------
    experts_ : dict of str to regressor
        Experts, fitted on all rows that they can read.
    final_estimator_ : regressor
        Fitted on the out-of-fold predictions.
    oof_predictions_ : dict of str to ndarray of shape (n_samples,)
        Out-of-fold predictions of the training rows, NaN for rows that an expert cannot read.
    fold_ : ndarray of int of shape (n_samples,)
        Fold that tests each training row.
    n_features_in_ : int
        Number of columns seen in ``fit``.
    feature_names_in_ : ndarray of str objects of shape (n_features_in_,)
        Names of the columns, if the table had names.

    See Also
    --------
    LateFusionRegressor : Learns one weight per expert, better with few rows.
    sklearn.ensemble.StackingRegressor : All estimators read all columns; without groups, missing
        modalities and batches.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn_mmsent import FusionStackingRegressor
    >>> rng = np.random.default_rng(0)
    >>> tone, smile = rng.normal(size=(2, 200))
    >>> X = pd.DataFrame({"text__tone": tone, "face__smile": smile})
    >>> stacked = FusionStackingRegressor(Ridge(), random_state=0).fit(X, 2 * tone + smile)
    >>> stacked.predict(pd.DataFrame({"text__tone": [1.0], "face__smile": [1.0]})).round(1)
    array([3.])
    """

    def __init__(
        self,
        experts,
        *,
        final_estimator=None,
        passthrough=False,
        modalities="auto",
        cv=None,
        batched="auto",
        n_jobs=None,
        random_state=None,
    ):
        self.experts = experts
        self.final_estimator = final_estimator
        self.passthrough = passthrough
        self.modalities = modalities
        self.cv = cv
        self.batched = batched
        self.n_jobs = n_jobs
        self.random_state = random_state

    def _default_final(self):
        return RidgeCV()

    def _columns(self):
        return ["prediction"]
