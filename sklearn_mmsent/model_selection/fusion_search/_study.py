"""A study that several processes may share: asks for candidates, stores results, counts trials."""

import contextlib
from dataclasses import dataclass, field

import optuna
from optuna.exceptions import DuplicatedStudyError, UpdateFinishedTrialError
from optuna.trial import FrozenTrial, TrialState, create_trial

from sklearn_mmsent.estimators import BaseFusion
from sklearn_mmsent.exceptions import StudyError
from sklearn_mmsent.model_selection.fusion_search._storage import OpenStorage
from sklearn_mmsent.model_selection.fusion_search._workers import WORKER, Workers

RECORD = "fusion_search:record"  # attribute of a trial: scores of its folds, times, error
RETRY = "fusion_search:retry"  # attribute of a trial: how often its candidate was lost
SEARCH = "fusion_search:search"  # attribute of a study: description of the search
STARTED = "fusion_search:started"  # attribute of a study: whether start_from was enqueued
MAX_RETRIES = 2


@dataclass
class Candidate:
    """A trial that this process runs."""

    trial: optuna.Trial
    number: int
    params: dict  # for set_params
    stored: dict  # as in the study
    distributions: dict
    record: dict = field(default_factory=dict)  # value of the attribute RECORD
    failure: Exception | None = None
    pruned: bool = False


class SharedStudy:
    """Connection of one process to a study.

    Parameters
    ----------
    storage : None, str, Path or BaseStorage
        Storage of the study.
    name : str
        Name of the study.
    space : SearchSpace
        Search space.
    search : dict
        Description of the search; that of an existing study must be equal.
    sampler, pruner : BaseSampler, BasePruner
        Of Optuna.

    Raises
    ------
    StudyError
        If the storage is unavailable, or has the study of another search.
    """

    def __init__(self, storage, name, space, search, *, sampler, pruner):
        self.storage = OpenStorage(storage)
        self.space = space
        self.known = {}  # finished trials by number, as last seen
        with self.storage.available():
            self.study = self._open(name, sampler, pruner)
            found = self.study.user_attrs.get(SEARCH)
            if found is None:
                self.study.set_user_attr(SEARCH, search)
            elif found != search:
                _raise_other_search(name, self.storage.place, found, search)
        self.workers = Workers(self.study) if self.storage.shared else None

    def _open(self, name, sampler, pruner):
        options = {"storage": self.storage.storage, "study_name": name}
        with contextlib.suppress(DuplicatedStudyError):
            return optuna.create_study(
                **options, direction="maximize", sampler=sampler, pruner=pruner
            )
        return optuna.load_study(**options, sampler=sampler, pruner=pruner)

    def __enter__(self):
        if self.workers is not None:
            with self.storage.available():
                self.workers.__enter__()
        return self

    def __exit__(self, *error):
        if self.workers is not None:
            self.workers.__exit__(*error)
        self.storage.close()

    # -- trials ------------------------------------------------------------------------------

    def trials(self):
        """Return the current trials."""
        with self.storage.available():
            trials = self.study.get_trials(deepcopy=False)
        self.known |= {t.number: t for t in trials if is_done(t)}
        return trials

    def retry_lost(self):
        """End the trials of dead workers, and enqueue their candidates."""
        if self.workers is None:
            return
        with self.storage.available():
            for trial in self.workers.lost(self.study.get_trials(deepcopy=False)):
                self._retry(trial)

    def _retry(self, trial):
        record = trial.user_attrs.get(RECORD)
        if record is not None:  # the worker died after it had stored its result
            self._end(trial.number, record)
            return
        n_lost = 1 + trial.user_attrs.get(RETRY, 0)
        if n_lost > MAX_RETRIES:
            record = {
                "state": "failed",
                "error": f"its process was killed {n_lost} times (out of memory?)",
            }
            self.storage.storage.set_trial_user_attr(trial._trial_id, RECORD, record)
        if self._end(trial.number, {"state": "failed"}) and record is None:
            self.study.enqueue_trial(trial.params, user_attrs={RETRY: n_lost})

    # -- asking ------------------------------------------------------------------------------

    def start_from(self, candidates):
        """Enqueue candidates, dicts of parameters, once per study."""
        with self.storage.available():
            if self.study.user_attrs.get(STARTED):
                return
            self.study.set_user_attr(STARTED, True)
            for values in map(self.space.encode, candidates):
                if values:
                    self.study.enqueue_trial(values, skip_if_exists=True)

    def ask(self, n, n_trials, n_same_shape=1):
        """Return at most n candidates; `n_same_shape` consecutive ones share shapes of networks.

        Trials beyond `n_trials`, which two processes may create at the same time, are given back.
        """
        candidates, first = [], None
        with self.storage.available():
            for i in range(n):
                first = None if i % n_same_shape == 0 else first
                shapes = {} if first is None else _shape_params(first.stored)
                if shapes and not self._has_waiting():
                    self.study.enqueue_trial(shapes)
                candidates.append(self._ask())
                first = first or candidates[-1]
            if n_trials is None or not self.storage.shared:
                return candidates
            counted = [t.number for t in self.study.get_trials(deepcopy=False) if counts(t)]
        kept = []
        for candidate in candidates:
            if sum(number < candidate.number for number in counted) < n_trials:
                kept.append(candidate)
            else:
                with self.storage.available():
                    self._end(candidate.number, {"state": "failed"})
        return kept

    def _ask(self):
        trial = self.study.ask()
        if self.workers is not None:
            trial.set_user_attr(WORKER, self.workers.id)
        params = self.space.suggest(trial)
        return Candidate(trial, trial.number, params, trial.params, trial.distributions)

    def _has_waiting(self):
        return bool(self.study.get_trials(deepcopy=False, states=(TrialState.WAITING,)))

    # -- results -----------------------------------------------------------------------------

    def report(self, candidate, value, step):
        """Report an intermediate value of a candidate."""
        with self.storage.available(), _unless_retried():
            candidate.trial.report(value, step)

    def should_prune(self, candidate):
        """Return whether to stop a candidate."""
        with self.storage.available():
            return candidate.trial.should_prune()

    def finish(self, candidate):
        """Store the record of a candidate, and end its trial."""
        record = candidate.record
        self.known[candidate.number] = _frozen(candidate)
        with self.storage.available(), _unless_retried():
            candidate.trial.set_user_attr(RECORD, record)
            self._end(candidate.number, record)

    def release(self, candidates):
        """Give back candidates that were not finished, and enqueue them."""
        with contextlib.suppress(StudyError), self.storage.available():
            for candidate in candidates:
                if self._end(candidate.number, {"state": "failed"}):
                    self.study.enqueue_trial(candidate.stored)

    def _end(self, number, record):
        """End a trial; return whether no other process had ended it."""
        try:
            if record["state"] == "complete":
                self.study.tell(number, record["value"])
            else:
                states = {"pruned": TrialState.PRUNED, "failed": TrialState.FAIL}
                self.study.tell(number, state=states[record["state"]])
        except (UpdateFinishedTrialError, ValueError):
            return False
        return True


def _unless_retried():
    """Ignore that another process has ended the trial, which it runs again."""
    return contextlib.suppress(UpdateFinishedTrialError)


def is_done(trial):
    """Return whether a trial was run to its end, be it a failure."""
    return trial.state.is_finished() and RECORD in trial.user_attrs


def counts(trial):
    """Return whether a trial counts towards the number of trials of a search."""
    return trial.state == TrialState.RUNNING or is_done(trial)


def copy_in_memory(study_name, trials):
    """Return a study in memory with the given trials."""
    study = optuna.create_study(study_name=study_name, direction="maximize")
    study.add_trials(trials)
    return study


def _shape_params(stored):
    """Return a candidate's parameters that determine shapes; none if there are no others."""
    shapes = {
        name: value
        for name, value in stored.items()
        if name.partition("[")[0].rpartition("__")[2] in BaseFusion.shape_parameters
    }
    return shapes if len(shapes) < len(stored) else {}


def _frozen(candidate) -> FrozenTrial:
    """Return a finished candidate as a trial."""
    record = candidate.record
    complete = record["state"] == "complete"
    states = {"complete": TrialState.COMPLETE, "pruned": TrialState.PRUNED}
    trial = create_trial(
        state=states.get(record["state"], TrialState.FAIL),
        value=record["value"] if complete else None,
        params=candidate.stored,
        distributions=candidate.distributions,
        user_attrs={RECORD: record},
    )
    trial.number = candidate.number
    trial.datetime_complete = trial.datetime_start
    return trial


def _raise_other_search(name, place, found, search):
    different = [key for key in search if found.get(key) != search[key]]
    changes = "; ".join(f"its {key}: {found.get(key)}, here: {search[key]}" for key in different)
    raise StudyError(
        f"FusionSearchCV: the study {name!r} in {place} belongs to another search, whose scores "
        f"are not comparable ({changes}). Use another study_name, with start_from= for the best "
        "candidates of the existing study. If nothing has changed, the splitter may shuffle "
        "without a random_state."
    )
