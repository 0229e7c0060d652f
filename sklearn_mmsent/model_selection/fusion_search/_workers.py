"""Who works on a shared study, and who has stopped without telling.

A worker writes a beat into the study from time to time. Another takes it for dead when its process
is gone, if both are on one machine, or else when its beat has not changed for long, by the own
clock: clocks of other machines are not compared.
"""

import contextlib
import os
import socket
import threading
import time
import uuid
from pathlib import Path

from optuna.trial import TrialState

BEAT = 15.0  # seconds between beats
GRACE = 120.0  # seconds without a beat after which a worker on another machine counts as dead
PREFIX = "fusion_search:worker:"
WORKER = "fusion_search:worker"  # attribute of a trial: who runs it


class Workers:
    """Who works here, and what it knows of the others.

    Parameters
    ----------
    study : optuna.Study
        The study that they share.
    """

    def __init__(self, study):
        self.study = study
        self.id = uuid.uuid4().hex
        self._seen = {}  # by worker or trial: last beat, and when it was first seen
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
        """Return the trials that run and whose worker has died."""
        running = [trial for trial in trials if trial.state == TrialState.RUNNING]
        others = [trial for trial in running if trial.user_attrs.get(WORKER) != self.id]
        if not others:
            return []
        known = self.study.user_attrs
        return [trial for trial in others if self._is_dead(trial, known)]

    def _is_dead(self, trial, known):
        worker = trial.user_attrs.get(WORKER)
        told = known.get(f"{PREFIX}{worker}")
        if told is not None and told["machine"] == _machine() and os.name == "posix":
            return _started(told["pid"]) != told["started"]
        # of no worker: it was created a moment ago, or its worker died before it could sign
        key, beat = (trial.number, None) if told is None else (worker, told["beat"])
        if key not in self._seen or self._seen[key][0] != beat:
            self._seen[key] = beat, time.monotonic()
        return time.monotonic() - self._seen[key][1] > GRACE

    def _keep_beating(self):
        beat = 1
        while not self._stop.wait(BEAT):
            with contextlib.suppress(Exception):  # who works tells if the storage is gone
                self._beat(beat)
            beat += 1

    def _beat(self, number):
        pid = os.getpid()
        told = {"machine": _machine(), "pid": pid, "started": _started(pid), "beat": number}
        self.study.set_user_attr(f"{PREFIX}{self.id}", told)


def _machine():
    """Return what processes that see each other's numbers have in common."""
    parts = [socket.gethostname()]
    with contextlib.suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip())
        parts.append(os.readlink("/proc/self/ns/pid"))  # of a container
    return " ".join(parts)


def _started(pid):
    """Return when a process started, as the system counts; None where it is gone."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except OSError:  # it is somebody else's
        pass
    try:
        stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        # without /proc its number must do; with it, the process has ended since
        return None if Path("/proc/self").exists() else "unknown"
    # one that has ended and whose parent has not asked how counts as gone
    return None if stat[0] in "ZX" else stat[19]
