"""Fit one estimator with several parameter sets on several folds, its networks in batches."""

import dataclasses
import time
import uuid
from numbers import Integral

import joblib
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from sklearn_mmsent.compose.parts import final_step
from sklearn_mmsent.estimators import BaseFusion
from sklearn_mmsent.training import train_members

#: With this many candidates, one fold fills a batch of networks: folds are then trained one after
#: another, so that the tables of a single fold are in memory.
FULL_BATCH = 8


@dataclasses.dataclass
class Fit:
    """Result of fitting one candidate on one fold."""

    estimator: object
    candidate: int  # index
    fold: int  # index
    member: object = None  # the network, until it is trained
    error: Exception | None = None
    seconds: float = 0.0
    how: str = "no network"
    steps_key: object = None  # equal for pipelines whose earlier steps are equal

    @property
    def final(self):
        """Final step of the pipeline, or the estimator itself."""
        return final_step(self.estimator)


def fit_batched(estimator, candidates, folds, *, batched="auto", caches=None, watch=None):
    """Fit clones of an estimator with each candidate's parameters on each fold.

    The earlier steps of a pipeline are fitted once per fold for all candidates that share them; the
    networks at the end are trained in batches. Any other estimator is fitted one by one.

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
    caches : list of dict or None, default=None
        One cache per fold for fitted steps and tables, to reuse in later calls. None uses a
        temporary one.
    watch : object or None, default=None
        Callback with an attribute ``epochs``; after each of these it is called with the list of
        fits that are being trained and can predict, and returns a list of bools: which to stop.

    Returns
    -------
    list of Fit
        The folds of the first candidate, then those of the second, and so on.
    """
    fits = {}
    caches = [{} for _ in folds] if caches is None else caches
    at_once = 1 if len(candidates) >= FULL_BATCH else len(folds)
    for first in range(0, len(folds), at_once):
        chosen = range(first, min(first + at_once, len(folds)))
        for f in chosen:
            for c, params in enumerate(candidates):
                candidate = clone(estimator).set_params(**clone(params, safe=False))
                fits[c, f] = _prepare(Fit(candidate, c, f), folds[f], caches[f])
        _train([fits[c, f] for f in chosen for c in range(len(candidates))], batched, watch)
    return [fits[c, f] for c in range(len(candidates)) for f in range(len(folds))]


def _prepare(fit, fold, cache):
    """Fit everything except the network, which is set as the fit's member."""
    started = time.perf_counter()
    try:
        if isinstance(fit.final, BaseFusion):
            arguments = _fit_earlier_steps(fit, fold, cache)
            fit.member = _member(fit, arguments, cache)
        elif isinstance(fit.estimator, Pipeline) and hasattr(fit.final, "fit"):
            args, kwargs = _fit_earlier_steps(fit, fold, cache)
            fit.final.fit(*args, **kwargs)
        else:
            fit.estimator.fit(*fold.arguments, **fold.params)
    except Exception as error:
        fit.error = error  # raised or scored by the caller; other candidates continue
    fit.seconds = time.perf_counter() - started
    return fit


def _fit_earlier_steps(fit, fold, cache):
    """Fit all steps but the last; return the arguments that the last step's ``fit`` receives."""
    estimator, final = fit.estimator, fit.final
    steps = getattr(estimator, "steps", [])
    key = fit.steps_key = _key(type(estimator), [(name, step) for name, step in steps[:-1]])
    if key in cache:
        fitted, arguments = cache[key]
        if steps:
            estimator.steps = [*fitted, steps[-1]]
        return arguments
    calls = []

    def record(*args, **kwargs):
        calls.append((args, kwargs))
        return final

    final.fit = record  # on this instance: the pipeline's own fit does the rest
    try:
        estimator.fit(*fold.arguments, **fold.params)
    finally:
        del final.fit
    cache[key] = (getattr(estimator, "steps", [])[:-1], calls[0])
    return calls[0]


def _member(fit, arguments, cache):
    """Return the network of a fusion estimator; candidates share tables and splits."""
    final = fit.final
    final._validate_params()
    args, kwargs = arguments
    key = _key(type(final), fit.steps_key, final.params_of("table"))
    if key not in cache:
        cache[key] = final.prepare(*args, **kwargs)
    table = cache[key]
    if not isinstance(final.random_state, Integral):  # another split for each candidate
        return final.member(final.split(table))
    key = _key(type(final), fit.steps_key, final.params_of("table", "split"))
    if key not in cache:
        cache[key] = final.split(table)
    return final.member(cache[key])


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
            fit.final.adopt(result.net)


class _WatchFits:
    """Call a watch with fits instead of members and nets."""

    def __init__(self, fits, watch):
        self.fits = {id(fit.member): fit for fit in fits}
        self.watch = watch
        self.epochs = watch.epochs

    def __call__(self, members, nets):
        fits = [self.fits[id(member)] for member in members]
        for fit, net in zip(fits, nets, strict=True):
            fit.final.adopt(net)
        return self.watch(fits)


def _key(*parts):
    """Return a hash of the parts; a unique key where they cannot be pickled."""
    try:
        return joblib.hash(parts)
    except Exception:
        return uuid.uuid4().hex
