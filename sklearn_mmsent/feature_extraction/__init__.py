"""Extractors: scikit-learn transformers from one column of raw cells to one block of numbers."""
