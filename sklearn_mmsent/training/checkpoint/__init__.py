"""Checkpoints: interrupted training resumes, with the same result."""

from sklearn_mmsent.training.checkpoint.digest import digest, digest_of_network
from sklearn_mmsent.training.checkpoint.file import (
    CheckpointError,
    CheckpointFile,
    Decisions,
    NoDecisions,
)

__all__ = [
    "CheckpointError",
    "CheckpointFile",
    "Decisions",
    "NoDecisions",
    "digest",
    "digest_of_network",
]
