"""Short-time Fourier transform magnitudes."""

import math

from sklearn_mmsent.blocks import numbered_names
from sklearn_mmsent.feature_extraction._base import BaseExtractor
from sklearn_mmsent.feature_extraction.audio._base import SpectralExtractor
from sklearn_mmsent.feature_extraction.audio.log_mel import LogMel
from sklearn_mmsent.utils._documentation import document_shared_parameters
from sklearn_mmsent.utils._sklearn import StrOptions


@document_shared_parameters(BaseExtractor, LogMel)
class STFT(SpectralExtractor):
    """Magnitude spectrogram of audio clips, as statistics over time or as a sequence.

    The short-time Fourier transform without phase: linearly spaced frequencies, which `LogMel`
    sums into a few mel bands. Clips are computed in batches with torch; the results equal those
    of librosa for each clip.

    Parameters that are not listed here are those of :class:`LogMel`.

    Parameters
    ----------
    scale : {"magnitude", "power", "db"}, default="magnitude"
        ``"magnitude"``: absolute values. ``"power"``: squared magnitudes. ``"db"``: power in
        decibels.
    n_fft : int, default=512
        Window length (Hann) and FFT size in samples. It gives ``n_fft // 2 + 1`` frequencies
        spaced by ``sample_rate / n_fft``, 31.25 Hz by default.
    fmin : float, default=0.0
        Lowest frequency to keep, in Hz.
    fmax : float or None, default=None
        Highest frequency to keep, in Hz; None means `sample_rate` / 2.
    ref : float or "max", default=1.0
        With ``scale="db"``, power that corresponds to 0 dB; see `LogMel`.
    amin : float, default=1e-10
        With ``scale="db"``, lower limit of power; see `LogMel`.
    top_db : float or None, default=80.0
        With ``scale="db"``, dynamic range in dB; see `LogMel`.

    See Also
    --------
    LogMel : A quarter of the columns by default, on a perceptual frequency scale.
    MFCC : Fewer, nearly uncorrelated features; better for small datasets and linear models.

    Notes
    -----
    See the Notes of `LogMel` for supported audio cells. Frames are centred, clips are
    zero-padded; results equal ``numpy.abs(librosa.stft(...))`` [1]_, or
    ``librosa.power_to_db`` of its square.

    Column names carry the index of the FFT bin: ``stft032`` is ``32 * sample_rate / n_fft`` Hz,
    whatever `fmin`.

    The sequence block is wide, 25,700 columns by default. Lower `fmax`, `n_fft` or `max_steps` to
    reduce it.

    References
    ----------
    .. [1] B. McFee et al., "librosa: Audio and music signal analysis in Python", SciPy, 2015.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_mmsent.feature_extraction.audio import STFT
    >>> tone = np.sin(2 * np.pi * 500 * np.arange(16000) / 16000)
    >>> stft = STFT(n_fft=128, fmin=200, fmax=700, statistics=["mean"])
    >>> stft.fit_transform([tone]).round()
    array([[ 0.,  16.,  32.,  16.]], dtype=float32)
    >>> print(*stft.get_feature_names_out())
    stft002_mean stft003_mean stft004_mean stft005_mean
    """

    _parameter_constraints: dict = {
        **SpectralExtractor._parameter_constraints,
        "scale": [StrOptions({"magnitude", "power", "db"})],
    }

    def __init__(
        self,
        sample_rate=16000,
        *,
        scale="magnitude",
        n_fft=512,
        hop_length=160,
        fmin=0.0,
        fmax=None,
        ref=1.0,
        amin=1e-10,
        top_db=80.0,
        pooling="stats",
        statistics=("mean", "std", "min", "max"),
        n_segments=1,
        frames_per_step=10,
        max_steps=100,
        long_clips="crop",
        max_seconds=600.0,
        device="auto",
        on_error="raise",
        batch_size=32,
        n_jobs=None,
    ):
        self.sample_rate = sample_rate
        self.scale = scale
        self.n_fft = n_fft
        self.hop_length = hop_length
        self.fmin = fmin
        self.fmax = fmax
        self.ref = ref
        self.amin = amin
        self.top_db = top_db
        self.pooling = pooling
        self.statistics = statistics
        self.n_segments = n_segments
        self.frames_per_step = frames_per_step
        self.max_steps = max_steps
        self.long_clips = long_clips
        self.max_seconds = max_seconds
        self.device = device
        self.on_error = on_error
        self.batch_size = batch_size
        self.n_jobs = n_jobs

    def _bands(self, device):
        kept = self._kept()
        return slice(kept.start, kept.stop)

    def _frames(self, powers, lengths):
        from sklearn_mmsent.feature_extraction.audio import _spectral

        if self.scale == "magnitude":
            return powers.sqrt_()
        if self.scale == "power":
            return powers
        return _spectral.power_to_db(powers, ref=self.ref, amin=self.amin, top_db=self.top_db)

    def _frame_names(self):
        names = numbered_names("stft", self.n_fft // 2 + 1)
        return [names[number] for number in self._kept()]

    def _kept(self):
        """Return the indices of the FFT bins from fmin to fmax, both included."""
        spacing = self.sample_rate / self.n_fft
        # an edge that should coincide with a bin may miss it by a rounding error
        lowest = math.ceil(self.fmin / spacing - 1e-9)
        highest = math.floor(self._highest() / spacing + 1e-9)
        return range(lowest, highest + 1)

    def _check_settings(self):
        super()._check_settings()
        if not len(self._kept()):
            raise ValueError(
                f"STFT has no frequency from fmin={self.fmin} to fmax={self.fmax} Hz: with "
                f"n_fft={self.n_fft} they are {self.sample_rate / self.n_fft:g} Hz apart. Widen "
                "the range or raise n_fft."
            )
