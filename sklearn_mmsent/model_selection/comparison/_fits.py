"""Fit and score every model on every split with every seed."""

import time
from dataclasses import dataclass

import numpy as np
from joblib import Parallel, delayed, effective_n_jobs
from sklearn.base import clone

from sklearn_mmsent.compose.parts import final_step
from sklearn_mmsent.estimators import BaseFusion
from sklearn_mmsent.model_selection.batched_fit import fit_batched
from sklearn_mmsent.model_selection.comparison._responses import RecordedEstimator
from sklearn_mmsent.model_selection.comparison._scoring import compute
from sklearn_mmsent.model_selection.folds import cut_fold
from sklearn_mmsent.model_selection.precomputed import PrecomputedEstimator
from sklearn_mmsent.utils._metadata import fit_metadata
from sklearn_mmsent.utils._random import seed_params, set_seeds, uses_seeds


@dataclass(frozen=True)
class Split:
    """Training and test rows of one fold of one repeat."""

    repeat: int
    fold: int
    train: np.ndarray
    test: np.ndarray


@dataclass
class FitRecord:
    """One fit of one model, with its scores and predictions."""

    model: str
    split: Split
    seed: int
    scores: dict | None = None
    fit_seconds: float = np.nan
    predict_seconds: float = np.nan
    responses: PrecomputedEstimator | None = None
    best_params: dict | None = None  # of a search, with its best_score
    error: str | None = None


@dataclass(frozen=True)
class ComparisonData:
    """All rows with their metadata, and the scorer."""

    X: object
    y: np.ndarray
    groups: np.ndarray | None
    params: dict
    scorer: object
    classifier: bool
    raise_errors: bool = False  # rather than record them

    def train_fold(self, model, split):
        """Return the training rows of a split with the metadata that a model takes."""
        params = fit_metadata(model, **{"groups": self.groups, **self.params})
        return cut_fold(model, self.X, self.y, split.train, params)


def seeds_for(model, seeds):
    """Return the seeds to fit a model with: only the first if the model is deterministic."""
    return list(seeds) if uses_seeds(model) else list(seeds)[:1]


def fit_and_score(models, data, splits, *, seeds, n_jobs, batched):
    """Yield the FitRecord of each model, split and seed, in any order.

    `n_jobs` and `batched` are those of `compare`.
    """
    in_batches = {name for name, model in models.items() if _is_batched(model, n_jobs, batched)}
    tasks = [
        delayed(_fit_one)(name, models[name], data, split, seed)
        for split in splits
        for name in models
        if name not in in_batches
        for seed in seeds_for(models[name], seeds)
    ]
    yield from Parallel(n_jobs=n_jobs, return_as="generator_unordered")(tasks)
    for name in models:
        if name in in_batches:
            # repeat by repeat: the tables of its folds are in memory at the same time
            for repeat in dict.fromkeys(split.repeat for split in splits):
                chosen = [split for split in splits if split.repeat == repeat]
                yield from _fit_in_batches(name, models[name], data, chosen, seeds, batched)


def _is_batched(model, n_jobs, batched):
    if batched == "auto":
        batched = effective_n_jobs(n_jobs) == 1  # several processes were asked for otherwise
    return batched and isinstance(final_step(model), BaseFusion)


def _fit_one(name, model, data, split, seed):
    record = FitRecord(name, split, seed)
    try:
        model = set_seeds(clone(model), seed)
        fold = data.train_fold(model, split)
        started = time.perf_counter()
        model.fit(*fold.arguments, **fold.params)
        record.fit_seconds = time.perf_counter() - started
    except Exception as error:
        return _failed(record, error, data)
    return _score(record, model, data)


def _fit_in_batches(name, model, data, splits, seeds, batched):
    seeds = seeds_for(model, seeds)
    folds = [data.train_fold(model, split) for split in splits]
    candidates = [seed_params(model, seed) for seed in seeds]
    fits = fit_batched(model, candidates, folds, batched=batched)
    seeds_and_splits = ((seed, split) for seed in seeds for split in splits)
    for (seed, split), fit in zip(seeds_and_splits, fits, strict=True):
        record = FitRecord(name, split, seed, fit_seconds=fit.seconds)
        if fit.error is None:
            yield _score(record, fit.estimator, data)
        else:
            yield _failed(record, fit.error, data)


def _failed(record, error, data):
    if data.raise_errors:
        raise error
    record.error = f"{type(error).__name__}: {error}"
    return record


def _score(record, model, data):
    test = cut_fold(model, data.X, data.y, record.split.test, train_rows=record.split.train)
    recorded = RecordedEstimator(model, test.X, classifier=data.classifier)
    try:
        started = time.perf_counter()
        recorded.predict(test.X)
        record.predict_seconds = time.perf_counter() - started
        record.scores = compute(data.scorer, recorded, *test.arguments)
    except Exception as error:
        return _failed(record, error, data)
    record.responses = recorded.detach()
    search = final_step(model)
    if hasattr(search, "best_params_"):
        record.best_params = dict(search.best_params_)
        record.best_params["best_score"] = float(getattr(search, "best_score_", np.nan))
    return record
