"""Spectral features of windows that overlap: no frame is computed twice.

A frame of a window is a stretch of the stream's samples, and the next window, whose start lies a
whole number of frames further, has the same one. Only the frames at a window's two ends differ,
since zeros surround a clip. So the powers of the frames inside are kept from window to window, the
others are computed, and all that looks at the whole clip (decibels under the loudest, derivatives
over time, pooling) is left to the extractor itself.

Shapes: T frames of a window, M bands.
"""

from math import ceil

import numpy as np
import torch

from sklearn_mmsent.feature_extraction.audio import _spectral
from sklearn_mmsent.feature_extraction.audio._base import SpectralExtractor
from sklearn_mmsent.utils._device import resolve_device


class SlidingSpectra:
    """Features of windows of one stream, equal to the extractor's own.

    Parameters
    ----------
    extractor : SpectralExtractor
        Fitted; the stream has its rate.

    Attributes
    ----------
    n_computed : int
        Frames computed so far.
    """

    def __init__(self, extractor):
        self.extractor = extractor
        self.n_computed = 0
        # windows whose starts are no whole number of frames apart have no frame in common: of
        # each shift, the place of the first frame that is kept, and the powers of all, (T, M)
        self._kept = {}

    @staticmethod
    def supports(extractor):
        """Return whether frames of an extractor can be kept from window to window."""
        return isinstance(extractor, SpectralExtractor)

    def features(self, samples, place):
        """Extract one window.

        Parameters
        ----------
        samples : ndarray of shape (n_samples,), float32
            At least one.
        place : int
            Of the first of them in the stream.

        Returns
        -------
        ndarray of shape (n_features,), float32
        """
        extractor = self.extractor
        with torch.inference_mode():
            powers = self._powers(samples, place)[None]  # (1, T, M)
            lengths = torch.tensor([powers.shape[1]], device=powers.device)
            pooled = extractor._pool(extractor._frames(powers, lengths), lengths)
        return pooled.flatten().cpu().numpy()

    def _powers(self, samples, place):
        n_fft, hop = self.extractor.n_fft, self.extractor.hop_length
        half, n = n_fft // 2, len(samples)
        padded = np.zeros(n + 2 * half, dtype=np.float32)
        padded[half : half + n] = samples
        n_frames = _spectral.n_frames(n, n_fft, hop)
        # frames from `inner` to before `outer` see no zeros around the clip
        inner = min(ceil(half / hop), n_frames)
        outer = max(inner, min(n_frames, (n + half - n_fft) // hop + 1))
        first = place - half + inner * hop
        known = self._look_up(first, first + (outer - inner) * hop)
        right = inner + len(known)
        frames = torch.from_numpy(padded).unfold(0, n_fft, hop)  # (T, n_fft)
        todo = torch.cat([frames[:inner], frames[right:n_frames]])
        fresh = self._compute(todo)
        powers = torch.cat([fresh[:inner], known, fresh[inner:]])
        self._keep(first, powers[inner:outer], place)
        return powers

    def _compute(self, frames):
        self.n_computed += len(frames)
        device = torch.device(resolve_device(self.extractor.device))
        return _spectral.powers_of_frames(frames.to(device), self.extractor._bands(device))

    def _look_up(self, first, stop):
        """Give the powers that are known of frames from one place to before another."""
        hop = self.extractor.hop_length
        kept_from, powers = self._kept.get(first % hop, (first, None))
        if powers is None or first < kept_from:
            bands = self.extractor._bands(torch.device("cpu"))
            width = bands.stop - bands.start if isinstance(bands, slice) else bands[-1][1].stop
            device = torch.device(resolve_device(self.extractor.device))
            return torch.empty(0, width, device=device)
        skipped = (first - kept_from) // hop
        return powers[skipped : skipped + (stop - first) // hop]

    def _keep(self, first, powers, place):
        hop = self.extractor.hop_length
        self._kept[first % hop] = first, powers.clone()
        # of other shifts, what has left the window behind can meet no later one
        self._kept = {
            shift: (begin, kept)
            for shift, (begin, kept) in self._kept.items()
            if begin + len(kept) * hop > place
        }
