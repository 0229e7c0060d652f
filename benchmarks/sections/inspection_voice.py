"""Intensity of acted speech and song, and its changes in long clips."""

import numpy as np
import pandas as pd
from sklearn.calibration import CalibratedClassifierCV
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from common.report import markdown_table
from sklearn_mmsent import (
    MFCC,
    AcousticFunctionals,
    Cached,
    FillBlocks,
    LogMel,
    make_extractor,
    make_pipeline,
    predict_timeline,
)
from sklearn_mmsent.feature_extraction.audio import AudioCleaner
from sklearn_mmsent.feature_extraction.audio.io import read_audio

WINDOW, HOP, N_JOINED = 3.0, 0.5, 4  # seconds, seconds, clips per segment
RATE = 16_000  # Hz
INTENSITY_TITLE = "Intensity of a voice"
INTENSITY_ABOUT = (
    "RAVDESS without neutral clips, strong against normal intensity, six folds by speaker, SVC "
    "on statistics of voice, loudness and timbre. Standardised by speaker: with the mean and "
    "the deviation of the speaker's clips of the channel, without labels, which requires "
    "several clips per speaker."
)
TIMELINE_TITLE = "Changes in a long clip"
TIMELINE_ABOUT = (
    f"RAVDESS speech: {N_JOINED} clips of a held-out speaker, without leading and trailing "
    f"silence, are joined to a segment, three segments to a timeline. Windows of {WINDOW:g} s "
    f"every {HOP:g} s; the same SVC, calibrated, on unstandardised features. A change is found "
    "if a turning point lies within a window of it."
)


def speech(options):
    """Load acted speech and song without neutral clips, which have one intensity only."""
    folder = options.data / "ravdess"
    labels = pd.read_csv(folder / "labels.csv").query("emotion != 'neutral'")
    labels = labels.reset_index(drop=True)
    labels["audio"] = [str(folder / name) for name in labels["path"]]
    return labels


def voice(cache=None):
    """Return an extractor of statistics of voice, loudness and timbre.

    Parameters
    ----------
    cache : str or None, default=None
        Folder of cached features.
    """
    statistics = ("mean", "std", "p05", "p25", "p50", "p75", "p95", "max")

    def trimmed(extractor):
        # keeps the level, which depends on the intensity: all clips come from one microphone
        return make_pipeline(AudioCleaner(level=None, trim_db=35.0), extractor)

    parts = {
        "egemaps": AcousticFunctionals(),
        "mel": trimmed(LogMel(n_mels=40, statistics=statistics)),
        "mfcc": trimmed(MFCC(statistics=statistics)),
    }
    if cache is not None:
        parts = {name: Cached(part, cache) for name, part in parts.items()}
    return make_extractor(audio=parts)


def run_intensity(options):
    """Classify strong and normal intensity of unseen speakers."""
    labels = speech(options)
    X = voice(options.cache).fit_transform(labels[["audio"]])
    strong = (labels["intensity"] == "strong").to_numpy()
    channel, speaker = labels["channel"].to_numpy(), labels["speaker"].to_numpy()
    filled = X.fillna(X.mean())
    by_speaker = filled.groupby([speaker, channel])
    scaled = (filled - by_speaker.transform("mean")) / (by_speaker.transform("std") + 1e-9)
    lines = []
    for name, table in {"unstandardised": filled, "standardised by speaker": scaled}.items():
        scores = cross_val_predict(
            make_pipeline(StandardScaler(), SVC(C=3)),
            table,
            strong,
            groups=speaker,
            cv=GroupKFold(6),
            method="decision_function",
        )
        aucs = [roc_auc_score(strong, scores)]
        aucs += [
            roc_auc_score(strong[rows], scores[rows])
            for rows in (channel == "speech", channel == "song")
        ]
        lines.append([name, *(f"{auc:.3f}" for auc in aucs)])
    return markdown_table(["features", "AUC", "speech", "song"], lines)


def run_timeline(options):
    """Find the changes between clips that are joined in a known order."""
    labels = speech(options).query("channel == 'speech'").reset_index(drop=True)
    strong = (labels["intensity"] == "strong").to_numpy()
    quiet, excited = (("calm", "sadness"), "normal"), (("anger", "fear"), "strong")
    orders = {
        "calm and sad, angry and afraid (strong), calm and sad": [quiet, excited, quiet],
        "any emotion: normal, strong, normal": [
            (None, level) for level in ("normal", "strong", "normal")
        ],
    }
    found = {name: [] for name in orders}
    speakers = labels["speaker"].to_numpy()
    for train, test in GroupKFold(6).split(labels, groups=speakers):
        machine = CalibratedClassifierCV(SVC(C=3), ensemble=False, cv=3)
        pipe = make_pipeline(voice(options.cache), FillBlocks(), StandardScaler(), machine)
        pipe.fit(labels.loc[train, ["audio"]], np.where(strong, "strong", "normal")[train])
        # the same steps without a cache, since no window is read twice
        pipe.steps[0] = ("voice", voice().fit(labels.loc[train[:1], ["audio"]]))
        for speaker in np.unique(speakers[test])[: options.speakers]:
            for name, order in orders.items():
                sound, changes = joined(labels[speakers == speaker], order)
                result = predict_timeline(pipe, (sound, RATE), WINDOW, HOP)
                turns = result.turning_points["time"].to_numpy()
                near = np.abs(changes[:, None] - turns[None]) <= WINDOW
                far = ~near.any(axis=0)
                found[name].append((len(changes), near.any(axis=1).sum(), far.sum()))
    lines = []
    for name, counts in found.items():
        n_changes, n_near, n_far = np.sum(counts, axis=0)
        near = f"{n_near:.0f} ({n_near / n_changes:.0%})"
        lines.append([name, len(counts), f"{n_changes:.0f}", near, f"{n_far:.0f}"])
    heads = ["joined clips of a speaker", "timelines", "changes", "found within a window"]
    return markdown_table([*heads, "other turning points"], lines)


def joined(clips, order):
    """Join clips of one speaker without leading and trailing silence.

    Parameters
    ----------
    clips : DataFrame
        Rows of `speech`.
    order : list of (tuple of str or None, str) tuples
        Emotions (None for any) and intensity of each segment.

    Returns
    -------
    sound : ndarray of shape (n_samples,)
        Samples at `RATE`.
    changes : ndarray of float
        Times at which segments meet, in seconds.
    """
    sounds, lengths, used = [], [], set()
    cleaner = AudioCleaner(level=None, trim_db=35.0)
    for emotions, level in order:
        chosen = clips[clips["intensity"] == level]
        chosen = chosen if emotions is None else chosen[chosen["emotion"].isin(emotions)]
        # clips are repeated where there are too few
        rows = [row for row in chosen.sample(frac=1, random_state=0).index if row not in used]
        rows = [*rows, *chosen.index][:N_JOINED]
        used.update(rows)
        cells = [cleaner.fit_transform([clips.loc[row, "audio"]])[0][0] for row in rows]
        segment = [read_audio(cell, sample_rate=RATE, max_seconds=60) for cell in cells]
        sounds.append(np.concatenate(segment))
        lengths.append(len(sounds[-1]) / RATE)
    return np.concatenate(sounds), np.cumsum(lengths)[:-1]
