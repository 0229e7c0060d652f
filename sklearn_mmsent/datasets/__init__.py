"""Readers of tables and feature files, and the generator of raw clips."""

from sklearn_mmsent.datasets._clips import make_clips
from sklearn_mmsent.datasets._feature_file import read_feature_file
from sklearn_mmsent.datasets._table import read_table

__all__ = ["make_clips", "read_feature_file", "read_table"]
