"""Workers of a shared study: heartbeats, and trials of workers that died.

Optuna has heartbeats in relational databases only, not in journal files, and counts a worker as
dead after a grace period; a study that is resumed on the same machine would have to wait for it.
Here a worker writes heartbeats into the attributes of the study. It counts as dead when its process
is gone, where that can be seen, and otherwise when its heartbeat has not changed for `GRACE`
seconds of the observer's clock: clocks of different machines are not compared.
"""

import contextlib
import os
import socket
import threading
import time
import uuid
from pathlib import Path

from optuna.trial import TrialState

INTERVAL = 15.0  # seconds between heartbeats
GRACE = 120.0  # seconds without a heartbeat after which a worker on another machine is dead
PREFIX = "fusion_search:worker:"
WORKER = "fusion_search:worker"  # attribute of a trial: id of the worker that runs it


class Workers:
    """Heartbeat of this process, and the state of other workers.

    Parameters
    ----------
    study : optuna.Study
        The shared study.
    """

    def __init__(self, study):
        self.study = study
        self.id = uuid.uuid4().hex
        self._seen = {}  # by worker or trial: last heartbeat, and when it was first seen
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._keep_beating, daemon=True)

    def __enter__(self):
        self._beat(0)
        self._thread.start()
        return self

    def __exit__(self, *error):
        self._stop.set()
        self._thread.join()

    def lost(self, trials):
        """Return the running trials whose worker is dead."""
        running = [trial for trial in trials if trial.state == TrialState.RUNNING]
        others = [trial for trial in running if trial.user_attrs.get(WORKER) != self.id]
        if not others:
            return []
        attributes = self.study.user_attrs
        return [trial for trial in others if self._is_dead(trial, attributes)]

    def _is_dead(self, trial, attributes):
        worker = trial.user_attrs.get(WORKER)
        found = attributes.get(f"{PREFIX}{worker}")
        if found is not None and found["machine"] == machine_id() and os.name == "posix":
            return start_time(found["pid"]) != found["started"]
        # a trial without a worker is new, or its worker died before it could register
        key, beat = (trial.number, None) if found is None else (worker, found["beat"])
        if key not in self._seen or self._seen[key][0] != beat:
            self._seen[key] = beat, time.monotonic()
        return time.monotonic() - self._seen[key][1] > GRACE

    def _keep_beating(self):
        beat = 1
        while not self._stop.wait(INTERVAL):
            with contextlib.suppress(Exception):  # the main thread reports a lost storage
                self._beat(beat)
            beat += 1

    def _beat(self, number):
        pid = os.getpid()
        state = {"machine": machine_id(), "pid": pid, "started": start_time(pid), "beat": number}
        self.study.set_user_attr(f"{PREFIX}{self.id}", state)


def machine_id():
    """Return an id that is equal for processes that see each other's process ids."""
    parts = [socket.gethostname()]
    with contextlib.suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip())
        parts.append(os.readlink("/proc/self/ns/pid"))  # of a container
    return " ".join(parts)


def start_time(pid):
    """Return when a process started, in the system's ticks; None if it has ended."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except OSError:  # a process of another user
        pass
    try:
        stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        # without /proc only the id is known; with it, the process has ended in the meantime
        return None if Path("/proc/self").exists() else "unknown"
    return None if stat[0] in "ZX" else stat[19]  # zombies have ended
