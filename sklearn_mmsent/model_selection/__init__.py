"""Comparing models on the same rows."""
