"""Reader of pickled feature files (MMSA format) into a numeric table of blocks."""

import os

import numpy as np
import pandas as pd
from sklearn.utils import Bunch

from sklearn_mmsent.blocks import indexed_names, numbered_names
from sklearn_mmsent.datasets._unpickler import load_pickle
from sklearn_mmsent.exceptions import DataFormatError
from sklearn_mmsent.utils._sklearn import StrOptions, validate_params

_MODALITIES = ("text", "audio", "vision")
_TARGETS = {"text": "T", "audio": "A", "vision": "V"}


@validate_params(
    {
        "path": [str, os.PathLike],
        "modalities": [list, tuple, None],
        "splits": [list, tuple, None],
        "dtype": [StrOptions({"float32", "float64"})],
    },
    prefer_skip_nested_validation=True,
)
def read_feature_file(path, *, modalities=None, splits=None, dtype="float32") -> Bunch:
    """Read a pickled feature file in MMSA format [1]_, such as those of MOSI, MOSEI and SIMS.

    The restricted unpickler only accepts numpy arrays and builtin containers, strings and numbers;
    no code in the file is executed.

    Parameters
    ----------
    path : str or path-like
        A pickled dict ``{"train": ..., "valid": ..., "test": ...}``.
    modalities : list of {"text", "audio", "vision"}, default=None
        Modalities to read; None reads all.
    splits : list of str, default=None
        Splits to read, in this order; None reads all in the order of the file.
    dtype : {"float32", "float64"}, default="float32"
        Dtype of the features.

    Returns
    -------
    Bunch
        ``X`` : DataFrame of shape (n_samples, n_features) with a block per modality: column
        ``audio__f007@012`` holds feature 7 of step 12, or ``audio__f007`` if the file has no
        steps. Steps after the end of a row are NaN, so a row of length 0 lacks the modality.
        Infinities are replaced by NaN.
        ``y`` : ndarray of shape (n_samples,), ``regression_labels`` as float; None if absent.
        ``targets`` : DataFrame with the column "overall" and, if labelled (SIMS), "text",
        "audio", "vision"; None without unimodal labels.
        ``raw`` : DataFrame with the column "text" of transcripts, None where empty; None if
        absent.
        ``annotations`` : ndarray of str, class names; None if absent.
        ``groups`` : ndarray of str, the video ids (the ids up to ``$_$``); None without ids.
        ``ids``, ``split`` : ndarray of str. ``DESCR`` : str.

    Raises
    ------
    DataFormatError
        If the file is not such a pickle, contains other types, lacks a requested modality or
        split, or its shapes are inconsistent.
    FileNotFoundError
        If the file does not exist.

    See Also
    --------
    read_table : Reads raw texts and files, from which features can be extracted.

    Notes
    -----
    Lengths are read from ``<modality>_lengths``, or for text from the mask in ``text_bert``.
    Otherwise all steps are used. The token ids in ``text_bert`` are not features and are skipped:
    extract features from ``raw["text"]`` instead.

    References
    ----------
    .. [1] H. Mao et al., "M-SENA: An Integrated Platform for Multimodal Sentiment
       Analysis", ACL 2022 (MMSA and its feature files).

    Examples
    --------
    >>> import pickle
    >>> import tempfile
    >>> import numpy as np
    >>> from sklearn_mmsent.datasets import read_feature_file
    >>> part = {
    ...     "audio": np.ones((2, 3, 2)),
    ...     "audio_lengths": [3, 1],
    ...     "id": ["film$_$1", "film$_$2"],
    ...     "regression_labels": np.array([1.6, -0.4]),
    ... }
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with open(f"{folder}/features.pkl", "wb") as file:
    ...         pickle.dump({"train": part}, file)
    ...     data = read_feature_file(f"{folder}/features.pkl")
    >>> data.X.columns[:3].tolist(), data.X.isna().sum(axis=1).tolist(), data.y.tolist()
    (['audio__f000@000', 'audio__f001@000', 'audio__f000@001'], [0, 4], [1.6, -0.4])
    """
    name = os.path.basename(path)
    content = load_pickle(path)
    _check_content(name, content)
    parts = {split: content[split] for split in _choose(name, "the splits", list(content), splits)}
    present = [m for m in _MODALITIES if any(m in part for part in parts.values())]
    modalities = _choose(name, "features of", present, modalities)
    counts = {split: _count_rows(part) for split, part in parts.items()}
    reader = _Reader(name, parts, counts)
    blocks = [_block(reader, modality, dtype) for modality in modalities]
    X = pd.DataFrame(
        np.concatenate([values for values, _ in blocks], axis=1),
        columns=[column for _, columns in blocks for column in columns],
    )
    y = reader.labels("regression_labels")
    single = {m: reader.labels(f"regression_labels_{letter}") for m, letter in _TARGETS.items()}
    single = {m: labels for m, labels in single.items() if labels is not None}
    texts = reader.strings("raw_text")
    ids = reader.strings("id")
    split = np.repeat(np.array(list(counts), dtype=object), list(counts.values()))
    return Bunch(
        X=X,
        y=y,
        targets=pd.DataFrame({"overall": y} | single) if single and y is not None else None,
        raw=None if texts is None else pd.DataFrame({"text": _cells(texts)}),
        annotations=reader.strings("annotations"),
        groups=None if ids is None else np.array([i.split("$_$")[0] for i in ids], dtype=object),
        ids=ids,
        split=split,
        DESCR=f"{name}: {len(X)} rows ({', '.join(f'{k} {n}' for k, n in counts.items())}), "
        f"modalities {', '.join(modalities)}.",
    )


def _check_content(name, content):
    if (
        not isinstance(content, dict)
        or not content
        or not all(isinstance(k, str) and isinstance(v, dict) for k, v in content.items())
    ):
        raise DataFormatError(
            f"read_feature_file: {name!r} should hold a dict of splits such as "
            f"{{'train': {{...}}, 'test': {{...}}}}, holds a {type(content).__name__}."
        )


def _choose(name, kind, available, requested):
    """Return the requested names, or all available ones; raise an error if not possible."""
    chosen = available if requested is None else list(requested)
    if not chosen or not set(chosen) <= set(available) or len(set(chosen)) < len(chosen):
        raise DataFormatError(
            f"read_feature_file: {name!r} has {kind} {available}, requested {chosen}. Choose one "
            "or more of the available ones, each once."
        )
    return chosen


def _count_rows(part):
    for key in (*_MODALITIES, "id", "regression_labels"):
        if key in part and np.ndim(part[key]):
            return len(part[key])
    return 0


class _Reader:
    """Reads a key from all splits and checks the number of rows."""

    def __init__(self, name, parts, counts):
        self.name, self.parts, self.counts = name, parts, counts

    def error(self, split, key, problem):
        return DataFormatError(
            f"read_feature_file: {key!r} of {split!r} in {self.name!r} {problem}"
        )

    def arrays(self, key, dtype, ndims):
        """Return the array of each split for a key, or None if no split has it."""
        if not any(key in part for part in self.parts.values()):
            return None
        arrays = {}
        for split, part in self.parts.items():
            if key not in part:
                raise self.error(split, key, "is absent, but other splits have it.")
            try:
                array = np.asarray(part[key], dtype=dtype)
            except (TypeError, ValueError, OverflowError) as error:
                raise self.error(split, key, f"is not an array of {dtype}: {error}") from error
            if array.ndim not in ndims or len(array) != self.counts[split]:
                raise self.error(
                    split,
                    key,
                    f"has the shape {array.shape}, expected {self.counts[split]} rows and "
                    f"{' or '.join(map(str, ndims))} dimensions.",
                )
            arrays[split] = array
        return arrays

    def labels(self, key):
        arrays = self.arrays(key, np.float64, (1, 2))
        if arrays is None:
            return None
        for split, array in arrays.items():
            if array.ndim == 2 and array.shape[1] != 1:
                raise self.error(split, key, f"has the shape {array.shape}, expected one column.")
        return np.concatenate([array.ravel() for array in arrays.values()])

    def strings(self, key):
        arrays = self.arrays(key, object, (1, 2))
        if arrays is None:
            return None
        for split, array in arrays.items():
            if array.size != len(array):
                raise self.error(split, key, f"has the shape {array.shape}, expected one column.")
        cells = np.concatenate([array.ravel() for array in arrays.values()])
        return np.array(["" if cell is None else str(cell) for cell in cells], dtype=object)

    def lengths(self, modality):
        """Return the length of each row, or None if unknown."""
        arrays = self.arrays(f"{modality}_lengths", np.int64, (1,))
        if arrays is not None:
            return np.concatenate(list(arrays.values()))
        if modality == "text":
            tokens = self.arrays("text_bert", np.float64, (3,))
            if tokens is not None and all(array.shape[1] == 3 for array in tokens.values()):
                return np.concatenate([array[:, 1].sum(axis=1) for array in tokens.values()])
        return None


def _block(reader, modality, dtype):
    """Return the values of a modality, (n_samples, steps * features), and their column names."""
    arrays = reader.arrays(modality, dtype, (2, 3))
    shapes = {split: array.shape[1:] for split, array in arrays.items()}
    if len(set(shapes.values())) > 1 or 0 in next(iter(shapes.values())):
        raise DataFormatError(
            f"read_feature_file: {modality!r} in {reader.name!r} has rows of the shapes {shapes}, "
            "expected one nonempty shape for all splits."
        )
    values = np.concatenate(list(arrays.values()))
    values[~np.isfinite(values)] = np.nan
    n_features = values.shape[-1]
    features = numbered_names(f"{modality}__f", n_features)
    if values.ndim == 2:
        return values, features

    n_steps = values.shape[1]
    lengths = reader.lengths(modality)
    if lengths is not None:
        wrong = np.flatnonzero((lengths < 0) | (lengths > n_steps))
        if len(wrong):
            raise DataFormatError(
                f"read_feature_file: row {wrong[0]} of {modality!r} in {reader.name!r} has the "
                f"length {lengths[wrong[0]]:g}, expected 0 to {n_steps} steps."
            )
        values[np.arange(n_steps) >= lengths[:, None]] = np.nan
    return values.reshape(len(values), -1), indexed_names(features, n_steps)


def _cells(texts):
    return pd.Series([text if text.strip() else None for text in texts], dtype=object)
