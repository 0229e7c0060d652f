"""Functions of nested lists, tuples and dicts of tensors."""

import torch


def map_tensors(values, function):
    """Apply a function to each tensor in lists, tuples and dicts; other values pass.

    Parameters
    ----------
    values : Tensor, list, tuple, dict or any other value
        Nested values.
    function : callable
        Maps a tensor to a tensor.

    Returns
    -------
    object
        Of the same form.
    """
    if isinstance(values, torch.Tensor):
        return function(values)
    if isinstance(values, list | tuple):
        return type(values)(map_tensors(value, function) for value in values)
    if isinstance(values, dict):
        return {key: map_tensors(value, function) for key, value in values.items()}
    return values
