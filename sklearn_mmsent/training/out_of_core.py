"""Values that do not fit on a device and are moved there batch by batch."""

import numpy as np
import torch

from sklearn_mmsent.blocks.memory_mapped import StoredValues, pieces
from sklearn_mmsent.utils._memory import fits


class StreamedValues:
    """Values of a block in memory or in a file, whose rows are moved to the device on demand.

    Replaces a tensor in :class:`BlockDataset`, with the part of its interface that is needed
    there: ``shape``, ``dtype``, ``device``, ``len``, ``numel``, ``element_size``, ``data_ptr``,
    ``is_floating_point`` and ``index_select``.

    Parameters
    ----------
    source : ndarray or StoredValues of shape (n_samples, *shape)
        Returns an array when indexed by row numbers.
    device : str or torch.device
        Device of the selected rows.
    """

    def __init__(self, source, device):
        self.source = source
        self.device = torch.device(device)
        self.shape = torch.Size(source.shape)
        self.dtype = self._tensor(np.empty(0, source.dtype)).dtype

    def __len__(self):
        return self.shape[0]

    def numel(self):
        """Return the number of values."""
        return self.shape.numel()

    def element_size(self):
        """Return the bytes of a value."""
        return self.dtype.itemsize

    def data_ptr(self):
        """Return the address of the first value, which identifies the source."""
        source = self.source
        array = source.columns if isinstance(source, StoredValues) else source
        return array.__array_interface__["data"][0]

    def is_floating_point(self):
        """Return whether the values may be NaN."""
        return self.dtype.is_floating_point

    def index_select(self, dim, rows):
        """Return rows.

        Parameters
        ----------
        dim : int
            Must be 0: only rows can be selected.
        rows : LongTensor of shape (n_chosen,)
            Numbers of the rows, on any device.

        Returns
        -------
        Tensor of shape (n_chosen, *shape)
            Rows on the device.
        """
        if dim != 0:
            raise ValueError(f"only rows of streamed values can be selected, dim=0; got {dim}.")
        return self._tensor(self.source[rows.cpu().numpy()])

    def _tensor(self, array):
        if self.device.type != "cuda":
            return to_device(array, self.device)
        # from pinned memory, copying overlaps with computation
        return torch.from_numpy(array).pin_memory().to(self.device, non_blocking=True)


def place(arrays, device):
    """Move values of blocks to a device if they fit, else prepare them for moving row by row.

    Parameters
    ----------
    arrays : list of (ndarray or StoredValues)
        Values of each block.
    device : str or torch.device
        Target device.

    Returns
    -------
    list of (Tensor or StreamedValues)
        On a CPU, arrays in memory are used in place; other devices hold all blocks or none.
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
    """Move values to a device, those in a file piece by piece."""
    if not isinstance(array, StoredValues):
        return to_device(array, device)
    dtype = to_device(array[:0], device).dtype
    values = torch.empty(array.shape, dtype=dtype, device=device)
    for rows in pieces(len(array), values.shape[1:].numel()):
        values[rows] = to_device(array[rows], device)
    return values


def to_device(array, device):
    """Convert an array to a tensor on a device.

    Parameters
    ----------
    array : ndarray
        Values.
    device : str or torch.device
        Target device.

    Returns
    -------
    Tensor
        Shares the memory of the array where possible.
    """
    # Apple's devices have no float64
    if array.dtype == np.float64 and torch.device(device).type == "mps":
        array = array.astype(np.float32)
    if not array.flags.writeable:
        array = array.copy()  # torch warns about read-only memory
    return torch.as_tensor(array, device=device)
