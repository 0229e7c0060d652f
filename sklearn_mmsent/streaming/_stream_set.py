"""The streams of a pipeline's raw columns, on a common clock."""

from numbers import Integral, Real

import numpy as np

from sklearn_mmsent.compose.parts import column_readers
from sklearn_mmsent.exceptions import CellError
from sklearn_mmsent.streaming import _event_stream
from sklearn_mmsent.streaming._audio_stream import AudioStream
from sklearn_mmsent.streaming._event_stream import EventStream

GATHER = {"words": _event_stream.words, "last": _event_stream.last, "frames": _event_stream.frames}
KINDS = ("audio", *GATHER)
_KIND_OF_MODALITY = {"audio": "audio", "text": "words", "video": "frames"}
_RATE = 16_000  # Hz


class StreamSet:
    """The streams of a pipeline's raw columns, on a common clock.

    Parameters
    ----------
    streams : dict of str to AudioStream or EventStream
        By raw column.

    Attributes
    ----------
    origin : float
        Time of the first input, in seconds; the times inside the streams count from it.
    """

    def __init__(self, streams):
        self.streams = streams
        self._origin = None

    @property
    def origin(self):
        return self._origin or 0.0

    @property
    def progress(self):
        """Latest time of any stream, in seconds from the origin."""
        return max(stream.progress for stream in self.streams.values())

    def push(self, column, data, time):
        """Append input to a stream; as `StreamingPredictor.push`."""
        stream = self.streams[column]
        if isinstance(stream, AudioStream):
            chunk = stream.read(data)
            stream.push(chunk, None if time is None else self._since_origin(column, [time])[0])
            return
        events, times = events_and_times(column, data, time, self.progress + self.origin)
        stream.push(events, self._since_origin(column, times))

    def skip(self, column, data):
        """Leave a gap in place of an unusable chunk of audio; unusable events are dropped."""
        stream = self.streams[column]
        if not isinstance(stream, AudioStream):
            return
        pair = isinstance(data, tuple) and len(data) == 2
        samples, rate = data if pair else (data, stream.rate)
        is_array = isinstance(samples, np.ndarray) and samples.ndim
        if is_array and isinstance(rate, Integral) and rate > 0:
            stream.skip(len(samples) / rate)

    def forget_before(self, seconds):
        """Drop what ends before a time."""
        for stream in self.streams.values():
            stream.forget_before(seconds)

    def _since_origin(self, column, times):
        times = [_check_time(column, time) for time in times]
        if self._origin is None and times:
            untimed = any(stream.progress for stream in self.streams.values())
            self._origin = 0.0 if untimed else min(times)
        return [time - self._origin for time in times]


def make_streams(extractor, kinds, sample_rate, window):
    """Return a stream for each raw column that a pipeline reads.

    Parameters
    ----------
    extractor : MultimodalExtractor
        The pipeline's first step, fitted.
    kinds : dict of str to (str or callable) or None
        Kinds of columns that do not follow from their extractors.
    sample_rate : int or None
        Sample rate of audio, in Hz; None takes that of the extractors.
    window : float
        Length of a window, in seconds.

    Returns
    -------
    dict of str to AudioStream or EventStream
        By raw column.

    Raises
    ------
    ValueError
        If `kinds` names an unknown column or kind, or the kind of a column is ambiguous.
    """
    readers, kinds = column_readers(extractor), kinds or {}
    if unknown := [name for name in kinds if name not in readers]:
        raise ValueError(
            f"StreamingPredictor: kinds names the column {unknown[0]!r}; the pipeline reads "
            f"{', '.join(map(repr, readers))}."
        )
    for name, kind in kinds.items():
        if kind not in KINDS and not callable(kind):
            raise ValueError(
                f"StreamingPredictor: the kind of {name!r} must be one of {', '.join(KINDS)}, or a "
                f"callable of (events, seconds); got {kind!r}."
            )
    rate = sample_rate or _highest_rate(readers)
    streams = {}
    for name, transformers in readers.items():
        kind = kinds.get(name) or _infer_kind(name, transformers)
        streams[name] = (
            AudioStream(rate)
            if kind == "audio"
            else EventStream(GATHER.get(kind, kind), window, spoken=kind == "words")
        )
    return streams


def events_and_times(column, data, time, now):
    """Return the data pushed into an event stream as lists of events and times.

    Parameters
    ----------
    column : str
        Name of the column, used in error messages.
    data : object or list
        One event, or a list of them with a list of times.
    time : float, list of float or None
        Times in seconds; None means `now`.
    now : float
        Current time of the stream, in seconds.

    Returns
    -------
    events : list
        Of objects.
    times : list of float
        In seconds.

    Raises
    ------
    CellError
        If the numbers of events and times differ.
    """
    if isinstance(data, list | tuple):
        events = list(data)
        times = [now] * len(events) if time is None else time
    else:
        events, times = [data], [now if time is None else time]
    if isinstance(times, Real) or len(times) != len(events):
        found = times if isinstance(times, Real) else f"{len(times)} of them"
        raise CellError(
            f"StreamingPredictor: {len(events)} events of {column!r} need as many times; got "
            f"{found}. Pass a list of seconds."
        )
    return events, times


def _check_time(column, time):
    """Return a time in seconds as a float; raise CellError if it is not a finite number."""
    if not isinstance(time, Real) or not np.isfinite(time):
        raise CellError(
            f"StreamingPredictor: the time of {column!r} must be a finite number of seconds; got "
            f"{time!r}."
        )
    return float(time)


def _kind(transformer):
    return _KIND_OF_MODALITY.get(getattr(transformer, "modality", None))


def _infer_kind(column, transformers):
    kinds = {kind for kind in map(_kind, transformers) if kind}
    if len(kinds) > 1:
        raise ValueError(
            f"StreamingPredictor: the column {column!r} is read as "
            f"{' and as '.join(sorted(kinds))}, which are separate streams. Fit the pipeline with "
            "a column for each."
        )
    return kinds.pop() if kinds else "last"


def _highest_rate(readers):
    rates = [
        rate
        for transformers in readers.values()
        for transformer in transformers
        if _kind(transformer) == "audio" and (rate := getattr(transformer, "sample_rate", None))
    ]
    return max(rates, default=_RATE)
