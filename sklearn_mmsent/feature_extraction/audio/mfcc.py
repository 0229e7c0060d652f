"""Mel-frequency cepstral coefficients and their time derivatives."""

from numbers import Integral

from sklearn_mmsent.blocks import numbered_names
from sklearn_mmsent.feature_extraction.audio._base import MelExtractor
from sklearn_mmsent.utils._sklearn import Interval


class MFCC(MelExtractor):
    """Mel-frequency cepstral coefficients, as statistics over time or as a sequence.

    The discrete cosine transform of the bands of `LogMel`: the first coefficients describe the
    coarse spectral shape, which carries vocal timbre.

    Parameters
    ----------
    n_mfcc : int, default=20
        Number of coefficients, at most `n_mels`. Coefficient 0 represents loudness.
    deltas : {0, 1, 2}, default=1
        Highest order of the time derivatives to append, from local polynomial fits over 9 frames
        (or over the whole clip if it is shorter). 0 appends none.
    sample_rate : int, default=16000
        Sampling rate in Hz to resample to, also assumed for arrays without a rate.
    n_mels : int, default=64
        Number of mel bands from which the coefficients are computed.
    n_fft : int, default=512
        Window length (Hann) and FFT size in samples.
    hop_length : int, default=160
        Number of samples between successive frames.
    fmin : float, default=0.0
        Lower edge of the lowest band in Hz.
    fmax : float or None, default=None
        Upper edge of the highest band in Hz; None means `sample_rate` / 2.
    ref : float or "max", default=1.0
        Power that corresponds to 0 dB; see `LogMel`.
    amin : float, default=1e-10
        Lower limit of power; see `LogMel`.
    top_db : float or None, default=80.0
        Dynamic range in dB; see `LogMel`.
    pooling : {"stats"} or None, default="stats"
        ``"stats"``: a flat block, each coefficient summarised over the clip's frames. None: a
        sequence block of `max_steps` steps; steps after the clip's end are NaN, which is
        padding.
    statistics : sequence of str, default=("mean", "std", "min", "max")
        Statistics for ``pooling="stats"``; see `LogMel`.
    n_segments : int, default=1
        With ``pooling="stats"``, number of segments of a clip; see `LogMel`.
    frames_per_step : int, default=10
        With ``pooling=None``, number of frames averaged per step; see `LogMel`.
    max_steps : int, default=100
        With ``pooling=None``, number of time steps in the sequence block.
    long_clips : {"crop", "squeeze"}, default="crop"
        With ``pooling=None``, how to handle longer clips; see `LogMel`.
    max_seconds : float, default=600.0
        Maximum duration in seconds; a longer clip is an error and never silently truncated.
    device : str, default="auto"
        Device such as "cpu", "cuda" or "cuda:1"; "auto" uses a GPU if available.
    on_error : {"raise", "missing"}, default="raise"
        How to handle a cell that cannot be used: raise a `CellError`, or treat it as missing and
        warn once with the count.
    batch_size : int, default=32
        Number of clips loaded and processed at a time.
    n_jobs : int or None, default=None
        Number of batches processed in parallel; None means 1.

    Attributes
    ----------
    n_features_in_ : int
        Always 1, the column of cells.
    n_features_out_ : int
        Number of output columns.

    See Also
    --------
    LogMel : The bands themselves, for encoders that learn which of them matter.

    Notes
    -----
    See the Notes of `LogMel` for supported audio cells. The coefficients [1]_ equal those of
    librosa (orthonormal DCT-II, no liftering).

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
        self.n_segments = n_segments
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
