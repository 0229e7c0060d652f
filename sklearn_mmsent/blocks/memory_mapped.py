"""StoredValues: the values of a block in a memory-mapped file."""

import mmap

import numpy as np

PIECE = 2**20  # numbers read at once


class StoredValues:
    """Values of a block in a memory-mapped table, read into memory when indexed by rows.

    Replaces the array of :class:`BlockValues`: ``values[rows]`` accepts a slice, indices or a
    mask.

    Parameters
    ----------
    columns : ndarray of shape (n_samples, width)
        The block's columns, as a view of the table.
    shape : tuple of int
        Shape of one row.
    """

    def __init__(self, columns, shape):
        self.columns = columns
        self.shape = (len(columns), *shape)
        self.ndim = len(self.shape)
        self.dtype = columns.dtype.newbyteorder("=")  # torch needs native byte order
        self.nbytes = columns.nbytes

    def __len__(self):
        return len(self.columns)

    def __getitem__(self, rows):
        """Read rows.

        Parameters
        ----------
        rows : slice or ndarray of int or bool
            Slice, indices or mask.

        Returns
        -------
        ndarray of shape (n_chosen, *shape)
            C-ordered; may be a view of the table.
        """
        part = np.ascontiguousarray(self.columns[rows], dtype=self.dtype)
        return part.reshape(len(part), *self.shape[1:])


def is_memory_mapped(array):
    """Return whether an array is a view of a memory-mapped file.

    Parameters
    ----------
    array : ndarray
        Any array.

    Returns
    -------
    bool
        False for copies, even if numpy types them as ``memmap``.
    """
    while array is not None:
        if isinstance(array, mmap.mmap):
            return True
        array = array.obj if isinstance(array, memoryview) else getattr(array, "base", None)
    return False


def pieces(n_rows, width):
    """Split rows into slices that are small compared to a large table.

    Parameters
    ----------
    n_rows : int
        Number of rows.
    width : int
        Numbers in a row.

    Returns
    -------
    list of slice
        In order; a row is never cut.
    """
    step = max(1, PIECE // max(width, 1))
    return [slice(start, min(start + step, n_rows)) for start in range(0, n_rows, step)]
