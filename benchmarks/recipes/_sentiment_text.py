"""MiniLM fine-tuned for sentiment on tweets and film reviews.

It is trained once on the training parts of SemEval-2017 4A (26,870 tweets, three classes) and SST-2
(6,920 sentences from film reviews, two classes), as two targets of one network, and used by several
recipes, none of whose rows are among the training texts: the tweets contain no post of mvsa_single.
"""

import functools
import re
import shutil
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
from sklearn.utils import Bunch

from common.data import minilm_folder
from sklearn_mmsent import FusionMultitask, make_extractor, make_pipeline
from sklearn_mmsent.blocks import numbered_names
from sklearn_mmsent.feature_extraction import BaseExtractor
from sklearn_mmsent.feature_extraction.text import TextCleaner, TokenIds
from sklearn_mmsent.feature_extraction.text.io import read_text

#: Outputs of the two heads, in the order of the features.
OUTPUTS = ("negative", "neutral", "positive", "film_negative", "film_positive")
MAX_STEPS = 64


def tokens(max_steps=MAX_STEPS):
    """Return a transformer from texts to token ids."""
    return make_pipeline(TextCleaner(), TokenIds(minilm_folder(), max_steps=max_steps))


def load(data):
    """Load both data sets as one table of token ids with a target each.

    Parameters
    ----------
    data : Path
        Folder of all data sets.

    Returns
    -------
    Bunch
        With ``X``, ``y`` and ``split``.
    """
    folder = Path(data) / "text_sentiment"
    tweets, films = (pd.read_csv(folder / f"{n}_labels.csv") for n in ("semeval2017A", "sst2"))
    table = pd.concat([tweets, films], ignore_index=True)
    is_tweet = table.index < len(tweets)
    return Bunch(
        X=make_extractor(text=tokens()).fit_transform(table[["text"]]),
        y=pd.DataFrame(
            {"tweets": table["label"].where(is_tweet), "films": table["label"].where(~is_tweet)}
        ),
        split=table["split"].replace("valid", "val").to_numpy(),
    )


def tune(data, cache):
    """Train the network, or load it from the cache.

    Parameters
    ----------
    data : Path
        Folder of all data sets.
    cache : str or Path
        Folder of the network.

    Returns
    -------
    Path
        File of the fitted FusionMultitask, written by joblib; a file for ``encoders_from`` is next
        to it.
    """
    path = Path(cache) / "sentiment_text.joblib"
    if path.exists():
        return path
    rows = load(data)
    train, val = (np.flatnonzero(rows.split == part) for part in ("train", "val"))
    network = FusionMultitask(
        encoders={"text": ("pretrained_text", {"model": minilm_folder(), "lr": 1e-4})},
        lr=1e-3,
        lr_schedule="linear",
        warmup=0.1,
        clip_norm=1.0,
        max_epochs=2,
        n_iter_no_change=2,
        random_state=0,
        verbose=1,
    )
    network.fit(
        rows.X.iloc[train], rows.y.iloc[train], X_val=rows.X.iloc[val], y_val=rows.y.iloc[val]
    )
    network.save_encoders(encoders(path))
    partial = path.with_suffix(".partial")
    joblib.dump(network, partial)
    shutil.move(partial, path)
    return path


def encoders(path):
    """Return the file of the encoders of a network."""
    return Path(path).with_suffix(".safetensors")


class SentimentText(BaseExtractor):
    """Features of the fine-tuned network: mean of the token vectors and logits of the heads.

    Parameters
    ----------
    path : str or Path
        File from `tune`.
    max_steps : int, default=64
        Maximum number of tokens.
    """

    modality = "text"

    _libraries = ("transformers", "tokenizers", "torch")

    def __init__(self, path, *, max_steps=MAX_STEPS, on_error="raise", batch_size=32, n_jobs=None):
        self.path = path
        self.max_steps = max_steps
        self.on_error = on_error
        self.batch_size = batch_size
        self.n_jobs = n_jobs

    def _load(self, cell):
        return read_text(cell)

    def _encode(self, loaded):
        network = _network(str(self.path))
        numbers = make_extractor(text=tokens(self.max_steps))
        table = numbers.fit_transform(pd.DataFrame({"text": loaded}))
        means = []
        (encoder,) = network.net_.module_.encoders
        hook = encoder.dropout.register_forward_pre_hook(
            lambda _, vectors: means.append(vectors[0].numpy())
        )
        try:
            proba = network.predict_proba(table)
        finally:
            hook.remove()
        logits = np.log(np.hstack([proba["tweets"], proba["films"]]))
        return np.hstack([logits, np.concatenate(means)])

    def _feature_names(self):
        width = _network(str(self.path)).net_.module_.encoders[0].project.in_features
        return [*(f"mood__{name}" for name in OUTPUTS), *numbered_names("mean__", width)]

    def _fingerprint(self):
        return joblib.hash(Path(self.path).read_bytes())


@functools.cache
def _network(path):
    return joblib.load(path)  # a trusted file, written by `tune`


class SentimentOfParts(SentimentText):
    """Features of the fine-tuned network for long texts, summarised over parts of the text.

    Parameters
    ----------
    path : str or Path
        File from `tune`.
    max_steps : int, default=64
        Maximum number of tokens per part.
    words : int, default=45
        Maximum number of words per part; a part ends with a sentence that ends in its last third.
    """

    def __init__(
        self, path, *, max_steps=MAX_STEPS, words=45, on_error="raise", batch_size=8, n_jobs=None
    ):
        super().__init__(
            path, max_steps=max_steps, on_error=on_error, batch_size=batch_size, n_jobs=n_jobs
        )
        self.words = words

    def _encode(self, loaded):
        parts = [cut(text, self.words) for text in loaded]
        ends = np.cumsum([len(of_text) for of_text in parts])
        encoded = super()._encode([part for of_text in parts for part in of_text])
        return np.stack([self._summarise(rows) for rows in np.split(encoded, ends[:-1])])

    def _summarise(self, parts):
        moods = parts[:, : len(OUTPUTS)]  # (parts, 5)
        of_parts = [moods.min(0), moods.max(0), moods[0], moods[-1], moods[-3:].mean(0)]
        return np.concatenate([parts.mean(0), *of_parts])

    def _feature_names(self):
        kinds = ("least", "most", "first", "last", "end")
        moods = [f"parts__{kind}_{name}" for kind in kinds for name in OUTPUTS]
        return [*super()._feature_names(), *moods]


def cut(text, words):
    """Split a text into parts of at most `words` words, at ends of sentences if possible."""
    rest, parts = re.sub(r"<[^>]*>", " ", text).split(), []
    while rest:
        ends = [i + 1 for i, word in enumerate(rest[:words]) if word[-1] in ".!?"]
        end = ends[-1] if ends and ends[-1] > 2 * words / 3 else words
        parts.append(" ".join(rest[:end]))
        rest = rest[end:]
    return parts or [text]
