"""
Imbalanced classes
==================

If nine of ten posts are positive, a model that always predicts "positive" has an accuracy of 90 %
and is useless. Class weights, balanced batches, samplers and tuned thresholds increase the recall
of rare classes, at the cost of false positives.
"""

# %%
# Generate rows of three modalities: 8 % negative, 17 % neutral, 75 % positive.

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.metrics import f1_score, recall_score

from sklearn_mmsent import FusionClassifier
from sklearn_mmsent.model_selection import TunedOffsetsClassifierCV
from sklearn_mmsent.sampling import ModalityBalancer, ModalitySMOTE


def make_rows(n_rows, seed):
    rng = np.random.default_rng(seed)
    y = rng.choice(["negative", "neutral", "positive"], n_rows, p=[0.08, 0.17, 0.75])
    polarity = pd.Series(y).map({"negative": -1.0, "neutral": 0.0, "positive": 1.0}).to_numpy()
    names = [f"{modality}__x{i}" for modality in ("text", "face", "voice") for i in range(6)]
    directions = np.random.default_rng(7).normal(size=len(names)) / 3
    X = polarity[:, None] * directions + rng.normal(size=(n_rows, len(names)))
    return pd.DataFrame(X, columns=names, dtype="float32"), y


X, y = make_rows(1200, seed=0)
X_new, y_new = make_rows(3000, seed=1)

# %%
# Train the same network with class weights in the loss, balanced batches, samplers, and thresholds
# tuned after training. Pass samplers as ``sampler=``: they are then applied after the split for
# early stopping, so that no copy of a training row is in the validation rows.

base = FusionClassifier("gated", hidden_size=16, batch_size=64, random_state=0)
models = {
    "nothing": base,
    'class_weight="balanced"': FusionClassifier(**base.get_params() | {"class_weight": "balanced"}),
    "balanced_batches": FusionClassifier(**base.get_params() | {"balanced_batches": True}),
    "ModalitySMOTE": FusionClassifier(
        **base.get_params() | {"sampler": ModalitySMOTE(random_state=0)}
    ),
    "ModalityBalancer": FusionClassifier(
        **base.get_params() | {"sampler": ModalityBalancer(random_state=0)}
    ),
    "TunedOffsetsClassifierCV": TunedOffsetsClassifierCV(base, cv=3, random_state=0),
}

# %%
# Fit each once and compute, on test rows, the recall of each class, and F1, which also penalises
# false positives.

classes = ["negative", "neutral", "positive"]
rows = {}
for name, model in models.items():
    predicted = model.fit(X, y).predict(X_new)
    found = recall_score(y_new, predicted, labels=classes, average=None)
    rows[name] = dict(zip([f"recall of {c}" for c in classes], found, strict=True))
    for average in ("macro", "weighted"):
        rows[name][f"f1_{average}"] = f1_score(y_new, predicted, average=average)
table = pd.DataFrame(rows).T

# %%
# Recall by class. For results on real data, see :doc:`/benchmarks/imbalance`.

axes = table[[f"recall of {c}" for c in classes]].plot.barh(
    figsize=(7.5, 4.8), color=["tab:orange", "tab:gray", "tab:blue"], width=0.75
)
axes.invert_yaxis()
axes.set(xlim=(0, 1), xlabel="Recall")
axes.legend(loc="upper center", bbox_to_anchor=(0.4, 1.12), ncols=3, frameon=False)
axes.figure.set_layout_engine("constrained")
plt.show()

# %%
# "macro" weights all classes equally, "weighted" weights them by support.

table.round(3)
