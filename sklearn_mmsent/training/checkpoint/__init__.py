"""Checkpoints: training that was killed goes on where it was, to the same end."""

from sklearn_mmsent.training.checkpoint.digest import digest, digest_of_network
from sklearn_mmsent.training.checkpoint.file import (
    CheckpointError,
    CheckpointFile,
    Decisions,
    NoDecisions,
)
from sklearn_mmsent.training.checkpoint.single import LoneCheckpoint

__all__ = [
    "CheckpointError",
    "CheckpointFile",
    "Decisions",
    "LoneCheckpoint",
    "NoDecisions",
    "digest",
    "digest_of_network",
]
