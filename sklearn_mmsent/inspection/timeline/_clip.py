"""Open a long clip as tracks, from which windows of a pipeline's raw columns are cut."""

from collections.abc import Mapping

from sklearn.pipeline import Pipeline

from sklearn_mmsent.compose import MultimodalExtractor
from sklearn_mmsent.compose.parts import column_readers
from sklearn_mmsent.exceptions import CellError
from sklearn_mmsent.feature_extraction import is_missing
from sklearn_mmsent.feature_extraction.audio.io import read_samples
from sklearn_mmsent.feature_extraction.video import VideoFrames
from sklearn_mmsent.inspection.timeline._tracks import Constant, Samples, Words, open_frames

_OWNER = "predict_timeline"
_RATE = 16_000  # Hz, of arrays without a rate, for extractors without one


def open_clip(pipeline, clip, words, max_seconds):
    """Return the tracks of a clip by raw column.

    The first step of the fitted pipeline reads raw columns. `clip` is a cell, or a dict of cells
    by raw column; `words` have times and belong to the text column; `max_seconds` limits the audio
    that is read. A track has `seconds`, ``cut(windows, i)`` and ``whole()``.

    Raises CellError if the clip does not fit the pipeline's columns, is missing, or has no
    duration.
    """
    readers = column_readers(_raw_extractor(pipeline))
    kinds = {column: _modality(column, found) for column, found in readers.items()}
    cells = _by_column(clip, kinds)
    if words is not None:
        texts = [column for column, kind in kinds.items() if kind == "text"]
        if len(texts) != 1:
            raise CellError(
                f"{_OWNER}: words= needs exactly one text column, and the pipeline has "
                f"{len(texts)}. Pass them by column: clip={{'column': words, ...}}."
            )
        cells[texts[0]] = words
    tracks = {
        column: _open(cells.get(column), kinds[column], readers[column], max_seconds)
        for column in readers
    }
    if all(isinstance(track, Constant) and is_missing(track.cell) for track in tracks.values()):
        raise CellError(f"{_OWNER}: all modalities of the clip are missing.")
    if not max(track.seconds for track in tracks.values()) > 0:
        raise CellError(
            f"{_OWNER}: the clip has no duration. Pass audio, a video, or words with their "
            "times: words=[('hello', 0.1, 0.4), ...]."
        )
    return tracks


def _raw_extractor(pipeline):
    """Return the step of a pipeline that reads raw cells."""
    extractor = pipeline.steps[0][1] if isinstance(pipeline, Pipeline) else None
    if not isinstance(extractor, MultimodalExtractor):
        raise TypeError(
            f"{_OWNER} cuts raw clips and needs a fitted pipeline that reads raw cells, such as "
            "make_pipeline(make_extractor(audio=LogMel()), FusionRegressor()); got "
            f"{type(pipeline).__name__}."
        )
    return extractor


def _modality(column, transformers):
    """Return the modality of a column with a time axis, given its readers; None without one."""
    modalities = {getattr(transformer, "modality", None) for transformer in transformers}
    modalities &= {"audio", "video", "text"}
    if len(modalities) > 1:
        raise CellError(
            f"{_OWNER}: the column {column!r} is read as {' and as '.join(sorted(modalities))}, "
            "which are cut in different ways. Fit the pipeline with a column for each."
        )
    return modalities.pop() if modalities else None


def _by_column(clip, kinds):
    """Return the cells of the clip by raw column."""
    if isinstance(clip, Mapping):
        unknown = [column for column in clip if column not in kinds]
        if unknown:
            raise CellError(
                f"{_OWNER}: the clip has the unknown column {unknown[0]!r}; the pipeline reads "
                f"{', '.join(map(repr, kinds))}."
            )
        return dict(clip)
    timed = [column for column, kind in kinds.items() if kind in ("audio", "video")]
    if len(timed) != 1:
        raise CellError(
            f"{_OWNER}: the pipeline reads {', '.join(map(repr, kinds))}, so the clip is "
            "ambiguous. Pass a dict: {'column': file, ...}."
        )
    return {timed[0]: clip}


def _open(cell, kind, transformers, max_seconds):
    if kind == "text" and cell is not None and not isinstance(cell, str):
        words = Words(cell)
        return words if words.words else Constant(None)
    if is_missing(cell):
        return Constant(None)
    if kind == "audio":
        rates = [rate for t in transformers if (rate := getattr(t, "sample_rate", None))]
        rate = max(rates, default=_RATE)
        return Samples(*read_samples(cell, sample_rate=rate, max_seconds=max_seconds, owner=_OWNER))
    if kind == "video":
        readers = [t for t in transformers if isinstance(t, VideoFrames)]
        rate = max(reader.frames_per_second for reader in readers)
        return open_frames(cell, rate, max(reader.max_pixels for reader in readers))
    return Constant(cell)
