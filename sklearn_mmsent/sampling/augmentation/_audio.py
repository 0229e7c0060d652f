"""AudioAugmenter: time stretch, pitch shift, reverberation, time shift, noise and gain."""

from numbers import Integral, Real

import numpy as np
from scipy.signal import fftconvolve

from sklearn_mmsent.feature_extraction.audio.io import read_audio
from sklearn_mmsent.sampling._base import BaseRowSampler
from sklearn_mmsent.sampling.augmentation._base import BaseAugmenter
from sklearn_mmsent.sampling.augmentation._text import TextAugmenter
from sklearn_mmsent.utils._documentation import document_shared_parameters
from sklearn_mmsent.utils._optional import import_optional
from sklearn_mmsent.utils._sklearn import Interval

_FRAME = 2048  # samples, default of librosa
_MIN_SAMPLES = 64  # for time stretch and pitch shift
_POSITIVE = Interval(Real, 0, None, closed="left")


@document_shared_parameters(BaseRowSampler, TextAugmenter)
class AudioAugmenter(BaseAugmenter):
    """Over-sample by copies of rows with a slightly modified audio clip.

    Each transformation is applied with probability `p`, at least one to each new clip, in the
    order of the parameters, with random strengths up to the given limits.

    Parameters that are not listed here are those of :class:`TextAugmenter`.

    Parameters
    ----------
    columns : str or list of str, default="audio"
        Columns to augment. An empty list copies rows unchanged.
    p : float, default=0.5
        Probability of each transformation.
    stretch : float, default=0.1
        Maximum relative change of speed at constant pitch.
    pitch : float, default=1.0
        Maximum pitch shift in semitones at constant speed. Larger shifts may change the perceived
        emotion, since the pitch of a voice rises with arousal.
    reverb : float, default=0.3
        Maximum reverberation time (decay by 60 dB) in seconds.
    shift : float, default=0.1
        Maximum circular shift in time, as a fraction of the duration.
    noise : tuple of two floats or None, default=(10.0, 30.0)
        Minimum and maximum signal-to-noise ratio of white noise in dB; None adds no noise.
    gain : float, default=6.0
        Maximum change of level in dB.
    sample_rate : int, default=16000
        Sampling rate of new clips in Hz, also assumed for arrays without a rate.
    max_seconds : float, default=600.0
        Maximum duration in seconds; a longer clip is an error and never silently truncated.

    See Also
    --------
    AudioCleaner : Normalises new and old clips to one level.
    ModalitySMOTE : Makes new rows from features instead of audio.

    Notes
    -----
    See the Notes of `LogMel` for supported audio cells. New cells are tuples of a float32 array of
    shape (n_samples,) and its rate in Hz, which every audio extractor accepts. The signal-to-noise
    ratio is that of the mean powers of the whole clip; silence gets no noise.

    Speed and pitch are changed by the phase vocoder of librosa (extra "augment") [1]_. The impulse
    response of reverberation is exponentially decaying white noise (Polack's model [2]_); the
    level is preserved.

    References
    ----------
    .. [1] B. McFee et al., "librosa: Audio and music signal analysis in Python", SciPy, 2015.
    .. [2] J.-D. Polack, "Playing billiards in the concert hall", Applied Acoustics 38, 1993.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from sklearn_mmsent.sampling import AudioAugmenter
    >>> tones = [np.sin(np.arange(8000) * pitch) for pitch in (0.1, 0.2, 0.3)]
    >>> X = pd.DataFrame({"audio": [(tone, 8000) for tone in tones]})
    >>> augmenter = AudioAugmenter(stretch=0, pitch=0, random_state=0)
    >>> X_new, y_new = augmenter.fit_resample(X, ["neg", "pos", "pos"])
    >>> samples, rate = X_new["audio"][3]
    >>> y_new[-1], samples.shape, rate
    ('neg', (16000,), 16000)
    """

    _parameter_constraints: dict = {
        **BaseAugmenter._parameter_constraints,
        "p": [Interval(Real, 0, 1, closed="both")],
        "stretch": [Interval(Real, 0, 1, closed="left")],
        "pitch": [_POSITIVE],
        "reverb": [_POSITIVE],
        "shift": [Interval(Real, 0, 1, closed="both")],
        "noise": [tuple, None],
        "gain": [_POSITIVE],
        "sample_rate": [Interval(Integral, 1_000, 1_000_000, closed="both")],
        "max_seconds": [Interval(Real, 0, None, closed="neither")],
    }

    def __init__(
        self,
        columns="audio",
        *,
        sampling_strategy="auto",
        factor=None,
        p=0.5,
        stretch=0.1,
        pitch=1.0,
        reverb=0.3,
        shift=0.1,
        noise=(10.0, 30.0),
        gain=6.0,
        sample_rate=16000,
        max_seconds=600.0,
        on_error="raise",
        n_jobs=None,
        random_state=None,
    ):
        self.columns = columns
        self.sampling_strategy = sampling_strategy
        self.factor = factor
        self.p = p
        self.stretch = stretch
        self.pitch = pitch
        self.reverb = reverb
        self.shift = shift
        self.noise = noise
        self.gain = gain
        self.sample_rate = sample_rate
        self.max_seconds = max_seconds
        self.on_error = on_error
        self.n_jobs = n_jobs
        self.random_state = random_state

    def _validate_params(self):
        super()._validate_params()
        noise = self.noise
        if noise is not None and not (
            len(noise) == 2 and all(isinstance(n, Real) for n in noise) and noise[0] <= noise[1]
        ):
            raise ValueError(
                f"{type(self).__name__}: noise must be None or the lowest and the highest ratio in "
                f"dB, such as (10.0, 30.0). Got {noise!r} instead."
            )

    def _prepare(self):
        if self.stretch or self.pitch:
            import_optional("librosa", extra="augment", needed_by=type(self).__name__)

    def _augment(self, cell, rng):
        samples = read_audio(
            cell,
            sample_rate=self.sample_rate,
            max_seconds=self.max_seconds,
            owner=type(self).__name__,
        )
        changes = [
            (change, amount)
            for change, amount in (
                (self._stretch, self.stretch),
                (self._shift_pitch, self.pitch),
                (self._reverberate, self.reverb),
                (self._shift, self.shift),
                (self._add_noise, self.noise),
                (self._amplify, self.gain),
            )
            if amount
        ]
        chosen = rng.random(len(changes)) < self.p
        if len(changes) and not chosen.any():
            chosen[rng.integers(len(changes))] = True
        for (change, amount), take in zip(changes, chosen, strict=True):
            if take:
                samples = change(samples, amount, rng)
        return np.ascontiguousarray(samples, dtype=np.float32), self.sample_rate

    def _stretch(self, samples, amount, rng):
        rate = 1 + rng.uniform(-amount, amount)
        if len(samples) < _MIN_SAMPLES:
            return samples
        from librosa.effects import time_stretch

        return time_stretch(samples, rate=rate, n_fft=_frame(samples))

    def _shift_pitch(self, samples, amount, rng):
        steps = rng.uniform(-amount, amount)
        if len(samples) < _MIN_SAMPLES:
            return samples
        from librosa.effects import pitch_shift

        return pitch_shift(samples, sr=self.sample_rate, n_steps=steps, n_fft=_frame(samples))

    def _reverberate(self, samples, amount, rng):
        n = max(2, round(rng.uniform(0.2, 1) * amount * self.sample_rate))
        room = rng.normal(size=n) * 10 ** (-3 * np.arange(n) / n)
        room *= 0.5 / np.sqrt(np.sum(room**2))
        room[0] = 1.0  # direct sound, with twice the amplitude of the reverberation
        wet = fftconvolve(samples, room)[: len(samples)]
        return wet * _ratio(_power(samples), _power(wet))

    def _shift(self, samples, amount, rng):
        limit = round(amount * len(samples))
        return np.roll(samples, rng.integers(-limit, limit + 1))

    def _add_noise(self, samples, ratios, rng):
        noise = rng.normal(size=len(samples))
        wanted = _power(samples) / 10 ** (rng.uniform(*ratios) / 10)
        return samples + noise * _ratio(wanted, _power(noise))

    def _amplify(self, samples, amount, rng):
        return samples * 10 ** (rng.uniform(-amount, amount) / 20)


def _frame(samples):
    """Return the frame length of librosa, or the largest power of two in a shorter clip."""
    return min(_FRAME, 1 << (len(samples).bit_length() - 1))


def _power(samples):
    return float(np.mean(np.square(samples, dtype=np.float64)))


def _ratio(wanted, power):
    return np.sqrt(wanted / power) if power else 0.0
