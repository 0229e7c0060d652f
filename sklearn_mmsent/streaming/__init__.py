"""Real-time prediction: windows of streams, and single rows without pandas."""

from sklearn_mmsent.streaming._prediction import Prediction
from sklearn_mmsent.streaming._row_predictor import RowPredictor
from sklearn_mmsent.streaming._streaming_predictor import StreamingPredictor

__all__ = ["Prediction", "RowPredictor", "StreamingPredictor"]
