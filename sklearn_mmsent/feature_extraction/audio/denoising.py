"""Sounds with less of the noise that goes on behind them."""

from numbers import Integral, Real

import numpy as np
from scipy.ndimage import convolve1d
from scipy.signal import ShortTimeFFT
from scipy.signal.windows import hann

from sklearn_mmsent.feature_extraction._cell_transformer import CellTransformer
from sklearn_mmsent.feature_extraction.audio.io import read_audio
from sklearn_mmsent.utils._sklearn import Interval

_FEWEST_FRAMES = 32  # below them noise and sound cannot be told apart
_SILENT = 1e-10  # power under the loudest frame's; -100 dB


class AudioDenoiser(CellTransformer):
    """Take steady noise out of sounds: hiss, hum, fans, a far motorway.

    From a column of sounds to a column of sounds: stands before any extractor of sounds in a
    pipeline, after an `AudioCleaner` if there is one. What the noise is, is estimated from each
    clip by itself: nothing is learnt, and what is missing stays missing.

    Parameters
    ----------
    sample_rate : int, default=16000
        Rate in Hz that every sound is brought to, and the rate of arrays that come without one.

    reduction_db : float, default=20.0
        By how many dB what counts as noise is lowered. More sounds emptier and harms more where
        sound was taken for noise; 0 changes nothing.

    threshold_db : float, default=5.0
        By how many dB a frequency has to stand over its noise to be kept.

    noise_quantile : float, default=0.25
        Quantile over time of each frequency's power from which its noise is estimated. It is the
        share of the clip that has to be free of other sound at that frequency.

    smooth_hz : float, default=30.0
        How far in Hz the gate of a frequency opens with that of its neighbours. 0: not at all.

    smooth_seconds : float, default=0.016
        How long before and after what is kept the gate opens and closes. 0: at once.

    n_fft : int, default=512
        Length of the window (Hann) and of the Fourier transform in samples; windows are a quarter
        of it apart.

    max_seconds : float, default=600.0
        Longest sound that is read, in seconds; a longer one is an error and not cut silently.

    on_error : {"raise", "missing"}, default="raise"
        For a cell that cannot be used: raise a `CellError`, or count it as missing and warn
        once with the number.

    Attributes
    ----------
    n_features_in_ : int
        Always 1, the column of cells.

    See Also
    --------
    AudioCleaner : Brings sounds to one level and cuts off the silence around them.

    Notes
    -----
    What a cell may be, and how it is read, stands in the notes of `LogMel`. What comes out is a
    tuple of an array of shape (n_samples,), float32, and its rate in Hz, which every extractor of
    sounds takes. No sample is shifted.

    A spectral gate, as in noisereduce [1]_, with three differences. The noise of a frequency is
    estimated by a low quantile of its power [2]_, scaled to the mean that white noise with this
    quantile has, and not by the mean over the whole clip, which speech raises. Powers are averaged
    over 3 times 3 neighbours in time and frequency before they are compared, so that fewer single
    points of noise pass. And the gate opens less far around what it keeps.

    Frames of digital silence do not count in the estimate. Clips of less than about 32 windows
    (a quarter of a second by default) stay as they are, and so does what changes within a clip
    faster than speech pauses; a tone that lasts the whole clip is noise.

    References
    ----------
    .. [1] T. Sainburg and A. Zorea, "Noisereduce: Domain general noise reduction for time series
       signals", Scientific Reports 15, 2025.
    .. [2] V. Stahl, A. Fischer and R. Bippus, "Quantile based noise estimation for spectral
       subtraction and Wiener filtering", ICASSP, 2000.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_mmsent.feature_extraction.audio import AudioDenoiser
    >>> time = np.arange(16000) / 16000
    >>> tone = np.where(time < 0.5, np.sin(2 * np.pi * 500 * time), 0)
    >>> hiss = 0.1 * np.random.default_rng(0).standard_normal(16000)
    >>> [(samples, rate)] = AudioDenoiser().fit_transform([tone + hiss])
    >>> [float(np.std(noise).round(3)) for noise in (hiss, samples - tone)]
    [0.1, 0.019]
    """

    _parameter_constraints: dict = {
        **CellTransformer._parameter_constraints,
        "sample_rate": [Interval(Integral, 1_000, 1_000_000, closed="both")],
        "reduction_db": [Interval(Real, 0, None, closed="left")],
        "threshold_db": [Interval(Real, 0, None, closed="left")],
        "noise_quantile": [Interval(Real, 0, 1, closed="neither")],
        "smooth_hz": [Interval(Real, 0, None, closed="left")],
        "smooth_seconds": [Interval(Real, 0, None, closed="left")],
        "n_fft": [Interval(Integral, 16, None, closed="left")],
        "max_seconds": [Interval(Real, 0, None, closed="neither")],
    }

    def __init__(
        self,
        sample_rate=16000,
        *,
        reduction_db=20.0,
        threshold_db=5.0,
        noise_quantile=0.25,
        smooth_hz=30.0,
        smooth_seconds=0.016,
        n_fft=512,
        max_seconds=600.0,
        on_error="raise",
    ):
        self.sample_rate = sample_rate
        self.reduction_db = reduction_db
        self.threshold_db = threshold_db
        self.noise_quantile = noise_quantile
        self.smooth_hz = smooth_hz
        self.smooth_seconds = smooth_seconds
        self.n_fft = n_fft
        self.max_seconds = max_seconds
        self.on_error = on_error

    def _convert(self, cell):
        samples = read_audio(
            cell, sample_rate=self.sample_rate, max_seconds=self.max_seconds, owner="AudioDenoiser"
        )
        return self._denoise(samples), self.sample_rate

    def _denoise(self, samples):
        hop = self.n_fft // 4
        if len(samples) < _FEWEST_FRAMES * hop:
            return samples.copy()
        window = hann(self.n_fft, sym=False)
        transform = ShortTimeFFT(window, hop, self.sample_rate)
        spectrum = transform.stft(samples)  # (frequencies, frames)
        powers = spectrum.real**2 + spectrum.imag**2
        loudness = powers.sum(axis=0)
        heard = loudness > _SILENT * loudness.max()
        if heard.sum() < _FEWEST_FRAMES:
            return samples.copy()
        noise = self._noise(powers[:, heard])
        spectrum *= self._gains(powers, noise, hop)
        return transform.istft(spectrum, k1=len(samples)).astype(np.float32)

    def _noise(self, powers):
        """Estimate the mean power of the noise at each frequency, (frequencies, 1)."""
        quantiles = np.quantile(powers, self.noise_quantile, axis=1, keepdims=True)
        return quantiles / -np.log1p(-self.noise_quantile)  # white noise: powers are exponential

    def _gains(self, powers, noise, hop):
        """Give the factor of each point: 1 where sound stands over the noise, less elsewhere."""
        for axis in (0, 1):
            powers = convolve1d(powers, np.ones(3) / 3, axis=axis, mode="nearest")
        gate = (powers > 10 ** (self.threshold_db / 10) * noise).astype(np.float32)
        reach = (self.smooth_hz * self.n_fft, self.smooth_seconds * self.sample_rate)
        for axis, (distance, unit) in enumerate(zip(reach, (self.sample_rate, hop), strict=True)):
            triangle = np.bartlett(2 * round(distance / unit) + 3)[1:-1]
            gate = convolve1d(gate, triangle / triangle.sum(), axis=axis, mode="nearest")
        floor = 10 ** (-self.reduction_db / 20)
        return floor + (1 - floor) * gate
