"""
How much, not only which: intensities from sequences
====================================================

The field's favourite task is a number from -3 to 3 for an utterance, and its favourite input are
sequences. Steps of padding are NaN, so nothing else has to carry lengths around.
"""

# %%
# Clips with their intensity, split by speaker.

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

    # one word per step, and ten frames of 10 ms per step of the voice
    extract = make_extractor(
        text=Word2VecEmbedder(16, pooling=None, max_steps=12),
        audio=MFCC(n_mfcc=13, deltas=0, pooling=None, max_steps=20),
    )
    rows = extract.fit_transform(clips.X.iloc[train])
    new_rows = extract.transform(clips.X.iloc[test])
y, y_new = clips.intensity[train], clips.intensity[test]
print(*rows.columns[[0, 1, 16, 192, 193, 205]], sep="\n")

# %%
# How long are the rows? Each has as many steps as it has words and sound.

steps = {
    name: (~rows.filter(like=f"{name}__").filter(regex="00@").isna()).sum(axis=1)
    for name in ("text", "audio")
}
pd.DataFrame(steps).describe().loc[["min", "mean", "max"]].round(1)

# %%
# Pooled over time ("mlp"), read step by step ("gru"), and step by step with an eye on the other
# modality ("mult", the multimodal transformer).

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
# Predicted against true intensity of the network with the least error.

scores = pd.DataFrame({name: intensity_scores(y_new, p) for name, p in predicted.items()}).T
best = scores["mae"].idxmin()
figure, axes = plt.subplots(figsize=(5, 4.6), layout="constrained")
axes.plot([-3, 3], [-3, 3], color="gray", linestyle=":")
axes.scatter(y_new, predicted[best], s=14, alpha=0.7)
axes.set(
    xlabel="true intensity", ylabel="predicted", title=best, xlim=(-3.3, 3.3), ylim=(-3.3, 3.3)
)
plt.show()

# %%
# The field's scores, each with its convention in its name: "has0" counts neutral rows as positive,
# "non0" leaves them out, "acc7" rounds to whole numbers. The mood of a generated clip does not
# change on its way, so to read it step by step gains nothing here; measure it on your own.

scores[["acc2_has0", "acc2_non0", "acc7", "mae", "corr"]].round(3)
