"""Greedy ensembles: the members, out of a library, that predict best together.

Caruana, Niculescu-Mizil, Crew, Ksikes (2004), Ensemble selection from libraries of models, ICML:
selection with replacement, from a sorted start, over bags of the library.
"""

import dataclasses
import warnings
from numbers import Integral, Real

import numpy as np
from sklearn.utils.parallel import Parallel, delayed

from sklearn_mmsent.ensemble.experts.base import BaseExperts, ExpertClassifier, ExpertRegressor
from sklearn_mmsent.ensemble.experts.candidates import best_candidates, is_search, run_search
from sklearn_mmsent.ensemble.experts.combination import pool
from sklearn_mmsent.ensemble.experts.expert import Expert
from sklearn_mmsent.ensemble.experts.fitting import name_error
from sklearn_mmsent.ensemble.experts.scoring import OutputScore
from sklearn_mmsent.ensemble.experts.selection import draw_bags, select_members
from sklearn_mmsent.utils._random import clone_with_seeds, seed_generator
from sklearn_mmsent.utils._sklearn import HasMethods, Interval, StrOptions, _fit_context

#: From so many members on, bags pay: fewer are too few to leave half of them out.
MANY = 20


class _BaseGreedy(BaseExperts):
    _parameter_constraints: dict = {
        **{k: v for k, v in BaseExperts._parameter_constraints.items() if k != "experts"},
        "experts": [list, HasMethods(["fit"])],
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
        """Let all members predict rows that they have not seen, choose, and refit the chosen.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            Numeric table whose columns' names tell the blocks, NaN what is missing; or a table of
            raw cells, where members are pipelines that read such.
        y : array-like of shape (n_samples,)
            Targets.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            Weight of each row, for the members that take it and for the score.
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
            If a member fails or tells no probabilities, or rows cannot be split; the message
            names it.

        Warns
        -----
        UserWarning
            If candidates of a search fail; they are left out.
        """
        data = self._open(X, y, sample_weight, groups)
        score = OutputScore(self.scoring, data)
        experts = self._named_experts(data, self._given())
        self._check_members(experts)
        splits = self._split(data)
        experts, candidates = self._library(experts, data)
        trained = self._train(
            experts, data, splits, candidates=[list(c.values()) for c in candidates], whole=False
        )
        told, places = self._members(experts, candidates, trained)
        self.oof_predictions_ = told
        outputs = np.stack(list(told.values()), axis=1)
        if data.classes is None:
            self.oof_predictions_ = {member: values[:, 0] for member, values in told.items()}
        self._choose(list(told), outputs, score)
        self._refit(experts, candidates, places, data)
        return self

    # -- parts of fit ------------------------------------------------------------------------

    def _given(self):
        """Return the library as a list, unless each modality is to have a clone."""
        return [("search", self.experts)] if is_search(self.experts) else self.experts

    def _check_members(self, experts):
        """Refuse, before anything is fitted, members that cannot be averaged."""
        members = [
            dataclasses.replace(expert, estimator=expert.estimator.estimator)
            if is_search(expert.estimator)  # which without refit predicts nothing itself
            else expert
            for expert in experts
        ]
        self._check_able(members)

    def _library(self, experts, data):
        """Run searches; return experts, and for each its candidates' parameters by name."""
        resolved, candidates = [], []
        for expert in experts:
            found = {expert.name: {}}
            if is_search(expert.estimator):
                try:
                    search = run_search(expert, data)
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
                f"{type(self).__name__}: all candidates of the search failed: there is no score in "
                "its cv_results_."
            )
        return resolved, candidates

    def _members(self, experts, candidates, trained):
        """Return the out-of-fold outputs of each member, and whose they are; leave out failures."""
        name = type(self).__name__
        told, places, lost = {}, {}, []
        for e, (expert, found, results) in enumerate(
            zip(experts, candidates, trained, strict=True)
        ):
            for member, result in zip(found, results, strict=True):
                if result.error is None:
                    told[member], places[member] = result.outputs, e
                elif found[member]:
                    lost.append((member, result.error))
                else:
                    raise name_error(result.error, expert, name) from result.error
        if not told:
            member, error = lost[0]
            expert = Expert(member, experts[0].estimator)
            raise name_error(error, expert, name) from error
        if lost:
            warnings.warn(
                f"{name}: {len(lost)} candidates of searches failed and are left out; the first, "
                f"{lost[0][0]!r}, with {type(lost[0][1]).__name__}: {lost[0][1]}",
                UserWarning,
                stacklevel=4,
            )
        return told, places

    def _choose(self, names, outputs, score):
        """Choose members in each bag, and weigh them by how often they are chosen."""
        n_bags = self.n_bags
        if n_bags == "auto":
            n_bags = MANY if len(names) >= MANY else 1
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
        joined = pool(outputs, weights)
        joined[np.isnan(outputs[:, :, 0][:, weights > 0]).all(axis=1)] = self._prior
        return joined

    def _refit(self, experts, candidates, places, data):
        """Fit the chosen on all rows."""
        chosen = [[m for m in found if m in self.weights_] for found in candidates]
        used = [e for e, members in enumerate(chosen) if members]
        results = self._train(
            [experts[e] for e in used],
            data,
            candidates=[[candidates[e][m] for m in chosen[e]] for e in used],
        )
        fitted = {}
        for e, of_expert in zip(used, results, strict=True):
            for member, result in zip(chosen[e], of_expert, strict=True):
                if result.error is not None:
                    expert = dataclasses.replace(experts[e], name=member)
                    raise name_error(result.error, expert, type(self).__name__) from result.error
                fitted[member] = result.estimator
        self.experts_ = {member: fitted[member] for member in self.weights_}
        self._fitted = [
            dataclasses.replace(experts[places[m]], name=m, estimator=self.experts_[m])
            for m in self.weights_
        ]

    def _combine(self, outputs, table):
        return pool(outputs, self._weights)


class GreedyEnsembleClassifier(ExpertClassifier, _BaseGreedy):
    """Classify with those members of a library that predict best together.

    All members predict rows that they have not seen, fold by fold; the networks of all folds are
    trained together, and no group is on both sides of a fold. Then members are added to the
    ensemble one by one, each time the one with which the mean probabilities score best; one may be
    added again, which raises its weight. What is not chosen is not fitted on all rows.

    The library may be what a search has tried: its best candidates, of which it would keep one.

    Parameters
    ----------
    experts : search, estimator or list of tuple
        A search such as `FusionSearchCV`, `BatchedGridSearchCV` or scikit-learn's: its `top_n` best
        candidates are members. Or one classifier, of which each modality of the table gets a clone;
        or a list of (name, classifier or search) and, for members that read some modalities only,
        (name, classifier or search, modalities). What reads no NaN is put behind `FillBlocks`. A
        fitted search is not run again; a clone of the ensemble, such as cross-validation makes,
        runs it on its own rows.
    scoring : str, callable or None, default=None
        What is maximised; any name of `get_scorer`, such as "f1_macro". None is the log loss.
    top_n : int, default=20
        How many candidates of each search are members, at most.
    n_rounds : int, default=25
        How many members are added, at most.
    n_initial : int, default=5
        With how many of the best members an ensemble may start.
    n_bags : int or "auto", default="auto"
        How many ensembles are chosen, each from a part of the library drawn at random, and
        averaged: this guards against members that are good by chance. "auto" is 20 for a library
        of 20 or more; else 1, which chooses from all.
    bag_fraction : float, default=0.5
        Share of the library in each of several bags.
    modalities : "auto", mapping or None, default="auto"
        Where the blocks are; "auto" reads the column names. See
        :meth:`sklearn_mmsent.blocks.BlockLayout.of`.
    cv : int, splitter, iterable or None, default=None
        How rows are split, each into one test part; None means 5, an int that many shuffled,
        stratified folds, which keep groups together.
    batched : "auto" or bool, default="auto"
        Whether the networks of a member's folds, and of a search's candidates, are trained at
        once: "auto" lets a short measurement decide.
    n_jobs : int or None, default=None
        Number of members trained, and of bags filled, in parallel; None means 1.
    random_state : int, RandomState or None, default=None
        Decides folds and bags, and seeds what members leave undecided.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The class labels.
    weights_ : dict of str to float
        Weights of the chosen members, one in sum. Candidates of a search are called by its name
        and their place in its ``cv_results_``: ``"search_12"``.
    experts_ : dict of str to classifier
        The chosen members, fitted on all rows that they can read.
    scores_ : dict of str to float
        Score of each member of the library alone.
    best_score_ : float
        Score of the ensemble. It was chosen for it, so it flatters a little.
    paths_ : list of list of (str, float) tuples
        Of each bag: the members in the order in which they were added, and the score with each.
        Those up to the best score count.
    oof_predictions_ : dict of str to ndarray of shape (n_samples, n_classes)
        Probabilities of training rows by members that have not seen them, NaN for rows that a
        member cannot read.
    n_features_in_ : int
        Number of columns seen in ``fit``.
    feature_names_in_ : ndarray of str objects of shape (n_features_in_,)
        Their names, where the table had names.

    See Also
    --------
    FusionStackingClassifier : Weighs every member class by class, and keeps all.
    DeepEnsembleClassifier : One network with several seeds.

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

    _parameter_constraints: dict = _BaseGreedy._parameter_constraints


class GreedyEnsembleRegressor(ExpertRegressor, _BaseGreedy):
    """Predict intensities with those members of a library that predict best together.

    All members predict rows that they have not seen, fold by fold; the networks of all folds are
    trained together, and no group is on both sides of a fold. Then members are added to the
    ensemble one by one, each time the one with which the mean prediction scores best; one may be
    added again, which raises its weight. What is not chosen is not fitted on all rows.

    The library may be what a search has tried: its best candidates, of which it would keep one.

    Parameters
    ----------
    experts : search, estimator or list of tuple
        A search such as `FusionSearchCV`, `BatchedGridSearchCV` or scikit-learn's: its `top_n` best
        candidates are members. Or one regressor, of which each modality of the table gets a clone;
        or a list of (name, regressor or search) and, for members that read some modalities only,
        (name, regressor or search, modalities). What reads no NaN is put behind `FillBlocks`. A
        fitted search is not run again; a clone of the ensemble, such as cross-validation makes,
        runs it on its own rows.
    scoring : str, callable or None, default=None
        What is maximised; any name of `get_scorer`, such as "corr" or "neg_mae". None is the
        squared error.
    top_n : int, default=20
        How many candidates of each search are members, at most.
    n_rounds : int, default=25
        How many members are added, at most.
    n_initial : int, default=5
        With how many of the best members an ensemble may start.
    n_bags : int or "auto", default="auto"
        How many ensembles are chosen, each from a part of the library drawn at random, and
        averaged: this guards against members that are good by chance. "auto" is 20 for a library
        of 20 or more; else 1, which chooses from all.
    bag_fraction : float, default=0.5
        Share of the library in each of several bags.
    modalities : "auto", mapping or None, default="auto"
        Where the blocks are; "auto" reads the column names. See
        :meth:`sklearn_mmsent.blocks.BlockLayout.of`.
    cv : int, splitter, iterable or None, default=None
        How rows are split, each into one test part; None means 5, an int that many shuffled
        folds, which keep groups together.
    batched : "auto" or bool, default="auto"
        Whether the networks of a member's folds, and of a search's candidates, are trained at
        once: "auto" lets a short measurement decide.
    n_jobs : int or None, default=None
        Number of members trained, and of bags filled, in parallel; None means 1.
    random_state : int, RandomState or None, default=None
        Decides folds and bags, and seeds what members leave undecided.

    Attributes
    ----------
    weights_ : dict of str to float
        Weights of the chosen members, one in sum. Candidates of a search are called by its name
        and their place in its ``cv_results_``: ``"search_12"``.
    experts_ : dict of str to regressor
        The chosen members, fitted on all rows that they can read.
    scores_ : dict of str to float
        Score of each member of the library alone.
    best_score_ : float
        Score of the ensemble. It was chosen for it, so it flatters a little.
    paths_ : list of list of (str, float) tuples
        Of each bag: the members in the order in which they were added, and the score with each.
        Those up to the best score count.
    oof_predictions_ : dict of str to ndarray of shape (n_samples,)
        Predictions of training rows by members that have not seen them, NaN for rows that a
        member cannot read.
    n_features_in_ : int
        Number of columns seen in ``fit``.
    feature_names_in_ : ndarray of str objects of shape (n_features_in_,)
        Their names, where the table had names.

    See Also
    --------
    FusionStackingRegressor : Weighs every member, and keeps all.
    DeepEnsembleRegressor : One network with several seeds.

    References
    ----------
    .. [1] Caruana, Niculescu-Mizil, Crew, Ksikes (2004), Ensemble selection from libraries of
       models, ICML.

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

    _parameter_constraints: dict = _BaseGreedy._parameter_constraints
