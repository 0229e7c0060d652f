"""The streams that a pipeline's raw columns are fed by."""

from numbers import Real

import numpy as np

from sklearn_mmsent.exceptions import CellError
from sklearn_mmsent.feature_extraction.audio.sliding_spectra import SlidingSpectra
from sklearn_mmsent.feature_extraction.cache import Cached
from sklearn_mmsent.feature_extraction.video.frames import VideoFrames
from sklearn_mmsent.streaming import _event_stream
from sklearn_mmsent.streaming._audio_stream import AudioStream
from sklearn_mmsent.streaming._event_stream import EventStream
from sklearn_mmsent.streaming._row_steps import parts_of

GATHER = {"words": _event_stream.words, "last": _event_stream.last, "frames": _event_stream.frames}
KINDS = ("audio", *GATHER)
_FOLDERS = {"audio": "audio", "text": "words"}  # of feature_extraction
_RATE = 16_000


def make_streams(extractor, kinds, sample_rate, window):
    """Make a stream for each raw column that a pipeline reads.

    Parameters
    ----------
    extractor : MultimodalExtractor
        The pipeline's first step, fitted.
    kinds : dict of str to (str or callable) or None
        What columns are, where it is not to be guessed from their extractors.
    sample_rate : int or None
        Of sound, in Hz; None takes that of the extractors.
    window : float
        In seconds.

    Returns
    -------
    dict of str to AudioStream or EventStream
        By raw column.
    """
    kinds, known = kinds or {}, [str(name) for name in extractor.feature_names_in_]
    if unknown := [name for name in kinds if name not in known]:
        raise ValueError(
            f"StreamingPredictor: kinds names the column {unknown[0]!r}; the pipeline reads "
            f"{', '.join(map(repr, known))}."
        )
    for name, kind in kinds.items():
        if kind not in KINDS and not callable(kind):
            raise ValueError(
                f"StreamingPredictor: the kind of {name!r} must be one of {', '.join(KINDS)}, or a "
                f"callable of (events, seconds); got {kind!r}."
            )
    readers = _readers(extractor, known)
    rate = sample_rate or _common_rate(readers)
    streams = {}
    for name in known:
        kind = kinds.get(name) or _guess(name, readers[name])
        streams[name] = (
            AudioStream(rate)
            if kind == "audio"
            else EventStream(GATHER.get(kind, kind), window, spoken=kind == "words")
        )
    return streams


def sliding_extractors(extractor, streams):
    """Find the extractors whose frames can be kept from window to window.

    Returns
    -------
    dict of str to (str, SpectralExtractor)
        By modality, or ``<modality>__<part>``: the raw column and the extractor.
    """
    found = {}
    for name, transformer, column in parts_of(extractor):
        inner = transformer.extractor_ if isinstance(transformer, Cached) else transformer
        column = str(extractor.feature_names_in_[column]) if isinstance(column, int) else column
        stream = streams.get(column) if isinstance(column, str) else None
        if (
            SlidingSpectra.supports(inner)
            and isinstance(stream, AudioStream)
            and inner.sample_rate == stream.rate
        ):
            found[name] = column, inner
    return found


def things_and_times(column, data, time, now):
    """Bring what is pushed into a stream of events to lists of things and times.

    Parameters
    ----------
    column : str
        For messages.
    data : object or list
        One thing, or a list of them with a list of times.
    time : float, list of float or None
        When, in seconds; None means now.
    now : float
        In seconds.
    """
    if isinstance(data, list | tuple):
        things = list(data)
        times = [now] * len(things) if time is None else time
    else:
        things, times = [data], [now if time is None else time]
    if isinstance(times, Real) or len(times) != len(things):
        came = times if isinstance(times, Real) else f"{len(times)} of them"
        raise CellError(
            f"StreamingPredictor: {len(things)} things of {column!r} need as many times; got "
            f"{came}. Pass a list of seconds."
        )
    return things, [check_time(column, t) for t in times]


def check_time(column, time):
    """Give a time as a float; refuse what is none."""
    if not isinstance(time, Real) or not np.isfinite(time):
        raise CellError(
            f"StreamingPredictor: the time of {column!r} must be a finite number of seconds; got "
            f"{time!r}."
        )
    return float(time)


def _readers(extractor, known):
    """Give the innermost transformers that read each raw column."""
    readers = {name: [] for name in known}
    for _, transformer, columns in extractor.transformers_:
        columns = columns if isinstance(columns, list | tuple | np.ndarray) else [columns]
        for column in columns:
            name = known[column] if isinstance(column, int | np.integer) else column
            if name in readers:
                readers[name].extend(_innermost(transformer))
    return readers


def _innermost(transformer):
    if hasattr(transformer, "transformer_list"):
        return [leaf for _, part in transformer.transformer_list for leaf in _innermost(part)]
    if hasattr(transformer, "steps"):
        return [leaf for _, step in transformer.steps for leaf in _innermost(step)]
    return [transformer.extractor if isinstance(transformer, Cached) else transformer]


def _kind_of(transformer):
    if isinstance(transformer, VideoFrames):
        return "frames"
    _, _, place = type(transformer).__module__.partition("sklearn_mmsent.feature_extraction.")
    return _FOLDERS.get(place.partition(".")[0])


def _guess(name, transformers):
    kinds = {kind for kind in map(_kind_of, transformers) if kind}
    if len(kinds) > 1:
        raise ValueError(
            f"StreamingPredictor: the column {name!r} is read as {' and as '.join(sorted(kinds))}. "
            "They come as separate streams: fit the pipeline with a column for each."
        )
    return kinds.pop() if kinds else "last"


def _common_rate(readers):
    rates = {
        transformer.sample_rate
        for transformers in readers.values()
        for transformer in transformers
        if _kind_of(transformer) == "audio" and getattr(transformer, "sample_rate", None)
    }
    return max(rates) if rates else _RATE
