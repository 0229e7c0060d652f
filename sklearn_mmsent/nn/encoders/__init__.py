"""Encoders: one block in, a vector or a sequence of vectors of the hidden width out."""

from sklearn_mmsent.nn.encoders.base import Encoder
from sklearn_mmsent.nn.encoders.mlp import MLPEncoder

#: Names of the built-in encoders, as `encoders=` of the estimators takes them.
ENCODERS = {"mlp": MLPEncoder}

__all__ = ["ENCODERS", "Encoder", "MLPEncoder"]
