"""Fitting one estimator with many parameters on many folds, its networks trained together."""

import dataclasses
import time
import uuid
from numbers import Integral

import joblib
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from sklearn_mmsent.compose.parts import final_step
from sklearn_mmsent.estimators._base import BaseFusion
from sklearn_mmsent.training import train_members

#: From so many candidates on, folds are trained one after another on a CPU: a stack is full
#: without the others, whose tables need not be held then.
FULL = 8

# what a fusion estimator reads its table without: candidates that differ in nothing else share it
_OF_THE_NETWORK = {
    *("fusion", "fusion_params", "encoders", "encoders_from", "freeze_encoders"),
    *("hidden_size", "dropout", "modality_dropout"),
    *("block_noise", "mixup", "time_masking", "frequency_masking"),
    *("loss", "loss_params", "class_weight", "balanced_batches"),
    *("lr", "lr_schedule", "warmup", "clip_norm"),
    *("weight_decay", "batch_size", "max_epochs", "n_iter_no_change", "callbacks", "net_params"),
    *("precision", "checkpoint_dir", "verbose"),
}
_OF_THE_SPLIT = {"random_state", "early_stopping", "validation_fraction", "sampler"}


@dataclasses.dataclass(frozen=True)
class Fold:
    """Rows to fit on, and what goes to ``fit`` with them."""

    X: object
    y: object
    fit_params: dict


@dataclasses.dataclass
class Fit:
    """An estimator, and what became of it."""

    estimator: object
    candidate: int  # its number
    fold: int
    member: object = None  # the network that it waits for
    error: Exception | None = None
    seconds: float = 0.0
    how: str = "no network"
    steps_key: object = None  # of the earlier steps, the same for all that share them

    @property
    def final(self):
        """The estimator at the end of its pipeline."""
        return final_step(self.estimator)


def fit_batched(estimator, candidates, folds, *, batched="auto", shared=None, watch=None):
    """Fit clones of an estimator with each candidate's parameters on each fold.

    Pipelines' earlier steps are fitted once per fold for all candidates that have them in common;
    the networks at their ends are trained together. Other estimators are fitted one by one.

    Parameters
    ----------
    estimator : estimator
        A fusion estimator, a pipeline that ends in one, or any other.
    candidates : list of dict
        Parameters of each candidate.
    folds : list of Fold
        Training rows.
    batched : "auto" or bool, default="auto"
        As for :func:`train_members`.
    shared : list of dict or None, default=None
        What is kept of each fold, and found there again by a later call: earlier steps that are
        fitted, tables that are read. None keeps it for this call.
    watch : object or None, default=None
        With ``epochs``, after each of which it is called with a list of fits that are trained side
        by side and can predict as they are then; gives a list that tells of each whether it ends.

    Returns
    -------
    list of Fit
        The folds of the first candidate, then those of the second, and so on.
    """
    fits = {}
    shared = [{} for _ in folds] if shared is None else shared
    at_once = 1 if len(candidates) >= FULL else len(folds)
    for first in range(0, len(folds), at_once):
        chosen = range(first, min(first + at_once, len(folds)))
        for f in chosen:
            for c, params in enumerate(candidates):
                candidate = clone(estimator).set_params(**clone(params, safe=False))
                fits[c, f] = _prepare(Fit(candidate, c, f), folds[f], shared[f])
        _train([fits[c, f] for f in chosen for c in range(len(candidates))], batched, watch)
    return [fits[c, f] for c in range(len(candidates)) for f in range(len(folds))]


def _prepare(fit, fold, shared):
    """Fit all but the network, which is left to be trained."""
    started = time.perf_counter()
    try:
        if isinstance(fit.final, BaseFusion):
            arguments = _fit_earlier_steps(fit, fold, shared)
            fit.member = _member(fit, arguments, shared)
        elif isinstance(fit.estimator, Pipeline) and hasattr(fit.final, "fit"):
            args, kwargs = _fit_earlier_steps(fit, fold, shared)
            fit.final.fit(*args, **kwargs)
        else:
            fit.estimator.fit(fold.X, *_target(fold), **fold.fit_params)
    except Exception as error:
        fit.error = error  # the candidate fails when its turn has come, the others go on
    fit.seconds = time.perf_counter() - started
    return fit


def _fit_earlier_steps(fit, fold, shared):
    """Fit a pipeline but for its end; return what reaches the ``fit`` of that."""
    estimator, final = fit.estimator, fit.final
    steps = getattr(estimator, "steps", [])
    key = fit.steps_key = _key(type(estimator), [(name, step) for name, step in steps[:-1]])
    if key in shared:
        fitted, arguments = shared[key]
        if steps:
            estimator.steps = [*fitted, steps[-1]]
        return arguments
    calls = []

    def note(*args, **kwargs):
        calls.append((args, kwargs))
        return final

    final.fit = note  # of this instance only: the pipeline does the rest as it always does
    try:
        estimator.fit(fold.X, *_target(fold), **fold.fit_params)
    finally:
        del final.fit
    shared[key] = (getattr(estimator, "steps", [])[:-1], calls[0])
    return calls[0]


def _member(fit, arguments, shared):
    """Return the network that a fusion estimator would train, read with the others like it."""
    final = fit.final
    final._validate_params()
    args, kwargs = arguments
    params = final.get_params(deep=False)
    reads = {name: value for name, value in params.items() if name not in _OF_THE_NETWORK}
    whole = {name: value for name, value in reads.items() if name not in _OF_THE_SPLIT}
    of_table = _key(type(final), fit.steps_key, whole)
    if of_table not in shared:
        shared[of_table] = final._open(*args, **kwargs), final._learned()
    table, learned = shared[of_table]
    vars(final).update(learned)
    of_split = _key(type(final), fit.steps_key, reads)
    if not isinstance(final.random_state, Integral):  # draws anew
        return final._member(final._split(table))
    if of_split not in shared:
        shared[of_split] = final._split(table)
    return final._member(shared[of_split])


def _train(fits, batched, watch=None):
    waiting = [fit for fit in fits if fit.member is not None]
    watch = None if watch is None else _WatchFits(waiting, watch)
    started = time.perf_counter()
    results = train_members([fit.member for fit in waiting], batched=batched, watch=watch)
    seconds = time.perf_counter() - started
    for fit, result in zip(waiting, results, strict=True):
        fit.member, fit.how, fit.error = None, result.how, result.error
        fit.seconds += seconds / len(waiting)
        if result.net is not None:
            fit.final.net_ = result.net


class _WatchFits:
    """Turns members and nets into the fits that they belong to."""

    def __init__(self, fits, watch):
        self.fits = {id(fit.member): fit for fit in fits}
        self.watch = watch
        self.epochs = watch.epochs

    def __call__(self, members, nets):
        fits = [self.fits[id(member)] for member in members]
        for fit, net in zip(fits, nets, strict=True):
            fit.final.net_ = net
        return self.watch(fits)


def _target(fold):
    return () if fold.y is None else (fold.y,)


def _key(*parts):
    """Return what equal parts have in common."""
    try:
        return joblib.hash(parts)
    except Exception:  # what cannot be pickled is like nothing else
        return uuid.uuid4().hex
