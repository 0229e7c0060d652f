"""Main loop of a search: ask for trials, evaluate them, repeat; in one process or in several."""

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
from sklearn_mmsent.model_selection.fusion_search._evaluate import Evaluator, SearchData
from sklearn_mmsent.model_selection.fusion_search._study import SharedStudy, counts, is_done

PAUSE = 0.5  # seconds between looks at the trials of other processes


@dataclass(frozen=True)
class Plan:
    """Everything that a process needs to work on a search."""

    estimator: object
    data: SearchData
    study: dict  # parameters of SharedStudy
    evaluator: dict  # options of Evaluator
    start_from: list  # first candidates
    n_trials: int | None
    deadline: float | None  # seconds of the system clock
    n_batched: int  # trials in a batch
    n_same_shape: int  # consecutive trials of a batch whose networks have the same shapes
    max_failures: int | None
    raise_errors: bool  # at the first failure
    verbose: int


class TooManyFailures(RuntimeError):
    """The search was ended by failed trials."""


def run_search(plan, n_jobs):
    """Return the finished trials of a search, and the error that ended it early or None."""
    with optuna_verbosity(plan.verbose), contextlib.ExitStack() as stack:
        if n_jobs > 1 and plan.study["storage"] is None:
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            plan = replace(plan, study=plan.study | {"storage": str(Path(folder) / "study.log")})
        study = SharedStudy(**plan.study)
        error = None
        try:
            study.start_from(plan.start_from)
            if n_jobs > 1:
                _run_in_processes(plan, study, n_jobs)
            else:
                _run_trials(plan, study)
            trials = [trial for trial in study.trials() if is_done(trial)]
        except (StudyError, TooManyFailures, BrokenProcessPool) as failure:
            trials, error = list(study.known.values()), failure
        finally:
            study.storage.close()
        return sorted(trials, key=lambda trial: trial.number), error


def _run_in_processes(plan, study, n_jobs):
    """Run trials in other processes, and show their progress."""
    quiet = replace(plan, verbose=0, start_from=[])
    workers = Parallel(n_jobs=n_jobs, return_as="generator_unordered", pre_dispatch="all")
    with _Progress(plan, study) as progress, progress.in_background():
        for _ in workers(delayed(_run_worker)(quiet) for _ in range(n_jobs)):
            pass
    study.trials()


def _run_worker(plan):
    with optuna_verbosity(plan.verbose):
        _run_trials(plan, SharedStudy(**plan.study))


def _run_trials(plan, study):
    evaluator = Evaluator(plan.estimator, plan.data, study=study, **plan.evaluator)
    with study, _Progress(plan, study) as progress:
        while True:
            study.retry_lost()
            trials = study.trials()
            progress.show(trials)
            n = _n_to_ask(plan, trials)
            if n is None:
                return
            candidates = study.ask(n, plan.n_trials, plan.n_same_shape) if n else []
            if not candidates:
                time.sleep(PAUSE)  # other processes run the last trials
                continue
            try:
                evaluator.run(candidates)
            finally:
                study.release([c for c in candidates if "state" not in c.record])
            _check_failures(plan, study, candidates)


def _n_to_ask(plan, trials):
    """Return the number of trials to start; None at the end of the search."""
    if plan.deadline is not None and time.time() >= plan.deadline:
        return None
    if plan.n_trials is None:
        return plan.n_batched
    if sum(map(is_done, trials)) >= plan.n_trials:
        return None
    return max(0, min(plan.n_batched, plan.n_trials - sum(map(counts, trials))))


def _check_failures(plan, study, candidates):
    failed = [candidate for candidate in candidates if candidate.failure is not None]
    if failed and plan.raise_errors:
        raise failed[0].failure
    failures = [t for t in study.known.values() if t.state == optuna.trial.TrialState.FAIL]
    if failed and plan.max_failures is not None and len(failures) >= plan.max_failures:
        raise TooManyFailures(
            f"FusionSearchCV: {len(failures)} of {len(study.known)} trials have failed, which is "
            f"max_failures. The last, with {failed[-1].params}: "
            f"{type(failed[-1].failure).__name__}: {failed[-1].failure}"
        ) from failed[-1].failure


class _Progress:
    """Progress bar over trials, if the search is verbose."""

    def __init__(self, plan, study):
        self.study = study
        self.bar = None
        if plan.verbose:
            self.bar = tqdm(total=plan.n_trials, unit="trial", desc="FusionSearchCV")

    def __enter__(self):
        return self

    def __exit__(self, *error):
        if self.bar is not None:
            self.bar.close()

    def show(self, trials):
        """Show the number of finished trials and the best score."""
        if self.bar is None:
            return
        done = [trial for trial in trials if is_done(trial)]
        states = [trial.state.name for trial in done]
        values = [trial.value for trial in done if trial.state.name == "COMPLETE"]
        numbers = {"pruned": states.count("PRUNED"), "failed": states.count("FAIL")}
        if values:
            numbers = {"best": f"{max(values):.4f}", **numbers}
        self.bar.set_postfix(numbers, refresh=False)
        self.bar.update(len(done) - self.bar.n)

    @contextlib.contextmanager
    def in_background(self):
        """Show the trials of other processes while they run."""
        ended = threading.Event()

        def draw():
            while not ended.wait(PAUSE):
                with contextlib.suppress(StudyError):  # raised by the workers
                    self.show(self.study.trials())

        thread = threading.Thread(target=draw, daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
            with contextlib.suppress(StudyError):
                self.show(self.study.trials())


@contextlib.contextmanager
def optuna_verbosity(verbose):
    """Set the verbosity of Optuna temporarily."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.INFO if verbose > 1 else optuna.logging.ERROR)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)
