"""EventStream: the last seconds of a stream of events (words, images, rows of numbers)."""

from bisect import bisect_left, insort

import numpy as np

from sklearn_mmsent.feature_extraction import is_missing

_MAX_EVENTS = 10_000  # kept of one stream
_INSTANT = 1e-5  # seconds, duration of an event


class EventStream:
    """Events by their times; they may arrive out of order.

    Parameters
    ----------
    gather : callable
        Builds the cell of a window from its list of (time, event), which is not empty.
    seconds : float
        Length of a window.
    spoken : bool, default=False
        Whether times are ends, as of words, which belong to the windows in which they end.
        Otherwise an event belongs to the windows in which it starts.

    Attributes
    ----------
    lost : int
        Number of events that arrived after their last window, or were too many to keep.
    progress : float
        Time of the latest event, in seconds.
    """

    def __init__(self, gather, seconds, *, spoken=False):
        self.gather, self.seconds, self.spoken = gather, seconds, spoken
        self.lost = 0
        self.progress = 0.0
        self._events = []  # of (time, number, event), ordered
        self._n_seen = 0
        self._horizon = 0.0

    def push(self, events, times):
        """Insert events with their times in seconds."""
        for event, time in zip(events, times, strict=True):
            self.progress = max(self.progress, time)
            if self.spoken and time > 0:  # ends are inclusive
                time = max(0.0, time - _INSTANT)
            if time < self._horizon:
                self.lost += 1
            elif not is_missing(event):
                insort(self._events, (time, self._n_seen, event))
                self._n_seen += 1
        if len(self._events) > _MAX_EVENTS:
            self.lost += len(self._events) - _MAX_EVENTS
            del self._events[:-_MAX_EVENTS]

    def cut(self, start, stop):
        """Return the cell of the events in [start, stop); None if there is none."""
        inside = self._events[self._index(start) : self._index(stop)]
        if not inside:
            return None
        return self.gather([(time, event) for time, _, event in inside], self.seconds)

    def first_after(self, seconds):
        """Return the time of the first event at or after a time, or None."""
        index = self._index(seconds)
        return self._events[index][0] if index < len(self._events) else None

    def last(self):
        """Return the time directly after the last event, or None."""
        return self._events[-1][0] + _INSTANT if self._events else None

    def forget_before(self, seconds):
        """Drop events before a time; later input for it is lost."""
        self._horizon = seconds
        del self._events[: self._index(seconds)]

    def finish(self):
        """Do nothing: no event is held back."""

    def __len__(self):
        return len(self._events)

    def _index(self, seconds):
        return bisect_left(self._events, (seconds,))


def words(events, seconds):
    """Return the words joined to a text."""
    return " ".join(str(word).strip() for _, word in events)


def last(events, seconds):
    """Return the latest event."""
    return events[-1][1]


def frames(events, seconds):
    """Return the images as a clip, with its frames per second."""
    return np.stack([image for _, image in events]), len(events) / seconds
