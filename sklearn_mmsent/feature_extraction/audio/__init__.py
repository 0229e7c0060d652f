"""Extractors of sounds."""
