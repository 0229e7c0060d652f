"""The last seconds of a stream of single things: words, pictures, rows of numbers."""

from bisect import bisect_left, insort

import numpy as np

from sklearn_mmsent.feature_extraction import is_missing

_MOST = 10_000  # events that are kept of one stream
_INSTANT = 1e-5  # seconds that an event takes


class EventStream:
    """Things by their times, which may come out of order.

    Parameters
    ----------
    gather : callable
        Makes the cell of a window from its list of (time, thing), of which there is at least one.
    seconds : float
        Length of a window.
    spoken : bool, default=False
        Whether a time is that of an end, as of a word, which belongs to the windows in which it
        ends; without it, a thing belongs to the windows in which it begins.

    Attributes
    ----------
    lost : int
        Number of things that came when the last window of their time was through, or were too
        many to keep.
    progress : float
        Time of the latest thing, in seconds.
    """

    def __init__(self, gather, seconds, *, spoken=False):
        self.gather, self.seconds, self.spoken = gather, seconds, spoken
        self.lost = 0
        self.progress = 0.0
        self._events = []  # of (time, number, thing), ordered
        self._n_seen = 0
        self._horizon = 0.0

    def push(self, things, times):
        """Take things with their times in seconds."""
        for thing, time in zip(things, times, strict=True):
            self.progress = max(self.progress, time)
            if self.spoken and time > 0:  # what ends where a window ends is that window's
                time = max(0.0, time - _INSTANT)
            if time < self._horizon:
                self.lost += 1
            elif not is_missing(thing):
                insort(self._events, (time, self._n_seen, thing))
                self._n_seen += 1
        if len(self._events) > _MOST:
            self.lost += len(self._events) - _MOST
            del self._events[:-_MOST]

    def cut(self, start, stop):
        """Give the cell of the things from one time to before another; None if there is none."""
        inside = self._events[self._place(start) : self._place(stop)]
        if not inside:
            return None
        return self.gather([(time, thing) for time, _, thing in inside], self.seconds)

    def first_after(self, seconds):
        """Return the time of the first thing from a time on, or None."""
        place = self._place(seconds)
        return self._events[place][0] if place < len(self._events) else None

    def last(self):
        """Return a time right after the last thing, or None."""
        return self._events[-1][0] + _INSTANT if self._events else None

    def forget_before(self, seconds):
        """Drop things before a time; what comes for it later is late."""
        self._horizon = seconds
        del self._events[: self._place(seconds)]

    def finish(self):
        """Nothing is held back here."""

    def __len__(self):
        return len(self._events)

    def _place(self, seconds):
        return bisect_left(self._events, (seconds,))


def words(events, seconds):
    """Join words to a text."""
    return " ".join(str(word).strip() for _, word in events)


def last(events, seconds):
    """Take the latest."""
    return events[-1][1]


def frames(events, seconds):
    """Stack pictures to a clip, with the frames per second that it has."""
    return np.stack([picture for _, picture in events]), len(events) / seconds
