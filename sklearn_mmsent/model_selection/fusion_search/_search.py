"""FusionSearchCV: search with Optuna that trains several trials in a batch."""

import os
import time
import warnings
from collections.abc import Mapping
from numbers import Integral, Real

import numpy as np
from joblib import effective_n_jobs
from optuna.pruners import BasePruner, NopPruner
from optuna.samplers import BaseSampler
from optuna.storages import BaseStorage
from sklearn.base import clone
from sklearn.model_selection import GroupKFold
from sklearn.utils import check_random_state, get_tags, indexable
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping

from sklearn_mmsent.compose.parts import final_step
from sklearn_mmsent.estimators import BaseFusion
from sklearn_mmsent.model_selection.folds import Fold
from sklearn_mmsent.model_selection.fusion_search import _checks as checks
from sklearn_mmsent.model_selection.fusion_search import _results as results
from sklearn_mmsent.model_selection.fusion_search._evaluate import SearchData
from sklearn_mmsent.model_selection.fusion_search._loop import Plan, optuna_verbosity, run_search
from sklearn_mmsent.model_selection.fusion_search._pruner import RacePruner
from sklearn_mmsent.model_selection.fusion_search._sampler import NumberedSampler
from sklearn_mmsent.model_selection.fusion_search._study import copy_in_memory
from sklearn_mmsent.spaces import SearchSpace
from sklearn_mmsent.spaces.space import space_of
from sklearn_mmsent.utils._sklearn import (
    BaseSearchCV,
    Interval,
    StrOptions,
    _check_method_params,
    _fit_context,
    _MultimetricScorer,
)

N_BATCHED = 16  # trials of fusion networks in a batch
N_SAME_SHAPE = 4  # consecutive trials with networks of the same shapes; more would try few fusions


class FusionSearchCV(BaseSearchCV):
    """Search over whole pipelines with Optuna that trains several trials in a batch.

    Networks of equal shapes are trained together, fold by fold. After some epochs of the first
    fold, and after each fold, trials that fall behind are pruned. Steps of a pipeline that several
    trials share are fitted, and applied to the test rows, once per fold. A study in a file or a
    database is resumed after an interruption, and can be shared by several processes and machines;
    see ``docs/searching.md``.

    Parameters
    ----------
    estimator : estimator
        A fusion estimator, or a pipeline that ends in one; any other is fitted one by one.
    space : SearchSpace, dict or None, default=None
        Search space, by the names of ``set_params``; see :class:`SearchSpace`. It extends the
        estimator's own space, and replaces parameters of it.
    level : {"small", "full"} or None, default="small"
        Size of the estimator's own search space; None uses `space` only.
    n_trials : int or None, default=50
        Number of trials that the study is to have, including pruned and failed ones and those of
        other processes; None for as many as `timeout` allows.
    timeout : float or None, default=None
        Seconds after which no more trials are started.
    scoring : str, callable, list, tuple, dict or None, default=None
        Scores to compute; None uses the estimator's ``score``. Of several, the one named by
        `refit`, or else the first, is maximised.
    refit : bool, str or callable, default=True
        Whether, or by which score, to refit the best candidate on all rows.
    cv : int, splitter, iterable or None, default=None
        Splits, the same for all trials; None means five folds. With groups, a number of folds
        keeps each group in one fold.
    sampler : {"tpe", "random"} or optuna.samplers.BaseSampler, default="tpe"
        Sampler of parameters: tree-structured Parzen estimator [1]_ [2]_, or random.
    sampler_params : dict or None, default=None
        Parameters of Optuna's TPESampler or RandomSampler, such as ``{"n_startup_trials": 20}``.
    pruner : {"race"}, optuna.pruners.BasePruner or None, default="race"
        Pruner. "race" compares a trial with all trials that reached the same step, running ones
        included; None prunes none. Steps up to 999 are epochs of the first fold; later ones are
        1000 for each finished fold.
    pruner_params : dict or None, default=None
        Parameters of "race": ``keep_epochs`` (default 0.7) and ``keep_folds`` (0.5), shares of
        trials to keep, and ``n_others`` (5), number of other trials that must have reached a step
        before any is pruned.
    start_from : FusionSearchCV, optuna.Study, dict, list of dict or None, default=None
        First trials of a new study: the best ones of a fitted search or a study, or parameters by
        name.
    n_start : int, default=5
        Number of trials to take from a search or study.
    storage : str, Path, optuna.storages.BaseStorage or None, default=None
        Storage of the study: the path of an SQLite file if it ends in .db, .sqlite or .sqlite3,
        of a journal otherwise; the URL of a database; or None for memory.
    study_name : str, default="fusion-search"
        Name of the study in the storage.
    n_batched : "auto" or int, default="auto"
        Number of trials in a batch. "auto" means 16 for fusion networks, in groups of 4 whose
        networks have the same shapes, and 1 for other estimators.
    n_jobs : int or None, default=None
        Number of processes that work on the study; None means 1, -1 all cores.
    batched : "auto" or bool, default="auto"
        Whether to train networks in batches; "auto" decides by a short timing. True and False
        make results reproducible to the last bit on one machine.
    max_failures : int or None, default=20
        Number of failed trials that ends the search; None for no limit.
    error_score : "raise" or float, default=float("nan")
        Score of a failed trial; "raise" ends the search at the first failure.
    return_train_score : bool, default=False
        Whether to compute scores on the training rows as well.
    random_state : int, RandomState or None, default=None
        Seed of the sampler; estimators have their own. With one process an int reproduces the
        trials, for the same `n_batched`.
    verbose : int, default=0
        1 shows a progress bar, 2 the messages of Optuna as well.

    Attributes
    ----------
    study_ : optuna.Study
        A copy of the study in memory: trial i is row i of ``cv_results_``.
    cv_results_ : dict of str to array
        As in :class:`sklearn.model_selection.GridSearchCV`, with NaN for folds that a pruned trial
        did not reach; and ``trial`` (its number in the storage), ``state`` ("complete", "pruned"
        or "failed") and ``error``.
    space_ : SearchSpace
        The search space.
    best_estimator_, best_score_, best_params_, best_index_, scorer_, n_splits_, refit_time_, \
            multimetric_, classes_, n_features_in_, feature_names_in_
        As in :class:`sklearn.model_selection.GridSearchCV`; the best candidate is one that was
        scored on all folds.

    See Also
    --------
    BatchedRandomizedSearchCV : Random search without a study or pruning.
    SearchSpace : Search spaces with conditions.

    References
    ----------
    .. [1] Bergstra, Bardenet, Bengio, Kegl (2011), Algorithms for hyper-parameter optimization,
       NeurIPS.
    .. [2] Akiba, Sano, Yanase, Ohta, Koyama (2019), Optuna: a next-generation hyperparameter
       optimization framework, KDD.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from scipy.stats import loguniform
    >>> from sklearn_mmsent import FusionClassifier, FusionSearchCV
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame(rng.normal(size=(200, 2)), columns=["text__tone", "face__smile"])
    >>> y = np.where(X["text__tone"] > X["face__smile"], "happy", "sad")
    >>> clf = FusionClassifier(max_epochs=10, random_state=0)
    >>> space = {"lr": loguniform(1e-5, 1e-1), "dropout": [0.0, 0.2]}
    >>> search = FusionSearchCV(clf, space, level=None, n_trials=12, cv=3, random_state=0)
    >>> bool(search.fit(X, y).best_params_["lr"] > 1e-4)
    True
    """

    _parameter_constraints: dict = {
        **{
            name: constraint
            for name, constraint in BaseSearchCV._parameter_constraints.items()
            if name != "pre_dispatch"
        },
        "space": [SearchSpace, Mapping, None],
        "level": [StrOptions({"small", "full"}), None],
        "n_trials": [Interval(Integral, 1, None, closed="left"), None],
        "timeout": [Interval(Real, 0, None, closed="neither"), None],
        "sampler": [StrOptions({"tpe", "random"}), BaseSampler],
        "sampler_params": [dict, None],
        "pruner": [StrOptions({"race"}), BasePruner, None],
        "pruner_params": [dict, None],
        "start_from": "no_validation",
        "n_start": [Interval(Integral, 1, None, closed="left")],
        "storage": [str, os.PathLike, BaseStorage, None],
        "study_name": [str],
        "n_batched": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "batched": [StrOptions({"auto"}), "boolean"],
        "max_failures": [Interval(Integral, 1, None, closed="left"), None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        estimator,
        space=None,
        *,
        level="small",
        n_trials=50,
        timeout=None,
        scoring=None,
        refit=True,
        cv=None,
        sampler="tpe",
        sampler_params=None,
        pruner="race",
        pruner_params=None,
        start_from=None,
        n_start=5,
        storage=None,
        study_name="fusion-search",
        n_batched="auto",
        n_jobs=None,
        batched="auto",
        max_failures=20,
        error_score=float("nan"),
        return_train_score=False,
        random_state=None,
        verbose=0,
    ):
        self.estimator = estimator
        self.space = space
        self.level = level
        self.n_trials = n_trials
        self.timeout = timeout
        self.scoring = scoring
        self.refit = refit
        self.cv = cv
        self.sampler = sampler
        self.sampler_params = sampler_params
        self.pruner = pruner
        self.pruner_params = pruner_params
        self.start_from = start_from
        self.n_start = n_start
        self.storage = storage
        self.study_name = study_name
        self.n_batched = n_batched
        self.n_jobs = n_jobs
        self.batched = batched
        self.max_failures = max_failures
        self.error_score = error_score
        self.return_train_score = return_train_score
        self.random_state = random_state
        self.verbose = verbose

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y=None, **params):
        """Search, and refit the best candidate.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            Rows.
        y : array-like of shape (n_samples,) or None, default=None
            Targets.
        **params : dict
            Metadata for ``fit``, the splitter and the scorer, such as `groups` and `sample_weight`,
            as scikit-learn's searches take it.

        Returns
        -------
        self : object
            The fitted search.

        Raises
        ------
        StudyError
            If the storage cannot be read, has the study of another search, or becomes
            unavailable; then ``cv_results_`` and ``study_`` hold the results so far.
        ValueError
            If the space is empty or names unknown parameters, rows cannot be split, or no trial
            was scored on all folds.
        """
        started = time.time()
        scorer, metric, objective = self._scorer()
        X, y = indexable(X, y)
        params = _check_method_params(X, params=params)
        routed = self._get_routed_params_for_fit(params)
        self.space_ = self._space()
        groups = params.get("groups")
        splits = checks.split_rows(
            self.cv, self.estimator, X, y, groups, dict(routed.splitter.split)
        )
        self.n_splits_ = len(splits)
        fit_params, score_params = dict(routed.estimator.fit), dict(routed.scorer.score)
        data = SearchData(X, y, splits, fit_params, score_params)
        plan = self._plan(data, scorer, objective, started)
        trials, error = run_search(plan, effective_n_jobs(self.n_jobs))
        with optuna_verbosity(0):
            self.study_ = copy_in_memory(self.study_name, trials)
        self.scorer_ = getattr(scorer, "_scorers", scorer)
        if trials:
            self._set_results(trials, metric, scorer)
        if error is not None:
            raise error
        results.warn_of_failures(trials, self.error_score)
        if not trials or not (self.cv_results_["state"] == "complete").any():
            raise ValueError(
                f"FusionSearchCV: none of {len(trials)} trials was scored on all folds within "
                f"timeout={self.timeout} seconds. Give it more time, or fewer folds."
            )
        if self.refit:
            self._refit(Fold(X, y, fit_params))
        return self

    # -- parts of fit ------------------------------------------------------------------------

    def _scorer(self):
        """Return the scorer, the score that determines the best, and the one that is maximised."""
        scorer, metric = self._get_scorers()
        if isinstance(scorer, _MultimetricScorer):  # which by default returns errors as texts
            names = scorer._scorers
            objective = self.refit if isinstance(self.refit, str) else next(iter(names))
            return _MultimetricScorer(scorers=names, raise_exc=True), metric, objective
        several = callable(self.scoring) and isinstance(self.refit, str)
        return scorer, self.refit if several else metric, self.refit if several else "score"

    def _space(self):
        default = SearchSpace({}) if self.level is None else space_of(self.estimator, self.level)
        space = default | (self.space or {})
        if not len(space):
            raise ValueError(
                f"FusionSearchCV: the search space is empty. {type(self.estimator).__name__} has "
                "none of its own; pass space={'parameter': [values]}."
            )
        checks.check_names(space, self.estimator)
        return space

    def _plan(self, data, scorer, objective, started):
        if self.n_trials is None and self.timeout is None:
            raise ValueError("FusionSearchCV: n_trials or timeout must be given.")
        is_fusion = isinstance(final_step(self.estimator), BaseFusion)
        n_batched = self.n_batched
        if n_batched == "auto":
            n_batched = N_BATCHED if is_fusion else 1
        return Plan(
            estimator=clone(self.estimator),
            data=data,
            study=self._study_options(data, objective),
            evaluator={
                "scorer": scorer,
                "objective": objective,
                "prune": self.pruner is not None,
                "batched": self.batched,
                "return_train_score": self.return_train_score,
            },
            start_from=checks.earlier_candidates(self.start_from, self.n_start),
            n_trials=self.n_trials,
            deadline=None if self.timeout is None else started + self.timeout,
            n_batched=n_batched,
            n_same_shape=N_SAME_SHAPE if is_fusion else 1,
            max_failures=self.max_failures,
            raise_errors=self.error_score == "raise",
            verbose=int(self.verbose),
        )

    def _study_options(self, data, objective):
        seed = check_random_state(self.random_state).randint(np.iinfo(np.int32).max)
        sampler, pruner = self.sampler, self.pruner
        if isinstance(sampler, str):
            sampler = NumberedSampler(sampler, seed, self.sampler_params or {})
        if pruner is None:
            pruner = NopPruner()
        elif pruner == "race":
            pruner = RacePruner(**(self.pruner_params or {}))
        scoring = self.scoring if not callable(self.scoring) else _name(self.scoring)
        score = f"{objective} of {scoring}"
        return {
            "storage": self.storage,
            "name": self.study_name,
            "space": self.space_,
            "search": results.describe_search(
                self.space_, data.X, data.y, data.splits, score, self.estimator
            ),
            "sampler": sampler,
            "pruner": pruner,
        }

    def _set_results(self, trials, metric, scorer):
        """Set the attributes of scikit-learn's searches."""
        params = [self.space_.decode(trial.params) for trial in trials]
        rows = results.rows_of_results(
            trials, self.n_splits_, self.error_score, with_train=self.return_train_score
        )
        with warnings.catch_warnings():
            # scores of pruned trials are NaN as documented
            warnings.filterwarnings("ignore", "One or more of the (test|train) scores", UserWarning)
            more = results.extra_columns(trials)
            self.cv_results_ = self._format_results(params, self.n_splits_, rows, more)
        names = list(rows[0]["test_scores"])
        self.multimetric_ = isinstance(scorer, _MultimetricScorer) or names != ["score"]
        complete = (self.cv_results_["state"] == "complete").any()
        if complete and (self.refit or not self.multimetric_):
            self.best_index_ = self._select_best_index(self.refit, metric, self.cv_results_)
            if not callable(self.refit):
                self.best_score_ = self.cv_results_[f"mean_test_{metric}"][self.best_index_]
            self.best_params_ = params[self.best_index_]

    def _refit(self, rows):
        best = clone(self.estimator).set_params(**clone(self.best_params_, safe=False))
        started = time.perf_counter()
        self.best_estimator_ = best.fit(*rows.arguments, **rows.params)
        self.refit_time_ = time.perf_counter() - started
        if hasattr(self.best_estimator_, "feature_names_in_"):
            self.feature_names_in_ = self.best_estimator_.feature_names_in_

    # -- scikit-learn's interface ------------------------------------------------------------

    def get_metadata_routing(self):
        """Return the metadata routing; a number of folds takes groups.

        Returns
        -------
        MetadataRouter
            Routing of the estimator, the scorer and the splitter.
        """
        scorer, _ = self._get_scorers()
        by_number = self.cv is None or isinstance(self.cv, Integral)
        fit = MethodMapping().add(caller="fit", callee="fit")
        score = MethodMapping().add(caller="score", callee="score")
        split = MethodMapping().add(caller="fit", callee="split")
        return (
            MetadataRouter(owner=self)
            .add(estimator=self.estimator, method_mapping=fit)
            .add(scorer=scorer, method_mapping=score.add(caller="fit", callee="score"))
            .add(splitter=GroupKFold() if by_number else self.cv, method_mapping=split)
        )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = get_tags(self.estimator).input_tags.allow_nan
        return tags


def _name(function):
    return getattr(function, "__qualname__", None) or repr(function)
