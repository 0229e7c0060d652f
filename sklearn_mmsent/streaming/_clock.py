"""When a window of several streams is complete."""

from math import floor

from sklearn_mmsent.streaming._audio_stream import AudioStream

_ROUNDING = 1e-6  # seconds


class WindowClock:
    """Says which windows can be predicted.

    Parameters
    ----------
    streams : dict of str to stream
        All times count from the first one that came.
    windows : Windows
        Their length and distance.
    wait, patience : float
        As in :class:`StreamingPredictor`, in seconds.
    """

    def __init__(self, streams, windows, *, wait, patience):
        self.streams, self.windows = list(streams.values()), windows
        self.wait, self.patience = wait, patience
        self.next = 0  # number of the next window to come due
        self.n_empty = 0

    def furthest(self):
        """Return the latest time of any stream."""
        return max(stream.progress for stream in self.streams)

    def due(self):
        """Return the numbers of the windows that have come due; each is returned once."""
        furthest = self.furthest()
        n_due = self._count(furthest - self.wait)
        for stream in self.streams:
            if isinstance(stream, AudioStream) and stream.progress >= furthest - self.patience:
                n_due = min(n_due, self.windows.count(stream.n_samples, stream.rate))
        return self._take(n_due)

    def rest(self):
        """Return the windows that the end of all streams makes due; the last may be shorter."""
        for stream in self.streams:
            stream.finish()
        end = max((last for s in self.streams if (last := s.last()) is not None), default=None)
        if end is None:
            return []
        complete = self._count(end)
        covered = self.windows.span(complete - 1)[1] if complete else 0.0
        return self._take(complete + (end > covered + _ROUNDING))

    def _count(self, seconds):
        """Return how many windows have ended by a time."""
        window, hop = self.windows.window, self.windows.hop
        return max(0, floor((seconds - window + _ROUNDING) / hop) + 1)

    def _take(self, stop):
        """Return the windows before one that hold something."""
        found = []
        while self.next < stop:
            begin, end = self.windows.span(self.next)
            times = [t for s in self.streams if (t := s.first_after(begin)) is not None]
            first = min(times, default=None)
            if first is not None and first < end:
                found.append(self.next)
                self.next += 1
                continue
            # after a silence of all streams, on to the first window that ends behind it
            target = stop if first is None else min(stop, max(self.next + 1, self._count(first)))
            self.n_empty += target - self.next
            self.next = target
        return found
