"""Searches whose candidates and folds are trained at once."""

import numpy as np
from sklearn.model_selection import (
    GridSearchCV,
    ParameterGrid,
    ParameterSampler,
    RandomizedSearchCV,
)
from sklearn.utils import get_tags, indexable

from sklearn_mmsent.model_selection._replay import FrozenSplits, Replay, note_folds
from sklearn_mmsent.model_selection.batched_fit import fit_batched
from sklearn_mmsent.utils._sklearn import BaseSearchCV, StrOptions, _fit_context, _routing_enabled


class _BatchedSearch:
    """What both searches share; stands left of scikit-learn's search."""

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y=None, **params):
        """Train all candidates on all folds, score them, and refit the best.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            Rows.
        y : array-like of shape (n_samples,) or None, default=None
            Targets.
        **params : dict
            Metadata for ``fit``, the splitter and the scorer, as scikit-learn's searches take it.

        Returns
        -------
        self : object
            The fitted search.
        """
        X, y = indexable(X, y)
        splits = FrozenSplits(self.cv, y, self.estimator)
        routed = dict(params)
        # without routing, groups are for the splitter alone
        groups = None if _routing_enabled() else routed.pop("groups", None)
        folds = note_folds(
            self.estimator, X, y, cv=splits, scoring=self.scoring, groups=groups, params=routed
        )
        candidates = list(self._candidates())
        fits = fit_batched(self.estimator, candidates, folds, batched=self.batched)
        search = _Listed(
            Replay(self.estimator, fits),
            candidates,
            scoring=self.scoring,
            refit=self.refit,
            cv=splits,
            verbose=self.verbose,
            error_score=self.error_score,
            return_train_score=self.return_train_score,
        )
        search.fit(X, y, **params)
        if hasattr(search, "best_estimator_"):
            search.best_estimator_ = search.best_estimator_.now
        for name, value in vars(search).items():
            if name.endswith("_") and not name.startswith("_"):
                setattr(self, name, value)
        seconds = np.array([fit.seconds for fit in fits]).reshape(len(candidates), -1)
        self.cv_results_["mean_fit_time"] = seconds.mean(axis=1)
        self.cv_results_["std_fit_time"] = seconds.std(axis=1)
        self.training_ = [fit.how for fit in fits]
        return self

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = get_tags(self.estimator).input_tags.allow_nan
        return tags


def _constraints(search):
    """Return those of scikit-learn's search, without what tells how to run fits in parallel."""
    constraints = {**search._parameter_constraints, "batched": [StrOptions({"auto"}), "boolean"]}
    return {k: v for k, v in constraints.items() if k not in ("n_jobs", "pre_dispatch")}


class _Listed(BaseSearchCV):
    """Scores a list of candidates, in order and one by one."""

    def __init__(self, estimator, candidates, **options):
        super().__init__(estimator, n_jobs=1, **options)
        self.candidates = candidates

    def _run_search(self, evaluate_candidates):
        evaluate_candidates(self.candidates)


class BatchedGridSearchCV(_BatchedSearch, GridSearchCV):
    """Search a grid of parameters; candidates and folds are trained at once.

    Networks of equal shapes, such as candidates that differ in learning rate, weight decay or
    dropout, are trained together as one network with an axis of members, where that is faster.
    Earlier steps of a pipeline are fitted once per fold for all candidates that have them in
    common. In all else it is scikit-learn's search; networks that were trained together drew other
    dropout than they would alone, so that scores differ as those of another seed do.

    A search whose networks have a `checkpoint_dir` resumes: killed and started again, it trains
    only what is not there yet, and ends with the same results. Tables are read, and what is not a
    network is fitted, again.

    Parameters
    ----------
    estimator : estimator
        A fusion estimator, or a pipeline that ends in one; any other is fitted one by one.
    param_grid : dict or list of dict
        Parameters and the values to try.
    scoring : str, callable, list, tuple, dict or None, default=None
        What is scored; None takes the estimator's own score.
    refit : bool, str or callable, default=True
        Whether, or by which score, to refit the best candidate on all rows.
    cv : int, splitter, iterable or None, default=None
        How rows are split; None means five folds.
    verbose : int, default=0
        How much is printed of the scoring.
    error_score : "raise" or float, default=float("nan")
        Score of a candidate whose fit fails, or whose training diverges.
    return_train_score : bool, default=False
        Whether to score the training rows, too.
    batched : "auto" or bool, default="auto"
        Whether networks are trained at once: "auto" lets a short measurement decide; True
        and False fix it, which makes results repeat to the last bit on one machine.

    Attributes
    ----------
    cv_results_, best_estimator_, best_score_, best_params_, best_index_, scorer_, n_splits_, \
            refit_time_, multimetric_, classes_, n_features_in_, feature_names_in_
        As of :class:`sklearn.model_selection.GridSearchCV`; a fit time is a share of that of all.
    training_ : list of str
        How each network was trained, stacked or alone and why: the folds of the first candidate,
        then those of the second, and so on.

    See Also
    --------
    BatchedRandomizedSearchCV : Tries some combinations, drawn at random.
    sklearn.model_selection.GridSearchCV : One fit after another, or in processes.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from sklearn_mmsent import BatchedGridSearchCV, FusionClassifier
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame(rng.normal(size=(200, 2)), columns=["text__tone", "face__smile"])
    >>> y = np.where(X["text__tone"] > X["face__smile"], "happy", "sad")
    >>> clf = FusionClassifier(max_epochs=10, random_state=0)
    >>> grid = {"lr": [1e-6, 1e-2], "dropout": [0.0, 0.2]}
    >>> BatchedGridSearchCV(clf, grid, cv=3).fit(X, y).best_params_["lr"]
    0.01
    """

    _parameter_constraints: dict = _constraints(GridSearchCV)

    def __init__(
        self,
        estimator,
        param_grid,
        *,
        scoring=None,
        refit=True,
        cv=None,
        verbose=0,
        error_score=float("nan"),
        return_train_score=False,
        batched="auto",
    ):
        self.estimator = estimator
        self.param_grid = param_grid
        self.scoring = scoring
        self.refit = refit
        self.cv = cv
        self.verbose = verbose
        self.error_score = error_score
        self.return_train_score = return_train_score
        self.batched = batched

    def _candidates(self):
        return ParameterGrid(self.param_grid)


class BatchedRandomizedSearchCV(_BatchedSearch, RandomizedSearchCV):
    """Search parameters drawn at random; candidates and folds are trained at once.

    Networks of equal shapes, such as candidates that differ in learning rate, weight decay or
    dropout, are trained together as one network with an axis of members, where that is faster.
    Earlier steps of a pipeline are fitted once per fold for all candidates that have them in
    common. In all else it is scikit-learn's search; networks that were trained together drew other
    dropout than they would alone, so that scores differ as those of another seed do.

    A search whose networks have a `checkpoint_dir` resumes: killed and started again, it trains
    only what is not there yet, and ends with the same results. Tables are read, and what is not a
    network is fitted, again.

    Parameters
    ----------
    estimator : estimator
        A fusion estimator, or a pipeline that ends in one; any other is fitted one by one.
    param_distributions : dict or list of dict
        Parameters, and values or distributions to draw from.
    n_iter : int, default=10
        Number of candidates.
    scoring : str, callable, list, tuple, dict or None, default=None
        What is scored; None takes the estimator's own score.
    refit : bool, str or callable, default=True
        Whether, or by which score, to refit the best candidate on all rows.
    cv : int, splitter, iterable or None, default=None
        How rows are split; None means five folds.
    verbose : int, default=0
        How much is printed of the scoring.
    random_state : int, RandomState or None, default=None
        Decides what is drawn.
    error_score : "raise" or float, default=float("nan")
        Score of a candidate whose fit fails, or whose training diverges.
    return_train_score : bool, default=False
        Whether to score the training rows, too.
    batched : "auto" or bool, default="auto"
        Whether networks are trained at once: "auto" lets a short measurement decide; True
        and False fix it, which makes results repeat to the last bit on one machine.

    Attributes
    ----------
    cv_results_, best_estimator_, best_score_, best_params_, best_index_, scorer_, n_splits_, \
            refit_time_, multimetric_, classes_, n_features_in_, feature_names_in_
        As of :class:`sklearn.model_selection.RandomizedSearchCV`; a fit time is a share of that
        of all.
    training_ : list of str
        How each network was trained, stacked or alone and why: the folds of the first candidate,
        then those of the second, and so on.

    See Also
    --------
    BatchedGridSearchCV : Tries all combinations.
    sklearn.model_selection.RandomizedSearchCV : One fit after another, or in processes.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from scipy.stats import loguniform
    >>> from sklearn_mmsent import FusionClassifier
    >>> from sklearn_mmsent.model_selection import BatchedRandomizedSearchCV
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame(rng.normal(size=(200, 2)), columns=["text__tone", "face__smile"])
    >>> y = np.where(X["text__tone"] > X["face__smile"], "happy", "sad")
    >>> clf = FusionClassifier(max_epochs=10, random_state=0)
    >>> rates = {"lr": loguniform(1e-6, 1e-1)}
    >>> search = BatchedRandomizedSearchCV(clf, rates, n_iter=6, cv=3, random_state=0)
    >>> bool(search.fit(X, y).best_params_["lr"] > 1e-4)
    True
    """

    _parameter_constraints: dict = _constraints(RandomizedSearchCV)

    def __init__(
        self,
        estimator,
        param_distributions,
        *,
        n_iter=10,
        scoring=None,
        refit=True,
        cv=None,
        verbose=0,
        random_state=None,
        error_score=float("nan"),
        return_train_score=False,
        batched="auto",
    ):
        self.estimator = estimator
        self.param_distributions = param_distributions
        self.n_iter = n_iter
        self.scoring = scoring
        self.refit = refit
        self.cv = cv
        self.verbose = verbose
        self.random_state = random_state
        self.error_score = error_score
        self.return_train_score = return_train_score
        self.batched = batched

    def _candidates(self):
        return ParameterSampler(
            self.param_distributions, self.n_iter, random_state=self.random_state
        )
