"""WindowClock: when a window of several streams is complete."""

from math import floor

from sklearn_mmsent.streaming._audio_stream import AudioStream

_ROUNDING = 1e-6  # seconds


class WindowClock:
    """Determines which windows can be predicted.

    Parameters
    ----------
    stream_set : StreamSet
        Streams on a common clock.
    windows : Windows
        Their length and hop.
    wait, patience : float
        As in :class:`StreamingPredictor`, in seconds.
    """

    def __init__(self, stream_set, windows, *, wait, patience):
        self.stream_set, self.windows = stream_set, windows
        self.streams = list(stream_set.streams.values())
        self.wait, self.patience = wait, patience
        self.next = 0  # number of the next window
        self.n_empty = 0

    def due(self):
        """Return the numbers of the windows that are complete now; each is returned once."""
        latest = self.stream_set.progress
        n_due = self._count(latest - self.wait)
        for stream in self.streams:
            if isinstance(stream, AudioStream) and stream.progress >= latest - self.patience:
                n_due = min(n_due, self.windows.count(stream.n_samples, stream.rate))
        return self._take(n_due)

    def rest(self):
        """Return the remaining windows at the end of all streams; the last may be shorter."""
        for stream in self.streams:
            stream.finish()
        end = max((last for s in self.streams if (last := s.last()) is not None), default=None)
        if end is None:
            return []
        complete = self._count(end)
        covered = self.windows.span(complete - 1)[1] if complete else 0.0
        return self._take(complete + (end > covered + _ROUNDING))

    def _count(self, seconds):
        """Return the number of windows that have ended by a time."""
        window, hop = self.windows.window, self.windows.hop
        return max(0, floor((seconds - window + _ROUNDING) / hop) + 1)

    def _take(self, stop):
        """Return the windows before `stop` that are not empty."""
        found = []
        while self.next < stop:
            begin, end = self.windows.span(self.next)
            times = [t for s in self.streams if (t := s.first_after(begin)) is not None]
            first = min(times, default=None)
            if first is not None and first < end:
                found.append(self.next)
                self.next += 1
                continue
            # after a gap in all streams, continue with the first window that ends after it
            target = stop if first is None else min(stop, max(self.next + 1, self._count(first)))
            self.n_empty += target - self.next
            self.next = target
        return found
