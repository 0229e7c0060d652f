"""
Which modality decided, and when did the mood turn?
===================================================

A score is where the work of a person begins. What does each modality bring? Where do they
contradict each other? When in a clip does the mood change?
"""

# %%
# Clips, split by speaker, and a network that has seen rows with modalities hidden: what follows
# hides them.

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
# Shapley values share the score out: what a modality adds, over all orders in which modalities
# could come. They sum to the score less that of a guess.

found = modality_importance(pipe, X, y, scoring="accuracy")
ModalityImportanceDisplay.from_importance(found)
plt.show()

# %%
# When does the mood turn? Five sounds one after another, of which the third is of another mood; a
# pipeline that hears alone predicts it window by window.

hears = make_pipeline(make_extractor(audio=MFCC()), FusionClassifier(random_state=0))
hears.fit(clips.X.iloc[train], clips.y[train])
loud = np.abs(clips.intensity[test]) > 1.5
moods = ["positive", "positive", "negative", "positive", "positive"]
cells = [
    X["audio"][(y == mood) & loud & X["audio"].notna()].iloc[number]
    for number, mood in enumerate(moods)
]
samples = np.concatenate([soundfile.read(cell)[0] for cell in cells])
timeline = predict_timeline(hears, (samples, 16_000), window=1.0, hop=0.25)
TimelineDisplay.from_timeline(timeline)
plt.show()

# %%
# Where do modalities contradict each other? For each row what each says alone, how far they
# contradict, and which one the fusion followed; the strongest conflicts first.

report = agreement_report(pipe, X)
columns = ["prediction", "text", "image", "audio", "conflict", "followed"]
report.table[columns].sort_values("conflict", ascending=False).head(8).round(2)
