"""Mel-frequency cepstral coefficients and their derivatives over time."""

from numbers import Integral

from sklearn_mmsent.blocks import numbered_names
from sklearn_mmsent.feature_extraction.audio._base import MelExtractor
from sklearn_mmsent.utils._sklearn import Interval


class MFCC(MelExtractor):
    """Mel-frequency cepstral coefficients of sounds, as statistics or as a sequence.

    The cosine transform of `LogMel`'s bands: the first few coefficients hold the coarse shape
    of the spectrum, which is what the voice's timbre is made of.

    Parameters
    ----------
    n_mfcc : int, default=20
        Number of coefficients, at most `n_mels`. The first, 0, is the loudness.

    deltas : {0, 1, 2}, default=1
        Derivatives over time that are added: none, the first, or the first and the second, each
        of a polynomial fitted to 9 frames (or to all of a clip that has fewer).

    sample_rate : int, default=16000
        Rate in Hz that every sound is brought to, and the rate of arrays that come without one.

    n_mels : int, default=64
        Number of bands under the coefficients.

    n_fft : int, default=512
        Length of the window (Hann) and of the Fourier transform in samples.

    hop_length : int, default=160
        Samples from one frame to the next.

    fmin : float, default=0.0
        Lower edge of the lowest band in Hz.

    fmax : float or None, default=None
        Upper edge of the highest band in Hz; None means half of `sample_rate`.

    ref : float or "max", default=1.0
        Power that counts as 0 dB; ``"max"`` takes the clip's own largest, which makes the
        numbers independent of how loud the recording is.

    amin : float, default=1e-10
        Smallest power that is told apart from silence.

    top_db : float or None, default=80.0
        Range in dB: what lies further than this under the clip's largest value is raised to
        there. None leaves all as it is.

    pooling : {"stats"} or None, default="stats"
        ``"stats"``: a flat block, each coefficient summarised over the clip's frames. None: a
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
    LogMel : The bands themselves, for encoders that learn which of them matter.

    Notes
    -----
    What a cell may be, and how it is read, stands in the notes of `LogMel`. The coefficients
    [1]_ equal librosa's (orthonormal cosine transform of type 2, no liftering).

    References
    ----------
    .. [1] S. Davis and P. Mermelstein, "Comparison of parametric representations for
       monosyllabic word recognition in continuously spoken sentences", IEEE Transactions on
       Acoustics, Speech, and Signal Processing 28(4), 1980.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_mmsent import MFCC
    >>> tone = np.sin(2 * np.pi * 300 * np.arange(8000) / 16000)
    >>> mfcc = MFCC(2, deltas=0, pooling=None, max_steps=7)
    >>> mfcc.fit_transform([tone]).reshape(7, 2)[:, 0].round()  # 0.5 s are six steps
    array([-344., -375., -375., -375., -364., -180.,   nan], dtype=float32)
    >>> print(*mfcc.get_feature_names_out()[:3])
    mfcc000@000 mfcc001@000 mfcc000@001
    """

    _parameter_constraints: dict = {
        **MelExtractor._parameter_constraints,
        "n_mfcc": [Interval(Integral, 1, None, closed="left")],
        "deltas": [Interval(Integral, 0, 2, closed="both")],
    }

    def __init__(
        self,
        n_mfcc=20,
        *,
        deltas=1,
        sample_rate=16000,
        n_mels=64,
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
        self.n_mfcc = n_mfcc
        self.deltas = deltas
        self.sample_rate = sample_rate
        self.n_mels = n_mels
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

    def _frames(self, powers, lengths):
        import torch

        from sklearn_mmsent.feature_extraction.audio import _spectral

        coefficients = _spectral.cepstrum(self._decibels(powers), self.n_mfcc)
        derivatives = [
            _spectral.deltas(coefficients, lengths, order) for order in range(1, self.deltas + 1)
        ]
        return torch.cat([coefficients, *derivatives], dim=-1)

    def _frame_names(self):
        names = numbered_names("mfcc", self.n_mfcc)
        return [
            name + kind for kind in ("", "_delta", "_delta2")[: self.deltas + 1] for name in names
        ]

    def _check_settings(self):
        super()._check_settings()
        if self.n_mfcc > self.n_mels:
            raise ValueError(
                f"MFCC cannot take n_mfcc={self.n_mfcc} coefficients from n_mels={self.n_mels} "
                "bands. Lower n_mfcc or raise n_mels."
            )
