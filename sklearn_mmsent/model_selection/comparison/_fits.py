"""Fitting every model on every split with every seed."""

import time
from dataclasses import dataclass

import numpy as np
from joblib import Parallel, delayed, effective_n_jobs
from sklearn.base import clone

from sklearn_mmsent.compose.parts import final_step
from sklearn_mmsent.estimators._base import BaseFusion
from sklearn_mmsent.model_selection.batched_fit import Fold, fit_batched
from sklearn_mmsent.model_selection.comparison._responses import Kept, Responses
from sklearn_mmsent.model_selection.comparison._scoring import compute
from sklearn_mmsent.utils._metadata import fit_metadata
from sklearn_mmsent.utils._random import seed_params, set_seeds, uses_seeds
from sklearn_mmsent.utils._sklearn import _check_method_params, _safe_indexing


@dataclass(frozen=True)
class Split:
    """Rows to fit on and rows to score, as numbers."""

    repeat: int
    fold: int
    train: np.ndarray
    test: np.ndarray


@dataclass
class Run:
    """One fit of one model, and what came of it."""

    model: str
    split: Split
    seed: int
    scores: dict | None = None
    fit_seconds: float = np.nan
    predict_seconds: float = np.nan
    kept: Kept | None = None
    chosen: dict | None = None  # parameters, and score, that a search has found
    error: str | None = None


@dataclass(frozen=True)
class Data:
    """All rows with what belongs to them, and how fits are scored."""

    X: object
    y: np.ndarray
    groups: np.ndarray | None
    params: dict
    scorer: object
    classifier: bool
    raises: bool = False  # what fails, rather than to note it

    def fold(self, model, split):
        """Return what a model's ``fit`` is called with."""
        params = fit_metadata(model, **{"groups": self.groups, **self.params})
        return Fold(
            _safe_indexing(self.X, split.train),
            self.y[split.train],
            _check_method_params(self.X, params, indices=split.train),
        )


def seeds_of(model, seeds):
    """Return the seeds that a model is fitted with: one alone if none would change it."""
    return list(seeds) if uses_seeds(model) else list(seeds)[:1]


def run_all(models, data, splits, *, seeds, n_jobs, batched):
    """Fit and score all models.

    Parameters
    ----------
    models : dict of str to estimator
        By name; they are not changed.
    data : Data
        Rows.
    splits : list of Split
        Of all repeats.
    seeds : sequence of int
        Of chance in the models.
    n_jobs : int or None
        Number of fits at once, of those that are not trained together.
    batched : "auto" or bool
        Whether networks are trained together, as :func:`compare` takes it.

    Yields
    ------
    Run
        As they finish, in any order.
    """
    together = {name for name, model in models.items() if _is_batched(model, n_jobs, batched)}
    tasks = [
        delayed(_run_alone)(name, models[name], data, split, seed)
        for split in splits
        for name in models
        if name not in together
        for seed in seeds_of(models[name], seeds)
    ]
    yield from Parallel(n_jobs=n_jobs, return_as="generator_unordered")(tasks)
    for name in models:
        if name in together:
            # one repeat after another, whose folds' tables are in memory at once
            for repeat in dict.fromkeys(split.repeat for split in splits):
                of_repeat = [split for split in splits if split.repeat == repeat]
                yield from _run_batched(name, models[name], data, of_repeat, seeds, batched)


def _is_batched(model, n_jobs, batched):
    if batched == "auto":
        batched = effective_n_jobs(n_jobs) == 1  # several processes are what was asked for
    return batched and isinstance(final_step(model), BaseFusion)


def _run_alone(name, model, data, split, seed):
    run = Run(name, split, seed)
    try:
        model = set_seeds(clone(model), seed)
        fold = data.fold(model, split)
        started = time.perf_counter()
        model.fit(fold.X, fold.y, **fold.fit_params)
        run.fit_seconds = time.perf_counter() - started
    except Exception as error:
        return _failed(run, error, data)
    return _score(run, model, data)


def _run_batched(name, model, data, splits, seeds, batched):
    seeds = seeds_of(model, seeds)
    folds = [data.fold(model, split) for split in splits]
    candidates = [seed_params(model, seed) for seed in seeds]
    fits = fit_batched(model, candidates, folds, batched=batched)
    of_fits = ((seed, split) for seed in seeds for split in splits)
    for (seed, split), fit in zip(of_fits, fits, strict=True):
        run = Run(name, split, seed, fit_seconds=fit.seconds)
        if fit.error is None:
            yield _score(run, fit.estimator, data)
        else:
            yield _failed(run, fit.error, data)


def _failed(run, error, data):
    if data.raises:
        raise error
    run.error = f"{type(error).__name__}: {error}"
    return run


def _score(run, model, data):
    X = _safe_indexing(data.X, run.split.test)
    responses = Responses(model, X, classifier=data.classifier)
    try:
        started = time.perf_counter()
        responses.predict(X)
        run.predict_seconds = time.perf_counter() - started
        run.scores = compute(data.scorer, responses, X, data.y[run.split.test])
    except Exception as error:
        return _failed(run, error, data)
    run.kept = responses.leave_behind()
    search = final_step(model)
    if hasattr(search, "best_params_"):
        run.chosen = dict(search.best_params_)
        run.chosen["best_score"] = float(getattr(search, "best_score_", np.nan))
    return run
