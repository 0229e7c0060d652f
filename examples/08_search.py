"""
Fast hyperparameter search
==========================

A search trains the same small network dozens of times. ``BatchedGridSearchCV`` trains candidates
and folds as one batched network. It is a drop-in replacement for ``GridSearchCV``.
"""

# %%
# Generate rows of three modalities, a fifth of each missing, in 12 groups.

import time

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.model_selection import GridSearchCV, GroupKFold

from sklearn_mmsent import BatchedGridSearchCV, FusionClassifier

rng = np.random.default_rng(0)
y = rng.choice(["negative", "neutral", "positive"], 480)
polarity = pd.Series(y).map({"negative": -1.0, "neutral": 0.0, "positive": 1.0}).to_numpy()
names = [f"{modality}__x{i:02}" for modality in ("text", "face", "voice") for i in range(16)]
X = pd.DataFrame(rng.normal(size=(480, 48)), columns=names, dtype="float32")
X += (0.3 * polarity[:, None] * rng.normal(size=48)).astype("float32")
for start in (0, 16, 32):
    X.iloc[rng.random(480) < 0.2, start : start + 16] = np.nan
speakers = np.arange(480) % 12

# %%
# Twelve candidates in three folds are 36 networks. Learning rate and dropout do not change shapes,
# so that all networks are trained as one batch.

network = FusionClassifier(
    "gated", hidden_size=32, max_epochs=12, n_iter_no_change=12, random_state=0
)
grid = {"lr": [3e-4, 1e-3, 3e-3, 1e-2], "dropout": [0.0, 0.2, 0.4]}
searches, seconds = {}, {}
for Search in (BatchedGridSearchCV, GridSearchCV):
    start = time.process_time()
    search = Search(network, grid, cv=GroupKFold(3), scoring="f1_macro")
    searches[Search.__name__] = search.fit(X, y, groups=speakers)
    seconds[Search.__name__] = time.process_time() - start

# %%
# Scores of the batched search. The learning rate matters more than dropout, and the best candidate
# is only slightly better than its neighbours.

results = pd.DataFrame(searches["BatchedGridSearchCV"].cv_results_)
table = results.pivot_table(index="param_dropout", columns="param_lr", values="mean_test_score")
figure, axes = plt.subplots(figsize=(6, 3.6), layout="constrained")
image = axes.imshow(table, cmap="viridis", aspect="auto")
axes.set(
    xticks=range(len(table.columns)),
    xticklabels=table.columns,
    yticks=range(len(table.index)),
    yticklabels=table.index,
    xlabel="Learning rate",
    ylabel="Dropout",
)
middle = (table.to_numpy().min() + table.to_numpy().max()) / 2
for (row, column), score in np.ndenumerate(table.to_numpy()):
    color = "black" if score > middle else "white"
    axes.text(column, row, f"{score:.3f}", ha="center", va="center", color=color)
figure.colorbar(image, label="Macro-F1, mean of 3 folds")
plt.show()

# %%
# Compare both searches. Dropout masks differ between batched and single training, so that scores
# differ as between two seeds. For the speed-up by number of networks, see
# :doc:`/benchmarks/search`.

pd.DataFrame(
    {
        "best lr": {name: s.best_params_["lr"] for name, s in searches.items()},
        "best dropout": {name: s.best_params_["dropout"] for name, s in searches.items()},
        "macro-F1": {name: round(s.best_score_, 4) for name, s in searches.items()},
        "seconds": {name: round(s, 1) for name, s in seconds.items()},
    }
)
