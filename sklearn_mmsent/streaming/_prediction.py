"""Prediction: what a stream says of one window."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Prediction:
    """What a :class:`StreamingPredictor` says of one window.

    Parameters
    ----------
    index : int
        Number of the window; windows that were empty or dropped leave gaps.
    start, end : float
        Of the window, in seconds of the stream's own clock.
    value : object
        What the pipeline predicts: a label, an intensity, or an array of probabilities; None
        where it failed.
    present : tuple of str, default=()
        Columns of which the window holds something.
    latency : float, default=0.0
        Seconds from the arrival of the chunk that completed the window to the prediction.
    error : Exception or None, default=None
        Why there is no value, with ``on_error="missing"``.

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
