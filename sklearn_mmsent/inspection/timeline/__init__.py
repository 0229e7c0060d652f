"""How the mood of a long clip goes on in time."""

from sklearn_mmsent.inspection.timeline._timeline import predict_timeline

__all__ = ["predict_timeline"]
