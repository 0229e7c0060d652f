"""Values that are too many for a device: each batch of them is moved there."""

import numpy as np
import torch

from sklearn_mmsent.blocks.memory_mapped import StoredValues, pieces
from sklearn_mmsent.utils._memory import fits


class StreamedValues:
    """Values of a block that stay in memory or in a file; rows go to the device when asked for.

    Stands where a :class:`BlockDataset` otherwise has a tensor, and has of its interface what is
    needed there: ``shape``, ``dtype``, ``device``, ``len``, ``numel``, ``element_size``,
    ``data_ptr``, ``is_floating_point`` and ``index_select``.

    Parameters
    ----------
    source : ndarray or StoredValues of shape (n_samples, *shape)
        Gives an array where it is indexed by row numbers.
    device : str or torch.device
        Where rows go.
    """

    def __init__(self, source, device):
        self.source = source
        self.device = torch.device(device)
        self.shape = torch.Size(source.shape)
        self.dtype = self._tensor(np.empty(0, source.dtype)).dtype

    def __len__(self):
        return self.shape[0]

    def numel(self):
        """Return how many numbers there are."""
        return self.shape.numel()

    def element_size(self):
        """Return the bytes of a number."""
        return self.dtype.itemsize

    def data_ptr(self):
        """Return the address of the first number, which tells equal sources from others."""
        source = self.source
        array = source.columns if isinstance(source, StoredValues) else source
        return array.__array_interface__["data"][0]

    def is_floating_point(self):
        """Tell whether the numbers may be NaN."""
        return self.dtype.is_floating_point

    def index_select(self, dim, rows):
        """Return rows.

        Parameters
        ----------
        dim : int
            Zero: only rows can be selected.
        rows : LongTensor of shape (n_chosen,)
            Their numbers, on any device.

        Returns
        -------
        Tensor of shape (n_chosen, *shape)
            On the device.
        """
        if dim != 0:
            raise ValueError(f"only rows of streamed values can be selected, dim=0; got {dim}.")
        return self._tensor(self.source[rows.cpu().numpy()])

    def _tensor(self, array):
        if self.device.type != "cuda":
            return to_device(array, self.device)
        # from pinned memory the copy runs beside what the device computes
        return torch.from_numpy(array).pin_memory().to(self.device, non_blocking=True)


def place(arrays, device):
    """Put values of blocks on a device, or where rows can go there when asked for.

    Parameters
    ----------
    arrays : list of (ndarray or StoredValues)
        One per block.
    device : str or torch.device
        Where they are needed.

    Returns
    -------
    list of (Tensor or StreamedValues)
        On a CPU what is in memory is used as it is; other devices hold all blocks or none.
    """
    on_cpu = torch.device(device).type == "cpu"
    held = on_cpu or fits(sum(array.nbytes for array in arrays), device)
    return [
        StreamedValues(array, device)
        if not held or (on_cpu and isinstance(array, StoredValues))
        else _move(array, device)
        for array in arrays
    ]


def _move(array, device):
    """Put values on a device, those in a file piece by piece."""
    if not isinstance(array, StoredValues):
        return to_device(array, device)
    dtype = to_device(array[:0], device).dtype
    values = torch.empty(array.shape, dtype=dtype, device=device)
    for rows in pieces(len(array), values.shape[1:].numel()):
        values[rows] = to_device(array[rows], device)
    return values


def to_device(array, device):
    """Turn an array into a tensor on a device.

    Parameters
    ----------
    array : ndarray
        Numbers.
    device : str or torch.device
        Where they go.

    Returns
    -------
    Tensor
        Shares the memory of the array where it can.
    """
    # float64 exists on every device but Apple's, and there nothing needs it
    if array.dtype == np.float64 and torch.device(device).type == "mps":
        array = array.astype(np.float32)
    if not array.flags.writeable:
        array = array.copy()  # torch warns of read-only memory, which it could write into
    return torch.as_tensor(array, device=device)
