"""Windows over a clip: the seconds, samples, frames and words of each.

Window i covers the seconds from ``i * hop`` to ``i * hop + window``. All windows have as many
samples, or frames, and start at rounded positions, so that windows of a running clip equal those
of the whole clip.
"""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Windows:
    """Windows of equal length at regular distances.

    Parameters
    ----------
    window : float
        Length of a window, in seconds.
    hop : float
        Time from the start of a window to that of the next, in seconds. There are gaps if it
        exceeds `window`.

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
        """Return start and end of window `i` in seconds."""
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
            Of equal length for all windows, at least one.
        """
        start = round(i * self.hop * rate)
        return slice(start, start + max(1, round(self.window * rate)))

    def count(self, n_samples, rate):
        """Return the number of whole windows in the first samples of a clip.

        Parameters
        ----------
        n_samples : int
            Samples, or frames, of the clip.
        rate : float
            Samples or frames per second.

        Returns
        -------
        int
            Zero for a clip shorter than a window.
        """
        length = max(1, round(self.window * rate))
        if n_samples < length:
            return 0
        n = 1 + math.floor((n_samples - length) / (self.hop * rate))
        # rounding moves starts by half a sample: check the neighbours
        while self.samples(n, rate).stop <= n_samples:
            n += 1
        while self.samples(n - 1, rate).stop > n_samples:
            n -= 1
        return n

    def words(self, words, i):
        """Return the words that end in window `i`.

        A word belongs to the windows with ``start < end <= stop``, so that the words of a window
        are known at its end, even in a running clip.

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
