"""The ways to join: M block vectors in, one fused vector out; one small file a family.

Every fusion is built as ``Fusion(n_blocks, width, dropout)`` and called with
``vectors`` of shape (B, M, D) and ``there``, a mask of shape (B, M). What the
vectors hold where the mask is False are learned absence tokens; a row of which
nothing is there comes with a mask that is True throughout.
"""

from sklearn_mmsent.nn.fusion.concat import ConcatFusion
from sklearn_mmsent.nn.fusion.gated import GatedFusion
from sklearn_mmsent.nn.fusion.weighted import WeightedFusion

#: Names of the built-in fusions, as `fusion=` of the estimators takes them.
FUSIONS = {"concat": ConcatFusion, "weighted": WeightedFusion, "gated": GatedFusion}

__all__ = ["FUSIONS", "ConcatFusion", "GatedFusion", "WeightedFusion"]
