"""Extractors of videos."""
