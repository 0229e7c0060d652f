"""
When a modality is missing
==========================

Photos get lost and microphones fail. A fusion estimator reads rows in which anything is missing,
in training and in prediction. How much does it lose, and what does ``modality_dropout`` change?
"""

# %%
# Two hundred and forty clips in which text, face and voice agree, to learn from; as many of other
# speakers to test on. All are complete.

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
# NaN means "not there". To lose a modality is to set all its columns to NaN. Here each cell of a
# row goes with a given probability, but never all three.

modalities = np.array([name.partition("__")[0] for name in rows.columns])


def lose(table, share, seed=0):
    rng = np.random.default_rng(seed)
    lost = rng.random((len(table), 3)) < share
    lost[np.arange(len(table)), rng.integers(3, size=len(table))] = False
    lost = pd.DataFrame(lost, columns=["text", "image", "audio"])
    return table.mask(lost[modalities].to_numpy())


# %%
# Two networks, one of which was trained with modalities hidden at random, and a logistic
# regression, which needs ``FillBlocks`` before it.

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
                f1_score(test.y, model.predict(lose(new_rows, share, seed)), average="macro")
                for seed in range(5)
            ]
        )
        for share in shares
    ]
table = pd.DataFrame(curves, index=pd.Index(shares, name="share that is lost"))

# %%
# With nothing lost all are alike. The more is lost, the more it pays to have prepared for it. On
# the right one modality per row is left.

axes = table.plot(style=["o-", "s-", "^--"], figsize=(7, 4), ylabel="macro-F1", ylim=(0.3, 1))
axes.grid(alpha=0.3)
axes.axhline(1 / 3, color="gray", linestyle=":")
axes.text(0, 0.34, "chance", color="gray")
axes.figure.set_layout_engine("constrained")
plt.show()

# %%
# The same in numbers.

table.round(3)
