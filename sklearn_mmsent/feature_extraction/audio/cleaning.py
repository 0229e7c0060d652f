"""Sounds made alike: one rate, one channel, one level, no silence around them."""

from numbers import Integral, Real

import numpy as np
from scipy.signal import butter, sosfiltfilt

from sklearn_mmsent.feature_extraction._cell_transformer import CellTransformer
from sklearn_mmsent.feature_extraction.audio.io import read_audio
from sklearn_mmsent.utils._sklearn import Interval, StrOptions

_FRAME, _HOP = 2048, 512  # samples, as `librosa.effects.trim` has them
_SILENT = 1e-5  # amplitude; -100 dB of full scale


class AudioCleaner(CellTransformer):
    """Bring sounds to one rate, one channel and one level, and cut off the silence around them.

    From a column of sounds to a column of sounds: stands before any extractor of sounds in a
    pipeline. It learns nothing, and what is missing stays missing.

    Parameters
    ----------
    sample_rate : int, default=16000
        Rate in Hz that every sound is brought to, and the rate of arrays that come without one.

    high_pass : float or None, default=20.0
        Frequency in Hz below which sound is taken out: offsets of the zero line, rumble, wind.
        None takes nothing out.

    trim_db : float or None, default=40.0
        What lies more than so many dB under the clip's loudest frame is cut off at its start and
        its end; pauses inside stay. None cuts nothing.

    level : {"rms", "peak"} or None, default="rms"
        What is brought to `level_db`: ``"rms"``, the root of the mean square over the clip, which
        is close to how loud it sounds; ``"peak"``, the largest sample. None leaves the level as
        it is, which tells about mood where all clips come from one microphone.

    level_db : float, default=-20.0
        In dB of full scale: 0 is an amplitude of 1.

    max_seconds : float, default=600.0
        Longest sound that is read, in seconds; a longer one is an error and not cut silently.

    on_error : {"raise", "missing"}, default="raise"
        once with the number.

    Attributes
    ----------
    n_features_in_ : int
        Always 1, the column of cells.

    See Also
    --------
    AudioDenoiser : Takes noise out of what is left.
    make_extractor : Takes a pipeline of a cleaner and an extractor for a modality.

    Notes
    -----
    What a cell may be, and how it is read, stands in the notes of `LogMel`. What comes out is a
    tuple of an array of shape (n_samples,), float32, and its rate in Hz, which every extractor of
    sounds takes.

    The steps are taken in the order of the parameters. The filter is a Butterworth one of second
    order that runs forwards and backwards, so that it shifts nothing in time. Trimming is that of
    ``librosa.effects.trim`` [1]_. A clip that is silent from end to end is kept whole: it has no
    loudest frame to measure others by.

    Silence, by which anything under -100 dB is meant, keeps its level. Nothing is clipped: with
    ``level="rms"`` a sound of few, high peaks may exceed full scale, which extractors do not mind
    and files of integers do. For these take ``level="peak"``.

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

    def fit(self, X, y=None):
        """Check the parameters; nothing is learnt.

        Parameters
        ----------
        X : Series, one-column DataFrame, ndarray or list of shape (n_samples,)
            Raw cells; None, NaN and empty ones are missing.
        y : ignored
            Present for scikit-learn's pipelines.

        Returns
        -------
        self : object
            The fitted transformer.
        """
        super().fit(X, y)
        if self.high_pass is not None and self.high_pass >= self.sample_rate / 2:
            raise ValueError(
                f"AudioCleaner needs high_pass < sample_rate / 2 (Hz); got "
                f"high_pass={self.high_pass}, sample_rate={self.sample_rate}."
            )
        return self

    def _convert(self, cell):
        samples = read_audio(
            cell, sample_rate=self.sample_rate, max_seconds=self.max_seconds, owner="AudioCleaner"
        )
        if self.high_pass is not None:
            samples = _without_lows(samples, self.high_pass, self.sample_rate)
        if self.trim_db is not None:
            samples = samples[_loud_part(samples, self.trim_db)]
        gain = self._gain(samples)
        return (samples * gain).astype(np.float32), self.sample_rate

    def _gain(self, samples):
        if self.level is None:
            return 1.0
        magnitudes = np.abs(samples.astype(float))
        level = magnitudes.max() if self.level == "peak" else np.sqrt(np.mean(magnitudes**2))
        return 10 ** (self.level_db / 20) / level if level > _SILENT else 1.0


def _without_lows(samples, cutoff, sample_rate):
    sections = butter(2, cutoff, "highpass", fs=sample_rate, output="sos")
    # at the ends the filter sees a mirrored copy of the clip: half a period, if there is as much
    pad = min(len(samples) - 1, int(sample_rate / cutoff / 2))
    return sosfiltfilt(sections, samples, padlen=pad)


def _loud_part(samples, trim_db):
    """Give the slice from the first frame to the last that is loud enough."""
    # sums of squares of all frames, (n_frames,), from one running sum
    energy = np.concatenate([[0.0], np.cumsum(np.square(samples, dtype=float))])
    centres = np.arange(0, len(samples) + 1, _HOP)
    first = np.maximum(centres - _FRAME // 2, 0)
    last = np.minimum(centres + _FRAME // 2, len(samples))
    powers = np.maximum((energy[last] - energy[first]) / _FRAME, _SILENT**2)
    loud = np.flatnonzero(10 * np.log10(powers / powers.max()) > -trim_db)
    return slice(loud[0] * _HOP, (loud[-1] + 1) * _HOP)
