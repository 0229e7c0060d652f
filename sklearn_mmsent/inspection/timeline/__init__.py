"""Sentiment of a long clip over time."""

from sklearn_mmsent.inspection.timeline._timeline import predict_timeline

__all__ = ["predict_timeline"]
