"""Fit and score candidates fold by fold, their networks in batches."""

import copy
import time
import warnings
from collections import OrderedDict
from dataclasses import dataclass

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

from sklearn_mmsent.model_selection.batched_fit import FULL_BATCH, fit_batched
from sklearn_mmsent.model_selection.folds import cut_fold
from sklearn_mmsent.model_selection.fusion_search._pruner import FOLD

EPOCHS = (4, 8, 16, 32, 64)  # of the first fold, after which trials may be pruned
CACHE_SIZE = 20  # per fold: four variants of earlier steps, and the tables that they give


@dataclass(frozen=True)
class SearchData:
    """All rows with their splits and metadata."""

    X: object
    y: object
    splits: list  # of (train, test)
    fit_params: dict
    score_params: dict


class Evaluator:
    """Fit candidates on folds, score them, and report to the study.

    Parameters
    ----------
    estimator : estimator
        Estimator that is searched.
    data : SearchData
        Rows.
    scorer : callable
        Scorer ``(estimator, X, y)`` that returns a number or a dict of numbers.
    objective : str
        Name of the score that the study maximises.
    study : SharedStudy
        Receives intermediate values and results.
    prune : bool
        Whether to ask the study which candidates to stop.
    batched : "auto" or bool
        As for `train_members`.
    return_train_score : bool
        Whether to compute scores on the training rows as well.
    """

    def __init__(
        self, estimator, data, scorer, objective, study, *, prune, batched, return_train_score
    ):
        self.estimator, self.data, self.study = estimator, data, study
        self.scorer, self.objective = scorer, objective
        self.prune, self.batched = prune, batched
        self.return_train_score = return_train_score
        self.folds = [None] * len(data.splits)
        self.caches = [LRUCache(CACHE_SIZE) for _ in data.splits]

    def run(self, candidates):
        """Evaluate candidates on all folds, or until they fail or are pruned."""
        for candidate in candidates:
            candidate.record = {"test": [], "fit_time": [], "score_time": [], "how": []}
            if self.return_train_score:
                candidate.record["train"] = []
        left, first = list(candidates), 0
        while left and first < len(self.folds):
            n = self._n_folds_at_once(len(left))
            chosen = range(first, min(first + n, len(self.folds)))
            self._run_folds(left, chosen)
            first = chosen.stop
            for candidate in [c for c in left if c.failure or c.pruned]:
                self._finish(candidate)
            left = [c for c in left if not (c.failure or c.pruned)]
        for candidate in left:
            self._finish(candidate)

    def _n_folds_at_once(self, n_candidates):
        """Return the number of folds to train at once: the fewest that fill a batch."""
        if not self.prune:
            return len(self.folds)
        return -(-FULL_BATCH // n_candidates)

    def _run_folds(self, candidates, chosen):
        folds = [self._fold(f) for f in chosen]
        watch = _EpochPruner(self, candidates) if self.prune and chosen.start == 0 else None
        fits = fit_batched(
            self.estimator,
            [candidate.params for candidate in candidates],
            [train for train, _ in folds],
            batched=self.batched,
            caches=[self.caches[f] for f in chosen],
            watch=watch,
        )
        by_index = {(fit.candidate, fit.fold): fit for fit in fits}
        for i, (_, test) in enumerate(folds):
            scored = []
            for c, candidate in enumerate(candidates):
                if not (candidate.failure or candidate.pruned):
                    self._score_fold(candidate, by_index[c, i], chosen[i], test)
                    scored.append(candidate)
            self._prune_after_fold([c for c in scored if not c.failure], chosen[i] + 1)

    def _score_fold(self, candidate, fit, f, test):
        if fit.error is not None:
            candidate.failure = fit.error
            return
        started = time.perf_counter()
        record = candidate.record
        try:
            scores = self.score(fit, f, test)
            record["score_time"].append(time.perf_counter() - started)
            if self.return_train_score:
                record["train"].append(self.score(fit, f, self._train_rows(f)))
        except Exception as error:
            candidate.failure = error
            return
        record["test"].append(scores)
        record["fit_time"].append(fit.seconds)
        record["how"].append(fit.how)
        if not np.isfinite(list(scores.values())).all():
            candidate.failure = ValueError(
                f"scoring returned a number that is not finite in fold {f}: {scores}"
            )

    def _prune_after_fold(self, candidates, n_done):
        """Report the mean score over the finished folds, and prune candidates."""
        if not self.prune or n_done >= len(self.folds):
            return
        for candidate in candidates:
            self.study.report(candidate, self._mean(candidate), n_done * FOLD)
        for candidate in candidates:
            candidate.pruned = self.study.should_prune(candidate)

    def _finish(self, candidate):
        record = candidate.record
        if candidate.failure is not None:
            error = candidate.failure
            record |= {"state": "failed", "error": f"{type(error).__name__}: {error}"[:2000]}
        elif candidate.pruned:
            record["state"] = "pruned"
        else:
            record |= {"state": "complete", "value": self._mean(candidate)}
        self.study.finish(candidate)

    def objective_of(self, scores):
        """Return the score that is maximised."""
        return scores[self.objective] if self.objective in scores else next(iter(scores.values()))

    def _mean(self, candidate):
        return float(np.mean([self.objective_of(scores) for scores in candidate.record["test"]]))

    # -- rows and scores ---------------------------------------------------------------------

    def _fold(self, f):
        """Return the training and the test side of a fold."""
        if self.folds[f] is None:
            data, (train, test) = self.data, self.data.splits[f]
            rows = self.estimator, data.X, data.y
            self.folds[f] = (
                cut_fold(*rows, train, data.fit_params),
                cut_fold(*rows, test, data.score_params, train_rows=train),
            )
        return self.folds[f]

    def _train_rows(self, f):
        data = self.data
        return cut_fold(self.estimator, data.X, data.y, data.splits[f][0], data.score_params)

    def score(self, fit, f, rows):
        """Return the scores of a fit on rows, by name."""
        estimator = _with_cached_steps(fit, rows.X, self.caches[f])
        scores = self.scorer(estimator, *rows.arguments, **rows.params)
        if not isinstance(scores, dict):
            scores = {"score": scores}
        for name, score in scores.items():
            if not np.isscalar(score) or isinstance(score, (str, bytes)):
                raise ValueError(
                    f"scoring must return a number; got {score!r} ({type(score)}) for {name!r}."
                )
        return {name: float(score) for name, score in scores.items()}


class _EpochPruner:
    """Prune candidates by their scores on the first fold's test rows during training."""

    epochs = frozenset(EPOCHS)

    def __init__(self, evaluator, candidates):
        self.evaluator = evaluator
        self.candidates = candidates
        self.test = evaluator.folds[0][1]

    def __call__(self, fits):
        """Return which fits to stop."""
        in_first_fold = {fit.candidate: fit for fit in fits if fit.fold == 0}
        study, reported = self.evaluator.study, []
        for index, fit in in_first_fold.items():
            candidate = self.candidates[index]
            with warnings.catch_warnings():  # of predictions that are not the result
                warnings.simplefilter("ignore")
                try:
                    scores = self.evaluator.score(fit, 0, self.test)
                except Exception:  # raised again by the final score
                    continue
            value = self.evaluator.objective_of(scores)
            if np.isfinite(value):
                study.report(candidate, value, len(fit.final.net_.history))
                reported.append(candidate)
        for candidate in reported:
            candidate.pruned = study.should_prune(candidate)
        return [self.candidates[fit.candidate].pruned for fit in fits]


class LRUCache(OrderedDict):
    """Dict that drops the least recently used entries.

    Parameters
    ----------
    max_size : int
        Maximum number of entries.
    """

    def __init__(self, max_size):
        super().__init__()
        self.max_size = max_size

    def __getitem__(self, key):
        self.move_to_end(key)
        return super().__getitem__(key)

    def __setitem__(self, key, value):
        super().__setitem__(key, value)
        while len(self) > self.max_size:
            self.popitem(last=False)


class _FittedSteps(TransformerMixin, BaseEstimator):
    """Fitted steps of a pipeline, with their output for one table."""

    def __init__(self, steps, X, output):
        self.steps, self.X, self.output = steps, X, output

    def __sklearn_is_fitted__(self):
        return True

    def fit(self, X, y=None):
        """Do nothing: the steps are fitted."""
        return self

    def transform(self, X):
        """Return the output of the steps."""
        return self.output if X is self.X else _transform(self.steps, X)


def _with_cached_steps(fit, X, cache):
    """Return the fit's estimator, its earlier steps with the cached output for X."""
    steps = getattr(fit.estimator, "steps", [])
    if len(steps) < 2 or fit.steps_key is None:
        return fit.estimator
    key = ("output", fit.steps_key, id(X))  # folds keep X alive, and with it its id
    if key not in cache:
        cache[key] = _transform(steps[:-1], X)
    estimator = copy.copy(fit.estimator)
    estimator.steps = [("earlier", _FittedSteps(steps[:-1], X, cache[key])), steps[-1]]
    return estimator


def _transform(steps, X):
    for _, step in steps:
        if step is not None and step != "passthrough" and not hasattr(step, "fit_resample"):
            X = step.transform(X)
    return X
