"""Greedy ensemble selection: the experts that score best as an ensemble.

Caruana, Niculescu-Mizil, Crew, Ksikes (2004), Ensemble selection from libraries of models, ICML:
selection with replacement, sorted initialisation, and bagging of the experts.
"""

import dataclasses
import warnings
from numbers import Integral, Real

import numpy as np
from sklearn.utils.parallel import Parallel, delayed

from sklearn_mmsent.ensemble.experts.base import BaseExperts, ExpertClassifier, ExpertRegressor
from sklearn_mmsent.ensemble.experts.candidates import best_candidates, fit_search, is_search
from sklearn_mmsent.ensemble.experts.combination import pool
from sklearn_mmsent.ensemble.experts.expert import Expert
from sklearn_mmsent.ensemble.experts.fitting import name_error
from sklearn_mmsent.ensemble.experts.scoring import OutputScore
from sklearn_mmsent.ensemble.experts.selection import draw_bags, select_members
from sklearn_mmsent.utils._documentation import document_shared_parameters
from sklearn_mmsent.utils._random import clone_with_seeds, seed_generator
from sklearn_mmsent.utils._sklearn import Interval, StrOptions, _fit_context

#: Default number of bags, and of members from which bags are used.
N_BAGS = 20


class _BaseGreedy(BaseExperts):
    _parameter_constraints: dict = {
        **BaseExperts._parameter_constraints,
        "scoring": [str, callable, None],
        "top_n": [Interval(Integral, 1, None, closed="left")],
        "n_rounds": [Interval(Integral, 1, None, closed="left")],
        "n_initial": [Interval(Integral, 1, None, closed="left")],
        "n_bags": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "bag_fraction": [Interval(Real, 0, 1, closed="right")],
        "cv": ["cv_object"],
    }

    def __init__(
        self,
        experts,
        *,
        scoring=None,
        top_n=20,
        n_rounds=25,
        n_initial=5,
        n_bags="auto",
        bag_fraction=0.5,
        modalities="auto",
        cv=None,
        batched="auto",
        n_jobs=None,
        random_state=None,
    ):
        self.experts = experts
        self.scoring = scoring
        self.top_n = top_n
        self.n_rounds = n_rounds
        self.n_initial = n_initial
        self.n_bags = n_bags
        self.bag_fraction = bag_fraction
        self.modalities = modalities
        self.cv = cv
        self.batched = batched
        self.n_jobs = n_jobs
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y, sample_weight=None, *, groups=None):
        """Compute out-of-fold predictions of all members, select members, and refit these.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            Numeric table whose column names give the blocks, with NaN for missing values; or a
            table of raw cells, if members are pipelines that read them.
        y : array-like of shape (n_samples,)
            Targets.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            Weight of each row, for members that take it and for the score.
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
            If a member fails or has no probabilities, or rows cannot be split.

        Warns
        -----
        UserWarning
            If candidates of a search fail; they are ignored.
        """
        data = self._read_data(X, y, sample_weight, groups)
        score = OutputScore(self.scoring, data)
        experts = self._make_experts(data, self._given())
        self._check_members(experts)
        splits = self._split(data)
        experts, candidates = self._expand_searches(experts, data)
        fits = self._fit_experts(
            experts, data, splits, candidates=[list(c.values()) for c in candidates], refit=False
        )
        outputs, expert_of = self._member_outputs(experts, candidates, fits)
        self.oof_predictions_ = outputs
        if data.classes is None:
            self.oof_predictions_ = {member: values[:, 0] for member, values in outputs.items()}
        self._select(list(outputs), np.stack(list(outputs.values()), axis=1), score)
        self._refit(experts, candidates, expert_of, data)
        return self

    # -- parts of fit ------------------------------------------------------------------------

    def _given(self):
        """Return the parameter `experts`, a single search as a list."""
        return [("search", self.experts)] if is_search(self.experts) else self.experts

    def _check_members(self, experts):
        """Check that members have probabilities, including those of searches."""
        members = [
            dataclasses.replace(expert, estimator=expert.estimator.estimator)
            if is_search(expert.estimator)  # without refit it does not predict
            else expert
            for expert in experts
        ]
        self._check_methods(members)

    def _expand_searches(self, experts, data):
        """Fit searches; return experts, and for each the parameters of its candidates by name."""
        resolved, candidates = [], []
        for expert in experts:
            found = {expert.name: {}}
            if is_search(expert.estimator):
                try:
                    search = fit_search(expert, data)
                except Exception as error:
                    raise name_error(error, expert, type(self).__name__) from error
                best = best_candidates(search, self.top_n)
                found = {f"{expert.name}_{i}": params for i, params in best.items()}
                estimator = clone_with_seeds(search.estimator, seed_generator(self.random_state))
                expert = dataclasses.replace(expert, estimator=estimator)
            resolved.append(expert)
            candidates.append(found)
        if not any(candidates):
            raise ValueError(
                f"{type(self).__name__}: all candidates of the search failed; its cv_results_ have "
                "no score."
            )
        return resolved, candidates

    def _member_outputs(self, experts, candidates, fits):
        """Return out-of-fold outputs and the index of the expert by member, without failures."""
        name = type(self).__name__
        outputs, expert_of, failed = {}, {}, []
        for e, (expert, found, results) in enumerate(zip(experts, candidates, fits, strict=True)):
            for member, result in zip(found, results, strict=True):
                if result.error is None:
                    outputs[member], expert_of[member] = result.outputs, e
                elif found[member]:
                    failed.append((member, result.error))
                else:
                    raise name_error(result.error, expert, name) from result.error
        if not outputs:
            member, error = failed[0]
            expert = Expert(member, experts[0].estimator)
            raise name_error(error, expert, name) from error
        if failed:
            warnings.warn(
                f"{name}: {len(failed)} candidates of searches failed and are ignored; the first, "
                f"{failed[0][0]!r}, with {type(failed[0][1]).__name__}: {failed[0][1]}",
                UserWarning,
                stacklevel=4,
            )
        return outputs, expert_of

    def _select(self, names, outputs, score):
        """Select members in each bag, weighted by how often they are selected."""
        n_bags = self.n_bags
        if n_bags == "auto":
            n_bags = N_BAGS if len(names) >= N_BAGS else 1
        seed = self.random_state
        if not isinstance(seed, Integral | None):
            seed = seed.randint(np.iinfo(np.int32).max)
        bags = draw_bags(len(names), n_bags, self.bag_fraction, np.random.default_rng(seed))
        options = {"n_rounds": self.n_rounds, "n_initial": self.n_initial}
        results = Parallel(n_jobs=self.n_jobs)(
            delayed(select_members)(outputs, self._prior, score, among=bag, **options)
            for bag in bags
        )
        weights = np.mean([counts / counts.sum() for counts, _ in results], axis=0)
        self.paths_ = [[(names[k], reached) for k, reached in path] for _, path in results]
        self.weights_ = {n: float(w) for n, w in zip(names, weights, strict=True) if w > 0}
        self._weights = np.array(list(self.weights_.values()))
        self.scores_ = {
            member: score(self._with_prior(outputs[:, [k]], np.ones(1)))
            for k, member in enumerate(names)
        }
        self.best_score_ = score(self._with_prior(outputs, weights))

    def _with_prior(self, outputs, weights):
        pooled = pool(outputs, weights)
        pooled[np.isnan(outputs[:, :, 0][:, weights > 0]).all(axis=1)] = self._prior
        return pooled

    def _refit(self, experts, candidates, expert_of, data):
        """Fit the selected members on all rows."""
        chosen = [[m for m in found if m in self.weights_] for found in candidates]
        used = [e for e, members in enumerate(chosen) if members]
        results = self._fit_experts(
            [experts[e] for e in used],
            data,
            candidates=[[candidates[e][m] for m in chosen[e]] for e in used],
        )
        fitted = {}
        for e, expert_fits in zip(used, results, strict=True):
            for member, result in zip(chosen[e], expert_fits, strict=True):
                if result.error is not None:
                    expert = dataclasses.replace(experts[e], name=member)
                    raise name_error(result.error, expert, type(self).__name__) from result.error
                fitted[member] = result.estimator
        self.experts_ = {member: fitted[member] for member in self.weights_}
        self._fitted = [
            dataclasses.replace(experts[expert_of[m]], name=m, estimator=self.experts_[m])
            for m in self.weights_
        ]

    def _combine(self, outputs, table):
        return pool(outputs, self._weights)


class GreedyEnsembleClassifier(ExpertClassifier, _BaseGreedy):
    """Greedy ensemble selection for classification.

    Members are added to the ensemble one by one, each time the one with which the mean of the
    out-of-fold probabilities scores best; a member that is added again gains weight [1]_. Members
    may be the best candidates of a search. The networks of all folds are trained in batches, and a
    group is never in both parts of a split. Only selected members are fitted on all rows.

    Parameters
    ----------
    experts : search, estimator or list of tuple
        A search such as `FusionSearchCV`, `BatchedGridSearchCV` or scikit-learn's, whose `top_n`
        best candidates are members; one estimator, which is cloned for each modality of the
        table; or a list of (name, estimator or search) and, for members that read some modalities
        only, (name, estimator or search, modalities). A member that does not accept NaN reads the
        output of `FillBlocks`. A fitted search is not fitted again, except in clones of the
        ensemble, as in cross-validation.
    scoring : str, callable or None, default=None
        Score to maximise, such as a name for `get_scorer` ("f1_macro"); None is the log loss.
    top_n : int, default=20
        Maximum number of candidates of each search.
    n_rounds : int, default=25
        Maximum number of members, counted with repetitions.
    n_initial : int, default=5
        Maximum number of the best single members to start with.
    n_bags : int or "auto", default="auto"
        Number of ensembles that are selected from random subsets of the members, and averaged,
        which reduces overfitting. "auto" means 20 with 20 or more members, else 1, which selects
        from all.
    bag_fraction : float, default=0.5
        Share of the members in each of several bags.
    modalities : "auto", mapping or None, default="auto"
        Blocks of the table; "auto" reads the column names. See
        :meth:`sklearn_mmsent.blocks.BlockLayout.of`.
    cv : int, splitter, iterable or None, default=None
        Splits that test each row once. An int, and None for 5, means shuffled folds that keep
        groups together; folds of classes are stratified.
    batched : "auto" or bool, default="auto"
        Whether to train the networks of folds and candidates in batches; "auto" decides by a short
        timing.
    n_jobs : int or None, default=None
        Number of members that are fitted, and of bags that are selected, in parallel; None means 1.
    random_state : int, RandomState or None, default=None
        Seed of folds and bags, and of members without a `random_state` of their own.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Class labels.
    weights_ : dict of str to float
        Weights of the selected members; they sum to one. Candidates of a search are named after it
        and their index in its ``cv_results_``: ``"search_12"``.
    experts_ : dict of str to classifier
        Selected members, fitted on all rows that they can read.
    scores_ : dict of str to float
        Score of each single member.
    best_score_ : float
        Score of the ensemble; slightly optimistic, since it was maximised.
    paths_ : list of list of (str, float) tuples
        For each bag, the members in the order in which they were added, and the score with each.
        Those up to the best score form the ensemble.
    oof_predictions_ : dict of str to ndarray of shape (n_samples, n_classes)
        Out-of-fold probabilities of the training rows, NaN for rows that a member cannot read.
    n_features_in_ : int
        Number of columns seen in ``fit``.
    feature_names_in_ : ndarray of str objects of shape (n_features_in_,)
        Names of the columns, if the table had names.

    See Also
    --------
    FusionStackingClassifier : Combines all members by a classifier.
    DeepEnsembleClassifier : Averages one network over several seeds.

    References
    ----------
    .. [1] Caruana, Niculescu-Mizil, Crew, Ksikes (2004), Ensemble selection from libraries of
       models, ICML.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.model_selection import GridSearchCV
    >>> from sklearn_mmsent import GreedyEnsembleClassifier
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame(rng.normal(size=(200, 2)), columns=["text__tone", "face__smile"])
    >>> y = np.where(X["text__tone"] > X["face__smile"], "happy", "sad")
    >>> search = GridSearchCV(LogisticRegression(), {"C": [1e-3, 1.0, 10.0]}, cv=3)
    >>> clf = GreedyEnsembleClassifier(search, scoring="f1_macro", random_state=0).fit(X, y)
    >>> clf.best_score_ >= max(clf.scores_.values())
    True
    >>> sum(clf.weights_.values())
    1.0
    """


@document_shared_parameters(GreedyEnsembleClassifier)
class GreedyEnsembleRegressor(ExpertRegressor, _BaseGreedy):
    """Greedy ensemble selection for regression.

    Members are added to the ensemble one by one, each time the one with which the mean of the
    out-of-fold predictions scores best; a member that is added again gains weight. Members may
    be the best candidates of a search. The networks of all folds are trained in batches, and a
    group is never in both parts of a split. Only selected members are fitted on all rows.

    Parameters that are not listed here are those of :class:`GreedyEnsembleClassifier`.

    Parameters
    ----------
    scoring : str, callable or None, default=None
        Score to maximise, such as a name for `get_scorer` ("corr"); None is the squared error.

    Attributes
    ----------
    weights_ : dict of str to float
        Weights of the selected members; they sum to one. Candidates of a search are named after it
        and their index in its ``cv_results_``: ``"search_12"``.
    experts_ : dict of str to regressor
        Selected members, fitted on all rows that they can read.
    scores_ : dict of str to float
        Score of each single member.
    best_score_ : float
        Score of the ensemble; slightly optimistic, since it was maximised.
    paths_ : list of list of (str, float) tuples
        For each bag, the members in the order in which they were added, and the score with each.
        Those up to the best score form the ensemble.
    oof_predictions_ : dict of str to ndarray of shape (n_samples,)
        Out-of-fold predictions of the training rows, NaN for rows that a member cannot read.
    n_features_in_ : int
        Number of columns seen in ``fit``.
    feature_names_in_ : ndarray of str objects of shape (n_features_in_,)
        Names of the columns, if the table had names.

    See Also
    --------
    FusionStackingRegressor : Combines all members by a regressor.
    DeepEnsembleRegressor : Averages one network over several seeds.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn_mmsent import GreedyEnsembleRegressor
    >>> rng = np.random.default_rng(0)
    >>> truth = rng.normal(size=200)
    >>> X = pd.DataFrame({"text__tone": truth, "face__noise": rng.normal(size=200)})
    >>> GreedyEnsembleRegressor(Ridge(), scoring="corr", random_state=0).fit(X, truth).weights_
    {'text': 1.0}
    """
