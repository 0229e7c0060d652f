"""
Modality importance and sentiment over time
===========================================

How much does each modality contribute to the score? In which rows do modalities contradict each
other? When does the sentiment of a clip change?
"""

# %%
# Generate clips, split them by speaker, and train a network with ``modality_dropout``: the analyses
# below hide modalities.

import tempfile

import matplotlib.pyplot as plt
import numpy as np
import soundfile
from sklearn.model_selection import GroupShuffleSplit

from sklearn_mmsent import (
    MFCC,
    ColorTexture,
    FusionClassifier,
    TfidfEmbedder,
    make_clips,
    make_extractor,
    make_pipeline,
    modality_importance,
    predict_timeline,
)
from sklearn_mmsent.inspection import ModalityImportanceDisplay, TimelineDisplay, agreement_report

folder = tempfile.TemporaryDirectory()
clips = make_clips(
    folder.name, 300, interaction={"agreeing": 2, "complementary": 1}, random_state=0
)
train, test = next(GroupShuffleSplit(1, random_state=0).split(clips.X, groups=clips.groups))
X, y = clips.X.iloc[test], clips.y[test]
pipe = make_pipeline(
    make_extractor(
        text=TfidfEmbedder(n_components=32), image=ColorTexture(size=(64, 64)), audio=MFCC()
    ),
    FusionClassifier("gated", modality_dropout=0.3, random_state=0),
).fit(clips.X.iloc[train], clips.y[train])

# %%
# The Shapley value of a modality is the gain in score from adding it, averaged over all orders of
# the modalities. The values sum to the score minus the score without any modality.

found = modality_importance(pipe, X, y, scoring="accuracy")
ModalityImportanceDisplay.from_importance(found)
plt.show()

# %%
# Sentiment over time: join five sounds, the third of which is negative, and predict them by window
# with a pipeline of audio only.

listener = make_pipeline(make_extractor(audio=MFCC()), FusionClassifier(random_state=0))
listener.fit(clips.X.iloc[train], clips.y[train])
loud = np.abs(clips.intensity[test]) > 1.5
labels = ["positive", "positive", "negative", "positive", "positive"]
cells = [
    X["audio"][(y == label) & loud & X["audio"].notna()].iloc[number]
    for number, label in enumerate(labels)
]
samples = np.concatenate([soundfile.read(cell)[0] for cell in cells])
timeline = predict_timeline(listener, (samples, 16_000), window=1.0, hop=0.25)
TimelineDisplay.from_timeline(timeline)
plt.show()

# %%
# Agreement between modalities: the unimodal predictions of each row, their conflict, and the
# modality that the fusion followed, with the strongest conflicts first.

report = agreement_report(pipe, X)
columns = ["prediction", "text", "image", "audio", "conflict", "followed"]
report.table[columns].sort_values("conflict", ascending=False).head(8).round(2)
