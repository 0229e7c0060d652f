"""The package's own errors.

Each also inherits from the builtin that scikit-learn users expect, so that
``except ValueError`` and ``error_score=`` keep working.
"""

__all__ = [
    "BlockError",
    "CellError",
    "DataFormatError",
    "DivergenceError",
    "MMSentError",
    "MissingDependencyError",
    "StreamFullError",
    "StudyError",
    "TooLargeError",
]


class MMSentError(Exception):
    """Root of all errors that the package raises on purpose."""


class BlockError(MMSentError, ValueError):
    """A table's columns, or the numbers in them, do not fit the block contract."""


class CellError(MMSentError, ValueError):
    """A raw cell (a text, file, array) cannot be read or encoded."""


class DataFormatError(MMSentError, ValueError):
    """A file is not what its reader expects, or is not safe to read."""


class MissingDependencyError(MMSentError, ImportError):
    """A package of an optional extra is needed and not installed."""


class DivergenceError(MMSentError, ArithmeticError):
    """Training has left the numbers: the loss is NaN or infinite."""


class StudyError(MMSentError, OSError):
    """The study of a search cannot be read, is another's, or has vanished."""


class TooLargeError(MMSentError, MemoryError):
    """Rows, or a network, do not fit into memory."""


class StreamFullError(MMSentError, RuntimeError):
    """A stream has as many windows waiting as it may hold, and takes no more input."""
