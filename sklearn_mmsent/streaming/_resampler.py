"""Resampler: resample a stream chunk by chunk."""

from math import gcd

import numpy as np
from scipy.signal import firwin, resample_poly


class Resampler:
    """Resample a stream; the concatenated output equals ``resample_poly`` of the whole.

    Parameters
    ----------
    rate, target : int
        Rates of the input and the output, in Hz.
    """

    def __init__(self, rate, target):
        self.rate = rate
        common = gcd(rate, target)
        self._up, self._down = target // common, rate // common
        largest = max(self._up, self._down)
        self._half = 10 * largest if largest > 1 else 0  # half-length of scipy's filter
        if largest > 1:
            self._filter = firwin(2 * self._half + 1, 1 / largest, window=("kaiser", 5.0))
        self._kept = np.empty(0, dtype=np.float32)
        self._first = 0  # index of the first kept sample
        self._n_out = 0

    def push(self, samples):
        """Append samples, (n,) float32; return the output that later ones cannot change."""
        if self._up == self._down:
            return samples
        self._kept = np.concatenate([self._kept, samples])
        n_in = self._first + len(self._kept)
        ready = max(self._n_out, (self._up * (n_in - 1) - self._half) // self._down + 1)
        out = self._compute(ready)
        # the filter restarts at a sample that both rates have in common
        needed = max(0, (self._n_out * self._down - self._half) // self._up)
        first = max(self._first, needed // self._down * self._down)
        self._kept = self._kept[first - self._first :].copy()
        self._first = first
        return out

    def finish(self):
        """Return the remaining output, as if zeros followed."""
        if self._up == self._down:
            return np.empty(0, dtype=np.float32)
        n_in = self._first + len(self._kept)
        return self._compute(-(-n_in * self._up // self._down))

    def _compute(self, stop):
        if stop <= self._n_out:
            return np.empty(0, dtype=np.float32)
        start = self._first * self._up // self._down
        out = resample_poly(self._kept, self._up, self._down, window=self._filter)
        out = out[self._n_out - start : stop - start].astype(np.float32)
        self._n_out = stop
        return out
