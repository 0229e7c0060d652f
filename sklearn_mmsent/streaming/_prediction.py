"""Prediction: the result for one window of a stream."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Prediction:
    """The result of a :class:`StreamingPredictor` for one window.

    Parameters
    ----------
    index : int
        Number of the window; empty and dropped windows leave gaps.
    start, end : float
        Of the window, in seconds of the stream's clock.
    value : object
        Prediction of the pipeline: a label, an intensity, or an array of probabilities; None if
        it failed.
    present : tuple of str, default=()
        Columns that are not missing in the window.
    latency : float, default=0.0
        Seconds from the arrival of the chunk that completed the window to the prediction.
    error : Exception or None, default=None
        The error that replaced the value, with ``on_error="missing"``.

    Examples
    --------
    >>> from sklearn_mmsent.streaming import Prediction
    >>> Prediction(index=3, start=0.75, end=1.75, value="positive", present=("audio",)).value
    'positive'
    """

    index: int
    start: float
    end: float
    value: Any
    present: tuple = ()
    latency: float = 0.0
    error: Exception | None = None
