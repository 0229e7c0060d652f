"""Late fusion: an expert for each modality, whose predictions are averaged.

Kittler, Hatef, Duin, Matas (1998), On combining classifiers, IEEE Transactions on Pattern Analysis
and Machine Intelligence 20(3): the sum and the product of what independent classifiers say.
"""

from collections.abc import Mapping

import numpy as np

from sklearn_mmsent.ensemble.experts.base import BaseExperts, ExpertRegressor
from sklearn_mmsent.ensemble.experts.calibrated import CalibratedExperts
from sklearn_mmsent.ensemble.experts.combination import known, learn_weights, pool
from sklearn_mmsent.ensemble.experts.scoring import OutputScore
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
        """Fit the experts, each on the rows that have its modality, and find their weights.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            Numeric table; its columns' names tell the blocks, NaN what is missing.
        y : array-like of shape (n_samples,)
            Targets.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            Weight of each row, for the experts that take it and for the weights.
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
            If an expert fails, tells no probabilities, or rows cannot be split; the message
            names it.
        """
        data = self._open(X, y, sample_weight, groups)
        experts = self._named_experts(data, self.experts)
        self._check_able(experts)
        given = self._given_weights(experts)
        splits = ()
        if given is None or self._calibrates():
            splits = self._split(data)
        told = self._calibrate(self._train_named(experts, data, splits), data, splits)
        self.oof_predictions_ = self._by_name(told) if splits else None
        self._weights = self._find_weights(told, data) if given is None else given
        self.weights_ = {e.name: float(w) for e, w in zip(experts, self._weights, strict=True)}
        return self

    def _given_weights(self, experts):
        """Return weights that are known without looking at predictions, or None."""
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
            if lacking := [expert for expert in known_names if expert not in weights]:
                raise ValueError(f"{name}: weights lacks the expert {lacking[0]!r}.")
            weights = [weights[expert] for expert in known_names]
        weights = np.asarray(weights, dtype=np.float64)
        fine = weights.shape == (len(experts),) and (weights >= 0).all() and weights.sum() > 0
        if not fine or not np.isfinite(weights).all():
            raise ValueError(
                f"{name}: weights must be {len(experts)} numbers, none of them negative and one "
                f"positive at least, for {', '.join(known_names)}. Got {self.weights!r} instead."
            )
        return weights / weights.sum()

    def _all_names(self, experts):
        """Names of the experts, those included that no training row can teach."""
        named = self.experts if isinstance(self.experts, list) else []
        return dict.fromkeys(
            [expert.name for expert in experts]
            + [entry[0] for entry in named]
            + (list(self._layout.modalities) if not named else [])
        )

    def _find_weights(self, told, data):
        outputs = np.stack(told, axis=1)
        if self.weights == "learned":
            return learn_weights(
                outputs,
                data.numbers,
                classifier=data.classes is not None,
                geometric=self._is_geometric(),
                sample_weight=data.sample_weight,
            )
        score = OutputScore(self.scoring, data)
        blind = np.tile(data.prior, (len(data.y), 1))
        gains = np.zeros(len(told))
        for k, there in enumerate(known(outputs).T):
            if there.any():
                gains[k] = score(outputs[:, k], there) - score(blind, there)
        gains = np.fmax(gains, 0.0)
        return gains / gains.sum() if gains.any() else np.full(len(gains), 1 / len(gains))

    def _combine(self, outputs, table):
        return pool(outputs, self._weights, geometric=self._is_geometric())

    def _calibrates(self):
        return False

    def _is_geometric(self):
        return False


class LateFusionClassifier(CalibratedExperts, _BaseLateFusion):
    """Classify with an expert for each modality, and average what they say.

    An expert may be any classifier, pipeline or fusion network. It learns from the rows that have
    its modality, and is asked about no others: a modality that is missing in a row is left out of
    the row's mean, and the weights of the others grow. A row without any modality gets the classes'
    shares in the training rows.

    Parameters
    ----------
    experts : estimator or list of tuple
        One classifier, of which each modality of the table gets a clone; or a list of (name,
        classifier) for experts that read the whole table and (name, classifier, modalities) for
        those that read one modality, ``"text"``, or several together, ``["text", "image"]``. What
        reads no NaN is put behind `FillBlocks`.
    combine : {"mean", "product"}, default="mean"
        Whether probabilities are averaged, or multiplied and scaled to one (the geometric mean):
        the latter trusts an expert that is sure.
    weights : {"score", "learned"}, mapping, array-like or None, default=None
        Of each expert in the mean. None weighs all alike. A mapping of names, or a sequence in
        the order of the experts, gives them. "score" takes how much better than the classes'
        shares an expert predicts rows that it has not seen; "learned" those weights, positive
        and one in sum, with which such predictions together have the least log loss.
    scoring : str, callable or None, default=None
        What ``weights="score"`` compares; any name of `get_scorer`. None is the log loss.
    calibration : {"sigmoid", "isotonic", "temperature"} or None, default=None
        How each expert's probabilities, or the decision function of one that has none, are
        calibrated on predictions of rows that it has not seen.
    modalities : "auto", mapping or None, default="auto"
        Where the blocks are; "auto" reads the column names. See
        :meth:`sklearn_mmsent.blocks.BlockLayout.of`.
    cv : int, splitter, iterable or None, default=None
        How rows are split where predictions of unseen rows are needed, each into one test part;
        None means 5, an int that many shuffled, stratified folds, which keep groups together.
    batched : "auto" or bool, default="auto"
        Whether the networks of an expert's folds are trained at once: "auto" lets a short
        measurement decide.
    n_jobs : int or None, default=None
        Number of experts trained in parallel; None means 1.
    random_state : int, RandomState or None, default=None
        Decides the folds, and seeds what experts leave undecided.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The class labels.
    experts_ : dict of str to classifier
        The experts, fitted on all rows that they can read.
    weights_ : dict of str to float
        Their weights, one in sum.
    oof_predictions_ : dict of str to ndarray of shape (n_samples, n_classes), or None
        Probabilities of training rows by experts that have not seen them, NaN for rows that an
        expert cannot read; None where neither `weights` nor `calibration` needs them.
    n_features_in_ : int
        Number of columns seen in ``fit``.
    feature_names_in_ : ndarray of str objects of shape (n_features_in_,)
        Their names, where the table had names.

    See Also
    --------
    FusionStackingClassifier : A classifier learns how to join experts, class by class.
    FusionClassifier : Joins modalities inside one network, with ``fusion="weighted"`` nearly so.
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


class LateFusionRegressor(ExpertRegressor, _BaseLateFusion):
    """Predict intensities with an expert for each modality, and average what they say.

    An expert may be any regressor, pipeline or fusion network. It learns from the rows that have
    its modality, and is asked about no others: a modality that is missing in a row is left out of
    the row's mean, and the weights of the others grow. A row without any modality gets the mean of
    the training rows.

    Parameters
    ----------
    experts : estimator or list of tuple
        One regressor, of which each modality of the table gets a clone; or a list of (name,
        regressor) for experts that read the whole table and (name, regressor, modalities) for
        those that read one modality, ``"text"``, or several together, ``["text", "image"]``. What
        reads no NaN is put behind `FillBlocks`.
    weights : {"score", "learned"}, mapping, array-like or None, default=None
        Of each expert in the mean. None weighs all alike. A mapping of names, or a sequence in
        the order of the experts, gives them. "score" takes how much better than the mean an
        expert predicts rows that it has not seen; "learned" those weights, positive and one in
        sum, with which such predictions together have the least squared error.
    scoring : str, callable or None, default=None
        What ``weights="score"`` compares; any name of `get_scorer`. None is the squared error.
    modalities : "auto", mapping or None, default="auto"
        Where the blocks are; "auto" reads the column names. See
        :meth:`sklearn_mmsent.blocks.BlockLayout.of`.
    cv : int, splitter, iterable or None, default=None
        How rows are split where predictions of unseen rows are needed, each into one test part;
        None means 5, an int that many shuffled folds, which keep groups together.
    batched : "auto" or bool, default="auto"
        Whether the networks of an expert's folds are trained at once: "auto" lets a short
        measurement decide.
    n_jobs : int or None, default=None
        Number of experts trained in parallel; None means 1.
    random_state : int, RandomState or None, default=None
        Decides the folds, and seeds what experts leave undecided.

    Attributes
    ----------
    experts_ : dict of str to regressor
        The experts, fitted on all rows that they can read.
    weights_ : dict of str to float
        Their weights, one in sum.
    oof_predictions_ : dict of str to ndarray of shape (n_samples,), or None
        Predictions of training rows by experts that have not seen them, NaN for rows that an
        expert cannot read; None where `weights` do not need them.
    n_features_in_ : int
        Number of columns seen in ``fit``.
    feature_names_in_ : ndarray of str objects of shape (n_features_in_,)
        Their names, where the table had names.

    See Also
    --------
    FusionStackingRegressor : A regressor learns how to join experts.
    sklearn.ensemble.VotingRegressor : All estimators read all columns of all rows.

    References
    ----------
    .. [1] Kittler, Hatef, Duin, Matas (1998), On combining classifiers, IEEE Transactions on
       Pattern Analysis and Machine Intelligence 20(3).

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

    _parameter_constraints: dict = _BaseLateFusion._parameter_constraints

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
