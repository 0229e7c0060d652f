"""The encoder of each block, from the parameter `encoders` of the estimators."""

from collections.abc import Mapping

from sklearn_mmsent.nn import ENCODERS, Encoder

#: A waveform has at most this many channels and at least this many steps.
_WAVEFORM_CHANNELS, _WAVEFORM_STEPS = 2, 1000


def cnn_end_to_end(shape):
    """Return the encoder of a block in the small network for raw input.

    Each convolution is followed by pooling and the last one by a mean, so that images and sounds
    may have any size.

    Parameters
    ----------
    shape : tuple of int
        Shape of one row of the block.

    Returns
    -------
    name : str
        Key of ENCODERS.
    options : dict
        Options of the encoder.
    """
    if len(shape) == 1:
        return "mlp", {"hidden": (128,)}
    if len(shape) == 3:
        return "conv2d", {"channels": (64, 128)}
    n_steps, n_features = shape
    if n_features <= _WAVEFORM_CHANNELS and n_steps >= _WAVEFORM_STEPS:
        # kernels, strides and pools of the first layers of M5 (Dai et al. 2017): 80 samples are
        # 10 ms at 8 kHz, a period of the lowest voices
        sizes = {"kernel_size": (80, 3), "stride": (4, 1), "pool": (4, 4)}
        return "conv1d", {"channels": (64, 128), **sizes}
    return "conv1d", {"channels": (64, 128)}


#: Names that `encoders` accepts in addition to those of ENCODERS.
PRESETS = {"cnn-end-to-end": cnn_end_to_end}


def choose_encoder(choice, block, layout, *, sequential, owner):
    """Return the class of a block's encoder and its options.

    Parameters
    ----------
    choice : str, type, tuple or mapping
        The parameter `encoders`.
    block : Block
        The block to encode.
    layout : BlockLayout
        All blocks of the table.
    sequential : bool
        Whether the fusion is one of sequences.
    owner : str
        Name used in error messages.

    Returns
    -------
    encoder : type
        Class of the encoder.
    options : dict
        Its keyword arguments.

    Raises
    ------
    ValueError
        If the encoder is unknown, or the mapping names something other than a modality or block.
    """
    if isinstance(choice, Mapping):
        names = {b.name for b in layout.blocks} | set(layout.modalities)
        if unknown := set(choice) - names:
            raise ValueError(
                f"{owner}: encoders names {sorted(unknown)[0]!r}, which is not a modality or block "
                f"of the table; it has {', '.join(sorted(names))}."
            )
        choice = choice.get(block.name, choice.get(block.modality, "auto"))
    choice, options = choice if isinstance(choice, tuple) else (choice, {})
    if isinstance(choice, type):
        if not issubclass(choice, Encoder):
            raise ValueError(
                f"{owner}: a class given as encoder must be derived from "
                f"sklearn_mmsent.nn.Encoder. Got {choice.__name__} instead."
            )
        return choice, dict(options)
    if choice == "auto":
        choice = _automatic(block.shape, sequential)
    if choice in PRESETS:
        choice, chosen = PRESETS[choice](block.shape)
        options = {**chosen, **options}
    if choice not in ENCODERS:
        raise ValueError(
            f"{owner}: unknown encoder {choice!r} for the block {block.name!r}; built in are "
            f"{', '.join(sorted([*ENCODERS, *PRESETS]))}; or pass a class."
        )
    return ENCODERS[choice], dict(options)


def _automatic(shape, sequential):
    """Return the name of the encoder for a shape and a kind of fusion."""
    if len(shape) == 3 and min(shape[1:]) >= 8:
        return "conv2d"
    if len(shape) == 2 and sequential:
        return "gru"
    return "mlp"  # reads mean and standard deviation of a sequence
