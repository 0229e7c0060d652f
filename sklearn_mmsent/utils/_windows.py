"""Windows over a clip: which seconds each covers, and which samples, frames and words those are.

Window i covers the seconds from ``i * hop`` to ``i * hop + window``. All windows have as many
samples, or frames, and start where rounding puts them, so that what is computed while a clip still
runs is what is computed from the whole clip.
"""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Windows:
    """Windows of one length at regular distances.

    Parameters
    ----------
    window : float
        Length of a window, in seconds.
    hop : float
        From the start of a window to that of the next, in seconds. Larger than `window`, it
        leaves gaps.

    Examples
    --------
    >>> windows = Windows(window=1.0, hop=0.25)
    >>> windows.count(2 * 16000, 16000), windows.span(3), windows.samples(3, 16000)
    (5, (0.75, 1.75), slice(12000, 28000, None))
    >>> windows.words([("not", 0.2, 0.8), ("bad", 0.8, 1.8)], 3)
    ['not']
    """

    window: float
    hop: float

    def span(self, i):
        """Return the seconds at which window `i` starts and stops."""
        start = i * self.hop
        return start, start + self.window

    def samples(self, i, rate):
        """Return the samples, or frames, of window `i` as a slice.

        Parameters
        ----------
        i : int
            Number of the window, from 0.
        rate : float
            Samples or frames per second.

        Returns
        -------
        slice
            Of the same length for all windows, one at least.
        """
        start = round(i * self.hop * rate)
        return slice(start, start + max(1, round(self.window * rate)))

    def count(self, n_samples, rate):
        """Return how many whole windows lie in the first samples of a clip.

        Parameters
        ----------
        n_samples : int
            Samples, or frames, of the clip.
        rate : float
            Samples or frames per second.

        Returns
        -------
        int
            0 for a clip that is shorter than a window.
        """
        length = max(1, round(self.window * rate))
        if n_samples < length:
            return 0
        n = 1 + math.floor((n_samples - length) / (self.hop * rate))
        # rounding moves starts by half a sample, so the neighbours decide
        while self.samples(n, rate).stop <= n_samples:
            n += 1
        while self.samples(n - 1, rate).stop > n_samples:
            n -= 1
        return n

    def words(self, words, i):
        """Return the words of window `i`: those that have been spoken out in it.

        A word belongs to the windows in which it ends, ``start < end <= stop``: then it is known
        when the window is over, also while the clip still runs.

        Parameters
        ----------
        words : iterable of (str, float, float)
            Words with the seconds at which they start and end.
        i : int
            Number of the window, from 0.

        Returns
        -------
        list of str
            In the order given.
        """
        start, stop = self.span(i)
        return [word for word, _, end in words if start < end <= stop]
