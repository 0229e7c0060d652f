"""Training and scoring candidates fold by fold, those side by side that can be."""

import copy
import time
import warnings
from collections import OrderedDict
from dataclasses import dataclass

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

from sklearn_mmsent.model_selection.batched_fit import FULL, Fold, fit_batched
from sklearn_mmsent.model_selection.fusion_search._pruner import FOLD
from sklearn_mmsent.utils._sklearn import _check_method_params, _safe_split

EPOCHS = (4, 8, 16, 32, 64)  # of the first fold, after which trials are compared
KEPT = 20  # of each fold, for candidates to come: four variants of steps and what they give


@dataclass(frozen=True)
class Data:
    """Rows, how they are split, and what goes along with them."""

    X: object
    y: object
    splits: list  # of (train, test)
    fit_params: dict
    score_params: dict


class Evaluator:
    """Fits candidates on folds and scores them.

    Parameters
    ----------
    estimator : estimator
        What is searched.
    data : Data
        Rows.
    scorer : callable
        Of an estimator, X and y; gives a number, or a dict of them.
    objective : str
        Which of the numbers the study is about.
    link : Link
        Told of each step.
    prune : bool
        Whether to ask the study if candidates should be stopped.
    batched : "auto" or bool
        As for `train_members`.
    return_train_score : bool
        Whether to score the training rows, too.
    """

    def __init__(
        self, estimator, data, scorer, objective, link, *, prune, batched, return_train_score
    ):
        self.estimator, self.data, self.link = estimator, data, link
        self.scorer, self.objective = scorer, objective
        self.prune, self.batched = prune, batched
        self.return_train_score = return_train_score
        self.folds = [None] * len(data.splits)
        self.kept = [Recent(KEPT) for _ in data.splits]

    def run(self, candidates):
        """Evaluate candidates on all folds, or until they fail or are pruned; tell the study."""
        for candidate in candidates:
            candidate.record = {"test": [], "fit_time": [], "score_time": [], "how": []}
            if self.return_train_score:
                candidate.record["train"] = []
        left, first = list(candidates), 0
        while left and first < len(self.folds):
            n = self._folds_at_once(len(left))
            chosen = range(first, min(first + n, len(self.folds)))
            self._run_folds(left, chosen)
            first = chosen.stop
            for candidate in [c for c in left if c.failure or c.pruned]:
                self._finish(candidate)
            left = [c for c in left if not (c.failure or c.pruned)]
        for candidate in left:
            self._finish(candidate)

    def _folds_at_once(self, n_candidates):
        """Return how many folds to train at once: enough to fill a batch, so as to prune early."""
        if not self.prune:
            return len(self.folds)
        return -(-FULL // n_candidates)

    def _run_folds(self, candidates, chosen):
        folds = [self._fold(f) for f in chosen]
        watch = _EpochRace(self, candidates, chosen) if self.prune and chosen.start == 0 else None
        fits = fit_batched(
            self.estimator,
            [candidate.params for candidate in candidates],
            [train for train, _ in folds],
            batched=self.batched,
            shared=[self.kept[f] for f in chosen],
            watch=watch,
        )
        by_place = {(fit.candidate, fit.fold): fit for fit in fits}
        for i, (_, test) in enumerate(folds):
            scored = []
            for c, candidate in enumerate(candidates):
                if not (candidate.failure or candidate.pruned):
                    self._score_fold(candidate, by_place[c, i], chosen[i], test)
                    scored.append(candidate)
            self._race([c for c in scored if not c.failure], (chosen[i] + 1) * FOLD)

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
                f"scoring gave a number that is not finite in fold {f}: {scores}"
            )

    def _race(self, candidates, step):
        """Report the mean of the folds so far, and let the study stop candidates."""
        if not self.prune or step >= FOLD * len(self.folds):
            return
        for candidate in candidates:
            self.link.report(candidate, self._mean(candidate), step)
        for candidate in candidates:
            candidate.pruned = self.link.should_prune(candidate)

    def _finish(self, candidate):
        record = candidate.record
        if candidate.failure is not None:
            error = candidate.failure
            record |= {"state": "failed", "error": f"{type(error).__name__}: {error}"[:2000]}
        elif candidate.pruned:
            record["state"] = "pruned"
        else:
            record |= {"state": "complete", "value": self._mean(candidate)}
        self.link.finish(candidate)

    def value_of(self, scores):
        """Return the score that is maximised."""
        return scores[self.objective] if self.objective in scores else next(iter(scores.values()))

    def _mean(self, candidate):
        return float(np.mean([self.value_of(scores) for scores in candidate.record["test"]]))

    # -- rows and scores ---------------------------------------------------------------------

    def _fold(self, f):
        """Return the training rows of a fold, and what to score its test rows by."""
        if self.folds[f] is None:
            data, (train, test) = self.data, self.data.splits[f]
            X_train, y_train = _safe_split(self.estimator, data.X, data.y, train)
            X_test, y_test = _safe_split(self.estimator, data.X, data.y, test, train)
            fit_params = _check_method_params(data.X, data.fit_params, indices=train)
            score_params = _check_method_params(data.X, data.score_params, indices=test)
            self.folds[f] = Fold(X_train, y_train, fit_params), Fold(X_test, y_test, score_params)
        return self.folds[f]

    def _train_rows(self, f):
        rows, (train, _) = self.folds[f][0], self.data.splits[f]
        score_params = _check_method_params(self.data.X, self.data.score_params, indices=train)
        return Fold(rows.X, rows.y, score_params)

    def score(self, fit, f, rows):
        """Return the scores of a fit on rows, by name."""
        target = () if rows.y is None else (rows.y,)
        estimator = _read_once(fit, rows.X, self.kept[f])
        scores = self.scorer(estimator, rows.X, *target, **rows.fit_params)
        if not isinstance(scores, dict):
            scores = {"score": scores}
        for name, score in scores.items():
            if not np.isscalar(score) or isinstance(score, (str, bytes)):
                raise ValueError(
                    f"scoring must return a number; got {score!r} ({type(score)}) for {name!r}."
                )
        return {name: float(score) for name, score in scores.items()}


class _EpochRace:
    """Compares candidates on the first fold's test rows while they are trained."""

    epochs = frozenset(EPOCHS)

    def __init__(self, evaluator, candidates, chosen):
        self.evaluator = evaluator
        self.candidates = candidates
        self.test = evaluator.folds[0][1]

    def __call__(self, fits):
        """Tell which fits end."""
        shown = {fit.candidate: fit for fit in fits if fit.fold == 0}
        link, raced = self.evaluator.link, []
        for number, fit in shown.items():
            candidate = self.candidates[number]
            with warnings.catch_warnings():  # what it predicts now is nobody's result
                warnings.simplefilter("ignore")
                try:
                    scores = self.evaluator.score(fit, 0, self.test)
                except Exception:  # told by the scores at the end
                    continue
            value = self.evaluator.value_of(scores)
            if np.isfinite(value):
                link.report(candidate, value, len(fit.final.net_.history))
                raced.append(candidate)
        for candidate in raced:
            candidate.pruned = link.should_prune(candidate)
        return [self.candidates[fit.candidate].pruned for fit in fits]


class Recent(OrderedDict):
    """A dict that forgets what was not asked for the longest.

    Parameters
    ----------
    most : int
        How many things it holds.
    """

    def __init__(self, most):
        super().__init__()
        self.most = most

    def __getitem__(self, key):
        self.move_to_end(key)
        return super().__getitem__(key)

    def __setitem__(self, key, value):
        super().__setitem__(key, value)
        while len(self) > self.most:
            self.popitem(last=False)


class _Known(TransformerMixin, BaseEstimator):
    """The fitted steps before an estimator, one table already passed through."""

    def __init__(self, steps, X, table):
        self.steps, self.X, self.table = steps, X, table

    def __sklearn_is_fitted__(self):
        return True

    def fit(self, X, y=None):
        """Do nothing: the steps are fitted."""
        return self

    def transform(self, X):
        """Return what the steps make of rows."""
        return self.table if X is self.X else _transform(self.steps, X)


def _read_once(fit, X, kept):
    """Return an estimator like a fit's, which finds rows that others like it have read."""
    steps = getattr(fit.estimator, "steps", [])
    if len(steps) < 2 or fit.steps_key is None:
        return fit.estimator
    key = ("read", fit.steps_key, id(X))  # the rows of a fold are held, and their ids with them
    if key not in kept:
        kept[key] = _transform(steps[:-1], X)
    estimator = copy.copy(fit.estimator)
    estimator.steps = [("earlier", _Known(steps[:-1], X, kept[key])), steps[-1]]
    return estimator


def _transform(steps, X):
    for _, step in steps:
        if step is not None and step != "passthrough" and not hasattr(step, "fit_resample"):
            X = step.transform(X)
    return X
