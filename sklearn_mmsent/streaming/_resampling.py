"""Bringing a stream of samples to another rate, chunk by chunk."""

from math import gcd

import numpy as np
from scipy.signal import firwin, resample_poly


class Resampler:
    """Resample a stream so that its chunks together equal ``resample_poly`` of the whole.

    Parameters
    ----------
    rate, target : int
        Of what comes and of what is wanted, in Hz.
    """

    def __init__(self, rate, target):
        self.rate = rate
        common = gcd(rate, target)
        self._up, self._down = target // common, rate // common
        longest = max(self._up, self._down)
        self._half = 10 * longest if longest > 1 else 0  # of the filter, as in scipy
        if longest > 1:
            self._filter = firwin(2 * self._half + 1, 1 / longest, window=("kaiser", 5.0))
        self._kept = np.empty(0, dtype=np.float32)
        self._first = 0  # number of the first sample that is kept
        self._n_out = 0

    def push(self, samples):
        """Take samples, (n,) float32, and return those that no later one can change."""
        if self._up == self._down:
            return samples
        self._kept = np.concatenate([self._kept, samples])
        n_in = self._first + len(self._kept)
        ready = max(self._n_out, (self._up * (n_in - 1) - self._half) // self._down + 1)
        out = self._compute(ready)
        # the filter begins anew at a sample that both rates have in common
        needed = max(0, (self._n_out * self._down - self._half) // self._up)
        first = max(self._first, needed // self._down * self._down)
        self._kept = self._kept[first - self._first :].copy()
        self._first = first
        return out

    def finish(self):
        """Return what is left, as if zeros followed."""
        if self._up == self._down:
            return np.empty(0, dtype=np.float32)
        n_in = self._first + len(self._kept)
        return self._compute(-(-n_in * self._up // self._down))

    def _compute(self, stop):
        if stop <= self._n_out:
            return np.empty(0, dtype=np.float32)
        start = self._first * self._up // self._down
        made = resample_poly(self._kept, self._up, self._down, window=self._filter)
        made = made[self._n_out - start : stop - start].astype(np.float32)
        self._n_out = stop
        return made
