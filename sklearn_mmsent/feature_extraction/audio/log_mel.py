"""Log-mel spectrogram features."""

from sklearn_mmsent.blocks import numbered_names
from sklearn_mmsent.feature_extraction._base import BaseExtractor
from sklearn_mmsent.feature_extraction.audio._base import MelExtractor
from sklearn_mmsent.utils._documentation import document_shared_parameters


@document_shared_parameters(BaseExtractor)
class LogMel(MelExtractor):
    """Log-mel spectrogram of audio clips, as statistics over time or as a sequence.

    Power of mel-spaced frequency bands in decibels. `MFCC` compresses the same bands into fewer,
    nearly uncorrelated coefficients. Clips are computed in batches with torch; the results equal
    those of librosa for each clip.

    Parameters
    ----------
    sample_rate : int, default=16000
        Sampling rate in Hz to resample to, also assumed for arrays without a rate.
    n_mels : int, default=64
        Number of mel bands.
    n_fft : int, default=512
        Window length (Hann) and FFT size in samples. With a small `n_fft` and a large `n_mels`,
        the lowest bands contain no FFT bin and are constant.
    hop_length : int, default=160
        Number of samples between successive frames.
    fmin : float, default=0.0
        Lower edge of the lowest band in Hz.
    fmax : float or None, default=None
        Upper edge of the highest band in Hz; None means `sample_rate` / 2.
    ref : float or "max", default=1.0
        Power that corresponds to 0 dB; ``"max"`` uses the maximum of each clip, which makes the
        features independent of the recording level.
    amin : float, default=1e-10
        Lower limit of power; smaller values are raised to it.
    top_db : float or None, default=80.0
        Dynamic range in dB: values further below the maximum of the clip are raised to that limit.
        None sets no limit.
    pooling : {"stats"} or None, default="stats"
        ``"stats"``: a flat block with statistics of each feature over time. None: a sequence
        block of `max_steps` steps, padded with NaN after the end of the clip.
    statistics : sequence of str, default=("mean", "std", "min", "max")
        Statistics for ``pooling="stats"``: "mean", "std", "min", "max" and percentiles "p00" to
        "p99".
    n_segments : int, default=1
        With ``pooling="stats"``, number of segments of equal length that are summarised
        separately, to capture change over time. Trim silence first, for example with
        `AudioCleaner`.
    frames_per_step : int, default=10
        With ``pooling=None``, number of consecutive frames averaged per step; the last step
        averages the remaining frames. By default a step lasts 0.1 s.
    max_steps : int, default=100
        With ``pooling=None``, number of time steps in the sequence block.
    long_clips : {"crop", "squeeze"}, default="crop"
        With ``pooling=None``, how to handle clips longer than `max_steps` steps: ``"crop"`` drops
        their end; ``"squeeze"`` averages more frames per step, as many as needed to fit the whole
        clip.
    max_seconds : float, default=600.0
        Maximum duration in seconds; a longer clip is an error and never silently truncated.
    device : str, default="auto"
        Device such as "cpu", "cuda" or "cuda:1"; "auto" uses a GPU if available.
    batch_size : int, default=32
        Number of clips loaded and processed at a time.

    See Also
    --------
    STFT : Linearly spaced frequencies instead of mel bands.
    MFCC : Fewer, nearly uncorrelated features; better for small datasets and linear models.

    Notes
    -----
    A cell is a path, the bytes of an audio file, an array of shape (n_samples,) or (n_samples,
    n_channels), or a tuple (array, rate in Hz). Floats are used as they are (full scale is -1 to
    1); int8, int16, int32 and uint8 are rescaled to that range. Supported files are those of
    libsndfile (WAV, FLAC, Ogg, MP3, AIFF and more), M4A, and the audio track of videos (MP4, MOV,
    MKV, WebM, AVI and more). Channels are averaged; audio is resampled with a polyphase filter.

    Parameters have the same meaning as in librosa [1]_: frames are centred, clips are
    zero-padded, and mel bands follow Slaney [2]_.

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
        return self._decibels(powers)

    def _frame_names(self):
        return numbered_names("logmel", self.n_mels)
