"""
When a modality is missing
==========================

Photos get lost and microphones fail. A fusion estimator tolerates missing modalities, in
training and in prediction. How much accuracy is lost, and how much does ``modality_dropout``
recover?
"""

# %%
# Generate 240 complete clips for training, in which text, face and voice agree, and as many of
# other speakers for testing.

import tempfile

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.preprocessing import StandardScaler

from sklearn_mmsent import (
    MFCC,
    ColorTexture,
    FillBlocks,
    FusionClassifier,
    TfidfEmbedder,
    make_clips,
    make_extractor,
    make_pipeline,
)

with tempfile.TemporaryDirectory() as folder:
    train, test = (
        make_clips(f"{folder}/{seed}", 240, interaction="agreeing", noise=0.4, random_state=seed)
        for seed in (0, 1)
    )
    extract = make_extractor(
        text=TfidfEmbedder(n_components=32),
        image=ColorTexture(size=(64, 64), hog=False, lbp=False),
        audio=MFCC(n_mfcc=13),
    )
    rows, new_rows = extract.fit_transform(train.X), extract.transform(test.X)

# %%
# NaN marks missing values; a modality is missing if all its columns are NaN. Remove each modality
# of a row with a given probability, but never all three.

modalities = np.array([name.partition("__")[0] for name in rows.columns])


def remove(table, share, seed=0):
    rng = np.random.default_rng(seed)
    removed = rng.random((len(table), 3)) < share
    removed[np.arange(len(table)), rng.integers(3, size=len(table))] = False
    removed = pd.DataFrame(removed, columns=["text", "image", "audio"])
    return table.mask(removed[modalities].to_numpy())


# %%
# Compare two networks, one of them trained with modalities hidden at random, and a logistic
# regression, which requires ``FillBlocks``.

models = {
    "fusion": FusionClassifier("gated", random_state=0),
    "fusion, modality_dropout=0.4": FusionClassifier("gated", modality_dropout=0.4, random_state=0),
    "logistic regression": make_pipeline(FillBlocks(), StandardScaler(), LogisticRegression(C=0.1)),
}
shares = [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
curves = {}
for name, model in models.items():
    model.fit(rows, train.y)
    curves[name] = [
        np.mean(
            [
                f1_score(test.y, model.predict(remove(new_rows, share, seed)), average="macro")
                for seed in range(5)
            ]
        )
        for share in shares
    ]
table = pd.DataFrame(curves, index=pd.Index(shares, name="share of missing modalities"))

# %%
# On complete rows, all models are similar. The more modalities are missing, the more
# ``modality_dropout`` helps. At the right end, each row has one modality.

axes = table.plot(style=["o-", "s-", "^--"], figsize=(7, 4), ylabel="macro-F1", ylim=(0.3, 1))
axes.grid(alpha=0.3)
axes.axhline(1 / 3, color="gray", linestyle=":")
axes.text(0, 0.34, "chance", color="gray")
axes.figure.set_layout_engine("constrained")
plt.show()

# %%
# The same scores as a table.

table.round(3)
