"""RAVDESS: emotions acted in two sentences whose words mean nothing.

Since all say the same, the length of a clip without the silence around it is a common measure:
what voice, timbre and bands do in each eighth or third of it can be compared between clips. Linear
discriminants with a shrunken covariance find what differs between emotions and not between
speakers; two of them, that hear different things beside the voice, are averaged.
"""

from functools import partial

import _data
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import VotingClassifier
from sklearn.model_selection import GroupKFold
from sklearn.preprocessing import StandardScaler

from recipes import Recipe
from recipes._texts import embed_texts
from sklearn_mmsent import (
    MFCC,
    AcousticFunctionals,
    AudioCleaner,
    Cached,
    FillBlocks,
    LogMel,
    SelectModalities,
    classification_scores,
    make_extractor,
    make_pipeline,
)

N_FOLDS = 6


def load(data, cache, *, channel):
    """Load clips of one channel; their features, which learn from no row, come from the cache."""
    rows = _data.load(f"ravdess_{channel}", data)
    # the level stays: all were recorded alike, and the angry are loud
    clean = AudioCleaner(high_pass=None, trim_db=30.0, level=None)
    heard = {
        "voice": AcousticFunctionals(parts=8),
        "timbre": MFCC(deltas=0, statistics=["mean", "std"], parts=3),
        "bands": LogMel(statistics=["mean"], parts=8),
    }
    extract = make_extractor(
        **{
            name: ("audio", Cached(make_pipeline(clean, extractor), cache))
            for name, extractor in heard.items()
        }
    ).set_output(transform="pandas")
    rows.X = rows.X[["text"]].join(extract.fit_transform(rows.X))
    return rows


def systems(data):
    """Build the average of two discriminants, each modality alone, and the members."""
    timbre, bands = ("voice", "timbre"), ("voice", "bands")
    models = {
        "average": _average(("text", *timbre), ("text", *bands)),
        "audio alone": _average(timbre, bands),
        "text alone": _discriminant("text"),
        "text, voice and timbre": _discriminant("text", *timbre),
        "text, voice and bands": _discriminant("text", *bands),
        "voice alone": _discriminant("voice"),
        "all in one": _discriminant("text", "voice", "timbre", "bands"),
    }
    return {
        **{name: make_pipeline(embed_texts({"text": 2}), model) for name, model in models.items()},
    }


def folds(rows):
    """Cut the rows into six folds that share no speaker."""
    return list(GroupKFold(N_FOLDS).split(rows.X, groups=rows.groups))


def _average(*members):
    return VotingClassifier([("+".join(m), _discriminant(*m)) for m in members], voting="soft")


def _discriminant(*modalities):
    # shrinkage by a formula (Ledoit and Wolf) would count clips of a speaker as independent
    discriminant = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=0.4)
    return make_pipeline(
        SelectModalities(list(modalities)), FillBlocks(), StandardScaler(), discriminant
    )


def _recipe(channel, accuracy, published):
    return Recipe(
        name=f"ravdess:{channel}",
        load=partial(load, channel=channel),
        systems=systems,
        score=classification_scores,
        targets={"accuracy": (">=", accuracy)},
        published={"eGeMAPS functionals + SVC(C=10)": {"accuracy": published}},
        folds=folds,
    )


RECIPES = (_recipe("speech", 0.65, 0.447), _recipe("song", 0.70, 0.540))
