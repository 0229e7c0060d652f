"""predict_timeline."""

from numbers import Integral, Real

import numpy as np
import pandas as pd
from scipy.signal import find_peaks
from sklearn.utils import Bunch

from sklearn_mmsent.exceptions import CellError
from sklearn_mmsent.feature_extraction import is_missing
from sklearn_mmsent.inspection._predictions import Predictor
from sklearn_mmsent.inspection.timeline._changes import change_points
from sklearn_mmsent.inspection.timeline._clip import open_clip
from sklearn_mmsent.utils._sklearn import HasMethods, Interval, validate_params
from sklearn_mmsent.utils._windows import Windows

_OWNER = "predict_timeline"
_TICKS = 1000.0  # per second: resolution of the length of a clip


@validate_params(
    {
        "pipeline": [HasMethods(["predict"])],
        "window": [Interval(Real, 0, None, closed="neither")],
        "hop": [Interval(Real, 0, None, closed="neither")],
        "target": [str, None],
        "prominence": [Interval(Real, 0, None, closed="neither"), None],
        "max_seconds": [Interval(Real, 0, None, closed="neither")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
    },
    prefer_skip_nested_validation=True,
)
def predict_timeline(
    pipeline,
    clip,
    window,
    hop,
    *,
    words=None,
    target=None,
    prominence=None,
    max_seconds=14_400.0,
    batch_size=16,
) -> Bunch:
    """Predict a long clip window by window, and find peaks and turning points.

    Parameters
    ----------
    pipeline : Pipeline
        Fitted pipeline that takes raw cells: its first step is made by :func:`make_extractor`.
        Windows should be about as long as the clips that it was fitted on.
    clip : str, Path, bytes, ndarray, tuple or dict
        Clip to predict: a sound or video in any form that an extractor accepts, if the pipeline
        reads one such column; otherwise a dict of cells by raw column. Sound, video, and tables
        or lists of words with times are cut to windows; anything else, such as a picture or a
        text without times, is the same in all windows. Absent columns are missing.
    window : float
        Length of a window, in seconds.
    hop : float
        From the start of a window to that of the next, in seconds.
    words : DataFrame, or sequence of (str, float, float) tuples, or None, default=None
        Transcript with the start and end of each word in seconds, for the text column of the
        pipeline. A table has the columns `word`, `start` and `end`. A word belongs to the
        windows in which it ends.
    target : str or None, default=None
        Target of a multi-task estimator; None if it has only one.
    prominence : float or None, default=None
        Minimum prominence of a peak, as in :func:`scipy.signal.find_peaks`; None means one
        standard deviation of the curve.
    max_seconds : float, default=14400.0
        Maximum length of a sound, in seconds.
    batch_size : int, default=16
        Number of windows to extract and predict at once.

    Returns
    -------
    Bunch
        - ``table``: DataFrame, one row per window: `start` and `stop` in seconds, then
          `intensity`, or one column per class with its probability, and `prediction`, the most
          probable class. NaN in windows in which all modalities are missing.
        - ``summary``: DataFrame by curve (`intensity`, or a class): `mean`, `spread` (standard
          deviation), `slope` (per second, least squares; NaN for a single window), `lowest` and
          `highest`.
        - ``peaks``: DataFrame of `curve`, `time` (middle of the window), `value` and
          `prominence`, in order of time. Peaks of a curve are at least a window apart.
        - ``turning_points``: DataFrame of `time`, and of the levels `before` and `after`: mean
          intensities, or most probable classes, of the segments between turning points.
        - ``curves``, ``window``, ``hop`` and ``seconds``: names of the curves, lengths of
          windows and hops, and length of the clip.

    Raises
    ------
    TypeError
        If the pipeline does not start with raw cells.
    CellError
        If the clip cannot be read, or everything in it is missing.

    See Also
    --------
    TimelineDisplay : Plots it.

    Notes
    -----
    Only whole windows are predicted: window i covers the seconds from ``i * hop`` to
    ``i * hop + window`` of the longest track. A clip shorter than a window is one window. A track
    that ends before the others has a shorter last window, and is missing after it.

    Turning points are changes in the mean, found by PELT [1]_ with the squared distance as cost
    and the penalty of a modified Bayes information criterion [2]_, jointly for all classes. Noise
    is estimated from windows that do not overlap, and overlapping windows are weighted
    accordingly. Windows that overlap both segments belong to neither, and the turning point is in
    their middle. Two turning points are at least two windows apart; shorter changes are peaks.

    References
    ----------
    .. [1] Killick, Fearnhead, Eckley (2012), Optimal detection of changepoints with a linear
       computational cost, Journal of the American Statistical Association 107.
    .. [2] Zhang, Siegmund (2007), A modified Bayes information criterion with applications to the
       analysis of comparative genomic hybridization data, Biometrics 63.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from sklearn.linear_model import LinearRegression
    >>> from sklearn_mmsent import LogMel, make_extractor, make_pipeline, predict_timeline
    >>> rng = np.random.default_rng(0)
    >>> levels = rng.uniform(0.1, 0.9, 40)
    >>> sounds = [(level * rng.normal(size=4000), 8000) for level in levels]
    >>> X = pd.DataFrame({"audio": pd.Series(sounds, dtype=object)})
    >>> model = make_pipeline(
    ...     make_extractor(audio=LogMel(sample_rate=8000, n_mels=20)), LinearRegression()
    ... ).fit(X, levels)
    >>> loud = np.repeat([0.2, 0.8], 40000) * rng.normal(size=80000)  # ten seconds
    >>> timeline = predict_timeline(model, (loud, 8000), window=0.5, hop=0.25)
    >>> timeline.turning_points["time"].round().tolist()
    [5.0]
    """
    tracks = open_clip(pipeline, clip, words, max_seconds)
    seconds = max(track.seconds for track in tracks.values())
    windows = Windows(window, hop)
    n = windows.count(round(seconds * _TICKS), _TICKS)
    predictor = Predictor(pipeline, target, _OWNER)
    values = _predict_windows(predictor, tracks, windows, n, batch_size)
    curves = ["intensity"] if predictor.classes is None else list(predictor.classes)
    spans = [windows.span(i) for i in range(n)] or [(0.0, seconds)]
    table = pd.DataFrame(spans, columns=["start", "stop"]).rename_axis("window")
    table[curves] = values.reshape(len(table), -1)
    known = table[curves].notna().all(axis=1)
    if predictor.classes is not None:
        table["prediction"] = pd.Series(predictor.labels(values), dtype=object).where(known)
    found = table[known]
    if not len(found):
        raise CellError(
            f"{_OWNER}: all modalities are missing in each of the {len(table)} windows. Words that "
            "end in gaps between windows are ignored; use a hop no longer than the window."
        )
    overlap = max(1, round(window / hop))
    return Bunch(
        table=table,
        summary=_summarize(found, curves),
        peaks=_peaks(found, curves, overlap, prominence),
        turning_points=_turning_points(found, curves, overlap, predictor),
        curves=curves,
        window=window,
        hop=hop,
        seconds=seconds,
    )


def _predict_windows(predictor, tracks, windows, n, batch_size):
    """Predict `n` windows in batches; without any, the whole clip is one window."""
    if n == 0:
        return _predict(predictor, [{c: track.whole() for c, track in tracks.items()}])
    values = []
    for first in range(0, n, batch_size):
        batch = range(first, min(first + batch_size, n))
        cells = [{c: track.cut(windows, i) for c, track in tracks.items()} for i in batch]
        values.append(_predict(predictor, cells))
    return np.concatenate(values)


def _predict(predictor, cells):
    """Predict windows; NaN where all modalities are missing."""
    present = np.array([not all(map(is_missing, row.values())) for row in cells])
    width = () if predictor.classes is None else (len(predictor.classes),)
    values = np.full((len(cells), *width), np.nan)
    kept = [row for row, has in zip(cells, present, strict=True) if has]
    if kept:
        frame = {c: pd.Series([row[c] for row in kept], dtype=object) for c in kept[0]}
        values[present] = predictor(pd.DataFrame(frame))
    return values


def _middle(table):
    return ((table["start"] + table["stop"]) / 2).to_numpy()


def _summarize(table, curves):
    time, summary = _middle(table), {}
    for curve in curves:
        values = table[curve].to_numpy()
        summary[curve] = {
            "mean": values.mean(),
            "spread": values.std(),
            "slope": np.polyfit(time, values, 1)[0] if len(values) > 1 else np.nan,
            "lowest": values.min(),
            "highest": values.max(),
        }
    return pd.DataFrame.from_dict(summary, orient="index").rename_axis("curve")


def _peaks(table, curves, overlap, prominence):
    time, found = _middle(table), []
    for curve in curves:
        values = table[curve].to_numpy()
        least = values.std() if prominence is None else prominence
        if len(values) < 3 or not least > 0:
            continue
        places, properties = find_peaks(values, prominence=least, distance=overlap)
        for place, height in zip(places, properties["prominences"], strict=True):
            found.append((curve, time[place], values[place], height))
    peaks = pd.DataFrame(found, columns=["curve", "time", "value", "prominence"])
    return peaks.sort_values("time", ignore_index=True)


def _turning_points(table, curves, overlap, predictor):
    """Return the changes in the mean of all curves, with the levels around them."""
    values, time = table[curves].to_numpy(), _middle(table)
    places = change_points(values, overlap)
    begins, ends = [0, *(place + overlap for place in places)], [*places, len(values)]
    segments = [values[begin:end] for begin, end in zip(begins, ends, strict=True)]
    if predictor.classes is None:
        levels = [segment.mean() for segment in segments]
    else:
        levels = [predictor.classes[segment.mean(axis=0).argmax()] for segment in segments]
    times = [(time[place] + time[place + overlap - 1]) / 2 for place in places]
    return pd.DataFrame({"time": times, "before": levels[:-1], "after": levels[1:]})
