"""
Case study: emotional speech and song
=====================================

Somebody says a sentence, and somebody sings it. The words mean nothing; the voice does. Do the same
numbers tell the mood of both, and does a model that heard speech understand song? The example runs
on generated voices, of which every second one is played a quarter higher and faster in place of
song; with the variable ``MMSENT_DATA`` it reads ``ravdess`` from that folder, 24 actors, and takes
some minutes.
"""

# %%
# A row is a recording; the group is its speaker.

import os
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import soundfile
from sklearn.metrics import ConfusionMatrixDisplay, f1_score
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from sklearn_mmsent import (
    AcousticFunctionals,
    FillBlocks,
    FusionClassifier,
    LogMel,
    make_clips,
    make_extractor,
    make_pipeline,
    read_table,
)
from sklearn_mmsent.model_selection import batched_cross_val_predict

folder = tempfile.TemporaryDirectory()
if "MMSENT_DATA" in os.environ:
    data = read_table(
        Path(os.environ["MMSENT_DATA"]) / "ravdess" / "labels.csv",
        target="sentiment",
        columns="channel",
        files="path",
        groups="speaker",
    )
    sounds, channel, y, speakers = data.X["path"], data.X["channel"], data.y, data.groups
else:
    voices = make_clips(
        folder.name, 240, modalities=["audio"], interaction="agreeing", noise=0.7, random_state=0
    )
    channel = pd.Series(["speech", "song"] * 120)
    y, speakers = voices.y, voices.groups
    sounds = [  # a cell may be samples with their rate
        (soundfile.read(path)[0], 16_000 if kind == "speech" else 20_000)
        for path, kind in zip(voices.X["audio"], channel, strict=True)
    ]

# %%
# Two descriptions of a voice: the 88 numbers of eGeMAPS, each of which has a meaning, and a
# log-mel spectrogram as a sequence, from which a network finds out by itself what matters. One
# column of sounds feeds both.

extract = make_extractor(
    voice=("audio", AcousticFunctionals()),
    spectrum=("audio", LogMel(n_mels=24, pooling=None, max_steps=30)),
)
X = extract.fit_transform(pd.DataFrame({"audio": sounds}))

# %%
# A support vector machine on the 88 numbers is what the field compares with. The network joins
# both blocks, the spectrogram by a convolution along time.

named = [name for name in X if name.startswith("voice__")]
models = {
    "SVC, 88 numbers": (
        make_pipeline(FillBlocks(), StandardScaler(), SVC(C=10, class_weight="balanced")),
        X[named],
    ),
    "network, 88 numbers": (
        FusionClassifier(balanced_batches=True, batch_size=64, random_state=0),
        X[named],
    ),
    "network, both": (
        FusionClassifier(
            encoders={"spectrum": "conv1d"}, balanced_batches=True, batch_size=64, random_state=0
        ),
        X,
    ),
}

# %%
# Folds by speaker, once within speech and once within song; then trained on the one and tested on
# the other, by speakers that were not heard.

cv = StratifiedGroupKFold(3, shuffle=True, random_state=0)
rows = {name: {} for name in models}
predicted = {}
for name, (model, table) in models.items():
    for kind in ("speech", "song"):
        own = np.flatnonzero(channel == kind)
        guess = batched_cross_val_predict(
            model, table.iloc[own], y[own], groups=speakers[own], cv=cv
        )
        rows[name][kind] = f1_score(y[own], guess, average="macro")
        predicted[name, kind] = y[own], guess
    crossed = np.array(y, dtype=object)
    for train, test in cv.split(table, y, speakers):
        heard = train[channel.iloc[train] == "speech"]
        asked = test[channel.iloc[test] == "song"]
        crossed[asked] = model.fit(table.iloc[heard], y[heard]).predict(table.iloc[asked])
    song = channel == "song"
    rows[name]["from speech to song"] = f1_score(y[song], crossed[song], average="macro")

# %%
# What is mixed up?

figure, axes = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
for ax, kind in zip(axes, ("speech", "song"), strict=True):
    ConfusionMatrixDisplay.from_predictions(
        *predicted["network, both", kind],
        normalize="true",
        values_format=".2f",
        cmap="Blues",
        colorbar=False,
        ax=ax,
    )
    ax.set_title(f"{kind}, network on both blocks")
plt.show()

# %%
# Macro-F1. A third would be chance.

pd.DataFrame(rows).T.round(3)
