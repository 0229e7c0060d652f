"""What helps one network against classes of unequal size: samplers, weights, augmentation, offsets.

Every way is fitted on the training part and scored on the validation part, from which the
recommendation and the best of all are chosen; then each is fitted on both parts and scored once per
seed on the test part. The scores go to OUTPUT/imbalance.csv, the tables to OUTPUT/imbalance.md.

    python benchmarks/imbalance.py --data FOLDER --quick
    python benchmarks/imbalance.py --data FOLDER --seeds 5 --jobs 2
    python benchmarks/imbalance.py --data FOLDER --only ravdess:speech --ways mixup
"""

import argparse
import platform
import tempfile
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
from imblearn.over_sampling import SMOTE, RandomOverSampler
from imblearn.under_sampling import RandomUnderSampler
from joblib import Parallel, delayed, parallel_config
from sklearn.base import clone
from sklearn.metrics import recall_score
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.utils import Bunch
from tqdm import tqdm

from common.data import data_folder, load_dataset
from common.features import extract, find_text_model
from sklearn_mmsent import (
    MFCC,
    Cached,
    ColorTexture,
    FusionClassifier,
    LogMel,
    TextEmbedder,
    classification_scores,
)
from sklearn_mmsent.model_selection import TunedOffsetsClassifierCV
from sklearn_mmsent.sampling import (
    AudioAugmenter,
    ImageAugmenter,
    LabelNoiseFilter,
    ModalityBalancer,
    ModalityMixup,
    ModalitySMOTE,
    OutlierRemover,
    TextAugmenter,
)

REAL = {
    "mvsa_single:split": "mvsa_single",
    "mvsa_single:split_qmf": "mvsa_single_qmf",
    "ravdess:speech": "ravdess_speech",
}
RATIOS = (1, 10, 100)
GENERATED = {f"generated 1:{ratio}": ratio for ratio in RATIOS}
BALANCED = ("ravdess:speech", "generated 1:1")
NONE, MOST_LOST = "nothing", 0.01
QUICK_ROWS, QUICK_EPOCHS = 600, 2


@dataclass(frozen=True)
class Augmented:
    """A network behind an augmenter of raw cells; its validation rows are not augmented."""

    augmenter: object
    network: object

    def fit(self, data, fitted, seed):
        """Fit on rows of a set and on changed copies; return the network."""
        rows = np.flatnonzero(fitted)
        folds = StratifiedGroupKFold(10, shuffle=True, random_state=seed)
        kept, held = next(folds.split(rows, data.y[rows], data.groups[rows]))
        kept, held = rows[kept], rows[held]
        augmenter = clone(self.augmenter).set_params(random_state=seed)
        raw, y = augmenter.fit_resample(data.raw.iloc[kept], data.y[kept])
        made = extract(raw.iloc[len(kept) :], data.extractors)
        X = pd.concat([data.X.iloc[kept], made], ignore_index=True)
        network = clone(self.network).set_params(random_state=seed)
        return network.fit(X, y, X_val=data.X.iloc[held], y_val=data.y[held])


def build_models(epochs=200):
    """Build one network, with each way against unequal classes.

    Parameters
    ----------
    epochs : int, default=200
        Of the network, at most.

    Returns
    -------
    dict of str to classifier
        By the name on the page.
    """

    def network(**params):
        return FusionClassifier("gated", device="cpu", max_epochs=epochs, **params)

    def tuned(**params):
        return TunedOffsetsClassifierCV(network(**params), cv=StratifiedGroupKFold(3))

    balanced = {"class_weight": "balanced"}
    return {
        NONE: network(),
        "RandomOverSampler": network(sampler=RandomOverSampler()),
        "RandomUnderSampler": network(sampler=RandomUnderSampler()),
        "SMOTE": network(sampler=SMOTE()),
        "ModalitySMOTE": network(sampler=ModalitySMOTE()),
        "ModalityMixup": network(sampler=ModalityMixup()),
        "ModalityBalancer": network(sampler=ModalityBalancer()),
        "OutlierRemover": network(sampler=OutlierRemover()),
        "LabelNoiseFilter": network(sampler=LabelNoiseFilter()),
        "LabelNoiseFilter, weights": network(sampler=LabelNoiseFilter(how="weight")),
        "class_weight balanced": network(**balanced),
        "class_weight effective": network(class_weight="effective"),
        "focal loss": network(loss="focal"),
        "focal loss, balanced": network(loss="focal", **balanced),
        "modality_dropout": network(modality_dropout=0.2),
        "offsets": tuned(),
        "balanced_batches": network(balanced_batches=True),
        "block_noise": network(block_noise=0.3),
        "mixup": network(mixup=0.4),
        "TextAugmenter": Augmented(TextAugmenter(replace=0, insert=0), network()),
        "ImageAugmenter": Augmented(ImageAugmenter(), network()),
        "AudioAugmenter": Augmented(AudioAugmenter(factor=1), network()),
        "balanced_batches + mixup": network(balanced_batches=True, mixup=0.4),
        "effective + mixup": network(class_weight="effective", mixup=0.4),
        "balanced + modality_dropout": network(modality_dropout=0.2, **balanced),
        "balanced + OutlierRemover": network(sampler=OutlierRemover(), **balanced),
        "balanced + LabelNoiseFilter": network(sampler=LabelNoiseFilter(), **balanced),
        "balanced + offsets": tuned(**balanced),
        "RandomOverSampler + offsets": tuned(sampler=RandomOverSampler()),
    }


def main(arguments=None):
    """Run the benchmark.

    Parameters
    ----------
    arguments : list of str or None, default=None
        Command line; None takes the process's own.
    """
    options = _parse(arguments)
    models = build_models(QUICK_EPOCHS if options.quick else 200)
    models = {name: models[name] for name in models if name in (options.ways or models)}
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as scratch:
        for name in options.only:
            data = load(name, options, options.cache or scratch)
            own = {name: way for name, way in models.items() if _reads(way, data)}
            if not own:
                continue
            scores = compare(own, data, options).assign(data=name)
            print(f"\n## {name}\n\n{write_table(scores)}\n", flush=True)
            if not options.quick:
                everything = _add(options.output / "imbalance.csv", scores)
    if not options.quick:
        page = write_page(everything, options)
        (options.output / "imbalance.md").write_text(page, encoding="utf-8")
        print(f"imbalance.md is written, after {(time.perf_counter() - start) / 60:.0f} minutes.")


def load(name, options, cache):
    """Load a set as blocks, labels, groups and parts.

    Parameters
    ----------
    name : str
        Of REAL or GENERATED.
    options : Namespace
        Command line.
    cache : str or Path
        Keeps features.

    Returns
    -------
    Bunch
        With ``X``, ``y``, ``groups`` and ``split``.
    """
    if name in GENERATED:
        data = generate(GENERATED[name])
    else:
        data = load_dataset(REAL[name], options.data)
    if options.quick:
        rows = np.sort(np.random.default_rng(0).permutation(len(data.X))[:QUICK_ROWS])
        data = Bunch(X=data.X.iloc[rows], **{k: data[k][rows] for k in ("y", "groups", "split")})
    if name in REAL:
        _, text_model = find_text_model(None)
        data.extractors = {
            "text": Cached(TextEmbedder(text_model), cache),
            "image": Cached(ColorTexture(), cache),
            "audio": {"mfcc": Cached(MFCC(), cache), "logmel": Cached(LogMel(), cache)},
        }
        data.raw = data.X
        data.X = extract(data.X, data.extractors)
    data.X = data.X.reset_index(drop=True)
    return data


def generate(ratio, n_rows=6000, seed=0):
    """Make rows of three classes in three modalities, a fifth of each of which is missing.

    Parameters
    ----------
    ratio : int
        How many rows the largest class has for one of the smallest; the third is between.
    n_rows : int, default=6000
        Rows, of which half are for training, a sixth for validation.
    seed : int, default=0
        Decides them.

    Returns
    -------
    Bunch
        As `load` gives it.
    """
    rng = np.random.default_rng([seed, ratio])
    share = np.array([ratio, ratio**0.5, 1.0])
    y = rng.choice(3, size=n_rows, p=share / share.sum())
    parts = {}
    for modality, n_features in {"text": 20, "audio": 12, "image": 8}.items():
        centres = rng.normal(size=(3, n_features)) * 1.6 / np.sqrt(n_features)
        values = centres[y] + rng.normal(size=(n_rows, n_features))
        values[rng.random(n_rows) < 0.2] = np.nan
        names = [f"{modality}__f{i:02d}" for i in range(n_features)]
        parts[modality] = pd.DataFrame(values.astype(np.float32), columns=names)
    return Bunch(
        X=pd.concat(parts.values(), axis=1),
        y=np.array(["many", "some", "few"])[y],
        groups=np.arange(n_rows),
        split=rng.choice(["train", "val", "test"], size=n_rows, p=[1 / 2, 1 / 6, 1 / 3]),
    )


def compare(models, data, options):
    """Fit and score every way with every seed, on validation and on test rows.

    Parameters
    ----------
    models : dict of str to classifier
        The ways.
    data : Bunch
        Of `load`.
    options : Namespace
        Command line.

    Returns
    -------
    DataFrame
        One row per fit.
    """
    fitted = {"val": data.split == "train", "test": data.split != "test"}
    tasks = [(p, m, s) for p in fitted for m in models for s in range(options.seeds)]
    with parallel_config("loky", n_jobs=options.jobs, inner_max_num_threads=1):
        runs = Parallel(return_as="generator")(
            delayed(fit_and_score)(models[m], data, fitted[p], data.split == p, s)
            for p, m, s in tasks
        )
        scores = list(tqdm(runs, total=len(tasks), desc="fits", unit="fit", leave=False))
    names = pd.DataFrame(tasks, columns=["part", "model", "seed"])
    return pd.concat([names, pd.DataFrame(scores)], axis=1)


def fit_and_score(model, data, fitted, scored, seed):
    """Fit a clone with a seed on some rows and score it on others.

    Parameters
    ----------
    model : classifier
        What is fitted.
    data : Bunch
        Of `load`.
    fitted, scored : ndarray of bool of shape (n_samples,)
        Which rows.
    seed : int
        For all that draws.

    Returns
    -------
    dict of str to float
        Scores, the recall of each class, and seconds.
    """
    start = time.perf_counter()
    if isinstance(model, Augmented):
        model = model.fit(data, fitted, seed)
    else:
        model = clone(model)
        drawn = [name for name in model.get_params() if name.rpartition("__")[2] == "random_state"]
        model.set_params(**dict.fromkeys(drawn, seed))
        model.fit(data.X[fitted], data.y[fitted], groups=data.groups[fitted])
    seconds = time.perf_counter() - start
    y, found = data.y[scored], model.predict(data.X[scored])
    scores = classification_scores(y, found)
    classes = np.unique(data.y)
    recalls = recall_score(y, found, labels=classes, average=None, zero_division=np.nan)
    return {
        **{name: scores[name] for name in ("f1_macro", "f1_weighted", "accuracy")},
        **{f"recall_{label}": recall for label, recall in zip(classes, recalls, strict=True)},
        "seconds": seconds,
    }


def choose(scores):
    """Choose the recommendation and the best by validation rows alone.

    Parameters
    ----------
    scores : DataFrame
        One row per fit, of all data sets.

    Returns
    -------
    recommended : str
        The single measure, no combination, that gains most macro-F1 over nothing, on average over
        the lopsided sets, and loses at most a point of weighted F1 on each balanced one.
    best : str
        The same of all, combinations too.
    """
    means = scores[scores["part"] == "val"].pivot_table(
        ["f1_macro", "f1_weighted"], "model", "data"
    )
    gains = means - means.loc[NONE]
    lopsided = [name for name in gains["f1_macro"] if name not in BALANCED]
    balanced = [name for name in gains["f1_macro"] if name in BALANCED]
    safe = (gains["f1_weighted"][balanced] >= -MOST_LOST).all(axis=1)
    mean = gains["f1_macro"][lopsided].mean(axis=1)[safe]
    single = mean[[name for name in mean.index if "+" not in name]]
    return single.idxmax(), mean.idxmax()


def write_table(scores):
    """Write the scores of one data set.

    Parameters
    ----------
    scores : DataFrame
        One row per fit.

    Returns
    -------
    str
        Markdown: mean ± standard deviation over the seeds.
    """
    recalls = [c for c in scores if c.startswith("recall_") and scores[c].notna().any()]
    shown = ["f1_macro", "f1_weighted", *recalls]
    heads = ["val f1_macro", *shown, "seconds"]
    lines = [f"| way | {' | '.join(heads)} |", "|---" * (len(heads) + 1) + "|"]
    for model in dict.fromkeys(scores["model"]):
        runs = scores[scores["model"] == model]
        val, test = (runs[runs["part"] == part] for part in ("val", "test"))
        cells = [_spread(val["f1_macro"]), *(_spread(test[name]) for name in shown)]
        lines.append(f"| {model} | {' | '.join(cells)} | {test['seconds'].median():.0f} |")
    return "\n".join(lines)


def write_page(scores, options):
    """Write the page of results.

    Parameters
    ----------
    scores : DataFrame
        One row per fit, of all data sets.
    options : Namespace
        Command line.

    Returns
    -------
    str
        Markdown.
    """
    recommended, best = choose(scores)
    test = scores[scores["part"] == "test"]
    means = test.groupby(["data", "model"], sort=False)[["f1_macro", "f1_weighted"]].mean()
    lines = []
    for name in dict.fromkeys(scores["data"]):
        gains = [
            100 * (means.loc[name, way] - means.loc[name, NONE]) for way in (recommended, best)
        ]
        cells = [f"{gain[score]:+.1f}" for gain in gains for score in ("f1_macro", "f1_weighted")]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    sections = [
        f"## {name}\n\n{write_table(part)}" for name, part in scores.groupby("data", sort=False)
    ]
    libraries = ("sklearn-mmsent", "scikit-learn", "imbalanced-learn", "torch")
    return PAGE.format(
        recommended=recommended,
        best=best,
        gains="\n".join(lines),
        sections="\n\n".join(sections),
        seeds=scores["seed"].nunique(),
        machine=options.machine or platform.processor() or platform.machine(),
        versions=", ".join(f"{name} {version(name)}" for name in libraries),
    )


PAGE = """\
# Classes of unequal size

What each way against unequal classes is worth to one and the same network,
`FusionClassifier("gated")` with default settings. Written by `benchmarks/imbalance.py`, which
`--help` explains, from `imbalance.csv`, which has one row per fit.

- Real sets: tweets with photos (mvsa_single, 10 / 30 / 59 %, and the rows whose labels of text and
  photo agree), `TextEmbedder` with MiniLM and `ColorTexture`; acted speech (ravdess, eight
  emotions, nearly balanced, parts that share no speaker), MiniLM, `MFCC` and `LogMel`.
- Generated sets: 6000 rows of three classes in three modalities, a fifth of each missing, the
  largest class 1, 10 or 100 times as large as the smallest.
- "val": fitted on the training part, scored on the validation part; all else: fitted on both,
  scored on the test part, once for each of the {seeds} seeds. Mean ± standard deviation.
- `TextAugmenter` swaps and leaves out words here, without synonyms; the three augmenters of raw
  cells change texts, photos and sounds before the extractors, up to the size of the largest class
  (`AudioAugmenter`: one copy of each row).
- Samplers stand in `sampler=`, so that they see training rows alone. "offsets" is
  `TunedOffsetsClassifierCV` with three folds by group.

By the validation parts alone, among single measures that lose at most a point of weighted F1 on
the balanced sets, **{recommended}** gains most macro-F1 over nothing on the others, and is what we
recommend to begin with; among all ways, **{best}**. What they gain over nothing on the test parts,
in points:

| data | {recommended}: f1_macro | f1_weighted | {best}: f1_macro | f1_weighted |
|---|---|---|---|---|
{gains}

{sections}

Seconds are those of one fit, the median, in one thread on {machine}; {versions}.
"""


def _reads(way, data):
    """Tell whether a way has something to do with a set's columns."""
    return not isinstance(way, Augmented) or way.augmenter.columns in data.get("raw", ())


def _add(path, scores):
    """Put the scores of ways on a data set in the place of their old ones."""
    path.parent.mkdir(parents=True, exist_ok=True)
    kept = {}
    if path.exists():
        kept = dict(list(pd.read_csv(path).groupby(["data", "model"], sort=False)))
    kept |= dict(list(scores.groupby(["data", "model"], sort=False)))
    order = [(name, way) for name in (*REAL, *GENERATED) for way in build_models()]
    everything = pd.concat([kept[key] for key in order if key in kept], ignore_index=True)
    front = ["data", "part", "model", "seed"]
    everything = everything[front + [c for c in everything if c not in front]]
    everything.to_csv(path, index=False, float_format="%.5g")
    return everything


def _spread(values):
    return f"{values.mean():.3f} ± {values.std(ddof=0):.3f}"


def _parse(arguments):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = [*REAL, *GENERATED]
    parser.add_argument("--data", metavar="FOLDER", help="of all data (default: $MMSENT_DATA)")
    parser.add_argument(
        "--only", nargs="+", metavar="NAME", choices=names, default=names, help="data sets"
    )
    parser.add_argument(
        "--ways",
        nargs="+",
        metavar="WAY",
        choices=list(build_models()),
        help="only these, by their names on the page; others keep their rows",
    )
    parser.add_argument("--seeds", type=int, default=5, help="fits of each way (default: 5)")
    parser.add_argument("--jobs", type=int, default=2, help="fits at once (default: 2)")
    parser.add_argument("--cache", metavar="FOLDER", help="keeps features for the next run")
    parser.add_argument("--machine", help="name of the processor, for the page")
    parser.add_argument(
        "--quick",
        action="store_true",
        help=f"{QUICK_ROWS} rows, {QUICK_EPOCHS} epochs, one seed; prints scores, writes nothing",
    )
    parser.add_argument(
        "--output",
        metavar="FOLDER",
        type=Path,
        default=Path(__file__).parents[1] / "docs" / "benchmarks",
        help="where imbalance.md and imbalance.csv are (default: docs/benchmarks)",
    )
    options = parser.parse_args(arguments)
    if min(options.seeds, options.jobs) < 1:
        parser.error("--seeds and --jobs must be at least 1")
    try:
        options.data = data_folder(options.data)
    except FileNotFoundError as error:
        parser.error(str(error))
    options.seeds = 1 if options.quick else options.seeds
    return options


if __name__ == "__main__":
    main()
