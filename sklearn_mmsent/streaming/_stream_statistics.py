"""StreamStatistics: speed and losses of a stream."""

from collections import deque

import numpy as np
from sklearn.utils import Bunch

_MAX_LATENCIES = 10_000  # the last ones, from which quantiles are computed


class StreamStatistics:
    """Counts of chunks and windows, and the last 10,000 latencies."""

    def __init__(self):
        self.n_chunks = self.n_bad_chunks = 0
        self.n_predicted = self.n_failed = self.n_dropped = self.n_empty = 0
        self.busy = 0.0  # seconds of work
        self._latencies = deque(maxlen=_MAX_LATENCIES)

    def add_window(self, latency, failed):
        """Count a window that was predicted, or failed to be."""
        self.n_predicted += not failed
        self.n_failed += failed
        self._latencies.append(latency)

    def report(self, streams, seconds):
        """Return all statistics.

        Parameters
        ----------
        streams : dict of str to AudioStream or EventStream
            By raw column.
        seconds : float
            Length of the stream so far.

        Returns
        -------
        Bunch
            See `StreamingPredictor.statistics`.
        """
        latencies = np.asarray(self._latencies if self._latencies else [np.nan])
        p50, p95, p99 = np.percentile(latencies, [50, 95, 99])
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
