"""Tracks of a clip: audio, frames, words or a constant cell, which can be cut into windows."""

from itertools import islice

import numpy as np

from sklearn_mmsent.exceptions import CellError
from sklearn_mmsent.feature_extraction import media
from sklearn_mmsent.feature_extraction.files import is_file_cell, open_cell


class Samples:
    """Audio, or frames in memory: an array of shape (n, ...) with a rate per second."""

    def __init__(self, values, rate):
        self.values, self.rate = values, rate
        self.seconds = len(values) / rate

    def cut(self, windows, i):
        """Return the cell of a window; None if it is empty."""
        part = self.values[windows.samples(i, self.rate)]
        return (part, self.rate) if len(part) else None

    def whole(self):
        """Return the cell of the whole track."""
        return self.values, self.rate


class Frames:
    """Frames of a video file, decoded on demand: one window is in memory at a time.

    `rate` is in frames per second; `max_pixels` is the largest width times height of a frame.
    """

    def __init__(self, cell, rate, max_pixels):
        self.cell, self.rate, self.max_pixels = cell, rate, max_pixels
        with self._open() as container:
            self.seconds = media.measure_seconds(container, media.video_stream(container))
        self._frames, self._kept, self._first = self._decode(), [], 0

    def cut(self, windows, i):
        """Return the cell of a window, not earlier than the last one; None if it is empty."""
        inside = windows.samples(i, self.rate)
        skipped = max(0, inside.start - self._first)
        missing = skipped - len(self._kept)
        self._kept = self._kept[skipped:]
        if missing > 0:
            next(islice(self._frames, missing, missing), None)
        self._first += skipped
        self._kept += islice(self._frames, max(0, inside.stop - self._first - len(self._kept)))
        return (np.stack(self._kept), self.rate) if self._kept else None

    def whole(self):
        """Return the cell of the whole track."""
        return np.stack(list(self._decode())), self.rate

    def _open(self):
        return _OpenVideo(self.cell)

    def _decode(self):
        with self._open() as container:
            yield from media.picture_frames(container, self.rate, max_pixels=self.max_pixels)


class _OpenVideo:
    """Context manager of the container of a video cell."""

    def __init__(self, cell):
        self.cell = cell

    def __enter__(self):
        self._file = open_cell(self.cell)
        file = self._file.__enter__()
        self.media = media.open_media(file, owner="predict_timeline", extra="video")
        return self.media.__enter__()

    def __exit__(self, *error):
        self.media.__exit__(*error)
        return self._file.__exit__(*error)


class Words:
    """Words with the seconds at which they start and end.

    Parameters
    ----------
    words : DataFrame or sequence of (str, float, float)
        A table needs the columns `word`, `start` and `end`.
    """

    def __init__(self, words):
        if hasattr(words, "columns"):
            absent = {"word", "start", "end"} - set(words.columns)
            if absent:
                raise CellError(
                    f"predict_timeline: a table of words needs the columns 'word', 'start' and "
                    f"'end'; {sorted(absent)[0]!r} is not among {list(words.columns)}."
                )
            words = words[["word", "start", "end"]].itertuples(index=False, name=None)
        self.words = [self._check(number, word) for number, word in enumerate(words)]
        self.seconds = max((end for _, _, end in self.words), default=0.0)

    @staticmethod
    def _check(number, word):
        try:
            text, start, end = word
            start, end = float(start), float(end)
        except (TypeError, ValueError):
            raise CellError(
                f"predict_timeline: word {number} is {word!r}; expected (word, start, end) with "
                "start and end in seconds."
            ) from None
        if not (np.isfinite([start, end]).all() and 0 <= start <= end):
            raise CellError(
                f"predict_timeline: word {number}, {text!r}, starts at {start} s and ends at {end} "
                "s; expected 0 <= start <= end."
            )
        return str(text), start, end

    def cut(self, windows, i):
        """Return the text of a window; None without words."""
        return " ".join(windows.words(self.words, i)) or None

    def whole(self):
        """Return the text of all words."""
        return " ".join(word for word, _, _ in self.words) or None


class Constant:
    """A cell that is the same in all windows: an image, a text without times, or None.

    Parameters
    ----------
    cell : object
        The cell.
    """

    seconds = 0.0

    def __init__(self, cell):
        self.cell = cell

    def cut(self, windows, i):
        """Return the cell."""
        return self.cell

    def whole(self):
        """Return the cell."""
        return self.cell


def open_frames(cell, rate, max_pixels):
    """Return the track of a video cell: a file, an array of frames, or a tuple with their rate."""
    if is_file_cell(cell):
        return Frames(cell, rate, max_pixels)
    frames, rate = cell if isinstance(cell, tuple) and len(cell) == 2 else (cell, rate)
    if not isinstance(frames, np.ndarray) or frames.ndim != 4 or not rate > 0:
        raise CellError(
            "predict_timeline: the frames of a clip must be a video file, an array of shape "
            "(n_frames, height, width, 3), or a tuple of such an array and its frames per second."
        )
    return Samples(frames, rate)
