"""
Comparing models with statistical tests
=======================================

One of two models is better by two points in five folds. Is the difference statistically
significant? ``compare`` fits all models on the same splits and tests the differences.
"""

# %%
# Generate noisy rows of three modalities from 20 speakers.

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from sklearn_mmsent import FillBlocks, FusionClassifier, SelectModalities, compare, make_pipeline
from sklearn_mmsent.model_selection import ComparisonDisplay

rng = np.random.default_rng(0)
y = rng.choice(["negative", "neutral", "positive"], 300)
polarity = pd.Series(y).map({"negative": -1.0, "neutral": 0.0, "positive": 1.0}).to_numpy()
names = [f"{modality}__x{i}" for modality in ("text", "face", "voice") for i in range(8)]
strength = np.repeat([0.5, 0.25, 0.25], 8)
X = pd.DataFrame(rng.normal(size=(300, 24)) + polarity[:, None] * strength, columns=names)
X.loc[rng.random(300) < 0.2, names[8:16]] = np.nan
speakers = np.arange(300) % 20

# %%
# The baseline is a model of the text. A constant is always included.

linear = make_pipeline(FillBlocks(), StandardScaler(), LogisticRegression(C=0.1))
network = FusionClassifier("gated", hidden_size=16, batch_size=64, max_epochs=40)
models = {
    "text alone": make_pipeline(SelectModalities(["text"]), network),
    "all, linear": linear,
    "all, gated": network,
}
comparison = compare(models, X, y, groups=speakers, n_repeats=2, baseline="text alone")

# %%
# Each point is a fit, and each bar a confidence interval of the mean. The intervals are corrected
# for training rows that folds share, so that they are wider than those of a plain t-test.

ComparisonDisplay.from_comparison(comparison, score="f1_macro")
plt.show()

# %%
# ``p_holm`` is the p-value of the difference from the baseline, corrected for the number of models.
# Four points on ten folds are not significant here.

comparison.table["f1_macro"].round(3)

# %%
# Scores by the modalities that a row has.

comparison.breakdown("presence", scores=["f1_macro"])
