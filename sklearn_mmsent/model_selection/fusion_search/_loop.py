"""The loop of a search: ask, evaluate, tell; in this process or in several."""

import contextlib
import tempfile
import threading
import time
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from pathlib import Path

import optuna
from joblib import Parallel, delayed
from tqdm import tqdm

from sklearn_mmsent.exceptions import StudyError
from sklearn_mmsent.model_selection.fusion_search._evaluate import Data, Evaluator
from sklearn_mmsent.model_selection.fusion_search._study import Link, counts, is_done

PAUSE = 0.5  # seconds between looks at what others do


@dataclass(frozen=True)
class Plan:
    """All that a process needs to work on a search.

    Parameters
    ----------
    estimator : estimator
        What is searched.
    data : Data
        Rows and their splits.
    link : dict
        Parameters of :class:`Link`.
    evaluator : dict
        Options of :class:`Evaluator`.
    start_from : list of dict
        Candidates to begin with.
    n_trials : int or None
        Trials that the study is to have in the end.
    deadline : float or None
        When to begin no more trials, in seconds of the system's clock.
    n_together : int
        Trials to ask for at once.
    n_alike : int
        Of these, how many in a row have networks of one shape.
    max_failures : int or None
        Trials that may fail.
    raise_errors : bool
        Whether the first failure ends the search.
    verbose : int
        1 draws a progress bar, 2 lets Optuna tell what it does.
    """

    estimator: object
    data: Data
    link: dict
    evaluator: dict
    start_from: list
    n_trials: int | None
    deadline: float | None
    n_together: int
    n_alike: int
    max_failures: int | None
    raise_errors: bool
    verbose: int


class TooManyFailures(RuntimeError):
    """So many trials have failed that the rest will hardly fare better."""


def run(plan, n_jobs):
    """Run a search to its end.

    Parameters
    ----------
    plan : Plan
        What to do.
    n_jobs : int
        Processes.

    Returns
    -------
    (list of FrozenTrial, Exception or None)
        The trials that were run, and what ended the search before its time.
    """
    with optuna_verbosity(plan.verbose), contextlib.ExitStack() as stack:
        if n_jobs > 1 and plan.link["storage"] is None:
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            plan = replace(plan, link=plan.link | {"storage": str(Path(folder) / "study.log")})
        link = Link(**plan.link)
        error = None
        try:
            link.start_from(plan.start_from)
            if n_jobs > 1:
                _in_processes(plan, link, n_jobs)
            else:
                _work(plan, link)
            trials = [trial for trial in link.trials() if is_done(trial)]
        except (StudyError, TooManyFailures, BrokenProcessPool) as failure:
            trials, error = list(link.known.values()), failure
        finally:
            link.storage.close()
        return sorted(trials, key=lambda trial: trial.number), error


def _in_processes(plan, link, n_jobs):
    """Let other processes work; watch them from here."""
    quiet = replace(plan, verbose=0, start_from=[])
    workers = Parallel(n_jobs=n_jobs, return_as="generator_unordered", pre_dispatch="all")
    with _Progress(plan, link) as progress, progress.from_aside():
        for _ in workers(delayed(_work_apart)(quiet) for _ in range(n_jobs)):
            pass
    link.trials()


def _work_apart(plan):
    with optuna_verbosity(plan.verbose):
        link = Link(**plan.link)
        _work(plan, link)


def _work(plan, link):
    evaluator = Evaluator(plan.estimator, plan.data, link=link, **plan.evaluator)
    with link, _Progress(plan, link) as progress:
        while True:
            link.take_back_lost()
            trials = link.trials()
            progress.show(trials)
            n = _n_to_ask(plan, trials)
            if n is None:
                return
            candidates = link.ask(n, plan.n_trials, plan.n_alike) if n else []
            if not candidates:
                time.sleep(PAUSE)  # others run the last ones
                continue
            try:
                evaluator.run(candidates)
            finally:
                link.release([c for c in candidates if "state" not in c.record])
            _check_failures(plan, link, candidates)


def _n_to_ask(plan, trials):
    """Return how many trials to begin; None for the end."""
    late = plan.deadline is not None and time.time() >= plan.deadline
    if late:
        return None
    if plan.n_trials is None:
        return plan.n_together
    if sum(map(is_done, trials)) >= plan.n_trials:
        return None
    return max(0, min(plan.n_together, plan.n_trials - sum(map(counts, trials))))


def _check_failures(plan, link, candidates):
    failed = [candidate for candidate in candidates if candidate.failure is not None]
    if failed and plan.raise_errors:
        raise failed[0].failure
    failures = [t for t in link.known.values() if t.state == optuna.trial.TrialState.FAIL]
    if failed and plan.max_failures is not None and len(failures) >= plan.max_failures:
        raise TooManyFailures(
            f"FusionSearchCV: {len(failures)} of {len(link.known)} trials have failed, which is "
            f"max_failures. The last, with {failed[-1].params}: "
            f"{type(failed[-1].failure).__name__}: {failed[-1].failure}"
        ) from failed[-1].failure


class _Progress:
    """A progress bar of trials, or nothing."""

    def __init__(self, plan, link):
        self.link = link
        self.bar = None
        if plan.verbose:
            self.bar = tqdm(total=plan.n_trials, unit="trial", desc="FusionSearchCV")

    def __enter__(self):
        return self

    def __exit__(self, *error):
        if self.bar is not None:
            self.bar.close()

    def show(self, trials):
        """Draw how many trials are done, and the best score."""
        if self.bar is None:
            return
        done = [trial for trial in trials if is_done(trial)]
        states = [trial.state.name for trial in done]
        values = [trial.value for trial in done if trial.state.name == "COMPLETE"]
        told = {"pruned": states.count("PRUNED"), "failed": states.count("FAIL")}
        if values:
            told = {"best": f"{max(values):.4f}", **told}
        self.bar.set_postfix(told, refresh=False)
        self.bar.update(len(done) - self.bar.n)

    @contextlib.contextmanager
    def from_aside(self):
        """Look from time to time at what other processes do, and know it if they fail."""
        ended = threading.Event()

        def draw():
            while not ended.wait(PAUSE):
                with contextlib.suppress(StudyError):  # the workers tell
                    self.show(self.link.trials())

        thread = threading.Thread(target=draw, daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
            with contextlib.suppress(StudyError):
                self.show(self.link.trials())


@contextlib.contextmanager
def optuna_verbosity(verbose):
    """Let Optuna tell as much as is asked for, for a while."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.INFO if verbose > 1 else optuna.logging.ERROR)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)
