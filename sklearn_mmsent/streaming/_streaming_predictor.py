"""StreamingPredictor: predict sliding windows of streams in real time."""

import threading
import time as timing
from collections import deque
from collections.abc import Mapping
from contextlib import contextmanager, suppress
from numbers import Integral, Real

from sklearn_mmsent.exceptions import CellError, StreamFullError
from sklearn_mmsent.streaming._prediction import Prediction
from sklearn_mmsent.streaming._row_predictor import RowPredictor
from sklearn_mmsent.streaming._stream_set import StreamSet, make_streams
from sklearn_mmsent.streaming._stream_statistics import StreamStatistics
from sklearn_mmsent.streaming._window_clock import WindowClock
from sklearn_mmsent.streaming._window_reader import WindowReader, cut_window, noise_window
from sklearn_mmsent.streaming._worker import Worker
from sklearn_mmsent.utils._sklearn import Interval, StrOptions, validate_params
from sklearn_mmsent.utils._windows import Windows


class StreamingPredictor:
    """Predict sliding windows of audio, words and images in real time.

    Chunks are pushed as they arrive, each column at its own rate; the windows that they complete
    are queued until they are read. Memory use does not grow with the length of the stream.

    Parameters
    ----------
    pipeline : Pipeline
        Fitted; starts with the result of :func:`make_extractor` and ends with a predictor.
    window : float, default=1.0
        Length of a window, in seconds.
    hop : float, default=0.25
        Time from the start of one window to that of the next, in seconds.
    method : str, default="predict"
        Method of the last step that is called: "predict", "predict_proba", "decision_function" ...
    kinds : dict or None, default=None
        Kinds of raw columns, by default inferred from their extractors: "audio" (samples, one
        chunk after another), "words" (joined by blanks to the window's text), "frames" (images,
        stacked to the clip that `VideoFrames` reads), and otherwise "last" (the latest event of
        the window). A callable builds a window's cell from a list of (time, event) and the
        length of the window in seconds.
    sample_rate : int or None, default=None
        Rate at which audio is kept, and rate of arrays that come without one, in Hz; None takes
        the highest rate of the extractors.
    wait : float, default=0.0
        Seconds that each window waits for late input, such as words from a speech recogniser; it
        delays all predictions.
    patience : float, default=2.0
        Windows wait for audio until another column is this many seconds ahead; then the audio
        counts as having stopped.
    max_pending : int, default=64
        Largest number of windows in the queue.
    when_full : {"drop_oldest", "drop_newest", "block", "raise"}, default="drop_oldest"
        What happens when the queue is full: the oldest or the newest windows are dropped and
        counted; `push` waits for a background worker to make room; or `push` raises a
        `StreamFullError` and accepts nothing.
    on_error : {"raise", "missing"}, default="raise"
        For an unusable chunk: raise a `CellError` and leave the stream unchanged, or count the
        chunk and leave a gap. For a window whose prediction fails: raise, and continue with the
        next window when read again; or yield a `Prediction` without value that holds the error.
    warm_start : bool, default=True
        Whether to predict a window of noise in the constructor, so that the first real window
        does not wait for models to load.

    Attributes
    ----------
    columns_ : list of str
        Raw columns that can be pushed.
    sliding_ : list of str
        Modalities whose frames are reused from window to window.

    See Also
    --------
    RowPredictor : Predicts single rows; used for each window.

    Notes
    -----
    *Windows.* Window k starts k times `hop` after the first input. It is complete when all audio
    has reached its end or, without audio, when input of a later time has arrived. Empty windows
    are skipped and counted. Input that is older than all pending windows is dropped and counted.
    `flush` ends the stream: the remaining input becomes a last, shorter window.

    *Audio.* Chunks may change their rate, number of channels and sample format at any time; each
    is read like a cell of `LogMel`. Resampling gives the same result as for the whole stream at
    once. A chunk whose `time` is later than the end of the previous one leaves a gap, filled with
    silence; one with an earlier time loses the overlap (differences under 50 ms are treated as
    clock jitter). In a window without samples the column is missing.

    *Equality with batch prediction.* A window is predicted as ``pipeline.predict`` predicts a row
    with its cells, ``(samples, sample_rate)`` for audio. For `LogMel`, `MFCC` and `STFT`, plain or
    `Cached`, at the rate of the stream, frames inside a window are reused by the next ones; only
    those at its two ends, where extractors pad with zeros, are computed for each window. What
    depends on the whole window (decibels relative to its maximum, derivatives, pooling) is
    computed for each. All other extractors (`AcousticFunctionals`, `SpeechEmbedder`, pipelines
    with `AudioDenoiser` ...) read each window as a whole, unless its cell equals the last one.

    *Threads.* `push` and `read` may be called from different threads, such as that of a sound card
    and another one.

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
        self._changed = threading.Condition()  # guards streams, clock, queue and statistics
        self._predicting = threading.Lock()
        self._worker = None
        self.reset()
        if warm_start:
            self._warm_up()

    # -- input -------------------------------------------------------------------------------

    def push(self, column, data, time=None):
        """Append input of one column.

        Parameters
        ----------
        column : str
            Raw column of the pipeline.
        data : object
            For audio, samples of shape (n_samples,) or (n_samples, n_channels), or a tuple of such
            an array and its rate in Hz. Otherwise one event (a word, an image, a number) or a list
            of events.
        time : float, list of float or None, default=None
            Start of the audio, end of each word, or time of each other event, in seconds of a
            clock that all columns share. None means directly after the previous samples; for
            events, the latest time of any column.

        Raises
        ------
        CellError
            If the chunk is unusable.
        StreamFullError
            If the queue is full, with ``when_full="raise"``; with "block", if no background worker
            runs that could make room.
        """
        started = timing.perf_counter()
        if column not in self._stream_set.streams:
            raise CellError(
                f"StreamingPredictor: unknown column {column!r}; the pipeline reads "
                f"{', '.join(map(repr, self.columns_))}."
            )
        with self._changed:
            self._make_room()
            self._statistics.n_chunks += 1
            try:
                self._stream_set.push(column, data, time)
            except (CellError, OSError) as error:
                self._statistics.n_bad_chunks += 1
                if self.on_error == "raise":
                    raise CellError(
                        f"StreamingPredictor: a chunk of {column!r} cannot be used: {error}"
                    ) from error
                self._stream_set.skip(column, data)
            self._enqueue(self._clock.due(), started)
            self._statistics.busy += timing.perf_counter() - started

    def flush(self):
        """End the stream: complete all remaining windows, the last one may be shorter.

        Input that is pushed afterwards continues after it; `reset` starts over.
        """
        with self._changed:
            self._enqueue(self._clock.rest(), timing.perf_counter())

    def reset(self):
        """Discard the stream, its windows and its statistics, and start over."""
        with self._changed:
            self._stream_set = StreamSet(
                make_streams(self._row.extractor, self.kinds, self.sample_rate, self.window)
            )
            self._windows = Windows(self.window, self.hop)
            self._clock = WindowClock(
                self._stream_set, self._windows, wait=self.wait, patience=self.patience
            )
            self._reader = WindowReader(self._row, self._stream_set.streams)
            self.sliding_ = list(self._reader.spectra)
            self._pending = deque()  # of (number of the window, arrival of its last chunk)
            self._statistics = StreamStatistics()

    # -- output ------------------------------------------------------------------------------

    def read(self):
        """Predict the complete windows.

        Yields
        ------
        Prediction
            In order of time, each computed on demand.

        Raises
        ------
        Exception
            With ``on_error="raise"``, the error of a prediction; the window is skipped.
        """
        while (window := self._next_window()) is not None:
            yield self._predict(*window)

    def run(self, events):
        """Push the items of an iterator, and predict complete windows in between.

        Parameters
        ----------
        events : iterable of (str, object) or (str, object, float)
            Column, data and, optionally, time: the arguments of `push`.

        Yields
        ------
        Prediction
            Including those of `flush` at the end.
        """
        for event in events:
            self.push(*event)
            yield from self.read()
        self.flush()
        yield from self.read()

    def predict_one(self, row):
        """Predict one row, independent of the stream.

        Parameters
        ----------
        row : dict of str to object
            Raw column to cell; absent columns are missing.

        Returns
        -------
        object
            Prediction by `method`.
        """
        return self._row.apply(row, self.method)

    @contextmanager
    def background(self, callback):
        """Predict in a background thread, as a context manager.

        Parameters
        ----------
        callback : callable
            Called in the thread with each `Prediction`. Its errors, and those of predictions with
            ``on_error="raise"``, are raised by the next `push`, which then accepts nothing, or at
            the end of the context; the thread continues with the next window.

        Yields
        ------
        self : StreamingPredictor
            The stream. At the end of the context, all complete windows are predicted first.

        Raises
        ------
        RuntimeError
            If a background worker is already running.
        """
        if self._worker is not None:
            raise RuntimeError("StreamingPredictor: a background worker is already running.")
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
        """Return latencies, counts and losses of the stream.

        Returns
        -------
        Bunch
            Numbers of chunks (``n_chunks``, ``n_bad_chunks``) and of windows (``n_predicted``,
            ``n_failed``, ``n_dropped``, ``n_empty``); ``lost``, by column, the seconds of audio or
            the number of events that came too late; ``latency_p50``, ``latency_p95`` and
            ``latency_p99``, from the arrival of a window's last chunk to its prediction, in
            seconds, over the last 10,000 windows; ``seconds`` of the stream, ``busy_seconds`` of
            computation and their ratio, ``real_time_factor``.
        """
        with self._changed:
            self._statistics.n_empty = self._clock.n_empty
            streams = self._stream_set
            return self._statistics.report(streams.streams, streams.progress)

    # -- the queue of windows -------------------------------------------------------------

    def _enqueue(self, windows, arrival):
        for index in windows:
            drops = len(self._pending) >= self.max_pending and self.when_full.startswith("drop")
            self._statistics.n_dropped += drops
            if drops and self.when_full == "drop_oldest":
                self._pending.popleft()
            if not (drops and self.when_full == "drop_newest"):
                self._pending.append((index, arrival))
        first = self._pending[0][0] if self._pending else self._clock.next
        self._stream_set.forget_before(self._windows.span(first)[0])
        if windows:
            self._changed.notify_all()

    def _make_room(self):
        if self._worker is not None:
            self._worker.raise_error()
        keeps_all = self.when_full in ("block", "raise")
        while keeps_all and len(self._pending) >= self.max_pending:
            if self.when_full == "raise" or self._worker is None:
                raise StreamFullError(
                    f"StreamingPredictor: {len(self._pending)} windows are waiting to be read, "
                    f"the most that max_pending={self.max_pending} allows, and when_full="
                    f"{self.when_full!r}. Read them, predict them in the background, or choose "
                    "when_full='drop_oldest'."
                )
            self._worker.wait()
            self._worker.raise_error()

    def _next_window(self):
        with self._changed:
            if not self._pending:
                return None
            index, arrival = self._pending.popleft()
            cells, positions = cut_window(self._stream_set.streams, self._windows, index)
            self._changed.notify_all()
        return index, arrival, cells, positions

    def _predict(self, index, arrival, cells, positions):
        started = timing.perf_counter()
        value = error = None
        try:
            with self._predicting:
                features = self._reader.features(cells, positions)
                value = self._row.apply_features(features, self.method)
        except Exception as caught:
            error = caught
        done = timing.perf_counter()
        with self._changed:
            self._statistics.add_window(done - arrival, error is not None)
            self._statistics.busy += done - started
            start = self._windows.span(index)[0] + self._stream_set.origin
        if error is not None and self.on_error == "raise":
            error.add_note(f"StreamingPredictor: in the window that starts at {start:g} s")
            raise error
        present = tuple(column for column, cell in cells.items() if cell is not None)
        end = start + self.window
        return Prediction(index, start, end, value, present, done - arrival, error)

    def _warm_up(self):
        """Predict a window of noise, so that models load and libraries plan."""
        row = noise_window(self._stream_set.streams, self.window)
        with suppress(ValueError, OSError):  # the pipeline may be unable to read noise
            self._row.apply(row, self.method)
