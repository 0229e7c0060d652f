"""Spectral features of overlapping windows, without computing any frame twice.

Consecutive windows of a stream, offset by a whole number of frames, share all frames except those
at their ends, which overlap the zero padding of a clip. The powers of the inner frames are kept
from window to window, the others are computed; steps that depend on the whole clip (dynamic range,
time derivatives, pooling) are left to the extractor.

Shapes: T frames of a window, M bands.
"""

from math import ceil

import numpy as np
import torch

from sklearn_mmsent.feature_extraction.audio import _spectral
from sklearn_mmsent.feature_extraction.audio._base import SpectralExtractor
from sklearn_mmsent.utils._device import resolve_device


class SlidingSpectra:
    """Features of windows of one stream, equal to those of the extractor.

    `extractor` is fitted and has the sampling rate of the stream; `n_computed` is the number of
    frames computed so far.
    """

    def __init__(self, extractor):
        self.extractor = extractor
        self.n_computed = 0
        # windows offset by a fraction of a frame share no frames: for each offset, the position of
        # the first kept frame and the powers of the kept frames (T, M)
        self._kept = {}

    @staticmethod
    def supports(extractor):
        """Return whether frames of an extractor can be shared between windows."""
        return isinstance(extractor, SpectralExtractor)

    def features(self, samples, position):
        """Extract one window of at least one sample, from a position in the stream."""
        extractor = self.extractor
        with torch.inference_mode():
            powers = self._powers(samples, position)[None]  # (1, T, M)
            lengths = torch.tensor([powers.shape[1]], device=powers.device)
            pooled = extractor._pool(extractor._frames(powers, lengths), lengths)
        return pooled.flatten().cpu().numpy()

    def _powers(self, samples, position):
        n_fft, hop = self.extractor.n_fft, self.extractor.hop_length
        half, n = n_fft // 2, len(samples)
        padded = np.zeros(n + 2 * half, dtype=np.float32)
        padded[half : half + n] = samples
        n_frames = _spectral.n_frames(n, n_fft, hop)
        # frames inner to outer - 1 do not overlap the padding
        inner = min(ceil(half / hop), n_frames)
        outer = max(inner, min(n_frames, (n + half - n_fft) // hop + 1))
        first = position - half + inner * hop
        known = self._look_up(first, first + (outer - inner) * hop)
        right = inner + len(known)
        frames = torch.from_numpy(padded).unfold(0, n_fft, hop)  # (T, n_fft)
        missing = torch.cat([frames[:inner], frames[right:n_frames]])
        computed = self._compute(missing)
        powers = torch.cat([computed[:inner], known, computed[inner:]])
        self._keep(first, powers[inner:outer], position)
        return powers

    def _compute(self, frames):
        self.n_computed += len(frames)
        device = torch.device(resolve_device(self.extractor.device))
        return _spectral.powers_of_frames(frames.to(device), self.extractor._bands(device))

    def _look_up(self, first, stop):
        """Return the kept powers of frames from position `first` until before `stop`."""
        hop = self.extractor.hop_length
        kept_from, powers = self._kept.get(first % hop, (first, None))
        if powers is None or first < kept_from:
            bands = self.extractor._bands(torch.device("cpu"))
            width = bands.stop - bands.start if isinstance(bands, slice) else bands[-1][1].stop
            device = torch.device(resolve_device(self.extractor.device))
            return torch.empty(0, width, device=device)
        skipped = (first - kept_from) // hop
        return powers[skipped : skipped + (stop - first) // hop]

    def _keep(self, first, powers, position):
        hop = self.extractor.hop_length
        self._kept[first % hop] = first, powers.clone()
        # drop frames of other offsets that the stream has passed
        self._kept = {
            offset: (begin, kept)
            for offset, (begin, kept) in self._kept.items()
            if begin + len(kept) * hop > position
        }
