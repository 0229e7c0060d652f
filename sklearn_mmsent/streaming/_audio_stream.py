"""The last seconds of a stream of sound, at one rate, gaps included."""

from collections import deque

import numpy as np

from sklearn_mmsent.feature_extraction.audio.io import read_samples
from sklearn_mmsent.streaming._resampling import Resampler

_JITTER = 0.05  # seconds by which the times of chunks may differ from the count of samples
_SHORT = 0.1  # seconds; shorter chunks are joined, so that their number stays small
_LONGEST = 600.0  # seconds of one chunk


class AudioStream:
    """Samples by their place in the stream.

    Parameters
    ----------
    rate : int
        That samples are kept at, in Hz.

    Attributes
    ----------
    lost : float
        Seconds of sound that came for a time that had passed already, and were left out.
    """

    def __init__(self, rate):
        self.rate = rate
        self.lost = 0.0
        self._pieces = deque()  # of (first place, samples), in order
        self._stop = 0  # place that follows the last sample
        self._resampler = None
        self._begin, self._n_in = 0, 0  # of what went through the resampler: place, samples

    @property
    def n_samples(self):
        """Samples up to which all is there, gaps included."""
        return self._stop

    @property
    def progress(self):
        """Seconds up to which all is there."""
        return self._stop / self.rate

    @property
    def heard(self):
        """Seconds up to which samples came; the last of them may still be in the resampler."""
        return self._begin / self.rate + self._n_in / (
            self.rate if self._resampler is None else self._resampler.rate
        )

    def read(self, data):
        """Check a chunk and give its mono samples and their rate; changes nothing."""
        return read_samples(
            data, sample_rate=self.rate, max_seconds=_LONGEST, owner="StreamingPredictor"
        )

    def push(self, data, time):
        """Append a chunk, as `read` gives it, at a time in seconds; None means right behind."""
        samples, rate = data
        shift = 0.0 if time is None else time - self.heard
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
        self._append(self._resampler.push(samples.copy()))  # the caller may use its memory again

    def pass_over(self, seconds):
        """Leave a gap in the place of a chunk that cannot be used."""
        self.finish()
        self._begin = self._stop = self._stop + round(seconds * self.rate)

    def finish(self):
        """Give out what the resampler holds back; the next chunk begins anew."""
        if self._resampler is not None:
            self._append(self._resampler.finish())
        self._resampler, self._begin, self._n_in = None, self._stop, 0

    def cut(self, start, stop):
        """Copy the samples between two places; zeros in gaps, None where there is nothing.

        Ends at the last sample that there is, so that a sound that has ended is shorter.
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
        """Return the time of the first sample from a time on, or None."""
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
        """Drop what ends before a time."""
        place = int(seconds * self.rate)
        while self._pieces and self._pieces[0][0] + len(self._pieces[0][1]) < place:
            self._pieces.popleft()
        if self._pieces and place - self._pieces[0][0] > self.rate:  # a long piece, copied once
            first, samples = self._pieces[0]
            self._pieces[0] = place, samples[place - first :].copy()

    def __len__(self):
        return sum(len(samples) for _, samples in self._pieces)

    def _append(self, samples):
        if not len(samples):
            return
        if self._pieces:
            first, before = self._pieces[-1]
            if first + len(before) == self._stop and len(before) < _SHORT * self.rate:
                self._pieces.pop()
                samples, self._stop = np.concatenate([before, samples]), first
        self._pieces.append((self._stop, samples))
        self._stop += len(samples)
