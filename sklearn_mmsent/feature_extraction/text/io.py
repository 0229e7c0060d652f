"""What all extractors of texts share."""

from sklearn_mmsent.exceptions import CellError


def read_text(cell):
    """Return a text that every encoder can take, or raise CellError."""
    if not isinstance(cell, str):
        raise CellError(
            f"expected a text (str), got {type(cell).__name__}. Choose the column that holds "
            "texts, or turn its cells into str"
        )
    try:
        cell.encode()
    except UnicodeEncodeError:  # halves of a character, as broken JSON brings them
        return cell.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return str(cell)
