"""Reading texts."""

from sklearn_mmsent.exceptions import CellError


def read_text(cell):
    """Return a text that every encoder accepts, or raise a CellError."""
    if not isinstance(cell, str):
        raise CellError(
            f"expected a text (str), got {type(cell).__name__}. Choose the column that holds "
            "texts, or convert its cells to str"
        )
    try:
        cell.encode()
    except UnicodeEncodeError:  # lone surrogates, from malformed JSON
        return cell.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return str(cell)
