"""Mel-frequency cepstral coefficients and their time derivatives."""

from numbers import Integral

from sklearn_mmsent.blocks import numbered_names
from sklearn_mmsent.feature_extraction._base import BaseExtractor
from sklearn_mmsent.feature_extraction.audio._base import MelExtractor
from sklearn_mmsent.feature_extraction.audio.log_mel import LogMel
from sklearn_mmsent.utils._documentation import document_shared_parameters
from sklearn_mmsent.utils._sklearn import Interval


@document_shared_parameters(BaseExtractor, LogMel)
class MFCC(MelExtractor):
    """Mel-frequency cepstral coefficients, as statistics over time or as a sequence.

    The discrete cosine transform of the bands of `LogMel`: the first coefficients describe the
    coarse spectral shape, which carries vocal timbre.

    Parameters that are not listed here are those of :class:`LogMel`.

    Parameters
    ----------
    n_mfcc : int, default=20
        Number of coefficients, at most `n_mels`. Coefficient 0 represents loudness.
    deltas : {0, 1, 2}, default=1
        Highest order of the time derivatives to append, from local polynomial fits over 9 frames
        (or over the whole clip if it is shorter). 0 appends none.

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
