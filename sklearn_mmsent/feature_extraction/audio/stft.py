"""Magnitudes of the short-time Fourier transform."""

import math

from sklearn_mmsent.blocks import numbered_names
from sklearn_mmsent.feature_extraction.audio._base import SpectralExtractor
from sklearn_mmsent.utils._sklearn import StrOptions


class STFT(SpectralExtractor):
    """Magnitude spectrogram of sounds, as statistics over time or as a sequence.

    The short-time Fourier transform without its phases: every frequency for itself, evenly
    spaced, where `LogMel` sums them into few bands. Clips are computed many at once in torch;
    each gets the numbers that librosa gives for it alone.

    Parameters
    ----------
    sample_rate : int, default=16000
        Rate in Hz that every sound is brought to, and the rate of arrays that come without one.

    scale : {"magnitude", "power", "db"}, default="magnitude"
        ``"magnitude"``: absolute values. ``"power"``: their squares. ``"db"``: the latter in
        decibels, 10 times their decimal logarithm.

    n_fft : int, default=512
        Length of the window (Hann) and of the Fourier transform in samples. Frequencies lie
        ``sample_rate / n_fft`` apart, by default 31.25 Hz; there are ``n_fft // 2 + 1`` of them.

    hop_length : int, default=160
        Samples from one frame to the next.

    fmin : float, default=0.0
        Lowest frequency that is kept, in Hz.

    fmax : float or None, default=None
        Highest frequency that is kept, in Hz; None means half of `sample_rate`.

    ref : float or "max", default=1.0
        With ``scale="db"``, the power that counts as 0 dB; ``"max"`` takes the largest of the
        clip's frequencies that are kept, which makes the numbers independent of how loud the
        recording is.

    amin : float, default=1e-10
        With ``scale="db"``, the smallest power that is told apart from silence.

    top_db : float or None, default=80.0
        With ``scale="db"``, the range: what lies further than this under the clip's largest
        value is raised to there. None leaves all as it is.

    pooling : {"stats"} or None, default="stats"
        ``"stats"``: a flat block, each frequency summarised over the clip's frames. None: a
        sequence block of `max_steps` steps; steps after the clip's end are NaN, which is
        padding.

    statistics : sequence of str, default=("mean", "std", "min", "max")
        What ``pooling="stats"`` takes: "mean", "std", "min", "max", and percentiles from "p00"
        to "p99".

    parts : int, default=1
        With ``pooling="stats"``, the parts of equal length that a clip is cut into, each of which
        is summarised by itself: what changes on the way from its beginning to its end. Sounds
        should have no silence around them, which `AudioCleaner` cuts off.

    frames_per_step : int, default=10
        With ``pooling=None``, the neighbouring frames that are averaged into one step (the last
        step averages those that are left). By default a step lasts 0.1 s.

    max_steps : int, default=100
        With ``pooling=None``, the number of steps that the table has room for.

    long_clips : {"crop", "squeeze"}, default="crop"
        With ``pooling=None``, what happens to clips of more than `max_steps` steps: ``"crop"``
        cuts off their end; ``"squeeze"`` keeps all of them and averages more frames into each
        of their steps, just as many as are needed to fit.

    max_seconds : float, default=600.0
        Longest sound that is read, in seconds; a longer one is an error and not cut silently.

    device : str, default="auto"
        "cpu", "cuda", "cuda:1" and so on; "auto" takes a GPU if there is one.

    on_error : {"raise", "missing"}, default="raise"
        For a cell that cannot be used: raise a `CellError`, or count it as missing and warn
        once with the number.

    batch_size : int, default=32
        Sounds that are held in memory and computed at a time.

    n_jobs : int or None, default=None
        Processes that work on batches at the same time; None means one.

    Attributes
    ----------
    n_features_in_ : int
        Always 1, the column of cells.

    n_features_out_ : int
        Number of columns.

    See Also
    --------
    LogMel : A quarter of the columns by default, with detail where the ear has it.
    MFCC : Fewer numbers that are nearly uncorrelated, better for small data and simple models.

    Notes
    -----
    What a cell may be, and how it is read, stands in the notes of `LogMel`. Frames are centred,
    with zeros around the clip, and equal to ``numpy.abs(librosa.stft(...))`` [1]_, or to
    ``librosa.power_to_db`` of their squares.

    The number in a column's name is that of the frequency in the whole transform: ``stft032`` is
    ``32 * sample_rate / n_fft`` Hz, also where `fmin` leaves lower ones out.

    As a sequence it is wide: the defaults make 25,700 columns. `fmax`, a smaller `n_fft` and
    fewer steps lower their number.

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
        parts=1,
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
        self.parts = parts
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
        """Give the numbers of the frequencies from fmin to fmax, both included."""
        spacing = self.sample_rate / self.n_fft
        # an edge that is meant to lie on a frequency may miss it by a rounding error
        lowest = math.ceil(self.fmin / spacing - 1e-9)
        highest = math.floor(self._highest() / spacing + 1e-9)
        return range(lowest, highest + 1)

    def _check_settings(self):
        super()._check_settings()
        if not len(self._kept()):
            raise ValueError(
                f"STFT has no frequency from fmin={self.fmin} to fmax={self.fmax} Hz: with "
                f"n_fft={self.n_fft} they lie {self.sample_rate / self.n_fft:g} Hz apart. Widen "
                "the range or raise n_fft."
            )
