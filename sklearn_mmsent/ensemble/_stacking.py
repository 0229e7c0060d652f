"""Stacking: a last estimator learns from the experts' predictions of rows they have not seen.

Wolpert (1992), Stacked generalization, Neural Networks 5(2).
"""

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression, RidgeCV

from sklearn_mmsent.blocks.block import SEPARATOR
from sklearn_mmsent.ensemble.experts.base import BaseExperts, ExpertRegressor
from sklearn_mmsent.ensemble.experts.calibrated import CalibratedExperts
from sklearn_mmsent.ensemble.experts.expert import Expert, behind_fill
from sklearn_mmsent.ensemble.experts.expert_table import ExpertTable
from sklearn_mmsent.ensemble.experts.fitting import name_error, outputs_of
from sklearn_mmsent.exceptions import BlockError
from sklearn_mmsent.utils._metadata import fit_metadata
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
        """Fit the experts on folds and on all rows, and the final estimator on what they predict.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            Numeric table whose columns' names tell the blocks, NaN what is missing; or a table of
            raw cells, where experts are pipelines that read such.
        y : array-like of shape (n_samples,)
            Targets.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            Weight of each row, for the estimators that take it.
        groups : array-like of shape (n_samples,) or None, default=None
            Speaker, video, film ... of each row; a group is never on both sides of a fold.

        Returns
        -------
        self : object
            The fitted ensemble.

        Raises
        ------
        BlockError
            If the table does not fit the block contract, or lacks a modality that is named.
        ValueError
            If an expert or the final estimator fails or tells no probabilities, or rows cannot be
            split; the message names it.
        """
        name = type(self).__name__
        data = self._open(X, y, sample_weight, groups)
        if self.passthrough and self._layout is None:
            raise BlockError(
                f"{name}: passthrough hands numbers to the final estimator, but the table has raw "
                "cells. Put make_extractor(...) before the ensemble."
            )
        experts = self._named_experts(data, self.experts)
        final = Expert(FINAL, self._final())
        self._check_able(experts)
        self._check_final(final)
        splits = self._split(data)
        told = self._calibrate(self._train_named(experts, data, splits), data, splits)
        self.oof_predictions_ = self._by_name(told)
        self.fold_ = np.empty(len(data.y), dtype=np.intp)
        for fold, (_, test) in enumerate(splits):
            self.fold_[test] = fold
        self._fit_final(final, np.stack(told, axis=1), data)
        return self

    def _final(self):
        given = self._default() if self.final_estimator is None else self.final_estimator
        return clone_with_seeds(clone(given), seed_generator(self.random_state))

    def _check_final(self, final):
        if hasattr(self, "classes_") and not hasattr(final.estimator, "predict_proba"):
            raise ValueError(
                f"{type(self).__name__}: the final estimator {final} has no predict_proba: wrap it "
                "in sklearn.calibration.CalibratedClassifierCV."
            )

    def _fit_final(self, final, told, data):
        """Fit it on rows of which an expert has said something."""
        seen = np.flatnonzero(~np.isnan(told).all(axis=(1, 2)))
        rows = self._said(told, data.table).iloc[seen]
        table = ExpertTable(rows, ExpertTable.layout_of(rows, "auto", FINAL), "auto")
        estimator, _ = behind_fill(final.estimator, table)
        metadata = fit_metadata(estimator, **data.metadata(seen))
        try:
            estimator.fit(table.X, data.y[seen], **metadata)
        except Exception as error:
            raise name_error(error, final, type(self).__name__) from error
        self.final_estimator_ = estimator

    def _said(self, told, table):
        """Lay out what experts say as a table of blocks, one for each expert."""
        parts = []
        columns = self._columns()
        for k, expert in enumerate(self._fitted):
            names = [f"{expert.name}_expert{SEPARATOR}{column}" for column in columns]
            outputs = told[:, k, -len(columns) :]  # of two classes the second says all
            parts.append(pd.DataFrame(outputs, columns=names, index=table.X.index))
        return pd.concat([*parts, table.X] if self.passthrough else parts, axis=1)

    def _combine(self, outputs, table):
        classes = getattr(self, "classes_", None)
        method = None if classes is None else "predict_proba"
        return outputs_of(self.final_estimator_, self._said(outputs, table), classes, method)


class FusionStackingClassifier(CalibratedExperts, _BaseFusionStacking):
    """Classify by what experts of modalities and fusion networks predict.

    Experts predict rows that they have not seen, fold by fold; the networks of all folds are
    trained together, and no group is on both sides of a fold. A final classifier learns from these
    predictions, once. What an expert cannot read, because all its modalities are missing in a row,
    stands as a gap in the final table, which `FillBlocks` fills and marks; a row without any
    modality gets the classes' shares in the training rows.

    Parameters
    ----------
    experts : estimator or list of tuple
        One classifier, of which each modality of the table gets a clone; or a list of (name,
        classifier) for experts that read the whole table, such as fusion networks, and (name,
        classifier, modalities) for those that read one modality, ``"text"``, or several together,
        ``["text", "image"]``. What reads no NaN is put behind `FillBlocks`.
    final_estimator : classifier or None, default=None
        Learns from the experts' probabilities; None is a logistic regression.
    passthrough : bool, default=False
        Whether the final classifier sees the table, too.
    calibration : {"sigmoid", "isotonic", "temperature"} or None, default=None
        How each expert's probabilities, or the decision function of one that has none, are
        calibrated on predictions of rows that it has not seen.
    modalities : "auto", mapping or None, default="auto"
        Where the blocks are; "auto" reads the column names. See
        :meth:`sklearn_mmsent.blocks.BlockLayout.of`.
    cv : int, splitter, iterable or None, default=None
        How rows are split, each into one test part; None means 5, an int that many shuffled,
        stratified folds, which keep groups together.
    batched : "auto" or bool, default="auto"
        Whether the networks of an expert's folds are trained at once: "auto" lets a short
        measurement decide.
    n_jobs : int or None, default=None
        Number of experts trained in parallel; None means 1.
    random_state : int, RandomState or None, default=None
        Decides the folds, and seeds what estimators leave undecided.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The class labels.
    experts_ : dict of str to classifier
        The experts, fitted on all rows that they can read.
    final_estimator_ : classifier
        Fitted on the out-of-fold predictions; behind `FillBlocks` where it reads no NaN.
    oof_predictions_ : dict of str to ndarray of shape (n_samples, n_classes)
        Probabilities of training rows by experts that have not seen them, NaN for rows that an
        expert cannot read.
    fold_ : ndarray of int of shape (n_samples,)
        The fold in which each training row was predicted.
    n_features_in_ : int
        Number of columns seen in ``fit``.
    feature_names_in_ : ndarray of str objects of shape (n_features_in_,)
        Their names, where the table had names.

    See Also
    --------
    LateFusionClassifier : One weight for each expert: less to learn from few rows.
    sklearn.ensemble.StackingClassifier : All estimators read all columns; knows no groups and no
        missing modalities, and trains fold by fold.

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

    def _default(self):
        return LogisticRegression()

    def _columns(self):
        """Name the probabilities after the classes, in so far as columns may be called that."""
        names = [str(label) for label in self.classes_.tolist()]
        if any(SEPARATOR in name or "@" in name or not name for name in names) or (
            len(set(names)) < len(names) or {"present", "length"} & set(names)
        ):
            names = [f"class{i}" for i in range(len(names))]
        return names if len(names) > 2 else names[1:]


class FusionStackingRegressor(ExpertRegressor, _BaseFusionStacking):
    """Predict intensities by what experts of modalities and fusion networks predict.

    Experts predict rows that they have not seen, fold by fold; the networks of all folds are
    trained together, and no group is on both sides of a fold. A final regressor learns from these
    predictions, once. What an expert cannot read, because all its modalities are missing in a row,
    stands as a gap in the final table, which `FillBlocks` fills and marks; a row without any
    modality gets the mean of the training rows.

    Parameters
    ----------
    experts : estimator or list of tuple
        One regressor, of which each modality of the table gets a clone; or a list of (name,
        regressor) for experts that read the whole table, such as fusion networks, and (name,
        regressor, modalities) for those that read one modality, ``"text"``, or several together,
        ``["text", "image"]``. What reads no NaN is put behind `FillBlocks`.
    final_estimator : regressor or None, default=None
        Learns from the experts' predictions; None is ridge regression with a penalty chosen by
        cross-validation.
    passthrough : bool, default=False
        Whether the final regressor sees the table, too.
    modalities : "auto", mapping or None, default="auto"
        Where the blocks are; "auto" reads the column names. See
        :meth:`sklearn_mmsent.blocks.BlockLayout.of`.
    cv : int, splitter, iterable or None, default=None
        How rows are split, each into one test part; None means 5, an int that many shuffled
        folds, which keep groups together.
    batched : "auto" or bool, default="auto"
        Whether the networks of an expert's folds are trained at once: "auto" lets a short
        measurement decide.
    n_jobs : int or None, default=None
        Number of experts trained in parallel; None means 1.
    random_state : int, RandomState or None, default=None
        Decides the folds, and seeds what estimators leave undecided.

    Attributes
    ----------
    experts_ : dict of str to regressor
        The experts, fitted on all rows that they can read.
    final_estimator_ : regressor
        Fitted on the out-of-fold predictions; behind `FillBlocks` where it reads no NaN.
    oof_predictions_ : dict of str to ndarray of shape (n_samples,)
        Predictions of training rows by experts that have not seen them, NaN for rows that an
        expert cannot read.
    fold_ : ndarray of int of shape (n_samples,)
        The fold in which each training row was predicted.
    n_features_in_ : int
        Number of columns seen in ``fit``.
    feature_names_in_ : ndarray of str objects of shape (n_features_in_,)
        Their names, where the table had names.

    See Also
    --------
    LateFusionRegressor : One weight for each expert: less to learn from few rows.
    sklearn.ensemble.StackingRegressor : All estimators read all columns; knows no groups and no
        missing modalities, and trains fold by fold.

    References
    ----------
    .. [1] Wolpert (1992), Stacked generalization, Neural Networks 5(2).

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

    _parameter_constraints: dict = _BaseFusionStacking._parameter_constraints

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

    def _default(self):
        return RidgeCV()

    def _columns(self):
        return ["prediction"]
