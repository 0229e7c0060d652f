"""Exceptions of the package.

Each also inherits from the builtin exception that users of scikit-learn expect, so that
``except ValueError`` and ``error_score=`` work.
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
    """Base class of the exceptions of the package."""


class BlockError(MMSentError, ValueError):
    """The columns of a table, or their values, violate the block contract."""


class CellError(MMSentError, ValueError):
    """A raw cell (a text, file, array) cannot be read or encoded."""


class DataFormatError(MMSentError, ValueError):
    """A file has an unexpected format, or is not safe to read."""


class MissingDependencyError(MMSentError, ImportError):
    """A package of an optional extra is required but not installed."""


class DivergenceError(MMSentError, ArithmeticError):
    """Training diverged: the loss became NaN or infinite."""


class StudyError(MMSentError, OSError):
    """The study of a search cannot be read, belongs to another search, or was deleted."""


class TooLargeError(MMSentError, MemoryError):
    """Rows or a network do not fit into memory."""


class StreamFullError(MMSentError, RuntimeError):
    """The queue of a stream is full, so that it accepts no more input."""
