"""The parameters of the fusion estimators: signatures, roles, constraints and search space.

A hyperparameter is declared here once: in the signatures below, and in the table of the estimators
that have it. The search spaces, the stages of a fit that candidates can share, and the arguments of
the network and its training follow from the table.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Integral, Real

from sklearn.base import BaseEstimator

from sklearn_mmsent.estimators._encoders import PRESETS
from sklearn_mmsent.nn import ENCODERS, FUSIONS
from sklearn_mmsent.nn.losses import LOSSES
from sklearn_mmsent.spaces import DependsOn, SearchSpace
from sklearn_mmsent.spaces.domains import Range
from sklearn_mmsent.utils._sklearn import HasMethods, Interval, StrOptions

ROLES = ("table", "split", "network", "training")


@dataclass(frozen=True)
class Parameter:
    """Role, constraint and search spaces of one parameter.

    Parameters
    ----------
    role : {"table", "split", "network", "training"}
        Stage of a fit that it belongs to: reading the table and its targets, choosing the rows to
        train and to validate on, building the network, or training it. Candidates of a search that
        differ only in later roles share the results of the earlier ones.
    constraint : list
        As in ``_parameter_constraints`` of scikit-learn's estimators.
    small, full : list, Range, DependsOn or None, default=None
        What the search spaces "small" and "full" try; None leaves the parameter as it is.
    shapes : bool, default=False
        Whether networks that differ in it cannot be trained as a batch.
    """

    role: str
    constraint: list
    small: object = None
    full: object = None
    shapes: bool = False


# -- search spaces that depend on another parameter ----------------------------------------------

# options of fusions that change what they can learn, the default among them
_FUSION_PARAMS = {
    "low_rank": [{"rank": 2}, {"rank": 4}, {"rank": 8}],
    "attention": [{"n_layers": 1}, {"n_layers": 2}],
    "misa": [
        {"similarity_weight": 1.0, "difference_weight": 0.3},
        {"similarity_weight": 0.1, "difference_weight": 0.1},
    ],
    "poe": [{"kl_weight": 1e-3}, {"kl_weight": 1e-2}],
    "quality_aware": [{"ranking_weight": 0.0}, {"ranking_weight": 0.1}],
    "mult": [{"n_layers": 1}, {"n_layers": 2}],
    "bottleneck": [{"n_layers": 1}, {"n_layers": 2}],
}
_SEARCHED_FUSIONS = [name for name in FUSIONS if name != "reinforced"]  # slow, not batched
_SLOW_LEARNERS = {
    name: Range(1e-4, 2e-3, log=True) for name in _SEARCHED_FUSIONS if FUSIONS[name].sequential
}
_LOSS_PARAMS = {
    "classification": {
        "cross_entropy": [{"label_smoothing": 0.0}, {"label_smoothing": 0.1}],
        "focal": [{"gamma": 1.0}, {"gamma": 2.0}],
    },
    "regression": {
        "squared_error": [None],
        "absolute_error": [None],
        "huber": [{"delta": 0.5}, {"delta": 1.0}],
    },
}

# -- tables --------------------------------------------------------------------------------------

_POSITIVE = Interval(Real, 0, None, closed="neither")
_NOT_NEGATIVE = Interval(Real, 0, None, closed="left")
_BELOW_ONE = Interval(Real, 0, 1, closed="left")
_COUNT = Interval(Integral, 1, None, closed="left")

#: Parameters that all fusion estimators have.
SHARED = {
    "modalities": Parameter("table", [StrOptions({"auto"}), Mapping, None]),
    "device": Parameter("table", [str]),
    "random_state": Parameter("split", ["random_state"]),
    "early_stopping": Parameter("split", ["boolean"]),
    "validation_fraction": Parameter("split", [Interval(Real, 0, 1, closed="neither")]),
    "fusion": Parameter(
        "network",
        [str, type],  # see resolve_fusion
        small=["concat", "weighted", "gated"],
        full=_SEARCHED_FUSIONS,
        shapes=True,
    ),
    "fusion_params": Parameter(
        "network",
        [dict, None],
        full=DependsOn("fusion", _FUSION_PARAMS, otherwise=[None]),
        shapes=True,
    ),
    "encoders": Parameter(
        "network",
        [StrOptions({"auto", *ENCODERS, *PRESETS}), type, tuple, Mapping],
        shapes=True,
    ),
    "encoders_from": Parameter(
        "network", [str, os.PathLike, BaseEstimator, Mapping, None], shapes=True
    ),
    "freeze_encoders": Parameter("network", ["boolean"], shapes=True),
    "hidden_size": Parameter(
        "network",
        [Interval(Integral, 2, None, closed="left")],
        small=[32, 64, 128],
        full=[16, 32, 64, 128, 256],
        shapes=True,
    ),
    "dropout": Parameter("network", [_BELOW_ONE], small=Range(0.0, 0.6), full=Range(0.0, 0.7)),
    "lr": Parameter(
        "training",
        [_POSITIVE],
        small=Range(3e-4, 1e-2, log=True),
        full=DependsOn("fusion", _SLOW_LEARNERS, otherwise=Range(1e-4, 2e-2, log=True)),
    ),
    "weight_decay": Parameter(
        "training",
        [_NOT_NEGATIVE],
        small=Range(1e-3, 0.3, log=True),
        full=Range(1e-4, 1.0, log=True),
    ),
    "lr_schedule": Parameter(
        "training", [StrOptions({"cosine", "linear"}), None], full=[None, "cosine"]
    ),
    "warmup": Parameter(
        "training",
        [_BELOW_ONE],
        full=DependsOn("lr_schedule", {"cosine": [0.0, 0.1]}, otherwise=[0.0]),
    ),
    "clip_norm": Parameter("training", [_POSITIVE, None], full=[None, 1.0]),
    "batch_size": Parameter("training", [_COUNT], full=[32, 64, 128], shapes=True),
    "max_epochs": Parameter("training", [_COUNT]),
    "n_iter_no_change": Parameter("training", [_COUNT]),
    "precision": Parameter("training", [StrOptions({"auto", "float32", "bfloat16"})], shapes=True),
    "callbacks": Parameter("training", [list, None]),
    "net_params": Parameter("training", [dict, None]),
    "checkpoint_dir": Parameter("training", [str, os.PathLike, None]),
    "verbose": Parameter("training", ["verbose"]),
    "modality_dropout": Parameter("network", [_BELOW_ONE], small=[0.0, 0.2], full=Range(0.0, 0.4)),
    "block_noise": Parameter("network", [_NOT_NEGATIVE], full=Range(0.0, 0.5)),
    "mixup": Parameter("network", [Interval(Real, 0, 10, closed="both")], full=[0.0, 0.2, 0.4]),
    "time_masking": Parameter("network", [_BELOW_ONE], full=[0.0, 0.2]),
    "frequency_masking": Parameter("network", [_BELOW_ONE]),
}


def _loss(task):
    """Return the parameters of the loss of one target."""
    losses = _LOSS_PARAMS[task]
    constraint = [StrOptions(set(LOSSES[task])), callable]
    return {
        "loss": Parameter("training", constraint, full=list(losses), shapes=True),
        "loss_params": Parameter(
            "training", [dict, None], full=DependsOn("loss", losses), shapes=True
        ),
    }


def _class_weight(*constraint):
    weights = [StrOptions({"balanced", "effective"}), *constraint, None]
    return Parameter(
        "training", weights, small=[None, "balanced"], full=[None, "balanced", "effective"]
    )


_SAMPLER = Parameter("split", [HasMethods(["fit_resample"]), None])
CLASSIFIER = {
    **SHARED,
    "ordinal": Parameter("table", ["boolean", list]),
    "sampler": _SAMPLER,
    "class_weight": _class_weight(dict),
    "balanced_batches": Parameter(
        "training",
        ["boolean"],
        # weights of classes beside balanced batches would count small classes twice
        full=DependsOn("class_weight", {None: [False, True]}, otherwise=[False]),
    ),
    **_loss("classification"),
}
REGRESSOR = {**SHARED, "sampler": _SAMPLER, **_loss("regression")}
MULTITASK = {
    **SHARED,
    "tasks": Parameter("table", [StrOptions({"auto"}), Mapping]),
    "unimodal_targets": Parameter("table", [Mapping, None]),
    "self_supervised": Parameter("network", [str, None]),
    "neutral": Parameter("network", [Real]),
    "task_weights": Parameter("training", [StrOptions({"learned"}), Mapping, None]),
    "losses": Parameter("training", [Mapping, None]),
    "class_weight": _class_weight(),
}

#: Parameters that networks must agree in to be trained as a batch.
SHAPE_PARAMETERS = {
    name
    for table in (CLASSIFIER, REGRESSOR, MULTITASK)
    for name, parameter in table.items()
    if parameter.shapes
}


def names_of(table, *roles):
    """Return the names of the parameters that have one of some roles."""
    return [name for name, parameter in table.items() if parameter.role in roles]


def constraints_of(table):
    """Return the constraints of scikit-learn by name."""
    return {name: parameter.constraint for name, parameter in table.items()}


def space_of(table, level, owner):
    """Return the search space of an estimator.

    Parameters
    ----------
    table : dict of str to Parameter
        Parameters of the estimator.
    level : {"small", "full"}
        Which of their spaces.
    owner : str
        Name used in error messages.

    Returns
    -------
    SearchSpace

    Raises
    ------
    ValueError
        If there is no such level.
    """
    if level not in ("small", "full"):
        raise ValueError(
            f"{owner}.search_space: level must be 'small' or 'full'. Got {level!r} instead."
        )
    domains = {name: getattr(parameter, level) for name, parameter in table.items()}
    return SearchSpace({name: domain for name, domain in domains.items() if domain is not None})


# -- signatures ----------------------------------------------------------------------------------

# written out for scikit-learn, editors and type checkers; the assignments would repeat them


def _assign(arguments):
    estimator = arguments.pop("self")
    for name, value in arguments.items():
        setattr(estimator, name, value)


def _signature_of(name):
    """Decorate a class so that the TypeError for an unknown keyword names the estimator."""

    def decorate(cls):
        cls.__init__.__qualname__ = f"{name}.__init__"
        return cls

    return decorate


@_signature_of("FusionClassifier")
class ClassifierParameters:
    """Signature and table of the parameters of :class:`FusionClassifier`."""

    _parameters = CLASSIFIER
    _parameter_constraints: dict = constraints_of(CLASSIFIER)

    def __init__(
        self,
        fusion="concat",
        *,
        modalities="auto",
        fusion_params=None,
        encoders="auto",
        encoders_from=None,
        freeze_encoders=False,
        hidden_size=64,
        dropout=0.2,
        modality_dropout=0.0,
        block_noise=0.0,
        mixup=0.0,
        time_masking=0.0,
        frequency_masking=0.0,
        loss="cross_entropy",
        loss_params=None,
        ordinal=False,
        class_weight=None,
        balanced_batches=False,
        sampler=None,
        lr=3e-3,
        lr_schedule=None,
        warmup=0.0,
        clip_norm=None,
        weight_decay=1e-2,
        batch_size=32,
        max_epochs=200,
        early_stopping=True,
        validation_fraction=0.1,
        n_iter_no_change=20,
        device="auto",
        precision="auto",
        random_state=None,
        callbacks=None,
        net_params=None,
        checkpoint_dir=None,
        verbose=0,
    ):
        _assign(locals())


@_signature_of("FusionRegressor")
class RegressorParameters:
    """Signature and table of the parameters of :class:`FusionRegressor`."""

    _parameters = REGRESSOR
    _parameter_constraints: dict = constraints_of(REGRESSOR)

    def __init__(
        self,
        fusion="concat",
        *,
        modalities="auto",
        fusion_params=None,
        encoders="auto",
        encoders_from=None,
        freeze_encoders=False,
        hidden_size=64,
        dropout=0.2,
        modality_dropout=0.0,
        block_noise=0.0,
        mixup=0.0,
        time_masking=0.0,
        frequency_masking=0.0,
        loss="squared_error",
        loss_params=None,
        sampler=None,
        lr=3e-3,
        lr_schedule=None,
        warmup=0.0,
        clip_norm=None,
        weight_decay=1e-2,
        batch_size=32,
        max_epochs=200,
        early_stopping=True,
        validation_fraction=0.1,
        n_iter_no_change=20,
        device="auto",
        precision="auto",
        random_state=None,
        callbacks=None,
        net_params=None,
        checkpoint_dir=None,
        verbose=0,
    ):
        _assign(locals())


@_signature_of("FusionMultitask")
class MultitaskParameters:
    """Signature and table of the parameters of :class:`FusionMultitask`."""

    _parameters = MULTITASK
    _parameter_constraints: dict = constraints_of(MULTITASK)

    def __init__(
        self,
        fusion="concat",
        *,
        tasks="auto",
        unimodal_targets=None,
        task_weights=None,
        self_supervised=None,
        neutral=0.0,
        modalities="auto",
        fusion_params=None,
        encoders="auto",
        encoders_from=None,
        freeze_encoders=False,
        hidden_size=64,
        dropout=0.2,
        modality_dropout=0.0,
        block_noise=0.0,
        mixup=0.0,
        time_masking=0.0,
        frequency_masking=0.0,
        losses=None,
        class_weight=None,
        lr=3e-3,
        lr_schedule=None,
        warmup=0.0,
        clip_norm=None,
        weight_decay=1e-2,
        batch_size=32,
        max_epochs=200,
        early_stopping=True,
        validation_fraction=0.1,
        n_iter_no_change=20,
        device="auto",
        precision="auto",
        random_state=None,
        callbacks=None,
        net_params=None,
        checkpoint_dir=None,
        verbose=0,
    ):
        _assign(locals())
