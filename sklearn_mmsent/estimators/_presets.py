"""Encoders of whole networks by name, chosen by the kind of each block."""

#: A waveform has this many channels at most and this many steps at least.
_WAVEFORM_CHANNELS, _WAVEFORM_STEPS = 2, 1000


def cnn_end_to_end(shape):
    """Return the encoder of a block in the small network that learns from raw input.

    Its textbook sketch has layers of fixed sizes, which fit one size of image and sound and,
    without pooling, not even those. Here each convolution is followed by pooling and the last
    one by a mean, so that any size goes in.

    Parameters
    ----------
    shape : tuple of int
        Shape of one row of the block.

    Returns
    -------
    name : str
        Key of ENCODERS.
    options : dict
        Of the encoder.
    """
    if len(shape) == 1:
        return "mlp", {"hidden": (128,)}
    if len(shape) == 3:
        return "conv2d", {"channels": (64, 128)}
    n_steps, n_features = shape
    if n_features <= _WAVEFORM_CHANNELS and n_steps >= _WAVEFORM_STEPS:
        # kernels, strides and pools of M5's first layers (Dai et al. 2017): 80 samples are 10 ms
        # at 8 kHz, a period of the lowest voices; five would hear none, at sixteen times the steps
        sizes = {"kernel_size": (80, 3), "stride": (4, 1), "pool": (4, 4)}
        return "conv1d", {"channels": (64, 128), **sizes}
    return "conv1d", {"channels": (64, 128)}


#: Names of the presets, as `encoders=` of the estimators takes them.
PRESETS = {"cnn-end-to-end": cnn_end_to_end}
