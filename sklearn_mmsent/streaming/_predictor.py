"""StreamingPredictor."""

import threading
import time as clocks
from collections import deque
from collections.abc import Mapping
from contextlib import contextmanager, suppress
from numbers import Integral, Real

import numpy as np

from sklearn_mmsent.exceptions import CellError, StreamFullError
from sklearn_mmsent.streaming._audio_stream import AudioStream
from sklearn_mmsent.streaming._clock import WindowClock
from sklearn_mmsent.streaming._inputs import (
    check_time,
    make_streams,
    sliding_extractors,
    things_and_times,
)
from sklearn_mmsent.streaming._latency import StreamStatistics
from sklearn_mmsent.streaming._prediction import Prediction
from sklearn_mmsent.streaming._row_predictor import RowPredictor
from sklearn_mmsent.streaming._window import WindowReader, cut_window, noise_window
from sklearn_mmsent.streaming._worker import Worker
from sklearn_mmsent.utils._sklearn import Interval, StrOptions, validate_params
from sklearn_mmsent.utils._windows import Windows


class StreamingPredictor:
    """Predict sliding windows of sound, words and pictures while they come in.

    Chunks are pushed as they arrive, each column's at its own rate; windows that they complete
    wait until they are read. Memory stays the same however long the stream is.

    Parameters
    ----------
    pipeline : Pipeline
        Fitted; its first step is what :func:`make_extractor` gives, its last one predicts.
    window : float, default=1.0
        Length of a window, in seconds.
    hop : float, default=0.25
        From the start of one window to that of the next, in seconds.
    method : str, default="predict"
        What is called of the last step: "predict", "predict_proba", "decision_function" ...
    kinds : dict or None, default=None
        What raw columns are. By default the extractors tell: "audio" (samples, laid one after
        another), "words" (joined by blanks to the window's text), "frames" (pictures, stacked to
        the clip that `VideoFrames` reads) and, of all else, "last" (the window's latest thing
        counts). A callable makes a window's cell itself, from a list of (time, thing) and the
        window's length in seconds.
    sample_rate : int or None, default=None
        Rate that sound is kept at, and that of arrays without one of their own, in Hz; None
        takes the extractors' highest.
    wait : float, default=0.0
        Seconds that each window waits for what comes late, such as words from a recogniser; all
        predictions come later by as much.
    patience : float, default=2.0
        Windows wait for sound until another column is this many seconds ahead; then the sound
        counts as having stopped.
    max_pending : int, default=64
        Windows that may wait to be read.
    when_full : {"drop_oldest", "drop_newest", "block", "raise"}, default="drop_oldest"
        What happens when more windows than that come due: the oldest, or the newest, are left
        out and counted; `push` waits until a background worker has made room; or `push` raises
        a `StreamFullError` and takes nothing.
    on_error : {"raise", "missing"}, default="raise"
        For a chunk that cannot be used: raise a `CellError` and stay as before, or count it and
        leave a gap in its place. For a window whose prediction fails: raise, and go on with the
        next when read again; or give a `Prediction` without value that tells the error.
    warm_start : bool, default=True
        Whether to predict noise once, now, so that the first window does not wait for models to
        load.

    Attributes
    ----------
    columns_ : list of str
        Raw columns that can be pushed.
    sliding_ : list of str
        Modalities of which no frame is computed twice.

    See Also
    --------
    RowPredictor : Predicts single rows; what each window goes through.

    Notes
    -----
    *Windows.* Number k begins k times `hop` after the first thing that came. It is due when all
    sound has come up to its end, or, without sound, when something of a later time has come. A
    window in which nothing happened is skipped and counted. What comes for a time whose last
    window is through is left out and counted. `flush` ends the stream: what is left becomes a
    last, shorter window.

    *Sound.* Chunks may change their rate, number of channels and sample format at any time; each
    is read as a cell of `LogMel` is. Another rate is converted as if the whole stream were
    converted at once. A chunk with a `time` later than the end of the one before leaves a gap,
    which is silence; one with an earlier time loses what overlaps (differences under 50 ms are
    jitter of the clock). A window without any sample has no sound, and the column is missing.

    *Equal to the batch.* A window is predicted as ``pipeline.predict`` predicts a row with its
    cells, ``(samples, sample_rate)`` for sound. Of `LogMel`, `MFCC` and `STFT`, alone or `Cached`,
    at the stream's rate, frames inside a window are kept for the next ones; only those at its two
    ends, next to which an extractor sees zeros, are computed for each window. What stands on the
    whole window (decibels under its loudest, derivatives, pooling) is computed for each. All other
    extractors (`AcousticFunctionals`, `SpeechEmbedder`, pipelines with `AudioDenoiser` ...) read
    each window whole; a cell that is the same as in the last window is not computed again.

    *Threads.* `push` may be called by one thread, such as a sound card's, and `read` by another.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_mmsent import LogMel, StreamingPredictor, make_extractor, make_pipeline
    >>> rng = np.random.default_rng(0)
    >>> clips = [rng.normal(size=8000) * loudness for loudness in (0.1, 0.01) * 4]
    >>> pipe = make_pipeline(
    ...     make_extractor(audio=LogMel(8000, n_mels=8, n_fft=256, hop_length=80)),
    ...     LogisticRegression(),
    ... )
    >>> _ = pipe.fit({"audio": clips}, ["loud", "soft"] * 4)
    >>> stream = StreamingPredictor(pipe, window=1.0, hop=0.5)
    >>> for loudness in (0.1, 0.1, 0.1, 0.01, 0.01, 0.01):
    ...     stream.push("audio", rng.normal(size=4000) * loudness)
    ...     for prediction in stream.read():
    ...         print(prediction.start, prediction.value)
    0.0 loud
    0.5 loud
    1.0 loud
    1.5 soft
    2.0 soft
    """

    @validate_params(
        {
            "window": [Interval(Real, 0, 600, closed="neither")],
            "hop": [Interval(Real, 0, None, closed="neither")],
            "method": [str],
            "kinds": [Mapping, None],
            "sample_rate": [Interval(Integral, 1_000, 1_000_000, closed="both"), None],
            "wait": [Interval(Real, 0, None, closed="left")],
            "patience": [Interval(Real, 0, None, closed="left")],
            "max_pending": [Interval(Integral, 1, None, closed="left")],
            "when_full": [StrOptions({"drop_oldest", "drop_newest", "block", "raise"})],
            "on_error": [StrOptions({"raise", "missing"})],
            "warm_start": ["boolean"],
        },
        prefer_skip_nested_validation=True,
    )
    def __init__(
        self,
        pipeline,
        window=1.0,
        hop=0.25,
        *,
        method="predict",
        kinds=None,
        sample_rate=None,
        wait=0.0,
        patience=2.0,
        max_pending=64,
        when_full="drop_oldest",
        on_error="raise",
        warm_start=True,
    ):
        self.pipeline = pipeline
        self.window = window
        self.hop = hop
        self.method = method
        self.kinds = kinds
        self.sample_rate = sample_rate
        self.wait = wait
        self.patience = patience
        self.max_pending = max_pending
        self.when_full = when_full
        self.on_error = on_error
        self._row = RowPredictor(pipeline)
        if not hasattr(pipeline, method):
            raise TypeError(
                f"StreamingPredictor: {type(pipeline.steps[-1][1]).__name__} has no method "
                f"{method!r}; choose one that it has, such as 'predict'."
            )
        self.columns_ = self._row.columns_
        self._changed = threading.Condition()  # guards streams, clock, pending and statistics
        self._working = threading.Lock()  # one window after another
        self._worker = None
        self.reset()
        if warm_start:
            self._warm_up()

    # -- in ----------------------------------------------------------------------------------

    def push(self, column, data, time=None):
        """Take what has come of one column.

        Parameters
        ----------
        column : str
            Raw column of the pipeline.
        data : object
            Of sound, samples of shape (n_samples,) or (n_samples, n_channels), or a tuple of such
            an array and its rate in Hz. Of all else one thing (a word, a picture, a number), or a
            list of things.
        time : float, list of float or None, default=None
            When the sound begins, when each word was spoken out, or when each other thing was, in
            seconds of a clock that all columns share. None means right after the samples before;
            of a word or thing, the latest time that any column has reached.

        Raises
        ------
        CellError
            If the chunk cannot be used.
        StreamFullError
            If there is no room, with ``when_full="raise"``; with "block", if no worker runs that
            could make room.
        """
        began = clocks.perf_counter()
        if column not in self._streams:
            raise CellError(
                f"StreamingPredictor: there is no column {column!r}; the pipeline reads "
                f"{', '.join(map(repr, self.columns_))}."
            )
        with self._changed:
            self._make_room()
            self._statistics.n_chunks += 1
            try:
                self._take(column, data, time)
            except (CellError, OSError) as error:
                self._statistics.n_bad_chunks += 1
                if self.on_error == "raise":
                    raise CellError(
                        f"StreamingPredictor: a chunk of {column!r} cannot be used: {error}"
                    ) from error
                self._pass_over(column, data, time)
            self._queue(self._clock.due(), began)
            self._statistics.busy += clocks.perf_counter() - began

    def flush(self):
        """End the stream: all that is left becomes due, the last window even if it is shorter.

        What is pushed afterwards goes on behind it; `reset` begins anew.
        """
        with self._changed:
            self._queue(self._clock.rest(), clocks.perf_counter())

    def reset(self):
        """Forget the stream, its windows and its statistics, and begin anew."""
        with self._changed:
            extractor = self._row.extractor
            self._streams = make_streams(extractor, self.kinds, self.sample_rate, self.window)
            self._windows = Windows(self.window, self.hop)
            self._clock = WindowClock(
                self._streams, self._windows, wait=self.wait, patience=self.patience
            )
            self._reader = WindowReader(self._row, sliding_extractors(extractor, self._streams))
            self.sliding_ = list(self._reader.spectra)
            self._origin = None
            self._pending = deque()  # of (number of the window, arrival of its last chunk)
            self._statistics = StreamStatistics()

    # -- out ---------------------------------------------------------------------------------

    def read(self):
        """Predict the windows that are due.

        Yields
        ------
        Prediction
            In the order of time. Each is computed when it is asked for.

        Raises
        ------
        Exception
            What a prediction fails with, with ``on_error="raise"``; the window is left out.
        """
        while (task := self._next_task()) is not None:
            yield self._predict(*task)

    def run(self, events):
        """Push what another iterator gives, and predict on the way.

        Parameters
        ----------
        events : iterable of (str, object) or (str, object, float)
            Column, data and, where it is told, time, as `push` takes them.

        Yields
        ------
        Prediction
            Those at the end included.
        """
        for event in events:
            self.push(*event)
            yield from self.read()
        self.flush()
        yield from self.read()

    def predict_one(self, row):
        """Predict one row that is no window of the stream.

        Parameters
        ----------
        row : dict of str to object
            Raw column to cell; what is not there is missing.

        Returns
        -------
        object
            What `method` gives of it.
        """
        return self._row.apply(row, self.method)

    @contextmanager
    def background(self, callback):
        """Predict in a thread of its own, as a context.

        Parameters
        ----------
        callback : callable
            Called there with each `Prediction`. What it raises, or what a prediction fails with
            and ``on_error="raise"``, is raised by the next `push`, which then takes nothing, or
            by the end of the context; the worker goes on with the next window.

        Yields
        ------
        self : StreamingPredictor
            To push into. At the end of the context, all that is due is predicted first.
        """
        if self._worker is not None:
            raise RuntimeError("StreamingPredictor: a background worker runs already.")
        self._worker = worker = Worker(
            self.read, callback, self._changed, lambda: bool(self._pending)
        )
        try:
            yield self
        finally:
            worker.finish()
            self._worker = None
        worker.raise_error()

    def statistics(self):
        """Tell how fast the stream is predicted, and what was lost.

        Returns
        -------
        Bunch
            Numbers of chunks (``n_chunks``, ``n_bad_chunks``) and of windows (``n_predicted``,
            ``n_failed``, ``n_dropped``, ``n_empty``); ``lost``, by column, the seconds of sound, or
            the number of things, that came too late; ``latency_p50``, ``latency_p95``,
            ``latency_p99``, from the arrival of a window's last chunk to its prediction, in
            seconds, of the last 10,000 windows; ``seconds`` of the stream, ``busy_seconds`` of
            work and their ratio, ``real_time_factor``.
        """
        with self._changed:
            self._statistics.n_empty = self._clock.n_empty
            return self._statistics.report(self._streams, self._clock.furthest())

    # -- the way of a chunk ------------------------------------------------------------------

    def _take(self, column, data, time):
        stream = self._streams[column]
        if isinstance(stream, AudioStream):
            chunk = stream.read(data)
            stream.push(chunk, None if time is None else self._since_origin(column, [time])[0])
            return
        now = self._clock.furthest() + (self._origin or 0.0)
        things, times = things_and_times(column, data, time, now)
        stream.push(things, self._since_origin(column, times))

    def _since_origin(self, column, times):
        times = [check_time(column, time) for time in times]
        if self._origin is None and times:
            untimed = any(stream.progress for stream in self._streams.values())
            self._origin = 0.0 if untimed else min(times)
        return [time - self._origin for time in times]

    def _pass_over(self, column, data, time):
        """Leave a gap where a chunk of sound cannot be used; things are just left out."""
        stream = self._streams[column]
        pair = isinstance(data, tuple) and len(data) == 2
        samples, rate = data if pair else (data, stream.rate)
        known = isinstance(stream, AudioStream) and isinstance(samples, np.ndarray)
        if known and samples.ndim and isinstance(rate, Integral) and rate > 0:
            stream.pass_over(len(samples) / rate)

    def _queue(self, windows, arrival):
        for index in windows:
            drops = len(self._pending) >= self.max_pending and self.when_full.startswith("drop")
            self._statistics.n_dropped += drops
            if drops and self.when_full == "drop_oldest":
                self._pending.popleft()
            if not (drops and self.when_full == "drop_newest"):
                self._pending.append((index, arrival))
        first = self._pending[0][0] if self._pending else self._clock.next
        for stream in self._streams.values():
            stream.forget_before(self._windows.span(first)[0])
        if windows:
            self._changed.notify_all()

    def _make_room(self):
        if self._worker is not None:
            self._worker.raise_error()
        keeps_all = self.when_full in ("block", "raise")
        while keeps_all and len(self._pending) >= self.max_pending:
            if self.when_full == "raise" or self._worker is None:
                raise StreamFullError(
                    f"StreamingPredictor: {len(self._pending)} windows wait to be read, as many "
                    f"as max_pending={self.max_pending} allows, and when_full="
                    f"{self.when_full!r}. Read them, predict them in the background, or let "
                    "windows be dropped."
                )
            self._worker.wait()
            self._worker.raise_error()

    # -- the way of a window -----------------------------------------------------------------

    def _next_task(self):
        with self._changed:
            if not self._pending:
                return None
            index, arrival = self._pending.popleft()
            cells, places = cut_window(self._streams, self._windows, index)
            self._changed.notify_all()
        return index, arrival, cells, places

    def _predict(self, index, arrival, cells, places):
        began = clocks.perf_counter()
        value = failure = None
        try:
            with self._working:
                features = self._reader.features(cells, places)
                value = self._row.apply_features(features, self.method)
        except Exception as error:
            failure = error
        done = clocks.perf_counter()
        with self._changed:
            self._statistics.predicted(done - arrival, failure is not None)
            self._statistics.busy += done - began
            start = self._windows.span(index)[0] + (self._origin or 0.0)
        if failure is not None and self.on_error == "raise":
            failure.add_note(f"StreamingPredictor: in the window from {start:g} s on")
            raise failure
        present = tuple(column for column, cell in cells.items() if cell is not None)
        end = start + self.window
        return Prediction(index, start, end, value, present, done - arrival, failure)

    def _warm_up(self):
        """Let models load and libraries plan, with a window of noise."""
        row = noise_window(self._streams, self.window)
        with suppress(ValueError, OSError):  # noise need not be what this pipeline can read
            self._row.apply(row, self.method)
