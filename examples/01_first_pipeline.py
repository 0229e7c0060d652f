"""
From raw clips to labels
========================

Words, face and voice express sentiment, and each of them only some of the time. One pipeline
classifies clips of all three.
"""

# %%
# Generate clips in a temporary folder, with a tenth of the cells missing. For your own clips, see
# :func:`~sklearn_mmsent.datasets.read_table`.

import os
import tempfile

import matplotlib.pyplot as plt
import pandas as pd
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import ConfusionMatrixDisplay
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
from sklearn.preprocessing import StandardScaler

from sklearn_mmsent import (
    MFCC,
    Cached,
    ColorTexture,
    FillBlocks,
    FusionClassifier,
    TfidfEmbedder,
    classification_scores,
    make_clips,
    make_extractor,
    make_pipeline,
)
from sklearn_mmsent.model_selection import batched_cross_val_predict

folder = tempfile.TemporaryDirectory()
clips = make_clips(f"{folder.name}/clips", 300, missing_rate=0.1, random_state=0)
clips.X.head(3).map(os.path.basename, na_action="ignore")

# %%
# One extractor per modality converts cells to numbers. ``Cached`` stores features that do not
# depend on the training rows, so that images and sounds are processed once, not in every fold.

extractors = {
    "text": TfidfEmbedder(n_components=32),
    "image": Cached(ColorTexture(size=(64, 64)), f"{folder.name}/features"),
    "audio": Cached(MFCC(), f"{folder.name}/features"),
}

# %%
# Define a fusion network for each modality and for all three, and two baselines.

models = {"constant": DummyClassifier()}
for name in extractors:
    models[f"{name} alone"] = make_pipeline(
        make_extractor(**{name: extractors[name]}), FusionClassifier(random_state=0)
    )
models["logistic regression"] = make_pipeline(
    make_extractor(**extractors), FillBlocks(), StandardScaler(), LogisticRegression(C=0.1)
)
models["fusion"] = make_pipeline(
    make_extractor(**extractors), FusionClassifier("gated", random_state=0)
)

# %%
# Cross-validate with no speaker in both the training and the test rows, which would inflate scores.
# The networks of all folds are trained as one batch.

cv = StratifiedGroupKFold(4, shuffle=True, random_state=0)
predicted = {}
for name, model in models.items():
    predict = cross_val_predict if name == "constant" else batched_cross_val_predict
    predicted[name] = predict(model, clips.X, clips.y, groups=clips.groups, cv=cv)

# %%
# Which classes does the fusion confuse?

figure, axes = plt.subplots(figsize=(4.6, 4), layout="constrained")
ConfusionMatrixDisplay.from_predictions(
    clips.y,
    predicted["fusion"],
    normalize="true",
    values_format=".2f",
    cmap="Blues",
    colorbar=False,
    ax=axes,
)
axes.set_title("Fusion of three modalities, out of fold")
plt.show()

# %%
# Scores of all models. All modalities together are much better than the best single one. With so
# few rows, logistic regression is as good as the network.

scores = {name: classification_scores(clips.y, guess) for name, guess in predicted.items()}
pd.DataFrame(scores).T[["accuracy", "precision_macro", "recall_macro", "f1_macro"]].round(3)
