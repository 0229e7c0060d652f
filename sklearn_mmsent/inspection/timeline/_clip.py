"""A long clip as the tracks that a pipeline's raw columns are cut from."""

from collections.abc import Mapping

import numpy as np
from sklearn.pipeline import Pipeline

from sklearn_mmsent.compose import MultimodalExtractor
from sklearn_mmsent.exceptions import CellError
from sklearn_mmsent.feature_extraction import Cached, is_missing
from sklearn_mmsent.feature_extraction.audio.io import read_samples
from sklearn_mmsent.feature_extraction.video import VideoFrames
from sklearn_mmsent.inspection.timeline._tracks import Constant, Samples, Words, open_frames

_OWNER = "predict_timeline"
_RATE = 16_000  # Hz, of arrays that come without a rate to an extractor that has none


def open_clip(pipeline, clip, words, max_seconds):
    """Return the tracks of a clip by raw column.

    Parameters
    ----------
    pipeline : Pipeline
        Fitted; its first step reads raw columns.
    clip : object
        A cell, or a dict of cells by raw column.
    words : DataFrame, sequence or None
        Words with times, for the column of texts.
    max_seconds : float
        Longest sound that is read.

    Returns
    -------
    dict of str to track
        One for each raw column, with `seconds`, ``cut(windows, i)`` and ``whole()``.
    """
    readers = _readers(pipeline)
    kinds = {column: _kind(column, found) for column, found in readers.items()}
    cells = _by_column(clip, kinds)
    if words is not None:
        texts = [column for column, kind in kinds.items() if kind == "text"]
        if len(texts) != 1:
            raise CellError(
                f"{_OWNER}: words= goes to the column of texts, and the pipeline has "
                f"{len(texts)} of them. Pass them by column: clip={{'column': words, ...}}."
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
            f"{_OWNER}: nothing in the clip lasts any time. Give sound, a video, or words with "
            "their times: words=[('hello', 0.1, 0.4), ...]."
        )
    return tracks


def _readers(pipeline):
    """Return the innermost transformers that read each raw column."""
    first = pipeline.steps[0][1] if isinstance(pipeline, Pipeline) else pipeline
    if not isinstance(first, MultimodalExtractor) or not isinstance(pipeline, Pipeline):
        raise TypeError(
            f"{_OWNER} cuts raw clips and needs a fitted pipeline that reads raw cells, such as "
            "make_pipeline(make_extractor(audio=LogMel()), FusionRegressor()); got "
            f"{type(pipeline).__name__}."
        )
    known = [str(name) for name in first.feature_names_in_]
    readers = {}
    for _, transformer, columns in first.transformers_:
        columns = columns if isinstance(columns, list | tuple | np.ndarray) else [columns]
        for column in columns:
            name = known[column] if isinstance(column, int | np.integer) else column
            if name in known and transformer != "drop":
                readers.setdefault(name, []).extend(_innermost(transformer))
    return readers


def _innermost(transformer):
    if hasattr(transformer, "transformer_list"):
        return [leaf for _, part in transformer.transformer_list for leaf in _innermost(part)]
    if hasattr(transformer, "steps"):
        return [leaf for _, step in transformer.steps for leaf in _innermost(step)]
    return [transformer.extractor if isinstance(transformer, Cached) else transformer]


def _kind(column, transformers):
    """Return what a column holds, by who reads it: "audio", "video", "text", or None."""
    kinds = set()
    for transformer in transformers:
        place = type(transformer).__module__.partition("sklearn_mmsent.feature_extraction.")[2]
        kinds.add(place.partition(".")[0])
    kinds &= {"audio", "video", "text"}
    if len(kinds) > 1:
        raise CellError(
            f"{_OWNER}: the column {column!r} is read as {' and as '.join(sorted(kinds))}, and is "
            "cut in another way for each. Fit the pipeline with a column for each."
        )
    return kinds.pop() if kinds else None


def _by_column(clip, kinds):
    """Return the clip's cells by raw column."""
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
            f"{_OWNER}: the pipeline reads {', '.join(map(repr, kinds))}, so it is not clear what "
            "the clip is. Pass a dict: {'column': file, ...}."
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
