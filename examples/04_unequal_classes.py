"""
Few angry, many happy: classes of unequal size
==============================================

Where nine in ten posts are happy, a model that always says "happy" is right nine times out of ten
and of no use. There are several ways out. They find more of the rare class, and pay for it with
false alarms.
"""

# %%
# Generated rows of three modalities: 8 % negative, 17 % neutral, 75 % positive.

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
    mood = pd.Series(y).map({"negative": -1.0, "neutral": 0.0, "positive": 1.0}).to_numpy()
    names = [f"{modality}__x{i}" for modality in ("text", "face", "voice") for i in range(6)]
    directions = np.random.default_rng(7).normal(size=len(names)) / 3
    X = mood[:, None] * directions + rng.normal(size=(n_rows, len(names)))
    return pd.DataFrame(X, columns=names, dtype="float32"), y


X, y = make_rows(1200, seed=0)
X_new, y_new = make_rows(3000, seed=1)

# %%
# One and the same network, and what can be done about the classes: weights in the loss, batches
# that read each class equally often, samplers, and borders that are moved afterwards. A sampler
# goes to ``sampler=``: it then acts after the split for early stopping, and no copy of a training
# row is validated on.

base = FusionClassifier("gated", hidden_size=16, batch_size=64, random_state=0)
ways = {
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
# Each is fitted once and scored on new rows: how many rows of a class it finds (recall), and the
# means that punish false alarms too.

classes = ["negative", "neutral", "positive"]
rows = {}
for name, way in ways.items():
    predicted = way.fit(X, y).predict(X_new)
    found = recall_score(y_new, predicted, labels=classes, average=None)
    rows[name] = dict(zip([f"recall of {c}" for c in classes], found, strict=True))
    for average in ("macro", "weighted"):
        rows[name][f"f1_{average}"] = f1_score(y_new, predicted, average=average)
table = pd.DataFrame(rows).T

# %%
# What each finds of each class. Which way wins on real data is another question; see
# :doc:`/benchmarks/imbalance`.

axes = table[[f"recall of {c}" for c in classes]].plot.barh(
    figsize=(7.5, 4.8), color=["tab:orange", "tab:gray", "tab:blue"], width=0.75
)
axes.invert_yaxis()
axes.set(xlim=(0, 1), xlabel="share that is found")
axes.legend(loc="upper center", bbox_to_anchor=(0.4, 1.12), ncols=3, frameon=False)
axes.figure.set_layout_engine("constrained")
plt.show()

# %%
# "Macro" counts each class the same, "weighted" each row.

table.round(3)
