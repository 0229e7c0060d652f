"""Audio normalisation: sampling rate, channels, level, silence."""

from numbers import Integral, Real

import numpy as np
from scipy.signal import butter, sosfiltfilt

from sklearn_mmsent.feature_extraction._cell_transformer import CellTransformer
from sklearn_mmsent.feature_extraction.audio.io import read_audio
from sklearn_mmsent.utils._documentation import document_shared_parameters
from sklearn_mmsent.utils._sklearn import Interval, StrOptions

_FRAME, _HOP = 2048, 512  # samples, as in `librosa.effects.trim`
_SILENCE = 1e-5  # amplitude; -100 dB of full scale


@document_shared_parameters(CellTransformer)
class AudioCleaner(CellTransformer):
    """Normalise audio clips: resample, mix to mono, filter, trim silence and set the level.

    Maps a column of audio clips to a column of audio clips; place it before an audio extractor
    in a pipeline. Nothing is learned in fit. Missing cells stay missing.

    Parameters
    ----------
    sample_rate : int, default=16000
        Sampling rate in Hz to resample to, also assumed for arrays without a rate.
    high_pass : float or None, default=20.0
        Cutoff of the high-pass filter in Hz, which removes offset, rumble and wind. None disables
        it.
    trim_db : float or None, default=40.0
        Leading and trailing silence is trimmed: everything more than `trim_db` dB below the
        loudest frame. Pauses inside the clip are kept. None disables trimming.
    level : {"rms", "peak"} or None, default="rms"
        Measure that is set to `level_db`: ``"rms"``, the root mean square of the clip, which is
        close to perceived loudness, or ``"peak"``, the largest absolute sample. None keeps the
        level, which is informative if all clips come from one microphone.
    level_db : float, default=-20.0
        Target level in dB relative to full scale (an amplitude of 1).
    max_seconds : float, default=600.0
        Maximum duration in seconds; a longer clip is an error and never silently truncated.

    See Also
    --------
    AudioDenoiser : Reduces background noise.
    make_extractor : Accepts a pipeline of a cleaner and an extractor for a modality.

    Notes
    -----
    See the Notes of `LogMel` for supported audio cells. The output is a tuple of a float32 array
    of shape (n_samples,) and its rate in Hz, which every audio extractor accepts.

    Steps are applied in the order of the parameters. The filter is a second-order zero-phase
    Butterworth filter. Trimming follows ``librosa.effects.trim`` [1]_. A silent clip is kept
    whole.

    Clips below -100 dB keep their level. Samples are not clipped: with ``level="rms"`` peaks may
    exceed full scale, which extractors accept but integer file formats do not. Use
    ``level="peak"`` for these.

    References
    ----------
    .. [1] B. McFee et al., "librosa: Audio and music signal analysis in Python", SciPy, 2015.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_mmsent.feature_extraction.audio import AudioCleaner
    >>> tone = 0.01 * np.sin(2 * np.pi * 300 * np.arange(8000) / 8000)
    >>> clip = np.concatenate([np.zeros(8000), tone, np.zeros(8000)])  # 3 s at 8 kHz
    >>> [(samples, rate)] = AudioCleaner(level="peak", level_db=-6).fit_transform([(clip, 8000)])
    >>> print(rate, round(len(samples) / rate, 1), abs(samples).max().round(2))
    16000 1.1 0.5
    """

    modality = "audio"

    _parameter_constraints: dict = {
        **CellTransformer._parameter_constraints,
        "sample_rate": [Interval(Integral, 1_000, 1_000_000, closed="both")],
        "high_pass": [Interval(Real, 0, None, closed="neither"), None],
        "trim_db": [Interval(Real, 0, None, closed="neither"), None],
        "level": [StrOptions({"rms", "peak"}), None],
        "level_db": [Interval(Real, -100, 100, closed="both")],
        "max_seconds": [Interval(Real, 0, None, closed="neither")],
    }

    def __init__(
        self,
        sample_rate=16000,
        *,
        high_pass=20.0,
        trim_db=40.0,
        level="rms",
        level_db=-20.0,
        max_seconds=600.0,
        on_error="raise",
    ):
        self.sample_rate = sample_rate
        self.high_pass = high_pass
        self.trim_db = trim_db
        self.level = level
        self.level_db = level_db
        self.max_seconds = max_seconds
        self.on_error = on_error

    def _validate_params(self):
        super()._validate_params()
        if self.high_pass is not None and self.high_pass >= self.sample_rate / 2:
            raise ValueError(
                f"AudioCleaner needs high_pass < sample_rate / 2 (Hz); got "
                f"high_pass={self.high_pass}, sample_rate={self.sample_rate}."
            )

    def _convert(self, cell):
        samples = read_audio(
            cell, sample_rate=self.sample_rate, max_seconds=self.max_seconds, owner="AudioCleaner"
        )
        if self.high_pass is not None:
            samples = _high_pass(samples, self.high_pass, self.sample_rate)
        if self.trim_db is not None:
            samples = samples[_loud_slice(samples, self.trim_db)]
        gain = self._gain(samples)
        return (samples * gain).astype(np.float32), self.sample_rate

    def _gain(self, samples):
        if self.level is None:
            return 1.0
        magnitudes = np.abs(samples.astype(float))
        level = magnitudes.max() if self.level == "peak" else np.sqrt(np.mean(magnitudes**2))
        return 10 ** (self.level_db / 20) / level if level > _SILENCE else 1.0


def _high_pass(samples, cutoff, sample_rate):
    sections = butter(2, cutoff, "highpass", fs=sample_rate, output="sos")
    # the clip is mirrored at its ends by half a period, if it is long enough
    pad = min(len(samples) - 1, int(sample_rate / cutoff / 2))
    return sosfiltfilt(sections, samples, padlen=pad)


def _loud_slice(samples, trim_db):
    """Return the slice from the first to the last frame above the threshold."""
    # sums of squares of all frames, (n_frames,), from one cumulative sum
    energy = np.concatenate([[0.0], np.cumsum(np.square(samples, dtype=float))])
    centres = np.arange(0, len(samples) + 1, _HOP)
    first = np.maximum(centres - _FRAME // 2, 0)
    last = np.minimum(centres + _FRAME // 2, len(samples))
    powers = np.maximum((energy[last] - energy[first]) / _FRAME, _SILENCE**2)
    loud = np.flatnonzero(10 * np.log10(powers / powers.max()) > -trim_db)
    return slice(loud[0] * _HOP, (loud[-1] + 1) * _HOP)
