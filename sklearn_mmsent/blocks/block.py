"""Block: a contiguous slice of columns and the shape of its rows."""

import math
from dataclasses import dataclass

from sklearn_mmsent.blocks.feature_names import indexed_names

SEPARATOR = "__"
PRESENT, LENGTH = "present", "length"


@dataclass(frozen=True)
class Block:
    """A contiguous slice of a table's columns and the shape of its rows.

    Parameters
    ----------
    name : str
        ``"<modality>"`` or ``"<modality>__<part>"``.
    start : int
        First column of the block in the table.
    features : tuple of str
        Names of the innermost features, without modality, part and indices.
    extents : tuple of int, default=()
        Lengths of the inner axes, slowest first: ``()`` for a flat block,
        ``(T,)`` for a sequence, ``(C, H, W)`` for an image.
    present_column, length_column : int or None, default=None
        Columns in which ``FillBlocks`` wrote whether the block is present and
        its number of valid steps.

    Examples
    --------
    >>> block = Block("audio__mfcc", start=0, features=("mfcc000", "mfcc001"), extents=(50,))
    >>> block.modality, block.kind, block.shape, block.stop
    ('audio', 'sequence', (50, 2), 100)
    """

    name: str
    start: int
    features: tuple
    extents: tuple = ()
    present_column: int | None = None
    length_column: int | None = None

    @property
    def modality(self):
        """The modality that the block belongs to."""
        return self.name.partition(SEPARATOR)[0]

    @property
    def shape(self):
        """Shape of one row's tensor: (F,), (T, F), or (C, H, W)."""
        if len(self.extents) > 1 and len(self.features) == 1:
            return self.extents
        return (*self.extents, len(self.features))

    @property
    def kind(self):
        """``"flat"``, ``"sequence"`` (time first) or ``"image"`` (channels first)."""
        return ("flat", "sequence", "image")[len(self.shape) - 1]

    @property
    def width(self):
        """Number of the block's columns."""
        return math.prod(self.extents) * len(self.features)

    @property
    def stop(self):
        """One past the last column of the block."""
        return self.start + self.width

    @property
    def columns(self):
        """The block's columns as a slice."""
        return slice(self.start, self.stop)

    def column_names(self):
        """Return the names of the block's columns, in order.

        Returns
        -------
        list of str
            ``<name>__<feature>``, with ``@`` and the indices where there are inner axes.
        """
        prefix = self.name + SEPARATOR
        return [prefix + name for name in indexed_names(self.features, *self.extents)]
