"""Readers of tables and feature files, and generators of data with known interactions."""

from sklearn_mmsent.datasets._clips import make_clips
from sklearn_mmsent.datasets._feature_file import read_feature_file
from sklearn_mmsent.datasets._interactions import make_interactions
from sklearn_mmsent.datasets._read_table import read_table

__all__ = ["make_clips", "make_interactions", "read_feature_file", "read_table"]
