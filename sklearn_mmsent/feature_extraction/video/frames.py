"""Image extractors applied to video frames."""

from itertools import islice
from numbers import Integral, Real

import numpy as np
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from sklearn_mmsent.blocks import indexed_names, statistic_names
from sklearn_mmsent.exceptions import CellError
from sklearn_mmsent.feature_extraction import media
from sklearn_mmsent.feature_extraction._base import BaseExtractor
from sklearn_mmsent.feature_extraction._chained_extractor import as_extractor
from sklearn_mmsent.feature_extraction._summaries import check_statistics, summarize
from sklearn_mmsent.feature_extraction.cells import describe, is_missing
from sklearn_mmsent.feature_extraction.files import is_file_cell, open_cell
from sklearn_mmsent.utils._documentation import document_shared_parameters
from sklearn_mmsent.utils._sklearn import Interval, InvalidParameterError, StrOptions


@document_shared_parameters(BaseExtractor)
class VideoFrames(BaseExtractor):
    """Apply an image extractor to frames of videos, as statistics over time or as a sequence.

    Only the image stream is used. All audio extractors read the audio track of video files, so
    one column of videos can feed two modalities: ``make_extractor(face=("clip",
    VideoFrames(...)), voice=("clip", LogMel()))``.

    Parameters
    ----------
    extractor : BaseExtractor or Pipeline
        Image extractor, such as `ColorTexture` or `ImageEmbedder`, or a pipeline of cell
        transformers that ends in one, such as ``make_pipeline(FaceCropper(),
        ImageEmbedder(...))``.
    frames_per_second : float, default=1.0
        Number of frames sampled per second, starting with the first frame. Also the frame rate of
        arrays that come without one.
    pooling : {"stats"} or None, default="stats"
        ``"stats"``: a flat block with statistics of each feature over time. None: a sequence block
        of `max_steps` steps, padded with NaN after the end of the clip.
    statistics : sequence of str, default=("mean", "std")
        Statistics for ``pooling="stats"``: "mean", "std", "min", "max" and percentiles "p00" to
        "p99".
    max_steps : int, default=32
        Maximum number of frames sampled from a clip.
    long_clips : {"spread", "crop"}, default="spread"
        How to handle clips with more frames: ``"spread"`` samples at a lower rate, evenly over the
        whole clip; ``"crop"`` drops the end.
    max_pixels : int, default=50_000_000
        Largest accepted width times height of a frame.
    max_seconds : float, default=600.0
        Maximum duration in seconds; a longer video is an error and never silently truncated.
    batch_size : int, default=8
        Number of clips whose frames are held in memory at a time, at the input size of the
        extractor, which encodes them with its own `batch_size`.

    Attributes
    ----------
    extractor_ : BaseExtractor
        The fitted image extractor.

    See Also
    --------
    FaceCropper : Crops frames to faces.
    LogMel : Reads the audio track of a video.

    Notes
    -----
    A cell is a path, the bytes of a video file, an array of frames of shape (n_frames, height,
    width, 3), or a tuple of such an array and its frame rate. Supported files are MP4, MOV, MKV,
    WebM, AVI and other self-contained formats of FFmpeg; playlists are rejected. Rotation
    metadata is applied.

    Frames that the extractor maps to missing (`FaceCropper` without a detected face) are dropped;
    a clip without any frame left is missing. Features with inner axes, such as those of `Pixels`,
    are flattened: ``pixel@000@003@012`` becomes ``pixel_000_003_012``.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_mmsent import ColorTexture, VideoFrames
    >>> fade = np.linspace(0, 1, 4)[:, None, None, None] * np.ones((4, 32, 32, 3))
    >>> frames = VideoFrames(ColorTexture(size=(32, 32)), statistics=["mean", "max"])
    >>> X = frames.set_output(transform="pandas").fit_transform([fade])
    >>> X[["red_mean_mean", "red_mean_max"]]
       red_mean_mean  red_mean_max
    0            0.5           1.0
    """

    modality = "video"

    _libraries = ("numpy", "av")
    _parameter_constraints: dict = {
        **BaseExtractor._parameter_constraints,
        "extractor": [BaseExtractor, Pipeline],
        "frames_per_second": [Interval(Real, 0, 1000, closed="right")],
        "pooling": [StrOptions({"stats"}), None],
        "statistics": [tuple, list],
        "max_steps": [Interval(Integral, 1, None, closed="left")],
        "long_clips": [StrOptions({"spread", "crop"})],
        "max_pixels": [Interval(Integral, 1, None, closed="left")],
        "max_seconds": [Interval(Real, 0, None, closed="neither")],
    }

    def __init__(
        self,
        extractor,
        *,
        frames_per_second=1.0,
        pooling="stats",
        statistics=("mean", "std"),
        max_steps=32,
        long_clips="spread",
        max_pixels=50_000_000,
        max_seconds=600.0,
        on_error="raise",
        batch_size=8,
        n_jobs=None,
    ):
        self.extractor = extractor
        self.frames_per_second = frames_per_second
        self.pooling = pooling
        self.statistics = statistics
        self.max_steps = max_steps
        self.long_clips = long_clips
        self.max_pixels = max_pixels
        self.max_seconds = max_seconds
        self.on_error = on_error
        self.batch_size = batch_size
        self.n_jobs = n_jobs

    def fit(self, X, y=None):
        """Check the parameters and fit the image extractor, which learns nothing.

        Parameters
        ----------
        X : Series, one-column DataFrame, ndarray or list of shape (n_samples,)
            Raw cells; None, NaN and empty ones are missing.
        y : ignored
            Not used, present for API consistency by convention.

        Returns
        -------
        self : object
            The fitted extractor.
        """
        self._validate_params()
        check_statistics(self.statistics, type(self).__name__)
        extractor = as_extractor(clone(self.extractor), type(self).__name__)
        if not extractor._stateless:
            raise InvalidParameterError(
                "The 'extractor' parameter of VideoFrames must be an image extractor that learns "
                f"nothing from the training rows. Got {self.extractor!r} instead."
            )
        self.extractor_ = extractor.fit(X)
        return super().fit(X, y)

    def _load(self, cell):
        loaded = [self.extractor_._load(frame) for frame in self._frames(cell)]
        return [frame for frame in loaded if frame is not None] or None

    def _encode(self, loaded):
        extractor = self.extractor_
        frames = [frame for clip in loaded for frame in clip]
        starts = range(0, len(frames), extractor.batch_size)
        batches = [frames[start : start + extractor.batch_size] for start in starts]
        rows = np.concatenate([extractor._encode(batch) for batch in batches])
        clips = np.split(rows, np.cumsum([len(clip) for clip in loaded])[:-1])
        return np.stack([self._pool(clip).ravel() for clip in clips])

    def _feature_names(self):
        names = [name.replace("@", "_") for name in self.extractor_._feature_names()]
        if self.pooling == "stats":
            return statistic_names(names, self.statistics)
        return indexed_names(names, self.max_steps)

    def _pool(self, frames):
        """Pool the frame features (T, F) of a clip to a fixed width."""
        if self.pooling == "stats":
            return summarize(frames, self.statistics)
        steps = np.full((self.max_steps, frames.shape[1]), np.nan, dtype=np.float32)
        steps[: len(frames)] = frames
        return steps

    # -- reading -----------------------------------------------------------------------------

    def _frames(self, cell):
        """Yield the sampled frames, decoded one by one."""
        if is_file_cell(cell):
            name = type(self).__name__
            with (
                open_cell(cell) as file,
                media.open_media(file, owner=name, extra="video") as container,
            ):
                seconds = media.measure_seconds(container, media.video_stream(container))
                rate = self._rate(seconds)
                frames = media.picture_frames(container, rate, max_pixels=self.max_pixels)
                yield from islice(frames, self.max_steps)
        else:
            yield from self._array_frames(cell)

    def _array_frames(self, cell):
        frames, rate = cell if _is_pair(cell) else (cell, self.frames_per_second)
        if not isinstance(frames, np.ndarray):
            raise CellError(
                "expected a path, the bytes of a video file, an array of frames, or a tuple "
                f"(array, frames per second); got {describe(cell)}"
            )
        if frames.ndim != 4 or is_missing(frames):
            raise CellError(
                f"an array of shape {frames.shape}; expected (n_frames, height, width, 3)"
            )
        if not isinstance(rate, Real) or not 0 < rate <= 1000:
            raise CellError(
                f"a tuple whose second part is {describe(rate)}; expected (array of frames, "
                "frames per second)"
            )
        seconds = len(frames) / rate
        step = 1 / self._rate(seconds)
        n_taken = min(self.max_steps, int(np.ceil(seconds / step - 1e-6)))
        for i in range(n_taken):
            yield frames[min(int(i * step * rate + 1e-6), len(frames) - 1)]

    def _rate(self, seconds):
        """Return the sampling rate of a clip in frames per second."""
        if seconds > self.max_seconds:
            raise CellError(
                f"the video lasts {seconds:.6g} s, more than max_seconds={self.max_seconds:g}; "
                "cut it, or raise max_seconds"
            )
        if self.long_clips == "crop" or seconds * self.frames_per_second <= self.max_steps:
            return self.frames_per_second
        return self.max_steps / seconds


def _is_pair(cell):
    return isinstance(cell, tuple) and len(cell) == 2
