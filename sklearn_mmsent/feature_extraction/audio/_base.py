"""Base classes of spectral extractors: clips to frames to one row."""

from abc import abstractmethod
from numbers import Integral, Real

import numpy as np

from sklearn_mmsent.blocks import indexed_names, segment_names, statistic_names
from sklearn_mmsent.feature_extraction._base import BaseExtractor
from sklearn_mmsent.feature_extraction._summaries import check_statistics
from sklearn_mmsent.feature_extraction.audio.io import read_audio
from sklearn_mmsent.utils._sklearn import Interval, StrOptions


class SpectralExtractor(BaseExtractor):
    """Clips to frames to one row; subclasses define the features of a frame and their names."""

    modality = "audio"

    _parameter_constraints: dict = {
        **BaseExtractor._parameter_constraints,
        "sample_rate": [Interval(Integral, 1_000, 1_000_000, closed="both")],
        "n_fft": [Interval(Integral, 2, None, closed="left")],
        "hop_length": [Interval(Integral, 1, None, closed="left")],
        "fmin": [Interval(Real, 0, None, closed="left")],
        "fmax": [Interval(Real, 0, None, closed="neither"), None],
        "ref": [Interval(Real, 0, None, closed="neither"), StrOptions({"max"})],
        "amin": [Interval(Real, 0, None, closed="neither")],
        "top_db": [Interval(Real, 0, None, closed="left"), None],
        "pooling": [StrOptions({"stats"}), None],
        "statistics": [tuple, list],
        "n_segments": [Interval(Integral, 1, None, closed="left")],
        "frames_per_step": [Interval(Integral, 1, None, closed="left")],
        "max_steps": [Interval(Integral, 1, None, closed="left")],
        "long_clips": [StrOptions({"crop", "squeeze"})],
        "max_seconds": [Interval(Real, 0, None, closed="neither")],
        "device": [str],
    }

    _libraries = ("numpy", "scipy", "torch", "soundfile", "av")
    _neutral_parameters = (*BaseExtractor._neutral_parameters, "device")

    @abstractmethod
    def _bands(self, device):
        """Return the frequency bands to compute, as expected by `_spectral.powers`."""

    @abstractmethod
    def _frames(self, powers, lengths):
        """Turn band powers (B, T, bands) of clips of given lengths (B,) into frame features."""

    @abstractmethod
    def _frame_names(self):
        """Return the names of the features of a frame."""

    def _load(self, cell):
        return read_audio(
            cell,
            sample_rate=self.sample_rate,
            max_seconds=self.max_seconds,
            owner=type(self).__name__,
        )

    def _encode(self, loaded):
        import torch

        from sklearn_mmsent.feature_extraction.audio import _spectral
        from sklearn_mmsent.utils._device import resolve_device

        device = torch.device(resolve_device(self.device))
        block = np.empty((len(loaded), self.n_features_out_), dtype=np.float32)
        with torch.inference_mode():
            for group in _spectral.groups(loaded, _spectral.max_samples(device)):
                spectra = _spectral.powers(
                    [loaded[i] for i in group],
                    n_fft=self.n_fft,
                    hop_length=self.hop_length,
                    bands=self._bands(device),
                    device=device,
                )
                for powers, lengths, positions in spectra:
                    pooled = self._pool(self._frames(powers, lengths), lengths)
                    block[group[positions]] = pooled.flatten(1).cpu().numpy()
        return block

    def _pool(self, frames, lengths):
        """Pool clips of different lengths to a fixed width, (B, ...)."""
        from sklearn_mmsent.feature_extraction.audio import _time_pooling

        return _time_pooling.pool(self, frames, lengths, self.n_segments)

    def _feature_names(self):
        self._check_settings()
        names = self._frame_names()
        if self.pooling == "stats":
            return statistic_names(segment_names(names, self.n_segments), self.statistics)
        return indexed_names(names, self.max_steps)

    def _highest(self):
        return self.sample_rate / 2 if self.fmax is None else self.fmax

    def _check_settings(self):
        name = type(self).__name__
        if not self.fmin < self._highest() <= self.sample_rate / 2:
            raise ValueError(
                f"{name} needs fmin < fmax <= sample_rate / 2 (Hz); got fmin={self.fmin}, "
                f"fmax={self.fmax}, sample_rate={self.sample_rate}."
            )
        check_statistics(self.statistics, name)


class MelExtractor(SpectralExtractor):
    """Base class of extractors on mel bands in decibels."""

    _parameter_constraints: dict = {
        **SpectralExtractor._parameter_constraints,
        "n_mels": [Interval(Integral, 1, None, closed="left")],
    }

    def _bands(self, device):
        from sklearn_mmsent.feature_extraction.audio import _spectral

        return _spectral.mel_bands(
            self.sample_rate, self.n_fft, self.n_mels, self.fmin, self._highest(), device
        )

    def _decibels(self, powers):
        from sklearn_mmsent.feature_extraction.audio import _spectral

        return _spectral.power_to_db(powers, ref=self.ref, amin=self.amin, top_db=self.top_db)
