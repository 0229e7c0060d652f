"""Predicting while it happens: windows of streams, and single rows without pandas."""

from sklearn_mmsent.streaming._prediction import Prediction
from sklearn_mmsent.streaming._predictor import StreamingPredictor
from sklearn_mmsent.streaming._row_predictor import RowPredictor

__all__ = ["Prediction", "RowPredictor", "StreamingPredictor"]
