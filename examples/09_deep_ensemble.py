"""
Calibrated probabilities with deep ensembles
============================================

Predictions with a probability of 90 % should be correct nine times out of ten. Small networks are
often overconfident. A deep ensemble of networks with different seeds is better calibrated and
more accurate.
"""

# %%
# Generate noisy rows, whose classes cannot be predicted with certainty.

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.calibration import CalibrationDisplay
from sklearn.metrics import accuracy_score, brier_score_loss, log_loss

from sklearn_mmsent import DeepEnsembleClassifier, FusionClassifier


def make_rows(n_rows, seed):
    rng = np.random.default_rng(seed)
    y = rng.choice([0, 1], n_rows)
    names = [f"{modality}__x{i:02}" for modality in ("text", "face", "voice") for i in range(12)]
    directions = np.random.default_rng(3).normal(size=36) / 5
    X = (2 * y - 1)[:, None] * directions + rng.normal(size=(n_rows, 36))
    return pd.DataFrame(X, columns=names, dtype="float32"), np.array(["negative", "positive"])[y]


X, y = make_rows(500, seed=0)
X_new, y_new = make_rows(4000, seed=1)

# %%
# Compare one network without early stopping, one with it, and ensembles of ten of each. The members
# of an ensemble are trained as one batch.

full = FusionClassifier(
    hidden_size=32, dropout=0.0, max_epochs=40, early_stopping=False, random_state=0
)
stopped = FusionClassifier(hidden_size=32, random_state=0)
models = {
    "one network, no early stopping": full,
    "ten networks, no early stopping": DeepEnsembleClassifier(full, 10, random_state=0),
    "one network, early stopping": stopped,
    "ten networks, early stopping": DeepEnsembleClassifier(stopped, 10, random_state=0),
}
positive = {
    name: model.fit(X, y).predict_proba(X_new)[:, 1].clip(1e-7, 1 - 1e-7)
    for name, model in models.items()
}

# %%
# A perfectly calibrated model lies on the dotted line.

figure, axes = plt.subplots(figsize=(6.2, 5.6), layout="constrained")
styles = [("tab:orange", "--"), ("tab:orange", "-"), ("tab:blue", "--"), ("tab:blue", "-")]
for (name, probability), (color, line) in zip(positive.items(), styles, strict=True):
    CalibrationDisplay.from_predictions(
        y_new,
        probability,
        n_bins=10,
        pos_label="positive",
        name=name,
        color=color,
        linestyle=line,
        ax=axes,
    )
axes.set(xlabel="Mean predicted probability", ylabel="Fraction of positives")
axes.legend(loc="upper left")
plt.show()

# %%
# Log loss and Brier score penalise overconfidence; lower is better.

truth = y_new == "positive"
pd.DataFrame(
    {
        name: {
            "accuracy": accuracy_score(truth, probability > 0.5),
            "log loss": log_loss(truth, probability),
            "Brier score": brier_score_loss(truth, probability),
        }
        for name, probability in positive.items()
    }
).T.round(3)
