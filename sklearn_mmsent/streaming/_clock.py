"""When a window of several streams is complete."""

from math import floor

from sklearn_mmsent.streaming._audio import AudioStream

_ROUNDING = 1e-6  # seconds


class WindowClock:
    """Windows of equal length at equal distances, and which of them can be predicted.

    Parameters
    ----------
    streams : dict of str to stream
        All times count from the first one that came.
    window, hop : float
        Length and distance, in seconds.
    wait, patience : float
        As in :class:`StreamingPredictor`.
    """

    def __init__(self, streams, window, hop, *, wait, patience):
        self.streams = list(streams.values())
        self.window, self.hop, self.wait, self.patience = window, hop, wait, patience
        self.next = 0  # number of the next window to come due
        self.n_empty = 0

    def start(self, index):
        """Return when a window starts, in seconds."""
        return index * self.hop

    def furthest(self):
        """Return the latest time of any stream."""
        return max(stream.progress for stream in self.streams)

    def due(self):
        """Return the numbers of the windows that have come due; each is returned once."""
        furthest = self.furthest()
        until = furthest - self.wait
        for stream in self.streams:
            if isinstance(stream, AudioStream) and stream.progress >= furthest - self.patience:
                until = min(until, stream.progress)
        return self._windows(floor((until - self.window + _ROUNDING) / self.hop) + 1)

    def rest(self):
        """Return the windows that the end of all streams makes due; the last may be shorter."""
        for stream in self.streams:
            stream.finish()
        end = max((last for s in self.streams if (last := s.last()) is not None), default=None)
        if end is None:
            return []
        complete = max(0, floor((end - self.window + _ROUNDING) / self.hop) + 1)
        covered = self.start(complete - 1) + self.window if complete else 0.0
        return self._windows(complete + (end > covered + _ROUNDING))

    def _windows(self, stop):
        """Return the windows before one that hold something."""
        found = []
        while self.next < stop:
            start = self.start(self.next)
            times = [t for s in self.streams if (t := s.first_after(start)) is not None]
            # after a silence of all streams, on to the first window that has an end behind it
            first = min(times, default=None)
            if first is None:
                target = stop
            elif first < start + self.window:
                target = self.next
            else:
                target = min(stop, floor((first - self.window) / self.hop) + 1)
            if target > self.next:
                self.n_empty += target - self.next
                self.next = target
                continue
            found.append(self.next)
            self.next += 1
        return found
