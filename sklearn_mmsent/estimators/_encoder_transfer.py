"""Trained encoders: from a fitted estimator or a file to the blocks of another estimator."""

import inspect
import json
import os
from collections.abc import Mapping

from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator

from sklearn_mmsent.estimators._encoder_file import TrainedBlock, read_encoders
from sklearn_mmsent.nn import ENCODERS
from sklearn_mmsent.training.encoder_start import EncoderStart, plain_state


def trained_blocks(estimator):
    """Return the encoders of a fitted fusion estimator.

    Parameters
    ----------
    estimator : BaseFusion
        Fitted.

    Returns
    -------
    list of TrainedBlock
        One per block, except blocks that no training row has.
    """
    network = estimator.net_.module_
    return [
        TrainedBlock(
            name=block.name,
            shape=[int(n) for n in block.shape],
            encoder=_name_of(encoder),
            options=_json_options(encoder, options),
            width=int(network.absence.shape[1]),
            states={
                "encoder": plain_state(network.encoders[i]),
                "standardizer": plain_state(network.standardizers[i]),
            },
        )
        for i, (block, (encoder, options)) in enumerate(
            zip(estimator.layout_.blocks, estimator._encoders, strict=True)
        )
        if i not in estimator._unseen
    ]


def find_starts(source, layout, encoders, *, width, frozen, owner):
    """Return the initial weights of the encoder of each block.

    Parameters
    ----------
    source : str, Path, estimator or mapping
        The parameter `encoders_from`.
    layout : BlockLayout
        The blocks of the table.
    encoders : sequence of (type, dict) pairs
        Encoder class and its options, one pair per block.
    width : int
        Hidden width D.
    frozen : bool
        Whether the encoders are not trained further.
    owner : str
        Name used in error messages.

    Returns
    -------
    tuple of EncoderStart or None
        One per block; None for random weights.

    Raises
    ------
    ValueError
        If a block of the same name differs, or no name is in common.
    """
    find = _find_named if isinstance(source, Mapping) else _find_common
    found = find(source, layout, owner)  # (description of the source, TrainedBlock) by block
    starts = []
    for block, (encoder, options) in zip(layout.blocks, encoders, strict=True):
        if block.name not in found:
            starts.append(None)
            continue
        origin, trained = found[block.name]
        subject = f"{owner}: the block {block.name!r} of encoders_from ({origin})"
        _check_compatible(trained, block, encoder, options, width, subject)
        subject += f", of shape {tuple(trained.shape)} instead of {block.shape},"
        states = trained.states
        starts.append(EncoderStart(subject, states["encoder"], states["standardizer"], frozen))
    return tuple(starts)


def _find_common(source, layout, owner):
    """Return all blocks of the table that the source has."""
    origin, trained = _open(source, owner)
    names = [block.name for block in layout.blocks]
    if not set(names) & trained.keys():
        raise ValueError(
            f"{owner}: encoders_from ({origin}) has encoders of {_list(trained)}, and the table "
            f"has {_list(names)}: no name in common. Give the blocks the same names."
        )
    return {name: (origin, trained[name]) for name in names if name in trained}


def _find_named(sources, layout, owner):
    """Return the blocks that a mapping from blocks or modalities to sources names."""
    names = [block.name for block in layout.blocks]
    if unknown := sources.keys() - {*names, *layout.modalities}:
        raise ValueError(
            f"{owner}: encoders_from names {sorted(map(str, unknown))[0]!r}, which is not a "
            f"modality or block of the table; it has {_list({*names, *layout.modalities})}."
        )
    found = {}
    for key, source in sources.items():
        if source is None:
            continue
        origin, trained = _open(source, owner)
        inside = {b.name for b in layout.blocks if b.name == key or b.modality == key}
        if not inside & trained.keys():
            raise ValueError(
                f"{owner}: encoders_from takes {key!r} from {origin}, which has encoders of "
                f"{_list(trained)} only."
            )
        for name in inside & trained.keys():
            # an entry for a block takes precedence over one for its modality
            if name == key or name not in sources:
                found[name] = (origin, trained[name])
    return found


def _open(source, owner):
    """Return a description of a source and its trained blocks by name."""
    if isinstance(source, str | os.PathLike):
        blocks = read_encoders(source, owner=owner)
        return f"the file {os.fspath(source)!r}", {block.name: block for block in blocks}
    estimator = source
    while (inner := _inside(estimator)) is not None:  # ensembles can be falsy: they have a length
        estimator = inner
    name = type(estimator).__name__
    if not hasattr(estimator, "save_encoders"):
        raise ValueError(
            f"{owner}: encoders_from must be the path of a file that save_encoders wrote, or a "
            f"fitted fusion estimator. Got {name} instead."
        )
    if not hasattr(estimator, "net_"):
        raise NotFittedError(
            f"{owner}: the {name} in encoders_from is not fitted, or lost its fit when "
            "scikit-learn cloned it. Wrap the fitted one, as in encoders_from="
            "sklearn.frozen.FrozenEstimator(fitted), or write fitted.save_encoders(path) and pass "
            "the path."
        )
    return f"a fitted {name}", {block.name: block for block in trained_blocks(estimator)}


def _inside(estimator):
    """Return the estimator inside a frozen estimator, a search or a pipeline, or None."""
    if isinstance(estimator, FrozenEstimator):
        return estimator.estimator
    if hasattr(estimator, "best_estimator_"):
        return estimator.best_estimator_
    steps = getattr(estimator, "steps", None)
    return steps[-1][1] if steps else None


def _check_compatible(trained, block, encoder, options, width, subject):
    """Check the kinds of block and encoder; shapes of weights are checked when they are loaded."""
    shape, source_shape = block.shape, tuple(trained.shape)
    n_features = [s[0 if len(s) == 3 else -1] for s in (shape, source_shape)]
    if len(shape) != len(source_shape) or n_features[0] != n_features[1]:
        raise ValueError(
            f"{subject} has the shape {source_shape} instead of {shape}, and no weights fit both. "
            "Give the tables the same shapes, or name the blocks to take: encoders_from={name: "
            "source}."
        )
    options = _json_options(encoder, options)
    # an option that is newer than the file had its default value
    source_options = {**_json_options(encoder, {}), **trained.options}
    if (trained.encoder, source_options) != (_name_of(encoder), options):
        found = _write(trained.encoder, source_options, options)
        expected = _write(_name_of(encoder), options, source_options)
        raise ValueError(
            f"{subject} has the encoder {found} instead of {expected}. Give both the same in "
            f"encoders, as in encoders={{{block.name!r}: ({trained.encoder!r}, {{...}})}}."
        )
    if trained.width != width:
        raise ValueError(
            f"{subject} was trained with hidden_size={trained.width}, not {width}. Set "
            f"hidden_size={trained.width}."
        )


def _name_of(encoder):
    return next((n for n, cls in ENCODERS.items() if cls is encoder), encoder.__name__)


def _json_options(encoder, options):
    """Return the options of an encoder that JSON can represent, including defaults."""
    parameters = inspect.signature(encoder).parameters.values()
    defaults = {p.name: p.default for p in parameters if p.default is not p.empty}
    found = {}
    for name, value in {**defaults, **options}.items():
        if name in encoder.training_options:
            continue
        try:
            # tuples become lists, and numpy's numbers Python's
            found[name] = json.loads(json.dumps(value, default=lambda number: number.item()))
        except (TypeError, ValueError, AttributeError):
            continue  # a class or function: the shapes of the weights show its effect
    return found


def _write(name, options, others):
    differing = [f"{k}={v!r}" for k, v in options.items() if k not in others or others[k] != v]
    return f"{name}({', '.join(differing)})"


def _list(names):
    return ", ".join(sorted(map(repr, names))) or "no block"
