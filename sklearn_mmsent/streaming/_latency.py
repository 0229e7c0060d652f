"""How fast a stream is predicted, and what was lost."""

from collections import deque

import numpy as np
from sklearn.utils import Bunch

_MOST = 10_000  # latencies that quantiles are taken of


class StreamStatistics:
    """Counts of a stream, and its last 10,000 latencies."""

    def __init__(self):
        self.n_chunks = self.n_bad_chunks = 0
        self.n_predicted = self.n_failed = self.n_dropped = self.n_empty = 0
        self.busy = 0.0  # seconds of work
        self._latencies = deque(maxlen=_MOST)

    def predicted(self, latency, failed):
        """Count a window."""
        self.n_predicted += not failed
        self.n_failed += failed
        self._latencies.append(latency)

    def report(self, streams, seconds):
        """Tell all in a Bunch.

        Parameters
        ----------
        streams : dict of str to AudioStream or EventStream
            By column.
        seconds : float
            Of the stream so far.
        """
        some = np.asarray(self._latencies if self._latencies else [np.nan])
        p50, p95, p99 = np.percentile(some, [50, 95, 99])
        return Bunch(
            n_chunks=self.n_chunks,
            n_bad_chunks=self.n_bad_chunks,
            n_predicted=self.n_predicted,
            n_failed=self.n_failed,
            n_dropped=self.n_dropped,
            n_empty=self.n_empty,
            lost={name: stream.lost for name, stream in streams.items()},
            latency_p50=float(p50),
            latency_p95=float(p95),
            latency_p99=float(p99),
            seconds=seconds,
            busy_seconds=self.busy,
            real_time_factor=self.busy / seconds if seconds else float("nan"),
        )
