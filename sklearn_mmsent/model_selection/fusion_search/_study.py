"""A study as a search sees it: asks for candidates, tells results, counts what is done."""

import contextlib
from dataclasses import dataclass, field

import optuna
from optuna.exceptions import DuplicatedStudyError, UpdateFinishedTrialError
from optuna.trial import FrozenTrial, TrialState, create_trial

from sklearn_mmsent.exceptions import StudyError
from sklearn_mmsent.model_selection.fusion_search._storage import OpenStorage
from sklearn_mmsent.model_selection.fusion_search._workers import WORKER, Workers

RECORD = "fusion_search:record"  # attribute of a trial: scores of its folds, times, error
RETRY = "fusion_search:retry"  # attribute of a trial: how often its candidate was lost before
SEARCH = "fusion_search:search"  # attribute of a study: what is searched
MAX_RETRIES = 2

# what decides the shapes of a network: those that have it in common are trained as one
_SHAPES = {
    *("fusion", "fusion_params", "encoders", "encoders_from", "freeze_encoders", "hidden_size"),
    *("batch_size", "loss", "loss_params", "precision"),
}


@dataclass
class Candidate:
    """A trial that this process runs."""

    trial: optuna.Trial
    number: int
    params: dict  # for set_params
    stored: dict  # as the study has them
    distributions: dict
    record: dict = field(default_factory=dict)  # what is told of it
    failure: Exception | None = None
    pruned: bool = False


class Link:
    """One process's connection to a study.

    Parameters
    ----------
    storage : None, str, Path or BaseStorage
        Where the study is.
    name : str
        Of the study.
    space : SearchSpace
        What is tried.
    search : dict
        What tells this search from others; one of a study that is there must be the same.
    direction : {"maximize", "minimize"}, default="maximize"
        Of the scores.
    sampler, pruner : BaseSampler, BasePruner
        Of Optuna.
    """

    def __init__(self, storage, name, space, search, *, sampler, pruner, direction="maximize"):
        self.storage = OpenStorage(storage)
        self.space = space
        self.known = {}  # finished trials by number, as they were last seen
        with self.storage.reached():
            self.study = self._open(name, direction, sampler, pruner)
            found = self.study.user_attrs.get(SEARCH)
            if found is None:
                self.study.set_user_attr(SEARCH, search)
            elif found != search:
                _refuse(name, self.storage.place, found, search)
        self.workers = Workers(self.study) if self.storage.shared else None

    def _open(self, name, direction, sampler, pruner):
        options = {"storage": self.storage.storage, "study_name": name}
        with contextlib.suppress(DuplicatedStudyError):
            return optuna.create_study(
                **options, direction=direction, sampler=sampler, pruner=pruner
            )
        return optuna.load_study(**options, sampler=sampler, pruner=pruner)

    def __enter__(self):
        if self.workers is not None:
            with self.storage.reached():
                self.workers.__enter__()
        return self

    def __exit__(self, *error):
        if self.workers is not None:
            self.workers.__exit__(*error)
        self.storage.close()

    # -- looking -----------------------------------------------------------------------------

    def trials(self):
        """Return all trials as they are now."""
        with self.storage.reached():
            trials = self.study.get_trials(deepcopy=False)
        self.known |= {t.number: t for t in trials if is_done(t)}
        return trials

    def take_back_lost(self):
        """End trials whose worker has died, and see to it that they are run again."""
        if self.workers is None:
            return
        with self.storage.reached():
            for trial in self.workers.lost(self.study.get_trials(deepcopy=False)):
                self._take_back(trial)

    def _take_back(self, trial):
        record = trial.user_attrs.get(RECORD)
        if record is not None:  # it was about to be told
            self._tell(trial.number, record)
            return
        lost = 1 + trial.user_attrs.get(RETRY, 0)
        if lost > MAX_RETRIES:
            record = {
                "state": "failed",
                "error": f"the process that ran it was killed, {lost} times: out of memory?",
            }
            self.storage.storage.set_trial_user_attr(trial._trial_id, RECORD, record)
        if self._tell(trial.number, {"state": "failed"}) and record is None:
            self.study.enqueue_trial(trial.params, user_attrs={RETRY: lost})

    # -- asking ------------------------------------------------------------------------------

    def start_from(self, candidates):
        """Put candidates in front, once for a study.

        Parameters
        ----------
        candidates : list of dict
            Values of parameters.
        """
        with self.storage.reached():
            if self.study.user_attrs.get("fusion_search:started"):
                return
            self.study.set_user_attr("fusion_search:started", True)
            for values in map(self.space.encode, candidates):
                if values:
                    self.study.enqueue_trial(values, skip_if_exists=True)

    def ask(self, n, most, n_alike=1):
        """Ask for candidates.

        Parameters
        ----------
        n : int
            How many.
        most : int or None
            How many trials the study is to have. What is asked beyond it, as two processes may do
            at the same time, is given back.
        n_alike : int, default=1
            How many candidates in a row have in common what decides the shapes of a network.

        Returns
        -------
        list of Candidate
        """
        candidates, lead = [], None
        with self.storage.reached():
            for i in range(n):
                lead = None if i % n_alike == 0 else lead
                shapes = {} if lead is None else _shapes(lead.stored)
                if shapes and not self._waiting():
                    self.study.enqueue_trial(shapes)
                candidates.append(self._ask())
                lead = lead or candidates[-1]
            if most is None or not self.storage.shared:
                return candidates
            counted = [t.number for t in self.study.get_trials(deepcopy=False) if counts(t)]
        kept = []
        for candidate in candidates:
            if sum(number < candidate.number for number in counted) < most:
                kept.append(candidate)
            else:
                with self.storage.reached():
                    self._tell(candidate.number, {"state": "failed"})
        return kept

    def _ask(self):
        trial = self.study.ask()
        if self.workers is not None:
            trial.set_user_attr(WORKER, self.workers.id)
        params = self.space.suggest(trial)
        return Candidate(trial, trial.number, params, trial.params, trial.distributions)

    def _waiting(self):
        return bool(self.study.get_trials(deepcopy=False, states=(TrialState.WAITING,)))

    # -- telling -----------------------------------------------------------------------------

    def report(self, candidate, value, step):
        """Tell how far a candidate is."""
        with self.storage.reached(), _though_taken_for_lost():
            candidate.trial.report(value, step)

    def should_prune(self, candidate):
        """Ask whether to stop a candidate."""
        with self.storage.reached():
            return candidate.trial.should_prune()

    def finish(self, candidate):
        """Tell what became of a candidate."""
        record = candidate.record
        self.known[candidate.number] = _frozen(candidate)
        with self.storage.reached(), _though_taken_for_lost():
            candidate.trial.set_user_attr(RECORD, record)
            self._tell(candidate.number, record)

    def release(self, candidates):
        """Give back candidates that will not be finished, for somebody else to run them."""
        with contextlib.suppress(StudyError), self.storage.reached():
            for candidate in candidates:
                if self._tell(candidate.number, {"state": "failed"}):
                    self.study.enqueue_trial(candidate.stored)

    def _tell(self, number, record):
        """Tell a trial's end; return whether nobody else has told one before."""
        try:
            if record["state"] == "complete":
                self.study.tell(number, record["value"])
            else:
                states = {"pruned": TrialState.PRUNED, "failed": TrialState.FAIL}
                self.study.tell(number, state=states[record["state"]])
        except (UpdateFinishedTrialError, ValueError):  # another has told its end
            return False
        return True


def _though_taken_for_lost():
    """Go on where another process has ended a trial of this one: it runs there again."""
    return contextlib.suppress(UpdateFinishedTrialError)


def is_done(trial):
    """Tell whether a trial was run to an end, be it a failure."""
    return trial.state.is_finished() and RECORD in trial.user_attrs


def counts(trial):
    """Tell whether a trial is one of those that a search is to make."""
    return trial.state == TrialState.RUNNING or is_done(trial)


def copy_in_memory(study_name, trials, direction="maximize"):
    """Return a study that needs no storage, of trials that were seen."""
    study = optuna.create_study(study_name=study_name, direction=direction)
    study.add_trials(trials)
    return study


def _shapes(stored):
    """Return the parameters of a candidate that decide shapes, unless there are no others."""
    shapes = {
        name: value
        for name, value in stored.items()
        if name.partition("[")[0].rpartition("__")[2] in _SHAPES
    }
    return shapes if len(shapes) < len(stored) else {}


def _frozen(candidate) -> FrozenTrial:
    """Return a finished candidate as the study will show it."""
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


def _refuse(name, place, found, search):
    different = [key for key in search if found.get(key) != search[key]]
    told = "; ".join(f"its {key}: {found.get(key)}, here: {search[key]}" for key in different)
    raise StudyError(
        f"FusionSearchCV: the study {name!r} in {place} is one of another search, whose scores "
        f"cannot be compared with those to come ({told}). Give this search a study_name of its "
        "own, and start_from= for the best candidates of the other. If nothing has changed, is "
        "the splitter shuffled without a random_state?"
    )
