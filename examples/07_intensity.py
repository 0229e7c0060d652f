"""
Sentiment intensity from sequences
==================================

A common task is to predict an intensity from -3 to 3 for each utterance from sequences of
features. Padded steps are NaN, so that lengths need not be passed separately.
"""

# %%
# Generate clips with intensities, and split them by speaker.

import tempfile

import matplotlib.pyplot as plt
import pandas as pd
from sklearn.dummy import DummyRegressor
from sklearn.model_selection import GroupShuffleSplit

from sklearn_mmsent import MFCC, FusionRegressor, intensity_scores, make_clips, make_extractor
from sklearn_mmsent.feature_extraction.text import Word2VecEmbedder

with tempfile.TemporaryDirectory() as folder:
    clips = make_clips(
        folder, 400, modalities=("text", "audio"), interaction="agreeing", random_state=0
    )
    splitter = GroupShuffleSplit(1, test_size=0.3, random_state=0)
    train, test = next(splitter.split(clips.X, groups=clips.groups))

    # a step is one word of the text, and ten frames of 10 ms of the voice
    extract = make_extractor(
        text=Word2VecEmbedder(16, pooling=None, max_steps=12),
        audio=MFCC(n_mfcc=13, deltas=0, pooling=None, max_steps=20),
    )
    rows = extract.fit_transform(clips.X.iloc[train])
    new_rows = extract.transform(clips.X.iloc[test])
y, y_new = clips.intensity[train], clips.intensity[test]
print(*rows.columns[[0, 1, 16, 192, 193, 205]], sep="\n")

# %%
# The number of steps of a row depends on its words and its duration.

steps = {
    name: (~rows.filter(like=f"{name}__").filter(regex="00@").isna()).sum(axis=1)
    for name in ("text", "audio")
}
pd.DataFrame(steps).describe().loc[["min", "mean", "max"]].round(1)

# %%
# Compare pooling over time ("mlp"), a recurrent encoder ("gru"), and attention between the steps of
# both modalities ("mult", the multimodal transformer).

networks = {
    "constant": DummyRegressor(),
    "mlp, concat": FusionRegressor(hidden_size=32, random_state=0),
    "gru, concat": FusionRegressor(hidden_size=32, encoders="gru", max_epochs=40, random_state=0),
    "gru, mult": FusionRegressor(
        "mult", hidden_size=16, encoders="gru", lr=1e-3, max_epochs=15, random_state=0
    ),
}
predicted = {
    name: net.fit(rows.fillna(0) if name == "constant" else rows, y).predict(new_rows)
    for name, net in networks.items()
}

# %%
# Predicted and true intensity for the network with the lowest error.

scores = pd.DataFrame({name: intensity_scores(y_new, p) for name, p in predicted.items()}).T
best = scores["mae"].idxmin()
figure, axes = plt.subplots(figsize=(5, 4.6), layout="constrained")
axes.plot([-3, 3], [-3, 3], color="gray", linestyle=":")
axes.scatter(y_new, predicted[best], s=14, alpha=0.7)
axes.set(
    xlabel="True intensity",
    ylabel="Predicted intensity",
    title=best,
    xlim=(-3.3, 3.3),
    ylim=(-3.3, 3.3),
)
plt.show()

# %%
# Scores named by their conventions: "has0" counts neutral rows as positive, "non0" excludes them,
# and "acc7" rounds to integers. The sentiment of a generated clip is constant over time, so that
# sequence models gain nothing here.

scores[["acc2_has0", "acc2_non0", "acc7", "mae", "corr"]].round(3)
