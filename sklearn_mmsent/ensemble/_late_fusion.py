"""Late fusion: weighted mean of the predictions of modality experts.

Kittler, Hatef, Duin, Matas (1998), On combining classifiers, IEEE Transactions on Pattern Analysis
and Machine Intelligence 20(3): sum and product rules for independent classifiers.
"""

from collections.abc import Mapping

import numpy as np

from sklearn_mmsent.ensemble.experts.base import BaseExperts, ExpertRegressor
from sklearn_mmsent.ensemble.experts.calibrated import CalibratedExperts
from sklearn_mmsent.ensemble.experts.combination import has_output, learn_weights, pool
from sklearn_mmsent.ensemble.experts.scoring import OutputScore
from sklearn_mmsent.utils._documentation import document_shared_parameters
from sklearn_mmsent.utils._messages import did_you_mean
from sklearn_mmsent.utils._sklearn import StrOptions, _fit_context


class _BaseLateFusion(BaseExperts):
    _parameter_constraints: dict = {
        **BaseExperts._parameter_constraints,
        "weights": [StrOptions({"score", "learned"}), Mapping, "array-like", None],
        "scoring": [str, callable, None],
        "cv": ["cv_object"],
    }

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y, sample_weight=None, *, groups=None):
        """Fit experts, each on the rows that have its modality, and determine their weights.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            Numeric table whose column names give the blocks, with NaN for missing values.
        y : array-like of shape (n_samples,)
            Targets.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            Weight of each row, for experts that take it and for the weights of experts.
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
            If an expert fails or has no probabilities, weights are invalid, or rows cannot be
            split.
        """
        data = self._read_data(X, y, sample_weight, groups)
        experts = self._make_experts(data, self.experts)
        self._check_methods(experts)
        given = self._given_weights(experts)
        splits = ()
        if given is None or self._calibrates():
            splits = self._split(data)
        outputs = self._fit_all_experts(experts, data, splits)
        outputs = self._calibrate(outputs, data, splits)
        self.oof_predictions_ = self._public_outputs(outputs) if splits else None
        self._weights = self._find_weights(outputs, data) if given is None else given
        self.weights_ = {e.name: float(w) for e, w in zip(experts, self._weights, strict=True)}
        return self

    def _given_weights(self, experts):
        """Return weights that do not depend on predictions, or None."""
        name, weights = type(self).__name__, self.weights
        if isinstance(weights, str):
            return None
        known_names = [expert.name for expert in experts]
        if weights is None:
            return np.full(len(experts), 1 / len(experts))
        if isinstance(weights, Mapping):
            all_names = list(self._all_names(experts))
            for given in weights:
                if given not in all_names:
                    raise ValueError(
                        f"{name}: weights has the unknown expert {given!r}; there are "
                        f"{', '.join(all_names)}.{did_you_mean(given, all_names)}"
                    )
            if missing := [expert for expert in known_names if expert not in weights]:
                raise ValueError(f"{name}: weights lacks the expert {missing[0]!r}.")
            weights = [weights[expert] for expert in known_names]
        weights = np.asarray(weights, dtype=np.float64)
        is_valid = weights.shape == (len(experts),) and (weights >= 0).all() and weights.sum() > 0
        if not is_valid or not np.isfinite(weights).all():
            raise ValueError(
                f"{name}: weights must be {len(experts)} non-negative numbers, at least one of "
                f"them positive, for {', '.join(known_names)}. Got {self.weights!r} instead."
            )
        return weights / weights.sum()

    def _all_names(self, experts):
        """Return the names of all experts, including those without training rows."""
        named = self.experts if isinstance(self.experts, list) else []
        return dict.fromkeys(
            [expert.name for expert in experts]
            + [entry[0] for entry in named]
            + (list(self._layout.modalities) if not named else [])
        )

    def _find_weights(self, outputs, data):
        outputs = np.stack(outputs, axis=1)
        if self.weights == "learned":
            return learn_weights(
                outputs,
                data.encoded,
                classifier=data.classes is not None,
                geometric=self._is_geometric(),
                sample_weight=data.sample_weight,
            )
        score = OutputScore(self.scoring, data)
        constant = np.tile(data.prior, (len(data.y), 1))
        gains = np.zeros(outputs.shape[1])
        for k, rows in enumerate(has_output(outputs).T):
            if rows.any():
                gains[k] = score(outputs[:, k], rows) - score(constant, rows)
        gains = np.fmax(gains, 0.0)
        return gains / gains.sum() if gains.any() else np.full(len(gains), 1 / len(gains))

    def _combine(self, outputs, table):
        return pool(outputs, self._weights, geometric=self._is_geometric())

    def _calibrates(self):
        return False

    def _is_geometric(self):
        return False


class LateFusionClassifier(CalibratedExperts, _BaseLateFusion):
    """Late fusion for classification: weighted mean of the probabilities of modality experts.

    An expert may be any classifier, pipeline or fusion network. It is fitted on, and predicts, the
    rows that have its modality; the weights of the others grow where a modality is missing [1]_.
    Rows without any modality get the class frequencies of the training rows.

    Parameters
    ----------
    experts : estimator or list of tuple
        One estimator, which is cloned for each modality of the table; or a list of (name,
        estimator) for experts that read the whole table and (name, estimator, modalities) for
        experts that read one modality, ``"text"``, or several, ``["text", "image"]``. An expert
        that does not accept NaN reads the output of `FillBlocks`.
    combine : {"mean", "product"}, default="mean"
        Arithmetic mean of the probabilities, or normalised geometric mean, in which confident
        experts count more.
    weights : {"score", "learned"}, mapping, array-like or None, default=None
        Weights of the experts; None means equal ones. A mapping by name, or a sequence in the
        order of the experts, sets them. "score" uses the out-of-fold score minus that of the class
        frequencies; "learned" the positive weights, with sum one, for which the out-of-fold
        predictions have the least log loss.
    scoring : str, callable or None, default=None
        Score for ``weights="score"``, such as a name for `get_scorer`; None is the log loss.
    calibration : {"sigmoid", "isotonic", "temperature"} or None, default=None
        Calibration of each expert's probabilities, or of its decision function if it has none, on
        out-of-fold predictions.
    modalities : "auto", mapping or None, default="auto"
        Blocks of the table; "auto" reads the column names. See
        :meth:`sklearn_mmsent.blocks.BlockLayout.of`.
    cv : int, splitter, iterable or None, default=None
        Splits for out-of-fold predictions, which test each row once. An int, and None for 5,
        means shuffled folds that keep groups together; folds of classes are stratified.
    batched : "auto" or bool, default="auto"
        Whether to train the networks of an expert's folds in batches; "auto" decides by a short
        timing.
    n_jobs : int or None, default=None
        Number of experts that are fitted in parallel; None means 1.
    random_state : int, RandomState or None, default=None
        Seed of the folds, and of experts without a `random_state` of their own.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Class labels.
    experts_ : dict of str to classifier
        Experts, fitted on all rows that they can read.
    weights_ : dict of str to float
        Weights of the experts; they sum to one.
    oof_predictions_ : dict of str to ndarray of shape (n_samples, n_classes), or None
        Out-of-fold probabilities of the training rows, NaN for rows that an expert cannot read;
        None if neither `weights` nor `calibration` needs them.
    n_features_in_ : int
        Number of columns seen in ``fit``.
    feature_names_in_ : ndarray of str objects of shape (n_features_in_,)
        Names of the columns, if the table had names.

    See Also
    --------
    FusionStackingClassifier : Combines experts by a classifier, class by class.
    FusionClassifier : Fuses modalities in one network; ``fusion="weighted"`` is similar.
    sklearn.ensemble.VotingClassifier : All estimators read all columns of all rows.

    References
    ----------
    .. [1] Kittler, Hatef, Duin, Matas (1998), On combining classifiers, IEEE Transactions on
       Pattern Analysis and Machine Intelligence 20(3).

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_mmsent import LateFusionClassifier
    >>> rng = np.random.default_rng(0)
    >>> tone, smile = rng.normal(size=(2, 200))
    >>> X = pd.DataFrame({"text__tone": tone, "face__smile": smile})
    >>> y = np.where(2 * tone + smile > 0, "positive", "negative")
    >>> clf = LateFusionClassifier(LogisticRegression(), weights="learned", random_state=0)
    >>> clf.fit(X, y).weights_["text"] > 0.5
    True
    >>> rows = pd.DataFrame({"text__tone": [2.0, np.nan], "face__smile": [0.1, -2.0]})
    >>> clf.predict(rows).tolist()
    ['positive', 'negative']
    """

    _parameter_constraints: dict = {
        **_BaseLateFusion._parameter_constraints,
        **CalibratedExperts._calibration_constraints,
        "combine": [StrOptions({"mean", "product"})],
    }

    def __init__(
        self,
        experts,
        *,
        combine="mean",
        weights=None,
        scoring=None,
        calibration=None,
        modalities="auto",
        cv=None,
        batched="auto",
        n_jobs=None,
        random_state=None,
    ):
        self.experts = experts
        self.combine = combine
        self.weights = weights
        self.scoring = scoring
        self.calibration = calibration
        self.modalities = modalities
        self.cv = cv
        self.batched = batched
        self.n_jobs = n_jobs
        self.random_state = random_state

    def _calibrates(self):
        return self.calibration is not None

    def _is_geometric(self):
        return self.combine == "product"


@document_shared_parameters(LateFusionClassifier)
class LateFusionRegressor(ExpertRegressor, _BaseLateFusion):
    """Late fusion for regression: weighted mean of the predictions of modality experts.

    An expert may be any regressor, pipeline or fusion network. It is fitted on, and predicts, the
    rows that have its modality; the weights of the others grow where a modality is missing.
    Rows without any modality get the mean of the training rows.

    Parameters that are not listed here are those of :class:`LateFusionClassifier`.

    Parameters
    ----------
    weights : {"score", "learned"}, mapping, array-like or None, default=None
        Weights of the experts; None means equal ones. A mapping by name, or a sequence in the
        order of the experts, sets them. "score" uses the out-of-fold score minus that of the mean;
        "learned" the positive weights, with sum one, for which the out-of-fold predictions have
        the least squared error.
    scoring : str, callable or None, default=None
        Score for ``weights="score"``, such as a name for `get_scorer`; None is the squared error.

    Attributes
    ----------
    experts_ : dict of str to regressor
        Experts, fitted on all rows that they can read.
    weights_ : dict of str to float
        Weights of the experts; they sum to one.
    oof_predictions_ : dict of str to ndarray of shape (n_samples,), or None
        Out-of-fold predictions of the training rows, NaN for rows that an expert cannot read; None
        if `weights` do not need them.
    n_features_in_ : int
        Number of columns seen in ``fit``.
    feature_names_in_ : ndarray of str objects of shape (n_features_in_,)
        Names of the columns, if the table had names.

    See Also
    --------
    FusionStackingRegressor : Combines experts by a regressor.
    sklearn.ensemble.VotingRegressor : All estimators read all columns of all rows.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn_mmsent import LateFusionRegressor
    >>> rng = np.random.default_rng(0)
    >>> truth = rng.normal(size=200)
    >>> X = pd.DataFrame({"text__tone": truth, "face__smile": truth + rng.normal(size=200)})
    >>> late = LateFusionRegressor(Ridge(), weights="score", random_state=0).fit(X, truth)
    >>> late.weights_["text"] > late.weights_["face"]
    True
    >>> late.predict(pd.DataFrame({"text__tone": [2.0], "face__smile": [np.nan]})).round(1)
    array([2.])
    """

    def __init__(
        self,
        experts,
        *,
        weights=None,
        scoring=None,
        modalities="auto",
        cv=None,
        batched="auto",
        n_jobs=None,
        random_state=None,
    ):
        self.experts = experts
        self.weights = weights
        self.scoring = scoring
        self.modalities = modalities
        self.cv = cv
        self.batched = batched
        self.n_jobs = n_jobs
        self.random_state = random_state
