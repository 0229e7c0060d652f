"""fusion_weights."""

import numpy as np
import pandas as pd
from sklearn.utils import Bunch

from sklearn_mmsent.inspection._networks import networks_of
from sklearn_mmsent.nn import ENCODERS, FUSIONS, Encoder, Fusion
from sklearn_mmsent.training import read_weights
from sklearn_mmsent.utils._sklearn import HasMethods, validate_params

_OWNER = "fusion_weights"


@validate_params(
    {"estimator": [HasMethods(["fit", "predict"])]}, prefer_skip_nested_validation=True
)
def fusion_weights(estimator, X) -> Bunch:
    """Return the gates or attention weights of a fitted network, by modality and by step.

    These are the weights that the network computes for each row in one prediction. A large
    weight does not always mean a large influence on the result, which
    :func:`modality_contributions` measures.

    Parameters
    ----------
    estimator : estimator
        Fitted fusion estimator, a deep ensemble of them (whose members are averaged), or a
        pipeline that ends in one.
    X : DataFrame or array-like of shape (n_samples, n_columns)
        Rows to predict.

    Returns
    -------
    Bunch
        - ``modalities``: DataFrame of shape (n_samples, n_modalities), zero where a modality is
          missing; None for a fusion that weights steps only.
        - ``blocks``: the same by block, for modalities of several parts.
        - ``steps``: dict from block to a DataFrame of shape (n_samples, n_steps), zero for
          padding; only blocks whose steps have weights.
        - ``kind``: "shares", which sum to one over the modalities of a row, or "gates", which are
          independent; the gate of a modality is the mean over its blocks.

        Shares: "weighted", "attention" and "misa" (attention), "poe" (share of precision, without
        the prior), "decision", "quality_aware", "memory" (delta-memory attention). Gates:
        "gated", "mag" (one for the main block) and "reinforced" (share of steps that pass).
        Steps: "mult" and "bottleneck" (attention of the last layer), "reinforced" (1 for steps
        that pass, else 0); with other fusions, the encoders "attentive", and "gru" and "lstm"
        with pooling="attention". Weights of steps sum to one over a block, except for gates.

    Raises
    ------
    TypeError
        If the estimator is not a fusion network.
    ValueError
        If neither the fusion nor the encoders have weights.

    See Also
    --------
    FusionWeightsDisplay : Plots them.
    modality_contributions : Contributions to a prediction, for any estimator.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from sklearn_mmsent import FusionClassifier
    >>> from sklearn_mmsent.inspection import fusion_weights
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame(rng.normal(size=(100, 2)), columns=["text__tone", "voice__pitch"])
    >>> X.loc[0, "voice__pitch"] = np.nan
    >>> model = FusionClassifier("weighted", max_epochs=5, random_state=0)
    >>> model.fit(X, np.where(X["text__tone"] > 0, "happy", "sad"))
    FusionClassifier(...)
    >>> fusion_weights(model, X).modalities.loc[0].tolist()
    [1.0, 0.0]
    """
    networks, table = networks_of(estimator, X, owner=_OWNER)
    index = getattr(X, "index", None)
    layout = networks[0].layout_
    names = [block.name for block in layout.blocks]
    read, present = [], None
    for network in networks:
        dataset = network.read(table)
        present = dataset.present.cpu().numpy()
        read.append(read_weights(network.net_.module_, dataset))
    blocks = _mean([blocks for blocks, _ in read])
    steps = {
        name: pd.DataFrame(_mean(list(weights)), index=index)
        for name, *weights in zip(names, *(steps for _, steps in read), strict=True)
        if weights[0] is not None
    }
    if blocks is None and not steps:
        raise ValueError(_no_weights(networks[0]))
    kind = networks[0].net_.module_.fusion.weights_are
    modalities = None
    if blocks is not None:
        blocks = pd.DataFrame(blocks, index=index, columns=names)
        modalities = _by_modality(blocks, layout, present, kind)
    return Bunch(modalities=modalities, blocks=blocks, steps=steps, kind=kind)


def _by_modality(blocks, layout, present, kind):
    """Sum the shares of the blocks of a modality, or average the gates of its present blocks."""
    found = {}
    for modality in layout.modalities:
        columns = [i for i, block in enumerate(layout.blocks) if block.modality == modality]
        found[modality] = blocks.iloc[:, columns].sum(axis=1)
        if kind == "gates":
            found[modality] /= present[:, columns].sum(axis=1).clip(min=1)
    return pd.DataFrame(found)


def _mean(arrays):
    """Average the weights of the members; their sequences may be trimmed to different lengths."""
    if arrays[0] is None:
        return None
    width = max(array.shape[1] for array in arrays)
    padded = [np.pad(array, ((0, 0), (0, width - array.shape[1]))) for array in arrays]
    return np.mean(padded, axis=0)


def _no_weights(network):
    def overriding(table, base, methods):
        return ", ".join(
            repr(name)
            for name, part in sorted(table.items())
            if any(getattr(part, method) is not getattr(base, method) for method in methods)
        )

    fusions = overriding(FUSIONS, Fusion, ("block_weights", "step_weights"))
    encoders = overriding(ENCODERS, Encoder, ("step_weights",))
    return (
        f"{_OWNER}: the fusion {network.fusion!r} of {type(network).__name__} has no "
        f"weights, nor do its encoders. Fusions with weights are {fusions}; encoders with weights "
        f"of steps are {encoders} ('gru' and 'lstm' with pooling='attention'). For any other "
        "model, use modality_importance or modality_contributions."
    )
