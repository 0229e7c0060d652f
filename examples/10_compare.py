"""
Is the difference real?
=======================

Two models, five folds, one is ahead by two points. Would it be ahead on other rows? ``compare``
fits all models on the same splits and tells what the differences are worth.
"""

# %%
# Rows of three modalities from 20 speakers, with much noise.

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from sklearn_mmsent import FillBlocks, FusionClassifier, SelectModalities, compare, make_pipeline
from sklearn_mmsent.model_selection import ComparisonDisplay

rng = np.random.default_rng(0)
y = rng.choice(["negative", "neutral", "positive"], 300)
mood = pd.Series(y).map({"negative": -1.0, "neutral": 0.0, "positive": 1.0}).to_numpy()
names = [f"{modality}__x{i}" for modality in ("text", "face", "voice") for i in range(8)]
strength = np.repeat([0.5, 0.25, 0.25], 8)
X = pd.DataFrame(rng.normal(size=(300, 24)) + mood[:, None] * strength, columns=names)
X.loc[rng.random(300) < 0.2, names[8:16]] = np.nan
speakers = np.arange(300) % 20

# %%
# Text alone is what the others have to beat. A constant is always among them.

linear = make_pipeline(FillBlocks(), StandardScaler(), LogisticRegression(C=0.1))
network = FusionClassifier("gated", hidden_size=16, batch_size=64, max_epochs=40)
models = {
    "text alone": make_pipeline(SelectModalities(["text"]), network),
    "all, linear": linear,
    "all, gated": network,
}
comparison = compare(models, X, y, groups=speakers, n_repeats=2, baseline="text alone")

# %%
# Each point is a fit, each bar the interval of a mean. Folds share training rows, so the intervals
# are wider than those of a plain t-test.

ComparisonDisplay.from_comparison(comparison, score="f1_macro")
plt.show()

# %%
# ``p_holm`` is the probability of such a difference from the baseline if there was none, corrected
# for the number of models. Four points of lead on ten folds are no proof yet.

comparison.table["f1_macro"].round(3)

# %%
# And by what a row has: without a face the three modalities are two.

comparison.breakdown("presence", scores=["f1_macro"])
