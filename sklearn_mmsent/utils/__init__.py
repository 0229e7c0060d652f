"""Shared plumbing below every other package: scikit-learn, seeds, messages, files, memory."""
