"""Reader of csv and parquet tables with columns of file names."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.utils import Bunch

from sklearn_mmsent.exceptions import DataFormatError
from sklearn_mmsent.utils._optional import import_optional
from sklearn_mmsent.utils._sklearn import validate_params

_CSV = {".csv": ",", ".tsv": "\t"}
_PARQUET = {".parquet", ".pq"}


@validate_params(
    {
        "path": [str, os.PathLike],
        "target": [str, list, tuple, None],
        "files": [str, list, tuple],
        "columns": [str, list, tuple, None],
        "groups": [str, None],
        "split": [str, None],
        "check_files": ["boolean"],
        "allow_outside": ["boolean"],
    },
    prefer_skip_nested_validation=True,
)
def read_table(
    path,
    *,
    target,
    files=(),
    columns=None,
    groups=None,
    split=None,
    check_files=True,
    allow_outside=False,
) -> Bunch:
    r"""Read a table of texts, file names and labels into raw cells.

    Only the table is read: extractors open images and audio files later.

    Parameters
    ----------
    path : str or path-like
        A ``.csv`` (commas, UTF-8, header), ``.tsv`` (tabs) or ``.parquet`` file.
    target : str, list of str or None
        Column of labels or intensities; a list for several targets; None for an unlabelled
        table.
    files : str or list of str, default=()
        Columns of file names, relative to the folder of the table.
    columns : str or list of str, default=None
        Other columns to keep unchanged, such as texts; None keeps all columns without another
        role.
    groups : str, default=None
        Column of group labels (speaker, video, film).
    split : str, default=None
        Column of split names, such as "train" and "test".
    check_files : bool, default=True
        Whether to check that each file exists.
    allow_outside : bool, default=False
        Whether files may be outside the folder of the table, via ``..``, absolute paths or
        links. Allow it only for trusted tables.

    Returns
    -------
    Bunch
        ``X`` : DataFrame of raw cells, first `columns`, then `files` as absolute paths;
        missing and empty cells are None (NaN in numeric columns).
        ``y`` : ndarray of shape (n_samples,), numeric if all labels are numbers, else str; a
        DataFrame for a list of targets; None without `target`. Labels may be missing.
        ``groups``, ``split`` : ndarray of str or of the dtype of the table; None if not requested.
        ``DESCR`` : str, a short description.

    Raises
    ------
    DataFormatError
        If the table cannot be parsed or has no rows, a column is missing or duplicated, a file
        does not exist or is outside the folder, or a row has no group.
    FileNotFoundError
        If the table itself does not exist.

    See Also
    --------
    read_feature_file : Reads pickled features instead of raw files.
    make_clips : Generates such a table with raw clips.

    Notes
    -----
    Cells of a csv file are strings: "None", "NA" and "007" are kept. A column is converted to
    numbers if all present cells are numeric, except for columns of files, groups and splits.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from sklearn_mmsent import read_table
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "1.png").write_bytes(b"an image")
    ...     rows = "review,poster,stars,film\nLovely!,1.png,5,A\nSo dull.,,1,B\n"
    ...     _ = Path(folder, "films.csv").write_text(rows)
    ...     data = read_table(
    ...         f"{folder}/films.csv", target="stars", files="poster", groups="film"
    ...     )
    >>> data.X["review"].tolist(), data.X["poster"].notna().tolist(), data.y.tolist()
    (['Lovely!', 'So dull.'], [True, False], [5, 1])
    """
    path = Path(path)
    frame = _read_cells(path)
    files = _as_list(files)
    roles = [name for name in (*_as_list(target), groups, split) if name is not None]
    if columns is None:
        kept = [name for name in frame.columns if name not in {*roles, *files}]
    else:
        kept = [name for name in _as_list(columns) if name not in files]
    _check_columns(path, frame, names=[*kept, *files, *roles])
    leaked = [name for name in [*kept, *files] if name in _as_list(target)]
    if leaked:
        raise ValueError(
            f"read_table: {leaked[0]!r} is a target and also requested as input. Remove it from "
            "columns= and files=, otherwise the label leaks into the input."
        )

    X = pd.DataFrame({name: _numbers_or_cells(frame[name]) for name in kept})
    for name in files:
        X[name] = _resolve(path, frame[name], check_files, allow_outside)
    y = None
    if isinstance(target, str):
        y = _numbers_or_cells(frame[target]).to_numpy()
    elif target is not None:
        y = pd.DataFrame({name: _numbers_or_cells(frame[name]) for name in target})
    group_cells = None if groups is None else _all_present(path, frame[groups])
    split_cells = None if split is None else frame[split].to_numpy()
    return Bunch(
        X=X,
        y=y,
        groups=group_cells,
        split=split_cells,
        DESCR=_describe(path, X, files, target, group_cells, split_cells),
    )


def _as_list(names):
    if names is None:
        return []
    return [names] if isinstance(names, str) else list(names)


def _read_cells(path):
    """Read every cell as an object, with None for missing and empty ones."""
    suffix = path.suffix.lower()
    if suffix not in {*_CSV, *_PARQUET}:
        raise DataFormatError(
            f"read_table: {path.name!r} must end in .csv, .tsv or .parquet, got {suffix!r}. "
            "Save the table as one of these."
        )
    if not path.is_file():
        raise FileNotFoundError(f"read_table: there is no file {str(path)!r}.")
    frame = _read_csv(path, _CSV[suffix]) if suffix in _CSV else _read_parquet(path)
    if len(frame) == 0:
        raise DataFormatError(f"read_table: {path.name!r} has a header but no rows.")
    doubled = frame.columns[frame.columns.duplicated()]
    if len(doubled):
        raise DataFormatError(
            f"read_table: {path.name!r} has more than one column named {doubled[0]!r}. "
            "Rename them so that each name occurs once."
        )
    return frame


def _read_csv(path, separator):
    try:
        # with a header, pandas would drop cells of longer rows and rename duplicate columns
        rows = pd.read_csv(
            path, sep=separator, header=None, dtype=str, na_filter=False, encoding="utf-8-sig"
        )
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise DataFormatError(
            f"read_table: {path.name!r} is not a UTF-8 table with one header row and rows of "
            f"equal length: {error}"
        ) from error
    cells = rows.astype(object)
    cells = cells.mask(cells.isna() | cells.map(lambda cell: str(cell).strip() == ""), None)
    frame = cells.iloc[1:].reset_index(drop=True)
    frame.columns = pd.Index(rows.iloc[0], dtype=object, name=None)
    return frame


def _read_parquet(path):
    pyarrow = import_optional("pyarrow", extra="all", needed_by="read_table of a parquet file")
    try:
        frame = pd.read_parquet(path)
    except (pyarrow.ArrowException, OSError) as error:
        raise DataFormatError(
            f"read_table: {path.name!r} is not a parquet file: {error}"
        ) from error
    frame = frame.reset_index(drop=True)
    frame.columns = frame.columns.map(str)
    for name in frame.columns[~frame.columns.duplicated()]:
        if not pd.api.types.is_numeric_dtype(frame[name]):
            cells = [None if _is_empty(cell) else cell for cell in frame[name]]
            frame[name] = pd.Series(cells, dtype=object)
    return frame


def _is_empty(cell):
    if isinstance(cell, str):
        return not cell.strip()
    return cell is None or (np.ndim(cell) == 0 and bool(pd.isna(cell)))


def _check_columns(path, frame, names):
    available = ", ".join(map(repr, frame.columns))
    for name in names:
        if name not in frame.columns:
            raise DataFormatError(
                f"read_table: {path.name!r} has no column {name!r}. Its columns are: {available}."
            )


def _numbers_or_cells(cells):
    if cells.dtype != object:
        return cells
    present = cells.dropna()
    if len(present) and all(isinstance(cell, str) for cell in present):
        try:
            return pd.to_numeric(cells)
        except (ValueError, TypeError):
            return cells
    return cells


def _all_present(path, cells):
    missing = np.flatnonzero(cells.isna())
    if len(missing):
        raise DataFormatError(
            f"read_table: column {cells.name!r} of {path.name!r} has no group in {len(missing)} "
            f"rows, first in row {missing[0]}. Give each of them a unique group, or remove them."
        )
    return cells.to_numpy()


def _resolve(path, cells, check_files, allow_outside):
    """Convert file names to absolute paths and check them."""
    folder = os.path.abspath(path.parent)
    inside = os.path.join(os.path.realpath(folder), "")
    resolved, absent = [], []
    for row, cell in enumerate(cells):
        if cell is None:
            resolved.append(None)
            continue
        where = f"read_table: row {row}, column {cells.name!r} of {path.name!r}"
        if not isinstance(cell, str) or "\0" in cell:
            raise DataFormatError(
                f"{where} should name a file, got {cell!r:.80}. Remove the column from files= "
                "if its cells hold the content itself."
            )
        file = os.path.normpath(os.path.join(folder, cell.strip()))
        if not allow_outside and not os.path.realpath(file).startswith(inside):
            raise DataFormatError(
                f"{where} leads outside of the table's folder: {cell!r}. Set "
                "allow_outside=True if you trust the table."
            )
        if check_files and not os.path.isfile(file):
            absent.append(row)
        resolved.append(file)
    if absent:
        raise DataFormatError(
            f"read_table: {len(absent)} of {len(resolved)} files of column {cells.name!r} of "
            f"{path.name!r} do not exist, first in row {absent[0]}: {cells[absent[0]]!r}, "
            f"looked for at {resolved[absent[0]]!r}. Clear these cells to mark them as missing, "
            "or set check_files=False."
        )
    return pd.Series(resolved, dtype=object)


def _describe(path, X, files, target, groups, split):
    lines = [f"{path.name}: {len(X)} rows, target {target!r}."]
    for name in X.columns:
        kind = "files" if name in files else "cells"
        lines.append(f"  {name}: {kind}, {int(X[name].isna().sum())} missing")
    if groups is not None:
        lines.append(f"  {len(pd.unique(groups))} groups")
    if split is not None:
        counts = pd.Series(split).fillna("none").value_counts()
        lines.append("  split: " + ", ".join(f"{name} {count}" for name, count in counts.items()))
    return "\n".join(lines)
