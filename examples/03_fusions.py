"""
Interactions that a fusion can learn
====================================

Irony is in neither the words nor the face, but in their contradiction. Some fusions can learn
such an interaction. Others cannot, however long they are trained.
"""

# %%
# Generate rows whose class depends on both modalities: "same" if words and voice have the same
# sign, "other" if not. No model of a single modality can be better than chance.

import matplotlib.pyplot as plt
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from sklearn_mmsent import FusionClassifier, make_pipeline
from sklearn_mmsent.datasets import make_interactions

train, test = (make_interactions("product", 500, random_state=seed) for seed in (0, 1))
pd.concat([train.X, pd.Series(train.y, name="class")], axis=1).head(4).round(2)

# %%
# The classes lie on the diagonals.

figure, axes = plt.subplots(figsize=(4.4, 4), layout="constrained")
for name, color, marker in (("same", "tab:blue", "o"), ("other", "tab:orange", "x")):
    rows = train.X[train.y == name]
    axes.scatter(rows["text__sign"], rows["audio__sign"], s=14, c=color, marker=marker, label=name)
axes.set(xlabel="Words", ylabel="Voice")
axes.legend(loc="center")
plt.show()

# %%
# ``fusion`` is a parameter, so that several can be tried in a loop. "decision" averages unimodal
# predictions, and logistic regression is a weighted sum of columns. The others combine features of
# several modalities.

fusions = ["concat", "gated", "multiplicative", "tensor", "low_rank", "attention", "decision"]
accuracy = {}
for name in fusions:
    network = FusionClassifier(name, hidden_size=16, max_epochs=60, random_state=0).fit(
        train.X, train.y
    )
    accuracy[name] = network.score(test.X, test.y)
linear = make_pipeline(StandardScaler(), LogisticRegression()).fit(train.X, train.y)
accuracy["logistic regression"] = linear.score(test.X, test.y)
scores = pd.Series(accuracy, name="accuracy").sort_values()

# %%
# Models that cannot learn the interaction are at chance. For other interactions and the cost of
# each fusion, see :doc:`/benchmarks/interactions` and :doc:`/benchmarks/fusions`.

figure, axes = plt.subplots(figsize=(7, 3.6), layout="constrained")
axes.barh(scores.index, scores, color=["tab:blue" if s > 0.6 else "tab:gray" for s in scores])
axes.axvline(0.5, color="black", linestyle=":")
axes.set(xlim=(0, 1.02), xlabel="Accuracy on test rows (dotted: chance)")
for place, score in enumerate(scores):
    axes.text(score - 0.01, place, f"{score:.2f}", va="center", ha="right", color="white")
plt.show()
