"""Studies in files: resuming, sharing between processes, one of them killed, invalid files."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import optuna
import pytest
from optuna.storages._heartbeat import is_heartbeat_enabled
from scipy.stats import uniform
from sklearn.base import BaseEstimator, ClassifierMixin

from sklearn_mmsent import FusionSearchCV
from sklearn_mmsent.exceptions import StudyError
from sklearn_mmsent.model_selection.fusion_search import _loop, _workers
from sklearn_mmsent.model_selection.fusion_search._study import RECORD, SharedStudy
from sklearn_mmsent.model_selection.fusion_search._workers import PREFIX, WORKER, Workers

X = np.arange(40.0).reshape(-1, 1)
Y = np.arange(40) % 2
SPACE = {"a": uniform(0, 1)}


class Recorded(ClassifierMixin, BaseEstimator):
    """Predict by one number, and record the fits."""

    fits = []
    after = None  # called with the number of fits

    def __init__(self, a=0.5):
        self.a = a

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        self.fits.append(self.a)
        if type(self).after is not None:
            type(self).after(len(self.fits))
        return self

    def predict(self, X):
        right = (np.arange(len(X)) / len(X)) < self.a
        return np.where(right, np.ravel(X) % 2, 1 - np.ravel(X) % 2).astype(int)


@pytest.fixture(autouse=True)
def _reset(monkeypatch):
    monkeypatch.setattr(Recorded, "fits", [])
    monkeypatch.setattr(Recorded, "after", None)
    monkeypatch.setattr(_loop, "PAUSE", 0.05)


def search(storage=None, **options):
    defaults = {"n_trials": 6, "cv": 2, "pruner": None, "random_state": 0, "refit": False}
    return FusionSearchCV(Recorded(), SPACE, storage=storage, **defaults | options)


@pytest.fixture(params=["study.log", "study.db", "sqlite:///"])
def storage(request, tmp_path):
    if request.param.endswith("///"):
        return f"{request.param}{tmp_path / 'study'}"
    return tmp_path / request.param


def test_a_study_is_resumed(storage):
    search(storage, n_trials=4).fit(X, Y)
    assert len(Recorded.fits) == 8
    more = search(storage, n_trials=7).fit(X, Y)
    assert len(Recorded.fits) == 14
    assert more.cv_results_["trial"].tolist() == list(range(7))
    whole = search(n_trials=7).fit(X, Y)
    assert whole.cv_results_["params"] == more.cv_results_["params"]
    np.testing.assert_array_equal(
        whole.cv_results_["split1_test_score"], more.cv_results_["split1_test_score"]
    )
    Recorded.fits.clear()
    again = search(storage, n_trials=7).fit(X, Y)
    assert not Recorded.fits
    assert again.best_params_ == whole.best_params_


def test_an_interrupted_search_gives_back_its_trials(storage):
    def interrupt(n):
        if n == 5:
            raise KeyboardInterrupt

    Recorded.after = staticmethod(interrupt)
    with pytest.raises(KeyboardInterrupt):
        search(storage).fit(X, Y)
    Recorded.after = None
    again = search(storage).fit(X, Y)
    assert len(again.cv_results_["trial"]) == 6
    assert max(Counter(Recorded.fits).values()) == 3  # once until Ctrl-C, then for both folds
    assert Counter(Counter(Recorded.fits).values()) == {2: 5, 3: 1}


@pytest.mark.parametrize("name", ["study.log", "study.db"])
def test_a_deleted_storage_raises_an_error_with_the_results_so_far(name, tmp_path):
    def remove(n):
        if n == 7:
            (tmp_path / name).unlink()

    Recorded.after = staticmethod(remove)
    mine = search(tmp_path / name)
    with pytest.raises(StudyError, match=r"is no longer available: .*was removed or replaced"):
        mine.fit(X, Y)
    assert mine.cv_results_["state"].tolist() == ["complete"] * 4  # including the running one
    assert len(mine.study_.trials) == 4
    assert mine.best_params_["a"] == max(p["a"] for p in mine.cv_results_["params"])
    assert mine.best_score_ == mine.study_.best_value


def test_files_without_a_study_raise_an_error(tmp_path):
    (tmp_path / "notes.txt").write_text("milk, eggs")
    with sqlite3.connect(tmp_path / "shop.db") as db:
        db.execute("CREATE TABLE fruits (name TEXT)")
    db.close()
    (tmp_path / "torn.log").write_text('{"op_code":0,\n{"op_code"\n')
    reasons = {
        "notes.txt": "it is not a journal",
        "shop.db": "it is an SQLite database without a study",
        "torn.log": "JSONDecodeError",
        "": "IsADirectoryError",
        "no/study.log": "there is no folder",
        "no/study.db": "there is no folder",
    }
    for name, words in reasons.items():
        with pytest.raises(StudyError, match=f"cannot be read as a study of Optuna: .*{words}"):
            search(tmp_path / name).fit(X, Y)
    assert (tmp_path / "notes.txt").read_text() == "milk, eggs"
    with pytest.raises(StudyError, match=r"postgresql://me:\*\*\*@nowhere"):
        search("postgresql://me:secret@nowhere/study").fit(X, Y)
    assert not Recorded.fits


def test_the_study_of_another_search_raises_an_error(tmp_path):
    storage = tmp_path / "study.log"
    search(storage, n_trials=2).fit(X, Y)
    with pytest.raises(StudyError, match=r"belongs to another search.*its rows"):
        search(storage).fit(X, 1 - Y)
    with pytest.raises(StudyError, match="its score: score of None, here: score of f1"):
        search(storage, scoring="f1").fit(X, Y)
    with pytest.raises(StudyError, match="its space"):
        search(storage).set_params(space={"a": uniform(0, 0.5)}).fit(X, Y)
    other = search(storage, scoring="f1", study_name="f1", n_trials=2).fit(X, Y)
    assert len(other.study_.trials) == 2


# -- several processes -----------------------------------------------------------------------------

SCRIPT = """
import os, sys, time
import numpy as np
from scipy.stats import uniform
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn_mmsent import FusionSearchCV

class Slow(ClassifierMixin, BaseEstimator):
    def __init__(self, a=0.5):
        self.a = a
    def fit(self, X, y):
        self.classes_ = np.unique(y)
        time.sleep(0.15)
        with open(sys.argv[2], "a") as file:
            file.write(f"{self.a!r}\\n")
        return self
    def predict(self, X):
        return (np.ravel(X) > self.a).astype(int)

X, y = np.linspace(0, 1, 40).reshape(-1, 1), np.arange(40) % 2
search = FusionSearchCV(Slow(), {"a": uniform(0, 1)}, n_trials=14, cv=2, storage=sys.argv[1],
                        pruner=None, refit=False)
open(sys.argv[2] + ".ready", "w").close()
while not os.path.exists(sys.argv[3]):
    time.sleep(0.01)
search.fit(X, y)
print(*search.cv_results_["trial"])
"""


def start(*arguments):
    command = [sys.executable, "-c", SCRIPT, *map(str, arguments)]
    return subprocess.Popen(
        command,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def finished(storage):
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.load_study(study_name="fusion-search", storage=storage)
    return study, [trial for trial in study.trials if trial.state.name == "COMPLETE"]


def count(path):
    return Counter(path.read_text().split()) if path.exists() else Counter()


@pytest.mark.parametrize("name", ["study.log", pytest.param("study.db", marks=pytest.mark.slow)])
def test_one_of_two_processes_is_killed_and_the_other_finishes(name, tmp_path):
    storage, notes = tmp_path / name, [tmp_path / f"fits{i}" for i in range(2)]
    go = tmp_path / "go"
    with start(storage, notes[0], go) as doomed, start(storage, notes[1], go) as survivor:
        # both start at the same time, however busy the machine is
        while not all(Path(f"{path}.ready").exists() for path in notes):
            assert doomed.poll() is None
            assert survivor.poll() is None
            time.sleep(0.01)
        go.touch()
        while sum(count(notes[0]).values()) < 5 or not count(notes[1]):
            assert doomed.poll() is None
            assert survivor.poll() is None
            time.sleep(0.005)
        doomed.kill()
        doomed.wait()
        before = count(notes[0])
        output = survivor.communicate(timeout=120)[0]
    assert doomed.returncode == -signal.SIGKILL
    assert survivor.returncode == 0
    where = f"sqlite:///{storage}" if name.endswith("db") else _journal(storage)
    _, complete = finished(where)
    assert len(complete) == 14
    assert len(output.split()) == 14
    fits = before + count(notes[1])
    tried = Counter(repr(trial.params["a"]) for trial in complete)
    assert set(tried.values()) == {1}  # no candidate is tried twice
    # each was run once, for two folds, except the one that was running: at most three fits
    n_fits = Counter(fits[a] for a in tried)
    assert n_fits[2] >= 13
    assert sum(n_fits.values()) == 14
    of_doomed = [a for a in tried if before[a] == 2]
    assert len(of_doomed) >= 2
    assert not any(count(notes[1])[a] for a in of_doomed if fits[a] == 2)


def _journal(path):
    return optuna.storages.JournalStorage(
        optuna.storages.journal.JournalFileBackend(str(path)),
    )


def test_several_jobs_share_a_study_without_a_storage(capsys):
    mine = search(n_jobs=2, n_trials=7, verbose=1).fit(X, Y)
    assert mine.cv_results_["state"].tolist() == ["complete"] * 7
    assert len(mine.study_.trials) == 7
    assert "7/7" in capsys.readouterr().err
    assert not Recorded.fits


# -- dead workers ----------------------------------------------------------------------------------


@pytest.fixture
def study(tmp_path):
    mine = search(tmp_path / "study.log")
    mine.space_ = mine._space()
    study = SharedStudy(
        tmp_path / "study.log",
        "study",
        mine.space_,
        {},
        sampler=optuna.samplers.RandomSampler(seed=0),
        pruner=optuna.pruners.NopPruner(),
    )
    with study:
        yield study


def set_worker(study, machine=None, **state):
    state["machine"] = machine or _workers.machine_id()
    state = {"pid": os.getpid(), "beat": 0, **state}
    study.study.set_user_attr(f"{PREFIX}other", state)


def test_a_worker_is_dead_without_its_process_or_heartbeat(study, monkeypatch):
    (candidate,) = study.ask(1, None)
    study.retry_lost()
    assert study.trials()[0].state.name == "RUNNING"  # of this process
    candidate.trial.set_user_attr(WORKER, "other")
    set_worker(study, started=_workers.start_time(os.getpid()))
    study.retry_lost()
    assert study.trials()[0].state.name == "RUNNING"
    clock = [0.0]
    monkeypatch.setattr(_workers.time, "monotonic", lambda: clock[0])
    set_worker(study, "elsewhere", started="1")
    for beat, now, state in [(0, 0, "RUNNING"), (0, 100, "RUNNING"), (1, 130, "RUNNING"),
                             (1, 249, "RUNNING"), (1, 251, "FAIL")]:  # fmt: skip
        clock[0] = now
        set_worker(study, "elsewhere", started="1", beat=beat)
        study.retry_lost()
        assert study.trials()[0].state.name == state
    retried = study.trials()[1]
    assert retried.state.name == "WAITING"
    assert study.ask(1, None)[0].params == candidate.params


def test_a_reused_process_id_is_not_the_worker(study):
    (candidate,) = study.ask(1, None)
    candidate.trial.set_user_attr(WORKER, "other")
    set_worker(study, started="long ago")
    study.retry_lost()
    assert study.trials()[0].state.name == "FAIL"


def test_the_stored_result_of_a_dead_worker_is_used(study):
    (candidate,) = study.ask(1, None)
    candidate.trial.set_user_attr(RECORD, {"state": "complete", "value": 0.7})
    candidate.trial.set_user_attr(WORKER, "other")
    set_worker(study, started="no")
    study.retry_lost()
    (trial,) = study.trials()
    assert (trial.state.name, trial.value) == ("COMPLETE", 0.7)


def test_a_candidate_that_kills_its_process_fails_after_two_retries(study):
    for _ in range(3):
        (candidate,) = study.ask(1, None)
        candidate.trial.set_user_attr(WORKER, "other")
        set_worker(study, started="no")
        study.retry_lost()
    trials = study.trials()
    assert [trial.state.name for trial in trials] == ["FAIL"] * 3
    assert len({trial.params["a"] for trial in trials}) == 1
    error = study.known[2].user_attrs[RECORD]["error"]
    assert error == "its process was killed 3 times (out of memory?)"


def test_the_result_of_a_retried_trial_is_dropped(study):
    (candidate,) = study.ask(1, None)
    study.study.tell(candidate.number, state=optuna.trial.TrialState.FAIL)
    study.report(candidate, 0.5, 1)
    candidate.record = {"state": "complete", "value": 0.5}
    study.finish(candidate)
    assert study.trials()[0].state.name == "FAIL"


def test_trials_beyond_the_limit_are_given_back(study):
    assert len(study.ask(3, 4)) == 3
    assert len(study.ask(3, 4)) == 1
    assert [t.state.name for t in study.trials()] == ["RUNNING"] * 4 + ["FAIL"] * 2


def test_heartbeats_are_written(tmp_path, monkeypatch):
    monkeypatch.setattr(_workers, "INTERVAL", 0.01)
    study = optuna.create_study()
    with Workers(study) as workers:
        for _ in range(500):
            if study.user_attrs[f"{PREFIX}{workers.id}"]["beat"] > 2:
                break
            time.sleep(0.01)
    assert study.user_attrs[f"{PREFIX}{workers.id}"]["beat"] > 2


def test_journals_of_optuna_have_no_heartbeats(tmp_path):
    # once they have, `_workers` can be replaced
    assert not is_heartbeat_enabled(_journal(tmp_path / "study.log"))
