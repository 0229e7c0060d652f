"""Noise reduction for audio clips."""

from numbers import Integral, Real

import numpy as np
from scipy.ndimage import convolve1d
from scipy.signal import ShortTimeFFT
from scipy.signal.windows import hann

from sklearn_mmsent.feature_extraction._cell_transformer import CellTransformer
from sklearn_mmsent.feature_extraction.audio.cleaning import AudioCleaner
from sklearn_mmsent.feature_extraction.audio.io import read_audio
from sklearn_mmsent.utils._documentation import document_shared_parameters
from sklearn_mmsent.utils._sklearn import Interval

_MIN_FRAMES = 32  # to estimate the noise from
_SILENCE_RATIO = 1e-10  # of the power of the loudest frame; -100 dB


@document_shared_parameters(CellTransformer, AudioCleaner)
class AudioDenoiser(CellTransformer):
    """Reduce stationary background noise in audio clips, such as hiss, hum or traffic.

    Maps a column of audio clips to a column of audio clips; place it before an audio extractor
    in a pipeline, after an `AudioCleaner` if there is one. The noise is estimated from each clip,
    so nothing is learned in fit. Missing cells stay missing.

    Parameters
    ----------
    reduction_db : float, default=20.0
        Attenuation of noise in dB. Higher values remove more noise and distort more of the signal
        that is mistaken for noise; 0 changes nothing.
    threshold_db : float, default=5.0
        Minimum level above the noise, in dB, for a time-frequency bin to be kept.
    noise_quantile : float, default=0.25
        Quantile of the power over time from which the noise of a frequency is estimated: the
        fraction of the clip that must be free of signal at that frequency.
    smooth_hz : float, default=30.0
        Width of the smoothing of the gate over frequencies, in Hz. 0 disables it.
    smooth_seconds : float, default=0.016
        Width of the smoothing of the gate over time, in seconds. 0 disables it.
    n_fft : int, default=512
        Window length (Hann) and FFT size in samples; the hop is a quarter of it.

    See Also
    --------
    AudioCleaner : Normalises the level and trims silence.

    Notes
    -----
    See the Notes of `LogMel` for supported audio cells. The output is a tuple of a float32 array
    of shape (n_samples,) and its rate in Hz, which every audio extractor accepts. Samples are not
    shifted in time.

    A spectral gate as in noisereduce [1]_, with three differences. The noise of a frequency is
    estimated from a low quantile of its power [2]_, scaled to the mean of white noise with that
    quantile, instead of from the mean over the clip, which speech raises. Powers are averaged over
    3 x 3 time-frequency neighbourhoods before the comparison, so that fewer isolated bins of noise
    pass. The gate is smoothed over a smaller range.

    Digital silence is excluded from the estimate. Clips shorter than about 32 windows (a quarter
    of a second by default) are returned unchanged. Noise that changes faster than the pauses in
    speech is kept, and a tone that lasts the whole clip is removed as noise.

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

    modality = "audio"

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
        if len(samples) < _MIN_FRAMES * hop:
            return samples.copy()
        window = hann(self.n_fft, sym=False)
        transform = ShortTimeFFT(window, hop, self.sample_rate)
        spectrum = transform.stft(samples)  # (frequencies, frames)
        powers = spectrum.real**2 + spectrum.imag**2
        energy = powers.sum(axis=0)
        audible = energy > _SILENCE_RATIO * energy.max()
        if audible.sum() < _MIN_FRAMES:
            return samples.copy()
        noise = self._noise(powers[:, audible])
        spectrum *= self._gains(powers, noise, hop)
        return transform.istft(spectrum, k1=len(samples)).astype(np.float32)

    def _noise(self, powers):
        """Estimate the mean power of the noise at each frequency, (frequencies, 1)."""
        quantiles = np.quantile(powers, self.noise_quantile, axis=1, keepdims=True)
        return quantiles / -np.log1p(-self.noise_quantile)  # power of white noise is exponential

    def _gains(self, powers, noise, hop):
        """Return the gain of each bin: 1 where the signal exceeds the noise, less elsewhere."""
        for axis in (0, 1):
            powers = convolve1d(powers, np.ones(3) / 3, axis=axis, mode="nearest")
        gate = (powers > 10 ** (self.threshold_db / 10) * noise).astype(np.float32)
        widths = (self.smooth_hz * self.n_fft, self.smooth_seconds * self.sample_rate)
        for axis, (width, unit) in enumerate(zip(widths, (self.sample_rate, hop), strict=True)):
            triangle = np.bartlett(2 * round(width / unit) + 3)[1:-1]
            gate = convolve1d(gate, triangle / triangle.sum(), axis=axis, mode="nearest")
        floor = 10 ** (-self.reduction_db / 20)
        return floor + (1 - floor) * gate
