"""
Case study: film reviews with posters
=====================================

Does the poster of a film predict the sentiment of a review? Does it help in addition to the text?
The example runs on generated reviews and images; if the environment variable ``MMSENT_DATA`` is
set, it reads real reviews and posters, ``imdb_poster_review``, from that folder, and takes a few
minutes.
"""

# %%
# Read the data. Films are the groups: no film is in both the training and the test rows of a fold.

import os
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.preprocessing import StandardScaler

from sklearn_mmsent import (
    Cached,
    ColorTexture,
    FillBlocks,
    FusionClassifier,
    TfidfEmbedder,
    make_clips,
    make_extractor,
    make_pipeline,
    read_table,
)
from sklearn_mmsent.feature_extraction.text import SentimentLexicon
from sklearn_mmsent.model_selection import batched_cross_val_predict

folder = tempfile.TemporaryDirectory()
if "MMSENT_DATA" in os.environ:
    data = read_table(
        Path(os.environ["MMSENT_DATA"]) / "imdb_poster_review" / "labels.csv",
        target="label",
        columns="text",
        files="image",
        groups="imdb_id",
        split="split",
    )
    train = data.split == "train"  # leave out validation and test rows
    X, y, films = data.X[train].reset_index(drop=True), data.y[train], data.groups[train]
else:
    data = make_clips(
        folder.name,
        320,
        modalities=("text", "image"),
        classes=("negative", "positive"),
        interaction={"agreeing": 3, "complementary": 1},
        noise=0.9,
        missing_rate={"image": 0.1},
        random_state=0,
    )
    X, y, films = data.X, data.y, data.groups

# %%
# The text has two parts: tf-idf, which is fitted on the training rows, and a lexicon, which is not.
# The poster is described by colour and texture.

text = {"words": TfidfEmbedder(n_components=64), "lexicon": SentimentLexicon()}
poster = Cached(ColorTexture(size=(64, 64)), f"{folder.name}/features")
modalities = {
    "review": {"text": ("text", text)},
    "poster": {"image": poster},
    "both": {"text": ("text", text), "image": poster},
}
networks = {
    f"{name}, network": make_pipeline(
        make_extractor(**chosen), FusionClassifier("gated", modality_dropout=0.2, random_state=0)
    )
    for name, chosen in modalities.items()
}
linear = {
    f"{name}, linear": make_pipeline(
        make_extractor(**chosen),
        FillBlocks(),
        StandardScaler(),
        LogisticRegression(C=0.01, max_iter=1000),
    )
    for name, chosen in modalities.items()
}

# %%
# Predict each row with a model that was not trained on its film.

cv = StratifiedGroupKFold(3, shuffle=True, random_state=0)
positive, rows = {}, {}
for name, model in (networks | linear).items():
    positive[name] = batched_cross_val_predict(
        model, X, y, groups=films, cv=cv, method="predict_proba"
    )[:, 1]
    rows[name] = {
        "accuracy": ((positive[name] > 0.5) == (y == "positive")).mean(),
        "ROC AUC": roc_auc_score(y == "positive", positive[name]),
    }

# %%
# Left: fusion can gain where the review is uncertain and the poster is not. Right: probabilities of
# the model of both.

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4.2), layout="constrained")
for label, color, marker in (("negative", "tab:orange", "x"), ("positive", "tab:blue", "o")):
    of = y == label
    left.scatter(
        positive["review, network"][of],
        positive["poster, network"][of],
        s=12,
        c=color,
        marker=marker,
        alpha=0.7,
        label=label,
    )
    right.hist(
        positive["both, network"][of], bins=20, range=(0, 1), color=color, alpha=0.6, label=label
    )
left.set(xlabel="Probability of positive, review", ylabel="Probability of positive, poster")
right.set(xlabel="Probability of positive, both", ylabel="Number of reviews")
right.legend(loc="upper center")
plt.show()

# %%
# Scores of all models. Generated images are more informative than real posters.

pd.DataFrame(rows).T.round(3)
