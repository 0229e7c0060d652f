"""One window of all streams: its cells and their features."""

import numpy as np

from sklearn_mmsent.feature_extraction import Cached
from sklearn_mmsent.feature_extraction.audio.sliding_spectra import SlidingSpectra
from sklearn_mmsent.streaming._audio_stream import AudioStream
from sklearn_mmsent.streaming._event_stream import words


def cut_window(streams, windows, index):
    """Cut a window out of all streams.

    Parameters
    ----------
    streams : dict of str to AudioStream or EventStream
        By raw column.
    windows : Windows
        Their length and hop.
    index : int
        Number of the window.

    Returns
    -------
    cells : dict of str to object
        By raw column; None if the window has nothing of it.
    positions : dict of str to int
        By raw column of audio, the position of the window's first sample in the stream.
    """
    cells, positions = {}, {}
    for column, stream in streams.items():
        if not isinstance(stream, AudioStream):
            cells[column] = stream.cut(*windows.span(index))
            continue
        inside = windows.samples(index, stream.rate)
        positions[column] = inside.start
        samples = stream.cut(inside.start, inside.stop)
        cells[column] = None if samples is None else (samples, stream.rate)
    return cells, positions


def noise_window(streams, seconds):
    """Return the cells of a window of soft noise and one word."""
    rng, cells = np.random.default_rng(0), {}
    for column, stream in streams.items():
        if isinstance(stream, AudioStream):
            noise = rng.normal(0, 0.01, max(1, round(seconds * stream.rate)))
            cells[column] = noise.astype(np.float32), stream.rate
        else:
            cells[column] = "well" if stream.gather is words else None
    return cells


class WindowReader:
    """Extracts the features of windows, reusing what the last windows have computed.

    Parameters
    ----------
    row : RowPredictor
        Predictor of the pipeline.
    streams : dict of str to AudioStream or EventStream
        By raw column.

    Attributes
    ----------
    spectra : dict of str to SlidingSpectra
        By modality or part, extractors whose frames are reused.
    """

    def __init__(self, row, streams):
        self.row = row
        sliding = _sliding_extractors(row.extractor, streams)
        self.spectra = {name: SlidingSpectra(extractor) for name, extractor in sliding.items()}
        self._last = {}  # by modality or part, cells and features of the last window

    def features(self, cells, positions):
        """Extract the features of a window.

        Parameters
        ----------
        cells, positions : dict
            From `cut_window`.

        Returns
        -------
        ndarray of shape (n_features,)
            Output of the pipeline's first step.
        """
        known = {}
        for name, columns, function in self.row.parts:
            current = [cells[column] for column in columns]
            if name in self.spectra and current[0] is not None:
                known[name] = self.spectra[name].features(current[0][0], positions[columns[0]])
                continue
            last, features = self._last.get(name, (None, None))
            if last is None or not all(map(_is_same, last, current)):
                features = function(*current)
                self._last[name] = current, features
            known[name] = features
        return self.row.extract(cells, known)


def _is_same(last, current):
    """Return whether two cells are certainly equal, by a fast comparison."""
    return last is current or (
        isinstance(current, str) and isinstance(last, str) and last == current
    )


def _sliding_extractors(extractor, streams):
    """Return the extractors whose frames can be reused from window to window.

    Parameters
    ----------
    extractor : MultimodalExtractor
        The pipeline's first step, fitted.
    streams : dict of str to AudioStream or EventStream
        By raw column.

    Returns
    -------
    dict of str to SpectralExtractor
        By modality, or ``<modality>__<part>``.
    """
    found = {}
    for name, column, transformer in extractor.parts():
        inner = transformer.extractor_ if isinstance(transformer, Cached) else transformer
        stream = streams.get(column) if isinstance(column, str) else None
        if (
            SlidingSpectra.supports(inner)
            and isinstance(stream, AudioStream)
            and inner.sample_rate == stream.rate
        ):
            found[name] = inner
    return found
