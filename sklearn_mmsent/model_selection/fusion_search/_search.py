"""FusionSearchCV."""

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
from sklearn_mmsent.estimators._base import BaseFusion
from sklearn_mmsent.model_selection.fusion_search import _checks as checks
from sklearn_mmsent.model_selection.fusion_search import _results as results
from sklearn_mmsent.model_selection.fusion_search._evaluate import Data
from sklearn_mmsent.model_selection.fusion_search._loop import Plan, optuna_verbosity, run
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

TOGETHER = 16  # trials of fusion networks that are asked for at once
ALIKE = 4  # of them in a row have networks of one shape; more would leave fusions untried


class FusionSearchCV(BaseSearchCV):
    """Search whole pipelines with Optuna, the networks of several trials trained at once.

    Trials are asked for in batches. Those whose networks have equal shapes are trained together,
    fold by fold; after some epochs of the first fold, and after each fold, those that fall behind
    are stopped. Steps of a pipeline that several trials have in common are fitted, and applied to
    the test rows, once per fold. A study that is kept in a file or a database is resumed after a
    kill, and may be worked on by several processes and machines; see ``docs/searching.md``.

    Parameters
    ----------
    estimator : estimator
        A fusion estimator, or a pipeline that ends in one; any other is fitted one by one.
    space : SearchSpace, dict or None, default=None
        What to try: added to the space that the estimator brings along, and in its place where
        both have a parameter. Names are those of ``set_params``; see :class:`SearchSpace`.
    level : {"small", "full"} or None, default="small"
        How much of the estimator's own space to search; None for nothing but `space`.
    n_trials : int or None, default=50
        Trials that the study is to have in the end, pruned and failed ones included, whoever has
        run them; None for as many as `timeout` allows.
    timeout : float or None, default=None
        Seconds after which no more trials are begun.
    scoring : str, callable, list, tuple, dict or None, default=None
        What is scored; None takes the estimator's own score. Of several, the one that `refit`
        names, or else the first, is maximised.
    refit : bool, str or callable, default=True
        Whether, or by which score, to refit the best candidate on all rows.
    cv : int, splitter, iterable or None, default=None
        How rows are split, once for all trials; None means five folds. If ``fit`` is given groups,
        a number of folds means folds that keep them together.
    sampler : {"tpe", "random"} or optuna.samplers.BaseSampler, default="tpe"
        Who chooses: a tree-structured Parzen estimator [1]_ [2]_, or chance.
    sampler_params : dict or None, default=None
        Parameters of Optuna's TPESampler or RandomSampler, such as ``{"n_startup_trials": 20}``.
    pruner : {"race"}, optuna.pruners.BasePruner or None, default="race"
        Who stops trials. "race" compares each with all that have come as far, those that run
        beside it included; None stops none. Steps of the study are epochs of the first fold up to
        999, and 1000 for each fold that is done.
    pruner_params : dict or None, default=None
        Of "race": ``keep_epochs`` (0.7 by default) and ``keep_folds`` (0.5), the shares of trials
        that go on, and ``n_others`` (5), how many must have come as far before any is stopped.
    start_from : FusionSearchCV, optuna.Study, dict, list of dict or None, default=None
        Where to begin: the best trials of a fitted search or a study, or parameters by name. They
        are the first trials of a new study.
    n_start : int, default=5
        How many trials of a search or study to take.
    storage : str, Path, optuna.storages.BaseStorage or None, default=None
        Where the study is kept: a path, of an SQLite file where it ends in .db, .sqlite or
        .sqlite3, and of a journal else; the URL of a database; or None for memory.
    study_name : str, default="fusion-search"
        Name of the study in the storage.
    n_together : "auto" or int, default="auto"
        Trials to ask for at once: 16 with fusion networks, in groups of 4 whose networks have one
        shape; others one by one.
    n_jobs : int or None, default=None
        Processes that work on the study; None means 1, -1 all cores.
    batched : "auto" or bool, default="auto"
        Whether networks are trained at once: "auto" lets a short measurement decide; True
        and False fix it, which makes results repeat to the last bit on one machine.
    max_failures : int or None, default=20
        Trials that may fail before the search gives up; None for any number.
    error_score : "raise" or float, default=float("nan")
        Score of a trial that fails, which the study has as failed; "raise" ends the search at the
        first.
    return_train_score : bool, default=False
        Whether to score the training rows, too.
    random_state : int, RandomState or None, default=None
        Decides what is tried, not what estimators draw. With one process an int gives the same
        trials again; another `n_together` gives others, since choices then know less or more.
    verbose : int, default=0
        1 draws a progress bar, 2 also lets Optuna tell what it does.

    Attributes
    ----------
    study_ : optuna.Study
        A copy of the study in memory: trial i is row i of ``cv_results_``.
    cv_results_ : dict of str to array
        As of :class:`sklearn.model_selection.GridSearchCV`, NaN for folds that a pruned trial did
        not come to; and ``trial`` (its number in the storage), ``state`` ("complete", "pruned" or
        "failed") and ``error``.
    space_ : SearchSpace
        What was searched.
    best_estimator_, best_score_, best_params_, best_index_, scorer_, n_splits_, refit_time_, \
            multimetric_, classes_, n_features_in_, feature_names_in_
        As of :class:`sklearn.model_selection.GridSearchCV`; the best is one that was scored on all
        folds.

    Raises
    ------
    StudyError
        If the storage cannot be read, holds the study of another search, or vanishes in the middle;
        then ``cv_results_`` and ``study_`` are of what was found.

    See Also
    --------
    BatchedRandomizedSearchCV : Draws at random, and remembers nothing.
    SearchSpace : What to try, with conditions.

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
        "n_together": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
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
        n_together="auto",
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
        self.n_together = n_together
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
        """
        began = time.time()
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
        data = Data(X, y, splits, dict(routed.estimator.fit), dict(routed.scorer.score))
        plan = self._plan(data, scorer, objective, began)
        trials, error = run(plan, effective_n_jobs(self.n_jobs))
        with optuna_verbosity(0):
            self.study_ = copy_in_memory(self.study_name, trials)
        self.scorer_ = getattr(scorer, "_scorers", scorer)
        if trials:
            self._tell_results(trials, metric, scorer)
        if error is not None:
            raise error
        results.warn_of_failures(trials, self.error_score)
        if not trials or not (self.cv_results_["state"] == "complete").any():
            raise ValueError(
                f"FusionSearchCV: none of {len(trials)} trials was scored on all folds within "
                f"timeout={self.timeout} seconds. Give it more time, or fewer folds."
            )
        if self.refit:
            self._refit(X, y, routed.estimator.fit)
        return self

    # -- parts of fit ------------------------------------------------------------------------

    def _scorer(self):
        """Return who scores, the score that decides in results, and the one that is maximised."""
        scorer, metric = self._get_scorers()
        if isinstance(scorer, _MultimetricScorer):  # which would tell errors as texts
            names = scorer._scorers
            objective = self.refit if isinstance(self.refit, str) else next(iter(names))
            return _MultimetricScorer(scorers=names, raise_exc=True), metric, objective
        several = callable(self.scoring) and isinstance(self.refit, str)
        return scorer, self.refit if several else metric, self.refit if several else "score"

    def _space(self):
        own = SearchSpace({}) if self.level is None else space_of(self.estimator, self.level)
        space = own | (self.space or {})
        if not len(space):
            raise ValueError(
                f"FusionSearchCV: there is nothing to search. {type(self.estimator).__name__} "
                "brings no search space along; give one: space={'parameter': [values]}."
            )
        checks.check_names(space, self.estimator)
        return space

    def _plan(self, data, scorer, objective, began):
        if self.n_trials is None and self.timeout is None:
            raise ValueError("FusionSearchCV: give n_trials or timeout, or it would never end.")
        stackable = isinstance(final_step(self.estimator), BaseFusion)
        together = self.n_together
        if together == "auto":
            together = TOGETHER if stackable else 1
        seed = check_random_state(self.random_state).randint(np.iinfo(np.int32).max)
        sampler, pruner = self.sampler, self.pruner
        if isinstance(sampler, str):
            sampler = NumberedSampler(sampler, seed, self.sampler_params or {})
        if pruner is None:
            pruner = NopPruner()
        elif pruner == "race":
            pruner = RacePruner(**(self.pruner_params or {}))
        told = self.scoring if not callable(self.scoring) else _name(self.scoring)
        told = f"{objective} of {told}"
        search = results.describe_search(
            self.space_, data.X, data.y, data.splits, told, self.estimator
        )
        return Plan(
            estimator=clone(self.estimator),
            data=data,
            link={
                "storage": self.storage,
                "name": self.study_name,
                "space": self.space_,
                "search": search,
                "sampler": sampler,
                "pruner": pruner,
            },
            evaluator={
                "scorer": scorer,
                "objective": objective,
                "prune": self.pruner is not None,
                "batched": self.batched,
                "return_train_score": self.return_train_score,
            },
            start_from=checks.earlier_candidates(self.start_from, self.n_start),
            n_trials=self.n_trials,
            deadline=None if self.timeout is None else began + self.timeout,
            n_together=together,
            n_alike=ALIKE if stackable else 1,
            max_failures=self.max_failures,
            raise_errors=self.error_score == "raise",
            verbose=int(self.verbose),
        )

    def _tell_results(self, trials, metric, scorer):
        """Set what scikit-learn's searches tell of candidates."""
        params = [self.space_.decode(trial.params) for trial in trials]
        rows = results.rows_of_results(
            trials, self.n_splits_, self.error_score, with_train=self.return_train_score
        )
        with warnings.catch_warnings():
            # of pruned trials, of which there is nothing to warn
            warnings.filterwarnings("ignore", "One or more of the (test|train) scores", UserWarning)
            more = results.unlike_scikit_learn(trials)
            self.cv_results_ = self._format_results(params, self.n_splits_, rows, more)
        names = list(rows[0]["test_scores"])
        self.multimetric_ = isinstance(scorer, _MultimetricScorer) or names != ["score"]
        complete = (self.cv_results_["state"] == "complete").any()
        if complete and (self.refit or not self.multimetric_):
            self.best_index_ = self._select_best_index(self.refit, metric, self.cv_results_)
            if not callable(self.refit):
                self.best_score_ = self.cv_results_[f"mean_test_{metric}"][self.best_index_]
            self.best_params_ = params[self.best_index_]

    def _refit(self, X, y, fit_params):
        best = clone(self.estimator).set_params(**clone(self.best_params_, safe=False))
        started = time.perf_counter()
        self.best_estimator_ = best.fit(X, *(() if y is None else (y,)), **fit_params)
        self.refit_time_ = time.perf_counter() - started
        if hasattr(self.best_estimator_, "feature_names_in_"):
            self.feature_names_in_ = self.best_estimator_.feature_names_in_

    # -- scikit-learn's interface ------------------------------------------------------------

    def get_metadata_routing(self):
        """Return who asks for which metadata; a number of folds takes groups.

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
