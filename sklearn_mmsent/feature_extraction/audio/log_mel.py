"""Loudness of the bands in which the ear hears, over time."""

from sklearn_mmsent.blocks import numbered_names
from sklearn_mmsent.feature_extraction.audio._base import MelExtractor


class LogMel(MelExtractor):
    """Log-mel spectrogram of sounds, as statistics over time or as a sequence.

    Loudness in decibels of bands that are spaced as the ear hears pitch. `MFCC` packs the same
    into fewer, uncorrelated numbers. Clips are computed many at once in torch; each gets the
    numbers that librosa gives for it alone.

    Parameters
    ----------
    sample_rate : int, default=16000
        Rate in Hz that every sound is brought to, and the rate of arrays that come without one.

    n_mels : int, default=64
        Number of bands.

    n_fft : int, default=512
        Length of the window (Hann) and of the Fourier transform in samples. If it is small and
        `n_mels` large, the lowest bands fall between the transform's frequencies and stay
        constant.

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
        ``"stats"``: a flat block, each band summarised over the clip's frames. None: a sequence
        block of `max_steps` steps; steps after the clip's end are NaN, which is padding.

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
    STFT : Every frequency for itself, evenly spaced.
    MFCC : Fewer numbers that are nearly uncorrelated, better for small data and simple models.

    Notes
    -----
    A cell is a path, the bytes of a sound file, an array of shape (n_samples,) or (n_samples,
    n_channels), or a tuple of such an array and its rate in Hz. Floats count as they are (full
    scale is -1 to 1), int8, int16, int32 and uint8 are scaled to that. Files may be whatever
    libsndfile reads (WAV, FLAC, Ogg, MP3, AIFF and more), M4A, or videos (MP4, MOV, MKV, WebM, AVI
    and more), of which the sound is taken. Channels are averaged; other rates are converted with
    a polyphase filter.

    The settings mean what they mean in librosa [1]_: frames are centred, with zeros around the
    clip, and bands are Slaney's [2]_.

    References
    ----------
    .. [1] B. McFee et al., "librosa: Audio and music signal analysis in Python", SciPy, 2015.
    .. [2] M. Slaney, "Auditory Toolbox", version 2, Interval Research Corporation, 1998.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_mmsent import LogMel
    >>> time = np.arange(16000) / 16000
    >>> tones = [np.sin(2 * np.pi * pitch * time) for pitch in (300, 3000)]
    >>> loudness = LogMel(n_mels=5, statistics=["mean"]).fit_transform(tones)
    >>> loudness.argmax(axis=1)
    array([0, 3])
    """

    _parameter_constraints: dict = {**MelExtractor._parameter_constraints}

    def __init__(
        self,
        sample_rate=16000,
        *,
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
        return self._decibels(powers)

    def _frame_names(self):
        return numbered_names("logmel", self.n_mels)
