"""AudioStream: the last seconds of a stream of audio, at one rate, including gaps."""

from collections import deque

import numpy as np

from sklearn_mmsent.feature_extraction.audio.io import read_samples
from sklearn_mmsent.streaming._resampler import Resampler

_JITTER = 0.05  # seconds by which times of chunks may differ from the count of samples
_MIN_PIECE = 0.1  # seconds; shorter chunks are joined to bound the number of pieces
_MAX_CHUNK = 600.0  # seconds


class AudioStream:
    """Samples by their position in the stream.

    Parameters
    ----------
    rate : int
        Rate at which samples are kept, in Hz.

    Attributes
    ----------
    lost : float
        Seconds of audio that were dropped because later samples had already arrived.
    """

    def __init__(self, rate):
        self.rate = rate
        self.lost = 0.0
        self._pieces = deque()  # of (first position, samples), in order
        self._stop = 0  # position after the last sample
        self._resampler = None
        self._begin, self._n_in = 0, 0  # of the resampler's input: position, samples

    @property
    def n_samples(self):
        """Number of samples that are final, including gaps."""
        return self._stop

    @property
    def progress(self):
        """Seconds up to which samples are final."""
        return self._stop / self.rate

    @property
    def received(self):
        """Seconds up to which samples arrived; the resampler may still hold the last ones."""
        return self._begin / self.rate + self._n_in / (
            self.rate if self._resampler is None else self._resampler.rate
        )

    def read(self, data):
        """Check a chunk; return its mono samples and their rate."""
        return read_samples(
            data, sample_rate=self.rate, max_seconds=_MAX_CHUNK, owner="StreamingPredictor"
        )

    def push(self, data, time):
        """Append a chunk from `read` at a time in seconds; None means after the last one."""
        samples, rate = data
        shift = 0.0 if time is None else time - self.received
        if shift < -_JITTER:
            n_late = min(len(samples), round(-shift * rate))
            self.lost += n_late / rate
            samples = samples[n_late:]
        if shift > _JITTER or (self._resampler is not None and self._resampler.rate != rate):
            self.finish()
        if shift > _JITTER:
            self._begin = self._stop = round(time * self.rate)
        if self._resampler is None:
            self._resampler = Resampler(rate, self.rate)
        self._n_in += len(samples)
        self._append(self._resampler.push(samples.copy()))  # the caller may reuse its memory

    def skip(self, seconds):
        """Leave a gap in place of an unusable chunk."""
        self.finish()
        self._begin = self._stop = self._stop + round(seconds * self.rate)

    def finish(self):
        """Append the samples that the resampler holds back; the next chunk starts a new one."""
        if self._resampler is not None:
            self._append(self._resampler.finish())
        self._resampler, self._begin, self._n_in = None, self._stop, 0

    def cut(self, start, stop):
        """Return a copy of the samples between two positions; zeros in gaps, None if empty.

        The copy ends at the last sample in the range, so that it is shorter where audio has ended.
        """
        inside = [
            (first, samples)
            for first, samples in self._pieces
            if first < stop and first + len(samples) > start
        ]
        if not inside:
            return None
        stop = min(stop, inside[-1][0] + len(inside[-1][1]))
        result = np.zeros(stop - start, dtype=np.float32)
        for first, samples in inside:
            piece = samples[max(0, start - first) : stop - first]
            begin = max(0, first - start)
            result[begin : begin + len(piece)] = piece
        return result

    def first_after(self, seconds):
        """Return the time of the first sample at or after a time, or None."""
        for first, samples in self._pieces:
            if first + len(samples) > seconds * self.rate:
                return max(seconds, first / self.rate)
        return None

    def last(self):
        """Return the time of the end of the last sample, or None."""
        if not self._pieces:
            return None
        first, samples = self._pieces[-1]
        return (first + len(samples)) / self.rate

    def forget_before(self, seconds):
        """Drop samples before a time."""
        position = int(seconds * self.rate)
        while self._pieces and self._pieces[0][0] + len(self._pieces[0][1]) < position:
            self._pieces.popleft()
        if self._pieces and position - self._pieces[0][0] > self.rate:  # a long piece, copied once
            first, samples = self._pieces[0]
            self._pieces[0] = position, samples[position - first :].copy()

    def __len__(self):
        return sum(len(samples) for _, samples in self._pieces)

    def _append(self, samples):
        if not len(samples):
            return
        if self._pieces:
            first, before = self._pieces[-1]
            if first + len(before) == self._stop and len(before) < _MIN_PIECE * self.rate:
                self._pieces.pop()
                samples, self._stop = np.concatenate([before, samples]), first
        self._pieces.append((self._stop, samples))
        self._stop += len(samples)
