"""From the blocks of a table and the parameters of an estimator to the plan of a network."""

from sklearn_mmsent.estimators._encoder_transfer import find_starts
from sklearn_mmsent.estimators._encoders import choose_encoder
from sklearn_mmsent.nn import resolve_fusion
from sklearn_mmsent.training import NetworkPlan

#: Parameters with the role "network" that decide how the plan is built; the target reads the last
#: two, and all others reach the network under their names.
_OF_THE_PLAN = {
    *("fusion", "fusion_params", "encoders", "encoders_from", "freeze_encoders"),
    *("hidden_size", "dropout", "modality_dropout"),
    *("self_supervised", "neutral"),
}


def network_plan(rows, params, names, owner):
    """Return the plan of the network for some rows.

    Parameters
    ----------
    rows : FitRows
        Training rows and their layout.
    params : dict
        Parameters of the estimator.
    names : list of str
        Those of them that have the role "network".
    owner : str
        Name used in error messages.

    Returns
    -------
    NetworkPlan

    Raises
    ------
    ValueError
        If the fusion or an encoder is unknown, or an encoder does not read a block.
    """
    layout = rows.layout
    fusion = resolve_fusion(params["fusion"], owner)
    encoders = tuple(
        choose_encoder(params["encoders"], block, layout, sequential=fusion.sequential, owner=owner)
        for block in layout.blocks
    )
    starts = None
    if params["encoders_from"] is not None:
        starts = find_starts(
            params["encoders_from"],
            layout,
            encoders,
            width=params["hidden_size"],
            frozen=bool(params["freeze_encoders"]),
            owner=owner,
        )
    return NetworkPlan(
        shapes=tuple(block.shape for block in layout.blocks),
        modality_of_block=tuple(layout.modalities.index(b.modality) for b in layout.blocks),
        statistics=rows.statistics,
        encoders=encoders,
        fusion=(fusion, dict(params["fusion_params"] or {})),
        width=params["hidden_size"],
        dropout=params["dropout"],
        modality_dropout=params["modality_dropout"],
        **rows.target.plan_fields(params, layout),
        starts=starts,
        augmentation={name: params[name] for name in names if name not in _OF_THE_PLAN},
    )
