"""Grid and random search that train candidates and folds in batches."""

import numpy as np
from sklearn.model_selection import (
    GridSearchCV,
    ParameterGrid,
    ParameterSampler,
    RandomizedSearchCV,
)
from sklearn.utils import get_tags, indexable

from sklearn_mmsent.model_selection._replay import FrozenSplits, Replay, record_folds
from sklearn_mmsent.model_selection.batched_fit import fit_batched
from sklearn_mmsent.utils._documentation import document_shared_parameters
from sklearn_mmsent.utils._sklearn import BaseSearchCV, StrOptions, _fit_context, _routing_enabled


class _BatchedSearch:
    """Batched ``fit``; a mixin to the left of scikit-learn's search."""

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y=None, **params):
        """Fit all candidates on all folds, score them, and refit the best.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            Rows.
        y : array-like of shape (n_samples,) or None, default=None
            Targets.
        **params : dict
            Metadata for ``fit``, the splitter and the scorer, as in scikit-learn's searches.

        Returns
        -------
        self : object
            The fitted search.
        """
        X, y = indexable(X, y)
        splits = FrozenSplits(self.cv, y, self.estimator)
        routed = dict(params)
        # without metadata routing, groups go to the splitter only
        groups = None if _routing_enabled() else routed.pop("groups", None)
        folds = record_folds(
            self.estimator, X, y, cv=splits, scoring=self.scoring, groups=groups, params=routed
        )
        candidates = list(self._candidates())
        fits = fit_batched(self.estimator, candidates, folds, batched=self.batched)
        search = _ListSearch(
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
            search.best_estimator_ = search.best_estimator_.current
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
    """Return the constraints of scikit-learn's search, without its parameters for parallel fits."""
    constraints = {**search._parameter_constraints, "batched": [StrOptions({"auto"}), "boolean"]}
    return {k: v for k, v in constraints.items() if k not in ("n_jobs", "pre_dispatch")}


class _ListSearch(BaseSearchCV):
    """Score a list of candidates in order."""

    def __init__(self, estimator, candidates, **options):
        super().__init__(estimator, n_jobs=1, **options)
        self.candidates = candidates

    def _run_search(self, evaluate_candidates):
        evaluate_candidates(self.candidates)


class BatchedGridSearchCV(_BatchedSearch, GridSearchCV):
    """Search over a parameter grid that trains candidates and folds in batches.

    Networks of equal shapes, such as candidates that differ in learning rate, weight decay or
    dropout, are trained as one network with an additional member axis, where that is faster.
    Earlier steps of a pipeline are fitted once per fold for all candidates that share them.
    Otherwise it is scikit-learn's search. Networks in a batch draw other dropout masks than
    networks trained one by one, so that scores differ as they do between seeds.

    A search whose networks have a `checkpoint_dir` resumes after an interruption: it trains the
    remaining networks only, and ends with the same results.

    Parameters
    ----------
    estimator : estimator
        A fusion estimator, or a pipeline that ends in one; any other is fitted one by one.
    param_grid : dict or list of dict
        Parameters with the values to try.
    scoring : str, callable, list, tuple, dict or None, default=None
        Scores to compute; None uses the estimator's ``score``.
    refit : bool, str or callable, default=True
        Whether, or by which score, to refit the best candidate on all rows.
    cv : int, splitter, iterable or None, default=None
        Cross-validation splits; None means five folds.
    verbose : int, default=0
        Verbosity of the scoring.
    error_score : "raise" or float, default=float("nan")
        Score of a candidate whose fit fails or diverges.
    return_train_score : bool, default=False
        Whether to compute scores on the training rows as well.
    batched : "auto" or bool, default="auto"
        Whether to train networks in batches; "auto" decides by a short timing. True and False
        make results reproducible to the last bit on one machine.

    Attributes
    ----------
    cv_results_, best_estimator_, best_score_, best_params_, best_index_, scorer_, n_splits_, \
            refit_time_, multimetric_, classes_, n_features_in_, feature_names_in_
        As in :class:`sklearn.model_selection.GridSearchCV`; a fit time is a share of the total.
    training_ : list of str
        How each network was trained: in which batch, or why singly. The folds of the first
        candidate, then those of the second, and so on.

    See Also
    --------
    BatchedRandomizedSearchCV : Samples combinations, for spaces too large for a grid.
    sklearn.model_selection.GridSearchCV : Fits one by one, or in several processes.

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


@document_shared_parameters(BatchedGridSearchCV)
class BatchedRandomizedSearchCV(_BatchedSearch, RandomizedSearchCV):
    """Search over random parameters that trains candidates and folds in batches.

    Networks of equal shapes, such as candidates that differ in learning rate, weight decay or
    dropout, are trained as one network with an additional member axis, where that is faster.
    Earlier steps of a pipeline are fitted once per fold for all candidates that share them.
    Otherwise it is scikit-learn's search. Networks in a batch draw other dropout masks than
    networks trained one by one, so that scores differ as they do between seeds.

    A search whose networks have a `checkpoint_dir` resumes after an interruption: it trains the
    remaining networks only, and ends with the same results.

    Parameters that are not listed here are those of :class:`BatchedGridSearchCV`.

    Parameters
    ----------
    param_distributions : dict or list of dict
        Parameters with the values or distributions to sample from.
    n_iter : int, default=10
        Number of candidates.
    random_state : int, RandomState or None, default=None
        Seed of the sampled candidates.

    Attributes
    ----------
    cv_results_, best_estimator_, best_score_, best_params_, best_index_, scorer_, n_splits_, \
            refit_time_, multimetric_, classes_, n_features_in_, feature_names_in_
        As in :class:`sklearn.model_selection.RandomizedSearchCV`; a fit time is a share of the
        total.
    training_ : list of str
        How each network was trained: in which batch, or why singly. The folds of the first
        candidate, then those of the second, and so on.

    See Also
    --------
    BatchedGridSearchCV : Tries all combinations of a small grid.
    sklearn.model_selection.RandomizedSearchCV : Fits one by one, or in several processes.

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
