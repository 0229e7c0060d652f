"""
Case study: emotional speech and song
=====================================

Actors speak and sing neutral sentences with different emotions. Do the same acoustic features
work for both, and does a model trained on speech generalise to song? The example runs on
generated voices, every second of which is played faster and higher by a quarter in place of song;
if the environment variable ``MMSENT_DATA`` is set, it reads ``ravdess``, 24 actors, from that
folder, and takes a few minutes.
"""

# %%
# Read the data. Each row is a recording, and speakers are the groups.

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
    sounds = [  # a cell may be a tuple of samples and their rate
        (soundfile.read(path)[0], 16_000 if kind == "speech" else 20_000)
        for path, kind in zip(voices.X["audio"], channel, strict=True)
    ]

# %%
# Extract two blocks from the same column: the 88 interpretable features of eGeMAPS, and a log-mel
# spectrogram as a sequence, from which the network learns features.

extract = make_extractor(
    voice=("audio", AcousticFunctionals()),
    spectrum=("audio", LogMel(n_mels=24, pooling=None, max_steps=30)),
)
X = extract.fit_transform(pd.DataFrame({"audio": sounds}))

# %%
# A support vector machine on eGeMAPS is the usual baseline. The network combines both blocks, with
# a convolution over time for the spectrogram.

named = [name for name in X if name.startswith("voice__")]
models = {
    "SVC, eGeMAPS": (
        make_pipeline(FillBlocks(), StandardScaler(), SVC(C=10, class_weight="balanced")),
        X[named],
    ),
    "network, eGeMAPS": (
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
# Cross-validate by speaker within speech and within song; then train on speech and test on song of
# other speakers.

cv = StratifiedGroupKFold(3, shuffle=True, random_state=0)
rows = {name: {} for name in models}
predicted = {}
for name, (model, table) in models.items():
    for kind in ("speech", "song"):
        rows_of_kind = np.flatnonzero(channel == kind)
        guess = batched_cross_val_predict(
            model, table.iloc[rows_of_kind], y[rows_of_kind], groups=speakers[rows_of_kind], cv=cv
        )
        rows[name][kind] = f1_score(y[rows_of_kind], guess, average="macro")
        predicted[name, kind] = y[rows_of_kind], guess
    crossed = np.array(y, dtype=object)
    for train, test in cv.split(table, y, speakers):
        heard = train[channel.iloc[train] == "speech"]
        asked = test[channel.iloc[test] == "song"]
        crossed[asked] = model.fit(table.iloc[heard], y[heard]).predict(table.iloc[asked])
    song = channel == "song"
    rows[name]["from speech to song"] = f1_score(y[song], crossed[song], average="macro")

# %%
# Which classes are confused?

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
# Macro-F1 of all models; chance is 1/3.

pd.DataFrame(rows).T.round(3)
