"""Acoustic functionals of the voice, in the spirit of the eGeMAPS set."""

from numbers import Integral, Real

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from sklearn_mmsent.blocks import part_names, statistic_names
from sklearn_mmsent.feature_extraction._base import BaseExtractor
from sklearn_mmsent.feature_extraction.audio.egemaps import formants, functionals, timbre, voice
from sklearn_mmsent.feature_extraction.audio.egemaps.periods import jitter_and_shimmer
from sklearn_mmsent.feature_extraction.audio.io import read_audio
from sklearn_mmsent.utils._sklearn import Interval

_HOP, _LONG, _SHORT = 0.010, 0.060, 0.020  # seconds
_REFERENCE_HZ = 27.5
_SOFTEST = 1e-3  # loudness that counts as silence
_CHUNK_FRAMES = 2048  # computed at a time
_GROUP_FRAMES = 1 << 14  # whose spectra are held, if clips are not longer by themselves

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
_SHAPES = timbre.NAMES[1:]  # without loudness
_FLUX_AND_CEPSTRUM = _SHAPES[4:]


def _variant(name, letters):
    """Put V or UV where eGeMAPS has it: slopeV0-500, mfcc1V."""
    return name.replace("slope", f"slope{letters}") if "slope" in name else name + letters


def _names(n_parts):
    names = [f"F0semitoneFrom27.5Hz_sma3nz_{kind}" for kind in _CONTOUR]
    names += [f"loudness_sma3_{kind}" for kind in _CONTOUR]
    both = ("amean", "stddevNorm")
    names += [f"{name}_sma3_{kind}" for name in _FLUX_AND_CEPSTRUM for kind in both]
    names += [f"{name}_sma3nz_{kind}" for name in _VOICE for kind in both]
    names += [f"{_variant(name, 'V')}_sma3nz_{kind}" for name in _SHAPES for kind in both]
    names += [f"{_variant(name, 'UV')}_sma3nz_amean" for name in _SHAPES[:5]]
    names += [*_TIMES, "equivalentSoundLevel_dBp"]
    if n_parts:
        names += statistic_names(part_names(_MELODY, n_parts), ("amean", "stddev"))
        names.append("logDurationSec")
    return names


class AcousticFunctionals(BaseExtractor):
    """Eighty-eight numbers that describe a voice: pitch, loudness, roughness, timbre, rhythm.

    The parameters of the extended Geneva minimalistic set (eGeMAPS) [1]_, which voice research
    agreed on because each of them has a meaning in speech production or perception. Written anew
    from the paper and freely licensed. `MFCC` and `LogMel` hear more of the sound's detail and
    less of what the voice does.

    Parameters
    ----------
    sample_rate : int, default=16000
        Rate in Hz that every sound is brought to, and the rate of arrays that come without one.
        At least 11000, so that formants fit in, and at most 192000.

    f0_min : float, default=55.0
        Lowest pitch in Hz; at least 40, of which a window holds little more than two periods.

    f0_max : float, default=1000.0
        Highest pitch in Hz, at least twice `f0_min` and at most an eighth of `sample_rate`.

    parts : int, default=0
        Parts of equal length that a clip is cut into to tell the melody, the rhythm and the
        stresses of what is said: mean and deviation of pitch, harmonics-to-noise ratio and
        loudness in each of them, and the clip's length, are added. Sounds should have no silence
        around them, which `AudioCleaner` cuts off. 0 adds nothing.

    max_seconds : float, default=600.0
        Longest sound that is read, in seconds; a longer one is an error and not cut silently.

    on_error : {"raise", "missing"}, default="raise"
        For a cell that cannot be used: raise a `CellError`, or count it as missing and warn
        once with the number.

    batch_size : int, default=32
        Sounds that are held in memory at a time, and whose pitch is tracked side by side.

    n_jobs : int or None, default=None
        Processes that work on batches at the same time; None means one.

    Attributes
    ----------
    n_features_in_ : int
        Always 1, the column of cells.

    n_features_out_ : int
        Number of columns, 88, and with `parts` six for each part and one more.

    See Also
    --------
    MFCC : Timbre in more detail, also as a sequence; nothing about pitch.
    LogMel : Bands for encoders that learn by themselves what matters.

    Notes
    -----
    What a cell may be, and how it is read, stands in the notes of `LogMel`.

    Every 10 ms a window of 60 ms (bell-shaped, standard deviation 0.4 of its half length) gives
    pitch, harmonics-to-noise ratio and harmonics, and one of 20 ms (Hamming) that begins with it
    gives loudness, spectrum and formants. A clip shorter than 60 ms counts as followed by
    silence. Names end in `_sma3` (means over three frames) or `_sma3nz` (over those of three
    frames in which the voice has a pitch), and in the functional:

    - F0semitoneFrom27.5Hz: pitch by subharmonic summation [2]_ and dynamic programming.
      loudness: sum of 26 bands weighted and compressed as by the ear. Of both: mean,
      coefficient of variation (stddevNorm), percentiles and their range, mean and deviation of
      slopes between the points where they turn by more than a tenth of their range (per second).
    - jitterLocal, shimmerLocaldB: differences of neighbouring periods in length (relative) and
      height (dB). HNRdBACF: harmonics-to-noise ratio in dB, from the autocorrelation.
    - logRelF0-H1-H2, logRelF0-H1-A3: the first harmonic over the second, and over the highest
      around the third formant, in dB. As in openSMILE, harmonics count from 0, the pitch itself.
    - F1, F2, F3: frequency and bandwidth in Hz of the formants, by linear prediction, and the
      harmonic at them relative to the pitch's, in dB, -201 dB in frames without pitch.
    - alphaRatio (1-5 kHz over 50-1000 Hz) and hammarbergIndex (peak up to 2 kHz over that of
      2-5 kHz) in dB, slopes of the spectrum in dB per Hz, spectralFlux, mfcc1 to mfcc4: in
      frames with pitch (V), without (UV), or all.
    - loudness peaks and voiced segments per second, lengths of voiced and unvoiced segments in
      seconds, equivalent sound level in dB relative to full scale.
    - With `parts`, mean and deviation in each of pitch (over frames without one a straight line
      runs from neighbour to neighbour), HNRdBACF (0 there) and the logarithm of loudness; and
      logDurationSec, the logarithm of the clip's seconds.

    What is undefined is NaN, an ordinary missing value that estimators here fill with the mean:
    what rests on frames with pitch where there are none, such as in silence, and what rests on
    frames without pitch where all have one. How close the numbers come to those of openSMILE is
    measured in ``benchmarks/extraction.py``. Loudness has another unit; slopes of the spectrum are
    those of the fitted line and do not change with the recording's level. All but
    loudness, its slopes, the flux and the sound level are independent of that level.

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

    _libraries = ("numpy", "scipy", "soundfile", "av")
    _parameter_constraints: dict = {
        **BaseExtractor._parameter_constraints,
        "sample_rate": [Interval(Integral, 11_000, 192_000, closed="both")],
        "f0_min": [Interval(Real, 40, None, closed="left")],
        "f0_max": [Interval(Real, 0, None, closed="neither")],
        "parts": [Interval(Integral, 0, None, closed="left")],
        "max_seconds": [Interval(Real, 0, None, closed="neither")],
    }

    def __init__(
        self,
        sample_rate=16000,
        *,
        f0_min=55.0,
        f0_max=1000.0,
        parts=0,
        max_seconds=600.0,
        on_error="raise",
        batch_size=32,
        n_jobs=None,
    ):
        self.sample_rate = sample_rate
        self.f0_min = f0_min
        self.f0_max = f0_max
        self.parts = parts
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
        """Cut a batch where the spectra of its clips would fill the memory."""
        frames = np.cumsum([len(samples) for samples in loaded]) // self._n_samples(_HOP)
        edges = np.flatnonzero(np.diff(frames // _GROUP_FRAMES)) + 1
        starts, stops = [0, *edges.tolist()], [*edges.tolist(), len(loaded)]
        return [slice(*edge) for edge in zip(starts, stops, strict=True)]

    def _describe(self, loaded):
        """Turn clips into rows of features."""
        heard = [self._listen(samples) for samples in loaded]
        pitches, scores, correlations, energies, magnitudes = zip(*heard, strict=True)
        paths = voice.track(pitches, scores, energies)
        f0 = [_along(*clip) for clip in zip(paths, pitches, strict=True)]  # 0 where unvoiced
        correlations = [_along(*clip) for clip in zip(paths, correlations, strict=True)]
        unsteadiness = jitter_and_shimmer(
            loaded,
            f0,
            sample_rate=self.sample_rate,
            n_samples=self._n_samples(_LONG),
            hop_length=self._n_samples(_HOP),
        )
        clips = zip(loaded, f0, correlations, magnitudes, unsteadiness, strict=True)
        return np.array([self._summarize(*clip) for clip in clips])

    def _listen(self, samples):
        """Find the pitch candidates of all frames of a clip."""
        frames = self._frames(samples, _LONG)
        heard = [
            voice.candidates(
                frames[chunk],
                sample_rate=self.sample_rate,
                f0_min=self.f0_min,
                f0_max=self.f0_max,
            )
            for chunk in _chunks(len(frames))
        ]
        return [np.concatenate(parts) for parts in zip(*heard, strict=True)]

    def _frames(self, samples, seconds):
        """Cut a clip into a view of windows (T, n_samples); as many of each length."""
        longest, hop = self._n_samples(_LONG), self._n_samples(_HOP)
        if len(samples) < longest:
            samples = np.pad(samples, (0, longest - len(samples)))
        n_frames = 1 + (len(samples) - longest) // hop
        return sliding_window_view(samples, self._n_samples(seconds))[::hop][:n_frames]

    def _n_samples(self, seconds):
        return round(seconds * self.sample_rate)

    def _summarize(self, samples, f0, correlation, magnitude, unsteadiness):
        """Turn a clip and what is known of its periods, frame by frame, into its features."""
        voiced = f0 > 0
        semitones = np.where(voiced, 12 * np.log2(np.where(voiced, f0, 1) / _REFERENCE_HZ), 0)
        semitones = functionals.smooth_nonzero(semitones)
        shape = self._shape(samples)
        loudness, shape = shape[:, 0], shape[:, 1:]
        hnr = np.where(voiced, voice.harmonics_to_noise(correlation), 0)
        described = [
            *shape.T[4:],
            *self._voice(samples, f0, magnitude, unsteadiness, hnr),
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
            *self._melody(samples, semitones, hnr, loudness),
        ]

    def _melody(self, samples, semitones, hnr, loudness):
        """Follow the voice through the parts of a clip."""
        if not self.parts:
            return []
        loudness = np.log(np.maximum(loudness, _SOFTEST))
        curves = np.column_stack([functionals.bridge(semitones), hnr, loudness])
        length = np.log(len(samples) / self.sample_rate)
        return [*functionals.of_parts(curves, self.parts), length]

    def _shape(self, samples):
        """Give loudness and the shape of the spectrum, smoothed, (T, 10)."""
        frames = self._frames(samples, _SHORT)
        parts = [
            timbre.describe(frames, chunk, sample_rate=self.sample_rate)
            for chunk in _chunks(len(frames))
        ]
        return functionals.smooth(np.concatenate(parts))

    def _voice(self, samples, f0, magnitude, unsteadiness, hnr):
        """Give the values of each descriptor in `_VOICE` in the frames where it is defined."""
        tract = np.zeros((len(f0), 11))
        tract[:, 4::3] = formants.FLOOR_DB
        frames = self._frames(samples, _SHORT)
        voiced = np.flatnonzero(f0)
        for chunk in _chunks(len(voiced)):
            rows = voiced[chunk]
            tract[rows] = self._tract(frames[rows], magnitude[rows], f0[rows])
        described = np.column_stack([unsteadiness, hnr, tract])
        smoothed = functionals.smooth_nonzero(described)
        smoothed[:, 7::3] = functionals.smooth(described[:, 7::3])
        return [values[values != 0] if len(voiced) else values[:0] for values in smoothed.T]

    def _tract(self, frames, magnitude, f0):
        """Describe harmonics and formants of voiced frames, (frames, 11)."""
        rate = self.sample_rate
        frequency, bandwidth = formants.formants(frames, sample_rate=rate)
        relations, amplitude = formants.harmonics(magnitude, f0, frequency, sample_rate=rate)
        of_formants = np.stack([frequency, bandwidth, amplitude], axis=2)  # (frames, 3, 3)
        return np.column_stack([relations, of_formants.reshape(len(f0), 9)])

    def _feature_names(self):
        if not 2 * self.f0_min <= self.f0_max <= self.sample_rate / 8:
            raise ValueError(
                "AcousticFunctionals needs 2 * f0_min <= f0_max <= sample_rate / 8 (Hz); got "
                f"f0_min={self.f0_min}, f0_max={self.f0_max}, sample_rate={self.sample_rate}."
            )
        return _names(self.parts)


def _along(path, values):
    """Take the values (T, Q) of the chosen candidates; 0 where the path is unvoiced."""
    inside = np.minimum(path, values.shape[1] - 1)
    chosen = np.take_along_axis(values, inside[:, None], axis=1)[:, 0]
    return np.where(path < values.shape[1], chosen, 0)


def _chunks(n_frames):
    return [slice(i, i + _CHUNK_FRAMES) for i in range(0, n_frames, _CHUNK_FRAMES)]
