"""Fusion modules: vectors or sequences of M blocks in, one fused vector out."""

from sklearn_mmsent.nn.fusion.attention import AttentionFusion
from sklearn_mmsent.nn.fusion.base import Fusion
from sklearn_mmsent.nn.fusion.bottleneck import BottleneckFusion
from sklearn_mmsent.nn.fusion.concat import ConcatFusion
from sklearn_mmsent.nn.fusion.decision import DecisionFusion
from sklearn_mmsent.nn.fusion.gated import GatedFusion
from sklearn_mmsent.nn.fusion.low_rank import LowRankFusion
from sklearn_mmsent.nn.fusion.mag import AdaptationGateFusion
from sklearn_mmsent.nn.fusion.memory import MemoryFusion
from sklearn_mmsent.nn.fusion.misa import MISAFusion
from sklearn_mmsent.nn.fusion.mult import MulTFusion
from sklearn_mmsent.nn.fusion.multiplicative import MultiplicativeFusion
from sklearn_mmsent.nn.fusion.poe import ProductOfExpertsFusion
from sklearn_mmsent.nn.fusion.pooled import MeanFusion, SumFusion
from sklearn_mmsent.nn.fusion.quality import QualityAwareFusion
from sklearn_mmsent.nn.fusion.reinforced import ReinforcedFusion
from sklearn_mmsent.nn.fusion.tensor import TensorFusion
from sklearn_mmsent.nn.fusion.weighted import WeightedFusion
from sklearn_mmsent.utils._messages import did_you_mean

#: Names of the built-in fusions, as `fusion=` of the estimators takes them.
FUSIONS = {
    "concat": ConcatFusion,
    # sums over blocks
    "sum": SumFusion,
    "mean": MeanFusion,
    "weighted": WeightedFusion,
    # blocks gate, shift or rescale others
    "gated": GatedFusion,
    "mag": AdaptationGateFusion,
    "multiplicative": MultiplicativeFusion,
    # products of units of all blocks
    "tensor": TensorFusion,
    "low_rank": LowRankFusion,
    "attention": AttentionFusion,
    # latent parts with auxiliary losses
    "misa": MISAFusion,
    "poe": ProductOfExpertsFusion,
    # decision level
    "decision": DecisionFusion,
    "quality_aware": QualityAwareFusion,
    # sequences, step by step
    "mult": MulTFusion,
    "bottleneck": BottleneckFusion,
    "memory": MemoryFusion,
    "reinforced": ReinforcedFusion,
}

#: Acronyms of papers and the names of the fusions that implement them.
ACRONYMS = {
    "gmu": "gated",
    "tfn": "tensor",
    "lmf": "low_rank",
    "mbt": "bottleneck",
    "mfn": "memory",
    "qmf": "quality_aware",
}


def resolve_fusion(fusion, owner):
    """Return the class of a fusion.

    Parameters
    ----------
    fusion : str or type
        A key of FUSIONS, an acronym, or a class derived from `Fusion`.
    owner : str
        Name used in error messages.

    Returns
    -------
    type
        The class.

    Raises
    ------
    ValueError
        If there is no such fusion, or the class does not derive from `Fusion`.
    """
    if isinstance(fusion, type):
        if not issubclass(fusion, Fusion):
            raise ValueError(
                f"The 'fusion' parameter of {owner} must be derived from sklearn_mmsent.nn.Fusion "
                f"if it is a class. Got {fusion.__name__} instead."
            )
        return fusion
    name = ACRONYMS.get(fusion, fusion)
    if name not in FUSIONS:
        acronyms = ", ".join(f"{short!r} for {name!r}" for short, name in ACRONYMS.items())
        raise ValueError(
            f"The 'fusion' parameter of {owner} must be one of {', '.join(map(repr, FUSIONS))} "
            f"(or an acronym: {acronyms}), or a class derived from sklearn_mmsent.nn.Fusion. "
            f"Got {fusion!r} instead.{did_you_mean(fusion, [*FUSIONS, *ACRONYMS])}"
        )
    return FUSIONS[name]


__all__ = [
    "ACRONYMS",
    "FUSIONS",
    "AdaptationGateFusion",
    "AttentionFusion",
    "BottleneckFusion",
    "ConcatFusion",
    "DecisionFusion",
    "Fusion",
    "GatedFusion",
    "LowRankFusion",
    "MISAFusion",
    "MeanFusion",
    "MemoryFusion",
    "MulTFusion",
    "MultiplicativeFusion",
    "ProductOfExpertsFusion",
    "QualityAwareFusion",
    "ReinforcedFusion",
    "SumFusion",
    "TensorFusion",
    "WeightedFusion",
    "resolve_fusion",
]
