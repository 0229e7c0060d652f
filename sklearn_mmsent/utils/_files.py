"""Writing files."""

import contextlib
import os
import secrets


def write_atomically(path, write):
    """Write a file so that it is either complete or, after an error, unchanged.

    Parameters
    ----------
    path : Path
        The file; an existing one is replaced.
    write : callable
        Called with the path of a temporary file in the same folder, which it writes.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    try:
        write(draft)
        os.replace(draft, path)
    finally:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
