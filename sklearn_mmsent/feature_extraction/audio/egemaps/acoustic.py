"""Acoustic functionals after the eGeMAPS set."""

from numbers import Integral, Real

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from sklearn_mmsent.blocks import segment_names, statistic_names
from sklearn_mmsent.feature_extraction._base import BaseExtractor
from sklearn_mmsent.feature_extraction.audio.egemaps import formants, functionals, pitch, spectrum
from sklearn_mmsent.feature_extraction.audio.egemaps.jitter_shimmer import jitter_and_shimmer
from sklearn_mmsent.feature_extraction.audio.io import read_audio
from sklearn_mmsent.utils._documentation import document_shared_parameters
from sklearn_mmsent.utils._sklearn import Interval

_HOP, _LONG, _SHORT = 0.010, 0.060, 0.020  # seconds
_REFERENCE_HZ = 27.5
_MIN_LOUDNESS = 1e-3  # limit for the logarithm
_CHUNK_FRAMES = 2048  # computed at a time
_GROUP_FRAMES = 1 << 14  # frames whose spectra are held in memory

_VOICE = (
    *("jitterLocal", "shimmerLocaldB", "HNRdBACF", "logRelF0-H1-H2", "logRelF0-H1-A3"),
    *(f"F{i}{kind}" for i in (1, 2, 3) for kind in ("frequency", "bandwidth", "amplitudeLogRelF0")),
)
_CONTOUR = (
    *("amean", "stddevNorm", "percentile20.0", "percentile50.0", "percentile80.0", "pctlrange0-2"),
    *(f"{stat}{way}Slope" for way in ("Rising", "Falling") for stat in ("mean", "stddev")),
)
_TIMES = (
    *("loudnessPeaksPerSec", "VoicedSegmentsPerSec"),
    *("MeanVoicedSegmentLengthSec", "StddevVoicedSegmentLengthSec"),
    *("MeanUnvoicedSegmentLength", "StddevUnvoicedSegmentLength"),
)
_MELODY = ("F0semitoneFrom27.5Hz_sma3nz", "HNRdBACF", "logLoudness_sma3")
_SHAPES = spectrum.NAMES[1:]  # without loudness
_FLUX_AND_CEPSTRUM = _SHAPES[4:]


def _variant(name, letters):
    """Insert V or UV where eGeMAPS does: slopeV0-500, mfcc1V."""
    return name.replace("slope", f"slope{letters}") if "slope" in name else name + letters


def _names(n_segments):
    names = [f"F0semitoneFrom27.5Hz_sma3nz_{kind}" for kind in _CONTOUR]
    names += [f"loudness_sma3_{kind}" for kind in _CONTOUR]
    both = ("amean", "stddevNorm")
    names += [f"{name}_sma3_{kind}" for name in _FLUX_AND_CEPSTRUM for kind in both]
    names += [f"{name}_sma3nz_{kind}" for name in _VOICE for kind in both]
    names += [f"{_variant(name, 'V')}_sma3nz_{kind}" for name in _SHAPES for kind in both]
    names += [f"{_variant(name, 'UV')}_sma3nz_amean" for name in _SHAPES[:5]]
    names += [*_TIMES, "equivalentSoundLevel_dBp"]
    if n_segments:
        names += statistic_names(segment_names(_MELODY, n_segments), ("amean", "stddev"))
        names.append("logDurationSec")
    return names


@document_shared_parameters(BaseExtractor)
class AcousticFunctionals(BaseExtractor):
    """Acoustic functionals of the voice: 88 statistics of pitch, loudness, voice quality, timbre.

    The parameters of the extended Geneva Minimalistic Acoustic Parameter Set (eGeMAPS) [1]_, the
    standard set of interpretable features in affective speech research, reimplemented from the
    paper under a free licence. `MFCC` and `LogMel` describe the spectrum in more detail but not
    pitch or voice quality.

    Parameters
    ----------
    sample_rate : int, default=16000
        Sampling rate in Hz, from 11000 (to cover the formants) to 192000. Audio is resampled to
        it; arrays without a rate are assumed to have it.
    f0_min : float, default=55.0
        Lowest pitch in Hz, at least 40 so that a window spans two periods.
    f0_max : float, default=1000.0
        Highest pitch in Hz, at least ``2 * f0_min`` and at most ``sample_rate / 8``.
    n_segments : int, default=0
        Number of segments of equal length in which to also compute mean and standard deviation
        of pitch, harmonics-to-noise ratio and loudness, to capture intonation and stress over
        time; the duration of the clip is added too. Trim silence first, for example with
        `AudioCleaner`. 0 adds nothing.
    max_seconds : float, default=600.0
        Maximum duration in seconds; a longer clip is an error and never silently truncated.
    batch_size : int, default=32
        Number of clips loaded at a time; their pitch is tracked in one batch.

    Attributes
    ----------
    n_features_out_ : int
        Number of output columns: 88, plus ``6 * n_segments + 1`` if `n_segments` is not 0.

    See Also
    --------
    MFCC : Timbre in more detail, also as a sequence; no pitch.
    LogMel : Mel bands, for encoders that learn their own features.

    Notes
    -----
    See the Notes of `LogMel` for supported audio cells.

    Every 10 ms, pitch, harmonics-to-noise ratio and harmonics are computed from a window of 60 ms
    (Gaussian, standard deviation 0.4 of its half length); loudness, spectrum and formants from one
    of 20 ms (Hamming) with the same start. Clips shorter than 60 ms are padded with silence. The
    suffix `_sma3` denotes a moving average over three frames, `_sma3nz` one over voiced frames
    only. It is followed by the functional.

    - F0semitoneFrom27.5Hz: pitch by subharmonic summation [2]_ and dynamic programming.
      loudness: sum of 26 perceptually weighted and compressed bands. For both: mean, coefficient
      of variation (stddevNorm), percentiles and their range, mean and standard deviation of the
      slopes (per second) between turning points of more than a tenth of the range.
    - jitterLocal, shimmerLocaldB: differences of consecutive periods in length (relative) and
      amplitude (dB). HNRdBACF: harmonics-to-noise ratio in dB, from the autocorrelation.
    - logRelF0-H1-H2, logRelF0-H1-A3: level of the first harmonic relative to the second, and to
      the highest near the third formant, in dB. As in openSMILE, harmonic 0 is the fundamental.
    - F1, F2, F3: frequency and bandwidth of the formants in Hz, by linear prediction, and the
      level of the harmonic at them relative to the fundamental, in dB; -201 dB in unvoiced frames.
    - alphaRatio (1-5 kHz over 50-1000 Hz) and hammarbergIndex (peak below 2 kHz over peak in
      2-5 kHz) in dB, spectral slopes in dB per Hz, spectralFlux, mfcc1 to mfcc4: in voiced frames
      (V), unvoiced frames (UV), or all frames.
    - Loudness peaks and voiced segments per second, durations of voiced and unvoiced segments in
      seconds, equivalent sound level in dB relative to full scale.
    - With `n_segments`, mean and standard deviation of pitch (interpolated over unvoiced frames),
      HNRdBACF (0 in unvoiced frames) and log loudness in each segment; logDurationSec, the
      logarithm of the duration in seconds.

    Undefined features are NaN, an ordinary missing value: those of voiced frames in clips without
    any, such as silence, and those of unvoiced frames in fully voiced clips. Agreement with
    openSMILE is measured in ``benchmarks/extraction.py``. Loudness has a different unit; spectral
    slopes are those of the regression line. All features but loudness, its slopes, spectral flux
    and sound level are independent of the recording level.

    References
    ----------
    .. [1] F. Eyben et al., "The Geneva Minimalistic Acoustic Parameter Set (GeMAPS) for voice
       research and affective computing", IEEE Transactions on Affective Computing 7(2), 2016.
    .. [2] D. Hermes, "Measurement of pitch by subharmonic summation", JASA 83(1), 1988.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_mmsent import AcousticFunctionals
    >>> time = np.arange(8000) / 16000
    >>> voices = [sum(np.sin(2 * np.pi * k * f0 * time) / k for k in range(1, 20)) / 4
    ...           for f0 in (110, 220)]
    >>> features = AcousticFunctionals().set_output(transform="pandas").fit_transform(voices)
    >>> features["F0semitoneFrom27.5Hz_sma3nz_amean"].round(1).tolist()  # an octave apart
    [24.0, 36.0]
    """

    modality = "audio"

    _libraries = ("numpy", "scipy", "soundfile", "av")
    _parameter_constraints: dict = {
        **BaseExtractor._parameter_constraints,
        "sample_rate": [Interval(Integral, 11_000, 192_000, closed="both")],
        "f0_min": [Interval(Real, 40, None, closed="left")],
        "f0_max": [Interval(Real, 0, None, closed="neither")],
        "n_segments": [Interval(Integral, 0, None, closed="left")],
        "max_seconds": [Interval(Real, 0, None, closed="neither")],
    }

    def __init__(
        self,
        sample_rate=16000,
        *,
        f0_min=55.0,
        f0_max=1000.0,
        n_segments=0,
        max_seconds=600.0,
        on_error="raise",
        batch_size=32,
        n_jobs=None,
    ):
        self.sample_rate = sample_rate
        self.f0_min = f0_min
        self.f0_max = f0_max
        self.n_segments = n_segments
        self.max_seconds = max_seconds
        self.on_error = on_error
        self.batch_size = batch_size
        self.n_jobs = n_jobs

    def _load(self, cell):
        return read_audio(
            cell,
            sample_rate=self.sample_rate,
            max_seconds=self.max_seconds,
            owner=type(self).__name__,
        )

    def _encode(self, loaded):
        return np.concatenate([self._describe(loaded[group]) for group in self._groups(loaded)])

    def _groups(self, loaded):
        """Split a batch so that the spectra of its clips fit into memory."""
        frames = np.cumsum([len(samples) for samples in loaded]) // self._n_samples(_HOP)
        edges = np.flatnonzero(np.diff(frames // _GROUP_FRAMES)) + 1
        starts, stops = [0, *edges.tolist()], [*edges.tolist(), len(loaded)]
        return [slice(*edge) for edge in zip(starts, stops, strict=True)]

    def _describe(self, loaded):
        """Convert clips to rows of features."""
        tracked = [self._pitch_candidates(samples) for samples in loaded]
        pitches, scores, correlations, energies, magnitudes = zip(*tracked, strict=True)
        paths = pitch.track(pitches, scores, energies)
        f0 = [_along(*clip) for clip in zip(paths, pitches, strict=True)]  # 0 where unvoiced
        correlations = [_along(*clip) for clip in zip(paths, correlations, strict=True)]
        perturbation = jitter_and_shimmer(
            loaded,
            f0,
            sample_rate=self.sample_rate,
            n_samples=self._n_samples(_LONG),
            hop_length=self._n_samples(_HOP),
        )
        clips = zip(loaded, f0, correlations, magnitudes, perturbation, strict=True)
        return np.array([self._summarize(*clip) for clip in clips])

    def _pitch_candidates(self, samples):
        """Return the pitch candidates of all frames of a clip, as `pitch.candidates` does."""
        frames = self._frames(samples, _LONG)
        found = [
            pitch.candidates(
                frames[chunk],
                sample_rate=self.sample_rate,
                f0_min=self.f0_min,
                f0_max=self.f0_max,
            )
            for chunk in _chunks(len(frames))
        ]
        return [np.concatenate(arrays) for arrays in zip(*found, strict=True)]

    def _frames(self, samples, seconds):
        """Return a view of a clip as windows (T, n_samples), with the same T for any duration."""
        longest, hop = self._n_samples(_LONG), self._n_samples(_HOP)
        if len(samples) < longest:
            samples = np.pad(samples, (0, longest - len(samples)))
        n_frames = 1 + (len(samples) - longest) // hop
        return sliding_window_view(samples, self._n_samples(seconds))[::hop][:n_frames]

    def _n_samples(self, seconds):
        return round(seconds * self.sample_rate)

    def _summarize(self, samples, f0, correlation, magnitude, perturbation):
        """Convert a clip and its pitch contour to features."""
        voiced = f0 > 0
        semitones = np.where(voiced, 12 * np.log2(np.where(voiced, f0, 1) / _REFERENCE_HZ), 0)
        semitones = functionals.smooth_nonzero(semitones)
        shape = self._shape(samples)
        loudness, shape = shape[:, 0], shape[:, 1:]
        hnr = np.where(voiced, pitch.harmonics_to_noise(correlation), 0)
        described = [
            *shape.T[4:],
            *self._voice(samples, f0, magnitude, perturbation, hnr),
            *shape[voiced].T,
        ]
        return [
            *functionals.contour(semitones[voiced], _HOP),
            *functionals.contour(loudness, _HOP),
            *(s for values in described for s in functionals.mean_and_variation(values)),
            *(functionals.mean(values) for values in shape[~voiced].T[:5]),
            functionals.peaks_per_second(loudness, _HOP),
            *functionals.segments(voiced, _HOP),
            functionals.sound_level(samples),
            *self._segment_means(samples, semitones, hnr, loudness),
        ]

    def _segment_means(self, samples, semitones, hnr, loudness):
        """Return pitch, harmonics-to-noise ratio and loudness per segment, and log duration."""
        if not self.n_segments:
            return []
        loudness = np.log(np.maximum(loudness, _MIN_LOUDNESS))
        contours = np.column_stack([functionals.interpolate_zeros(semitones), hnr, loudness])
        duration = np.log(len(samples) / self.sample_rate)
        return [*functionals.segment_moments(contours, self.n_segments), duration]

    def _shape(self, samples):
        """Return smoothed loudness and spectral shape, (T, 10)."""
        frames = self._frames(samples, _SHORT)
        parts = [
            spectrum.describe(frames, chunk, sample_rate=self.sample_rate)
            for chunk in _chunks(len(frames))
        ]
        return functionals.smooth(np.concatenate(parts))

    def _voice(self, samples, f0, magnitude, perturbation, hnr):
        """Return the values of each descriptor in `_VOICE` over the frames that define it."""
        tract = np.zeros((len(f0), 11))
        tract[:, 4::3] = formants.FLOOR_DB
        frames = self._frames(samples, _SHORT)
        voiced = np.flatnonzero(f0)
        for chunk in _chunks(len(voiced)):
            rows = voiced[chunk]
            tract[rows] = self._tract(frames[rows], magnitude[rows], f0[rows])
        described = np.column_stack([perturbation, hnr, tract])
        smoothed = functionals.smooth_nonzero(described)
        smoothed[:, 7::3] = functionals.smooth(described[:, 7::3])
        return [values[values != 0] if len(voiced) else values[:0] for values in smoothed.T]

    def _tract(self, frames, magnitude, f0):
        """Return harmonics and formants of voiced frames, (frames, 11)."""
        rate = self.sample_rate
        frequency, bandwidth = formants.formants(frames, sample_rate=rate)
        relations, amplitude = formants.harmonics(magnitude, f0, frequency, sample_rate=rate)
        by_formant = np.stack([frequency, bandwidth, amplitude], axis=2)  # (frames, 3, 3)
        return np.column_stack([relations, by_formant.reshape(len(f0), 9)])

    def _feature_names(self):
        if not 2 * self.f0_min <= self.f0_max <= self.sample_rate / 8:
            raise ValueError(
                "AcousticFunctionals needs 2 * f0_min <= f0_max <= sample_rate / 8 (Hz); got "
                f"f0_min={self.f0_min}, f0_max={self.f0_max}, sample_rate={self.sample_rate}."
            )
        return _names(self.n_segments)


def _along(path, values):
    """Return the values (T, Q) of the chosen candidates; 0 in unvoiced frames."""
    inside = np.minimum(path, values.shape[1] - 1)
    chosen = np.take_along_axis(values, inside[:, None], axis=1)[:, 0]
    return np.where(path < values.shape[1], chosen, 0)


def _chunks(n_frames):
    return [slice(i, i + _CHUNK_FRAMES) for i in range(0, n_frames, _CHUNK_FRAMES)]
