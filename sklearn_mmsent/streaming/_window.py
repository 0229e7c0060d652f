"""One window: its cells, and what is known of their features from the windows before."""

import numpy as np

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
        Their length and distance.
    index : int
        Number of the window.

    Returns
    -------
    cells : dict of str to object
        By raw column; None where the window holds nothing.
    places : dict of str to int
        Of sound, the place of the window's first sample.
    """
    cells, places = {}, {}
    for column, stream in streams.items():
        if not isinstance(stream, AudioStream):
            cells[column] = stream.cut(*windows.span(index))
            continue
        inside = windows.samples(index, stream.rate)
        places[column] = inside.start
        samples = stream.cut(inside.start, inside.stop)
        cells[column] = None if samples is None else (samples, stream.rate)
    return cells, places


def noise_window(streams, seconds):
    """Make the cells of a window of soft noise and one word."""
    rng, cells = np.random.default_rng(0), {}
    for column, stream in streams.items():
        if isinstance(stream, AudioStream):
            noise = rng.normal(0, 0.01, max(1, round(seconds * stream.rate)))
            cells[column] = noise.astype(np.float32), stream.rate
        else:
            cells[column] = "well" if stream.gather is words else None
    return cells


class WindowReader:
    """Extracts windows of one stream, without doing again what the last ones have done.

    Parameters
    ----------
    row : RowPredictor
        Of the pipeline.
    sliding : dict of str to (str, SpectralExtractor)
        By modality or part, the raw column and the extractor whose frames are kept.
    """

    def __init__(self, row, sliding):
        self.row = row
        self.spectra = {name: SlidingSpectra(extractor) for name, (_, extractor) in sliding.items()}
        self._last = {}  # by modality or part, the last window's cells and their features

    def features(self, cells, places):
        """Extract a window, as `cut_window` gives it: an array of shape (n_features,)."""
        known = {}
        for name, columns, part in self.row.parts:
            mine = [cells[column] for column in columns]
            if name in self.spectra and mine[0] is not None:
                known[name] = self.spectra[name].features(mine[0][0], places[columns[0]])
                continue
            before, features = self._last.get(name, (None, None))
            if before is None or not all(map(_is_same, before, mine)):
                features = part(*mine)
                self._last[name] = mine, features
            known[name] = features
        return self.row.extract(cells, known)


def _is_same(before, now):
    """Whether two cells are surely equal, which must be quick to tell."""
    return before is now or (isinstance(now, str) and isinstance(before, str) and before == now)
